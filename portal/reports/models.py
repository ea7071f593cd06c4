"""The models of a deployment: which way of telling was chosen, how well it did, and what it had to beat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from c360_assets.terms.actions import CATEGORY_SHIFT, TARGETS
from c360_assets.terms.forecasting import KINDS
from governance.errors import C360Error
from resources.candidates import columns as readable
from resources.deployment import Deployment
from resources.engine import quoted

Row = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """A model as people know it: the table of its candidates and that of what it says, and the figure that counts.

    `candidate` is the column that names a way of telling, `measure` that of the figure, with its bounds `_low` and
    `_high` where the table has them; `part` tells apart models that share a table. `since` is the column of the moment
    or day by which it was judged, where there is one; `needed` that without which a candidate cannot score.
    """

    name: str
    table: str
    scores: str
    candidate: str
    measure: str
    called: str
    needed: str
    page: str
    part: tuple[str, str] | None = None
    since: str | None = None

    @property
    def bounds(self) -> tuple[str, str] | None:
        """The columns of the interval of the figure."""
        return None if self.table in WITHOUT_BOUNDS else (f"{self.measure}_low", f"{self.measure}_high")


# What these gain on their baseline has an interval, their figure has none.
WITHOUT_BOUNDS = ("recommendation_model", "forecast_model")
MODELS = (
    Model(
        "churn",
        "churn_model",
        "churn_scores",
        "candidate",
        "auc",
        "AUC-ROC",
        "fitted_model",
        "docs/churn.md",
        since="judged_at",
    ),
    Model(
        "lifetime_value",
        "lifetime_model",
        "lifetime_value",
        "model",
        "rmse",
        "root mean squared error, purchases",
        "r",
        "docs/lifetime_value.md",
        since="cutoff_on",
    ),
    *(
        Model(
            f"recommendations_{name.replace(' ', '_')}",
            "recommendation_model",
            "recommendations",
            "candidate",
            "ndcg",
            "NDCG at 10",
            "ndcg",
            "docs/recommendations.md",
            part=("list", name),
        )
        for name in ("buy again", "discover", "joined")
    ),
    *(
        Model(
            target.name,
            "action_model",
            "next_actions",
            "candidate",
            "auc",
            "AUC-ROC",
            "fitted_model",
            "docs/next_actions.md",
            part=("target", target.name),
            since="judged_at",
        )
        for target in TARGETS
    ),
    Model(
        CATEGORY_SHIFT,
        "action_model",
        "next_actions",
        "candidate",
        "log_loss",
        "log loss",
        "fitted_model",
        "docs/next_actions.md",
        part=("target", CATEGORY_SHIFT),
        since="judged_at",
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
            "mae",
            "docs/forecasts.md",
            part=("series_kind", kind.name),
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
    columns = readable(contract)
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
