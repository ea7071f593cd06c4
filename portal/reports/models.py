"""The models of a deployment: which way of telling was chosen, how well it did, and what it had to beat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from c360_assets.terms.forecasting import KINDS
from governance.errors import C360Error
from resources.deployment import Deployment
from resources.engine import quoted

Row = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """A model as people know it: the table of its candidates and that of what it says, and the figure that counts.

    `candidate` is the column that names a way of telling, `measure` that of the figure, with its bounds `_low` and
    `_high` where the table has them; `part` tells apart models that share a table.
    """

    name: str
    table: str
    scores: str
    candidate: str
    measure: str
    called: str
    page: str
    limits: tuple[str, ...]
    part: tuple[str, str] | None = None

    @property
    def bounds(self) -> tuple[str, str] | None:
        """The columns of the interval of the figure."""
        return None if self.table in WITHOUT_BOUNDS else (f"{self.measure}_low", f"{self.measure}_high")


# What these gain on their baseline has an interval, their figure has none.
WITHOUT_BOUNDS = ("recommendation_model", "forecast_model")
PROBABLE = "It says what is probable for many, and is wrong about single customers."
PAST = "It knows what was: after a change of assortment, prices or campaigns it is wrong until that is past, too."
CAUSES = "It tells what goes together, never what would change somebody's mind; only a control group tells that."
NO_REFUSAL = "Not for refusing service, credit or prices to a person."
UNSEEN = "Promotions, holidays and prices to come are not known to it; a season needs two years of sales."
EMPTY_SHELVES = "Sales are no demand where the shelf was empty: what could not be sold is not missed."
MODELS = (
    Model(
        "churn",
        "churn_model",
        "churn_scores",
        "candidate",
        "auc",
        "AUC-ROC",
        "docs/churn.md",
        (PROBABLE, PAST, CAUSES, NO_REFUSAL, "Not for customers without a dated order: they have no probability."),
    ),
    Model(
        "lifetime_value",
        "lifetime_model",
        "lifetime_value",
        "model",
        "rmse",
        "root mean squared error, purchases",
        "docs/lifetime_value.md",
        (
            PROBABLE,
            PAST,
            "A steady rate is assumed: no season, no campaign.",
            "Sums are much surer than single customers.",
        ),
    ),
    *(
        Model(
            f"recommendations_{name.replace(' ', '_')}",
            "recommendation_model",
            "recommendations",
            "candidate",
            "ndcg",
            "NDCG at 10",
            "docs/recommendations.md",
            (PROBABLE, PAST, "What nobody was shown, nobody bought: lists favour what is seen already."),
            ("list", name),
        )
        for name in ("buy again", "discover", "joined")
    ),
    *(
        Model(
            f"forecasts_{kind.name.replace(' ', '_')}",
            "forecast_model",
            "forecasts",
            "candidate",
            kind.judged_by,
            "mean absolute scaled error"
            if kind.judged_by == "mase"
            else "mean absolute scaled error of totals, per week",
            "docs/forecasts.md",
            (PAST, UNSEEN, EMPTY_SHELVES, "Forecasts of one level need not add up to those of another."),
            ("series_kind", kind.name),
        )
        for kind in KINDS
    ),
)


def named(name: str) -> Model:
    """The model of this name; C360Error names those there are."""
    found = next((model for model in MODELS if model.name == name), None)
    if found is None:
        raise C360Error(f"There is no model '{name}'. There are {', '.join(model.name for model in MODELS)}.")
    return found


def candidates(deployment: Deployment, model: Model) -> list[Row]:
    """Every way of telling that was tried, as its table has it; none where it was not built yet."""
    contract = deployment.contracts[model.table]
    if deployment.lake.state(model.table) is None:
        return []
    deployment.lake.read(contract)
    columns = [name for name in contract.column_names if not name.endswith("_model")]
    listed = ", ".join(map(quoted, columns))
    values = deployment.engine.query(f"SELECT {listed} FROM {quoted(model.table)}")
    rows = [dict(zip(columns, row, strict=True)) for row in values]
    return [row for row in rows if model.part is None or row[model.part[0]] == model.part[1]]


def chosen(rows: Sequence[Row]) -> Row | None:
    """The one that says what is told of customers."""
    return next((row for row in rows if row["is_chosen"]), None)


def figure(model: Model, row: Row) -> str:
    """The figure of a candidate with its interval, as people read it."""
    value = row[model.measure]
    if value is None:
        return "not judged"
    low, high = (row[name] for name in model.bounds) if model.bounds else (None, None)
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def listing(deployment: Deployment) -> Table:
    """Each model with the way that was chosen, its figure, and why."""
    shown = Table(title=f"{deployment.settings.name}: models", title_justify="left", box=SIMPLE_HEAD)
    shown.show_edge = shown.pad_edge = False
    shown.add_column("model", no_wrap=True)
    shown.add_column("chosen, and its figure on what it had not seen")
    for model in MODELS:
        rows = candidates(deployment, model)
        best = chosen(rows)
        if not rows:
            told = f"not trained yet: c360 run --select +{model.scores}"
        elif best is None:
            told = f"none: {rows[0]['reason']}"
        else:
            told = f"{best[model.candidate]}: {model.called} {figure(model, best)}; {best['reason']}"
        shown.add_row(model.name, told)
    return shown
