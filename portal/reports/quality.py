"""Quality on the command line: scores, their trend, and the rules behind them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from checks.scoring import ERROR, FAIL, NOT_ASSESSED, PASS, WARN
from governance.errors import C360Error
from resources.deployment import Deployment

Row = Mapping[str, Any]
SHOWN_SCORES = 8
BARS = "▁▂▃▄▅▆▇█"
# Where a trend's bars begin: scores below look alike, and above differences show.
LOWEST_BAR = 50.0
MARKS = {
    PASS: Text("pass", "green"), WARN: Text("warn", "yellow"), FAIL: Text("fail", "red"),
    ERROR: Text("error", "bold red"), NOT_ASSESSED: Text("not assessed", "dim"),
}  # fmt: skip


def show(deployment: Deployment, dataset: str | None, kind: str, console: Console) -> None:
    """Print the latest score of every table, or of one with the rules behind it, as `kind` (table or json).

    C360Error where there is no such table, or nothing was checked yet.
    """
    scores = _scores(deployment)
    if dataset is not None and dataset not in deployment.contracts:
        dataset = f"sources/{dataset}"
        if dataset not in deployment.contracts:
            raise C360Error(
                f"There is no table '{dataset.removeprefix('sources/')}'. c360 tables lists those there are."
            )
    if dataset and deployment.contracts[dataset].layer == "operations":
        raise C360Error(f"{dataset} is what runs note, and has no quality score. See its rows: c360 show {dataset}")
    if not scores or (dataset and dataset not in scores):
        what, it = (f"{dataset} was not", "it") if dataset else ("Nothing was", "all")
        raise C360Error(f"{what} checked yet. Build and check {it} with: c360 run")
    results = _results(deployment, scores)
    if kind == "json":
        chosen = [dataset] if dataset else list(scores)
        described = [_as_dict(key, scores[key], results[key]) for key in chosen]
        console.file.write(json.dumps(described[0] if dataset else described, default=str, ensure_ascii=False) + "\n")
    elif dataset:
        _print_one(deployment, dataset, scores[dataset], results[dataset], console)
    else:
        console.print(_overview(deployment, scores, results))
        console.print("clean: rows free of any fault; failing: rules that do not pass. More: c360 quality TABLE")


def trend(scores: Sequence[Row]) -> str:
    """The last scores as bars, from 50 to 100; a | stands where the rules changed."""
    drawn = []
    for row in scores[-SHOWN_SCORES:]:
        height = 0.0 if row["score"] is None else max(0.0, (row["score"] - LOWEST_BAR) / (100 - LOWEST_BAR))
        drawn.append(("|" if row["rules_changed"] else "") + BARS[min(len(BARS) - 1, int(height * len(BARS)))])
    return "".join(drawn)


def _scores(deployment: Deployment) -> dict[str, list[Row]]:
    """All scores by table, oldest first; tables in the order of the contracts."""
    stored = sorted(deployment.operations.records("quality_scores"), key=lambda row: row["sequence"])
    found: dict[str, list[Row]] = {
        key: [row for row in stored if row["dataset"] == key] for key in deployment.contracts
    }
    return {key: rows for key, rows in found.items() if rows}


def _results(deployment: Deployment, scores: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """The results behind each latest score."""
    latest = {(key, rows[-1]["run_id"]) for key, rows in scores.items()}
    found: dict[str, list[Row]] = {key: [] for key in scores}
    for row in deployment.operations.records("quality_results"):
        if (row["dataset"], row["run_id"]) in latest:
            found[row["dataset"]].append(row)
    return found


def _as_dict(key: str, scores: Sequence[Row], results: Sequence[Row]) -> dict[str, Any]:
    columns = (
        "rule",
        "dimension",
        "severity",
        "status",
        "passing",
        "failing",
        "applicable",
        "share",
        "weight",
        "problem",
    )
    return {
        **{name: scores[-1][name] for name in scores[-1] if name != "dataset"},
        "dataset": key,
        "trend": [
            {"as_of": row["as_of"], "score": row["score"], "rules_changed": row["rules_changed"]} for row in scores
        ],
        "rules": [{name: row[name] for name in columns} for row in results],
    }


def _overview(
    deployment: Deployment, scores: Mapping[str, Sequence[Row]], results: Mapping[str, Sequence[Row]]
) -> Table:
    """Clean is the share of rows free of any fault, failing the rules that do not pass, of all."""
    shown = Table(title=f"{deployment.settings.name}: quality", title_justify="left")
    shown.add_column("table", no_wrap=True)
    shown.add_column("score", justify="right", no_wrap=True)
    shown.add_column("target", justify="right", no_wrap=True)
    shown.add_column("trend", no_wrap=True)
    shown.add_column("clean", justify="right", no_wrap=True)
    shown.add_column("failing", justify="right", no_wrap=True)
    for key, rows in scores.items():
        latest, target = rows[-1], deployment.contracts[key].quality_target
        odd = sum(row["status"] in (WARN, FAIL, ERROR) for row in results[key])
        shown.add_row(
            key,
            _score(latest["score"], target),
            f"{target:g}" if target else "",
            trend(rows),
            "" if latest["faultless_percent"] is None else f"{latest['faultless_percent']:.1f} %",
            f"{odd}/{len(results[key])}" if odd else "",
        )
    return shown


def _print_one(
    deployment: Deployment, key: str, scores: Sequence[Row], results: Sequence[Row], console: Console
) -> None:
    latest, contract = scores[-1], deployment.contracts[key]
    rules = {rule.name: rule for rule in contract.rules}
    at = latest["as_of"] and f"  as of {latest['as_of']:%Y-%m-%d %H:%M}"
    console.print(
        Text.assemble(
            (key, "bold"),
            "  score ",
            _score(latest["score"], contract.quality_target),
            f" of 100  trend {trend(scores)}{at or ''}",
        )
    )
    if latest["faultless_percent"] is not None:
        console.print(
            f"{latest['faultless_rows']:,} of {latest['row_count']:,} rows are free of any fault"
            f" ({latest['faultless_percent']:.1f} %). Readers see this snapshot:"
            f" {'yes' if latest['published'] or not contract.is_gated else 'no, they keep the one before'}.",
        )
    shown = Table()
    shown.add_column("rule")
    for heading in ("status", "passing", "failing"):
        shown.add_column(heading, justify="left" if heading == "status" else "right", no_wrap=True)
    order = (ERROR, FAIL, WARN, NOT_ASSESSED, PASS)
    for row in sorted(results, key=lambda row: (order.index(row["status"]), row["share"] or 0, row["rule"])):
        share = "" if row["share"] is None else f"{100 * row['share']:.2f} %"
        why = f"{'Not assessed: ' if row['status'] == NOT_ASSESSED else ''}{row['problem']}" if row["problem"] else ""
        rule = rules.get(row["rule"])
        detail = f"{rule.description} {rule.threshold} {why}" if rule else why
        said = Text.assemble(row["rule"], (f" ({row['dimension']})", "dim"))
        if row["status"] != PASS:
            said.append(f"\n{detail.strip()}", "dim")
        failing = f"{row['failing']:,} {rule.need.unit if rule else ''}".strip() if row["failing"] else ""
        shown.add_row(said, MARKS[row["status"]], share, failing)
    console.print(shown)


def _score(value: float | None, target: float | None) -> Text:
    if value is None:
        return Text("–", "dim")
    return Text(f"{value:.1f}", "yellow" if target and value < target else "")
