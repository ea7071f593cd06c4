"""The card of a model as one HTML page: what it says, of whom, how well, and when not to use it."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any

from c360_assets.terms import churn, churn_reasons
from portal.reports import charts
from portal.reports.html_page import document, scrolling, tiles
from portal.reports.models import Model, Row, candidates, chosen, figure
from resources.deployment import Deployment
from resources.engine import literal, quoted

INDEX = (("#top", "What it is"), ("#candidates", "How well"), ("#limits", "Limits"))
PICTURES = (("#pictures", "Calibration and lift"), ("#drivers", "What it looks at"))
FANS = (("#fans", "What comes"),)
MOST_DRIVERS = 10
# Told in the table of candidates beside the figure, where the model's table has them.
BESIDE = {
    "auc_gain": "gain on the best baseline",
    "ndcg_gain": "gain on popularity",
    "gain": "gain on the baseline",
    "bias_share": "in all, off by",
    "coverage_80": "within the 80 % interval",
    "coverage_95": "within the 95 % interval",
    "brier": "Brier score",
    "brier_gain": "Brier score, below the best baseline by",
    "log_loss_gain": "below the best baseline by",
    "accuracy": "likeliest came",
    "kfold_auc": "AUC, cross-validation",
    "mae": "mean absolute error",
    "correlation": "correlation",
    "total_bias": "total, off by",
    "recall": "recall at 10",
}
AS_SHARE = {"total_bias": "+.0%", "bias_share": "+.0%", "coverage_80": ".0%", "coverage_95": ".0%"}
LARGE = 1_000
# Weeks of the past and series that are drawn.
DRAWN_WEEKS, MOST_DRAWN = 78, 4


def page(deployment: Deployment, model: Model) -> str:
    """The whole page, also where nothing could be trained: then it says what there is too little of."""
    rows, deciles = candidates(deployment, model), _deciles(deployment, model)
    fans = _fans(deployment, model)
    links = [*INDEX[:2], *(PICTURES if deciles else FANS if fans else ()), *INDEX[2:]]
    parts = "".join(f'<li><a href="{to}"><span>{name}</span></a></li>' for to, name in links)
    index = f'<nav aria-label="Index"><h2>{escape(_title(model))}</h2><ul>{parts}</ul></nav>'
    parts_of_page = [_head(deployment, model, rows), _candidates(model, rows), _pictures(deciles), fans]
    content = [*parts_of_page, _drivers(deployment, model, rows), _limits(deployment, model)]
    return document(f"{_title(model)}: model card", index, "\n".join(content))


def _title(model: Model) -> str:
    if model.part is not None and model.part[0] == "series_kind":
        return f"Forecasts: {model.part[1]}"
    return model.name.replace("_", " ").capitalize()


def _head(deployment: Deployment, model: Model, rows: Sequence[Row]) -> str:
    best, scores = chosen(rows), deployment.contracts[model.scores]
    facts = [(figure(model, best), model.called), (best[model.candidate], "chosen")] if best else []
    facts += [(_shown(best[name]), told) for name, told in _COUNTS.items() if best and best.get(name) is not None]
    why = best["reason"] if best else rows[0]["reason"] if rows else "It was not trained yet."
    return (
        f'<section id="top"><p class="soft small">{escape(deployment.settings.name)} · model card</p>'
        f"<h1>{escape(_title(model))}</h1>"
        f'<p class="lead">{escape(scores.grain)} <span class="soft">{escape(scores.purpose)}</span></p>'
        f'{tiles(facts)}<p class="lead">{escape(why[:1].upper() + why[1:])}.</p></section>'
    )


_COUNTS = {
    "judged_count": "customers judged, whom it had not seen",
    "calibration_customer_count": "customers judged, on a time it had not seen",
    "customer_count": "customers judged",
    "training_count": "examples it learnt from",
    "churn_share": "of those judged left",
    "happened_share": "to whom it happened",
    "said_share": "said on average",
    "judged_at": "as of which it was judged",
    "cutoff_on": "up to which it learnt to be judged",
    "hold_out_days": "days held out",
    "series_count": "series judged",
    "origin_count": "moments of the past it was judged at",
    "week_count": "weeks of sales held",
}


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, float):
        return f"{value:.0%}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _candidates(model: Model, rows: Sequence[Row]) -> str:
    judged = [row for row in rows if row[model.measure] is not None]
    if not judged:
        return ""
    beside = [name for name in BESIDE if name in rows[0] and any(row[name] is not None for row in judged)]
    titles = ("way", model.called, *(BESIDE[name] for name in beside), "why")
    heads = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(
        f'<tr class="{"chosen" if row["is_chosen"] else ""}"><td>{escape(row[model.candidate])}</td>'
        f"<td>{figure(model, row)}</td>{''.join(f'<td>{_beside(row, name)}</td>' for name in beside)}"
        f'<td class="soft">{escape(row["reason"])}</td></tr>'
        for row in judged
    )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    note = "All ways that were tried, on what they had not seen; intervals are of 95 %."
    shown = f"{_forest(model, judged)}{scrolling('Ways that were tried', table)}"
    return (
        '<section id="candidates"><h2 class="part">How well, beside what</h2><div class="card">'
        f'<p class="soft">{note}</p>{shown}</div></section>'
    )


def _beside(row: Row, name: str) -> str:
    value = row[name]
    if value is None:
        return ""
    if name in AS_SHARE:
        return format(value, AS_SHARE[name])
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    sign = "+" if name.endswith("gain") else ""
    told = f"{value:{sign}.3f}" if abs(value) < LARGE else f"{value:,.0f}"
    return told if low is None else f"{told} ({low:{sign}.3f} to {high:{sign}.3f})"


def _forest(model: Model, judged: Sequence[Row]) -> str:
    if not model.bounds or any(row[name] is None for row in judged for name in model.bounds):
        return ""
    low, high = model.bounds
    figures = [(row[model.candidate], row[model.measure], row[low], row[high]) for row in judged]
    told = next((row[model.candidate] for row in judged if row["is_chosen"]), "")
    return charts.forest(model.called, figures, told)


def _deciles(deployment: Deployment, model: Model) -> list[tuple[Any, ...]]:
    """By tenth: what the chosen candidate of churn said, what came, and how many times as often as usual."""
    table = "churn_deciles"
    if model.name != "churn" or deployment.lake.state(table) is None:
        return []
    deployment.lake.read(deployment.contracts[table])
    columns = "mean_probability, churn_share, lift"
    return deployment.engine.query(f"SELECT {columns} FROM {quoted(table)} WHERE is_chosen ORDER BY decile")


def _pictures(deciles: Sequence[tuple[Any, ...]]) -> str:
    if not deciles:
        return ""
    said = charts.calibration([(mean, share) for mean, share, _ in deciles])
    lift = charts.lifts([lift for *_, lift in deciles])
    above = "Each dot is a tenth of the customers; above the line it came more often than was said."
    often = "How many times as often as among all customers."
    cards = _picture("Does it come as often as it is said?", above, said)
    cards += _picture("Do the likeliest leave most often?", often, lift)
    return (
        f'<section id="pictures"><h2 class="part">Calibration and lift</h2><div class="pairs">{cards}</div></section>'
    )


def _picture(question: str, reading: str, picture: str) -> str:
    return f'<article class="card"><h3>{question}</h3><p class="soft small">{reading}</p>{picture}</article>'


def _fans(deployment: Deployment, model: Model) -> str:
    """The largest series of a kind that are foretold: their past weeks, and the coming ones with their intervals."""
    if model.scores != "forecasts" or model.part is None or deployment.lake.state("forecasts") is None:
        return ""
    for name in ("forecasts", "weekly_sales"):
        deployment.lake.read(deployment.contracts[name])
    drawn = deployment.engine.query(
        f"SELECT level, series_id, series_name, measure FROM forecasts WHERE series_kind = {literal(model.part[1])}"
        " AND week_number = 13 AND high_95 IS NOT NULL ORDER BY total_expected DESC, series_id LIMIT "
        f"{MOST_DRAWN}"
    )
    cards = "".join(_fan(deployment, *series) for series in drawn)
    reading = "If errors are as they were, 95 of 100 weeks lie in the light band, and 80 in the dark one."
    return (
        f'<section id="fans"><h2 class="part">What comes</h2><p class="soft">{reading}</p>{cards}</section>'
        if cards
        else ""
    )


def _fan(deployment: Deployment, level: str, series: str, name: str, measure: str) -> str:
    chosen_series = f"level = {literal(level)} AND series_id = {literal(series)}"
    past = deployment.engine.query(
        f"SELECT week_on, {measure}::double FROM weekly_sales WHERE {chosen_series}"
        f" ORDER BY week_on DESC LIMIT {DRAWN_WEEKS}"
    )
    coming = deployment.engine.query(
        "SELECT week_on, expected, low_80, high_80, low_95, high_95 FROM forecasts"
        f" WHERE {chosen_series} ORDER BY week_number"
    )
    ((total, low, high),) = deployment.engine.query(
        f"SELECT total_expected, total_low_80, total_high_80 FROM forecasts WHERE {chosen_series} AND week_number = 13"
    )
    unit = deployment.settings.currency if measure == "revenue" else "units"
    shown = "All sales" if level == "total" else name
    told = f"{total:,.0f} {unit} in the next 13 weeks, {low:,.0f} to {high:,.0f} in 80 of 100 cases."
    picture = charts.fan(f"{shown}, {unit}", past[::-1], coming)
    return f'<article class="card"><h3>{escape(shown)}</h3><p class="soft small">{escape(told)}</p>{picture}</article>'


def _drivers(deployment: Deployment, model: Model, rows: Sequence[Row]) -> str:
    """What the model of churn that was judged looks at, on the customers it was judged by."""
    best = chosen(rows)
    if model.name != "churn" or not best:
        return ""
    contract = deployment.contracts["churn_examples"]
    judged_by = churn.unseen(deployment.lake.read(contract))
    models = churn.judged_models(deployment.lake.read(deployment.contracts[model.table]))
    found = churn_reasons.drivers(models[best[model.candidate]], judged_by.columns)[:MOST_DRIVERS]
    told = {column.name: column.description for column in contract.columns}
    bars = "".join(
        f'<span class="label" title="{escape(told[name])}">{escape(name)}</span><span class="track" aria-hidden="true">'
        f'<i style="width:{100 * share / found[0][1]:.1f}%"></i></span><span class="count"></span>'
        f'<span class="share">{share:.0%}</span>'
        for name, share in found
    )
    note = "Shares of all that moves probabilities up or down. What a model looks at is no cause of what customers do."
    return (
        '<section id="drivers"><h2 class="part">What it looks at</h2><div class="card">'
        f'<p class="soft">{note}</p><div class="values">{bars}</div></div></section>'
        if found
        else ""
    )


def _limits(deployment: Deployment, model: Model) -> str:
    items = "".join(f"<li>{escape(limit)}</li>" for limit in deployment.contracts[model.scores].limitations)
    tables = f"Tables {model.table} and {model.scores}; more in {model.page}."
    return (
        '<section id="limits"><h2 class="part">Limits, and when not to use it</h2>'
        f'<div class="card"><ul class="plain">{items}</ul><p class="soft small">{escape(tables)}</p></div></section>'
    )
