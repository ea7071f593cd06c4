"""The profile of a table as one HTML page that loads nothing, and as a summary for the console."""

from collections.abc import Iterable
from html import escape

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.table import Table

from governance.privacy import MASK
from portal.reports import charts
from portal.reports.associations import CATEGORIES, MIXED, NUMBERS, Associations, Matrix, Pair, figure, sentence
from portal.reports.html_page import document, scrolling, tiles
from portal.reports.profiling import (
    CATEGORY,
    FLAG,
    IDENTIFIER,
    LEAST_PEOPLE,
    MASKED,
    MOST_LEVELS,
    NUMBER,
    TEXT,
    TIME,
    ColumnProfile,
    Profile,
    Values,
)

KINDS = {
    NUMBER: "number",
    CATEGORY: "category",
    FLAG: "yes or no",
    TIME: "time",
    TEXT: "free text",
    IDENTIFIER: "identifier",
    MASKED: "personal",
}
ICONS = {NUMBER: "#", CATEGORY: "≡", FLAG: "±", TIME: "◷", TEXT: "¶", IDENTIFIER: "◆", MASKED: "●"}
QUANTILE_NAMES = {0.01: "1%", 0.05: "5%", 0.25: "25%", 0.5: "median", 0.75: "75%", 0.95: "95%", 0.99: "99%"}
LONGEST_TEXT = 60
TOLD_PAIRS = 3
# Of the table on the console: between columns, and what is left of the widest when there is little room.
GAP, LEAST_TOLD, LEAST_NAME = 3, 20, 18
MOST_LISTED = 60
MASKED_NOTE = "Its values are personal: nothing but their number is told."
IDENTIFIER_NOTE = "Its values tell rows or people apart: none of them is shown."
EMPTY_NOTE = "No row has a value."


def page(profile: Profile, deployment: str) -> str:
    """The whole page. `deployment` is the name under which the table is kept."""
    content = "\n".join(
        (_head(profile, deployment), _overview(profile), _cards(profile), _together(profile), _reading(profile))
    )
    return document(f"{profile.contract.key}: profile", _index(profile), content)


def print_summary(profile: Profile, console: Console) -> None:
    """A line per column, and the pairs that go together most."""
    shown = Table(title=f"{profile.contract.key}: {profile.rows:,} rows", title_justify="left", box=SIMPLE_HEAD)
    shown.show_edge = shown.pad_edge = False
    cells = [
        (
            column.name,
            column.column.type.lower().split("(")[0],
            _percent(column.missing_share) if column.missing else "",
            f"{column.distinct:,}" if column.distinct else "",
            _in_figures(column, is_brief=True),
        )
        for column in profile.columns
    ]
    headings = ("column", "type", "missing", "distinct", "range or top value")
    widths = [max(map(len, values)) for values in zip(headings, *cells, strict=True)]
    # On a narrow console the last gives way first, and then long names.
    room = console.width - sum(widths[:-1]) - GAP * (len(widths) - 1)
    widths[-1] = min(widths[-1], max(room, LEAST_TOLD))
    widths[0] -= max(0, min(widths[0] - LEAST_NAME, LEAST_TOLD - room))
    for heading, width in zip(headings, widths, strict=True):
        justify: JustifyMethod = "right" if heading in ("missing", "distinct") else "left"
        shown.add_column(heading, justify=justify, no_wrap=True, overflow="ellipsis", width=width)
    for row in cells:
        shown.add_row(*row)
    console.print(shown)
    pairs = profile.associations.strongest[:TOLD_PAIRS]
    if pairs:
        console.print("Go together most:")
        for pair in pairs:
            console.print(f"  {sentence(pair)}")


def _index(profile: Profile) -> str:
    links = [("#overview", "Overview")]
    if _has_pairs(profile.associations):
        links.append(("#together", "How columns go together"))
    links.append(("#reading", "How to read this"))
    parts = "".join(f'<li><a href="{to}"><span>{name}</span></a></li>' for to, name in links)
    columns = "".join(
        f'<li><a href="#{_anchor(column)}"><span class="icon" aria-hidden="true">{ICONS[column.kind]}</span>'
        f"<span>{escape(column.name)}</span></a></li>"
        for column in profile.columns
    )
    return (
        f'<nav aria-label="Index"><h2>{escape(profile.contract.key)}</h2><ul>{parts}</ul>'
        f"<h2>Columns</h2><ul>{columns}</ul></nav>"
    )


def _head(profile: Profile, deployment: str) -> str:
    contract = profile.contract
    cells = profile.rows * len(profile.columns)
    missing = sum(column.missing for column in profile.columns)
    hidden = sum(column.kind == MASKED for column in profile.columns)
    facts = [
        (f"{profile.rows:,}", "row" if profile.rows == 1 else "rows"),
        (f"{len(profile.columns)}", "column" if len(profile.columns) == 1 else "columns"),
        (_percent(missing / cells) if cells else "–", "of all values missing"),
        (f"{hidden}", "personal column" if hidden == 1 else "personal columns"),
    ]
    empty = '<p class="note">The table is empty.</p>' if not profile.rows else ""
    return (
        f'<p class="soft small">{escape(deployment)} · {escape(contract.layer)}</p><h1>{escape(contract.key)}</h1>'
        f'<p class="lead">{escape(contract.grain)} <span class="soft">{escape(contract.purpose)}</span></p>'
        f"{tiles(facts)}{empty}"
    )


def _overview(profile: Profile) -> str:
    heads = '<th>column</th><th class="kind">kind</th><th>missing</th><th class="number">distinct</th>'
    rows = "".join(
        f'<tr><td><a href="#{_anchor(column)}">{escape(column.name)}</a></td>'
        f'<td class="kind soft">{KINDS[column.kind]}</td><td>{_meter(column)}</td>'
        f'<td class="number">{column.distinct:,}</td><td class="picture">{_spark(column)}</td>'
        f'<td class="figures">{escape(_in_figures(column))}</td></tr>'
        for column in profile.columns
    )
    heads += '<th class="picture"><span hidden>picture</span></th><th>range or top value</th>'
    table = f'<table class="overview"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return (
        '<section id="overview"><h2 class="part">Overview</h2>'
        f'<div class="card">{scrolling("Overview of columns", table)}</div></section>'
    )


def _cards(profile: Profile) -> str:
    return f'<section id="columns"><h2 class="part">Columns</h2>{"".join(map(_card, profile.columns))}</section>'


def _card(column: ColumnProfile) -> str:
    promised = column.column
    chips = [KINDS[column.kind], promised.type]
    privacy = promised.classification
    chips += [privacy.replace("_", " ")] if privacy not in ("internal", "personal") else []
    chips += ["key"] if promised.key_position else []
    chips += ["required"] if promised.required else []
    marks = "".join(f'<span class="chip">{escape(chip)}</span>' for chip in dict.fromkeys(chips))
    return (
        f'<article class="card" id="{_anchor(column)}"><header><h3>{escape(column.name)}</h3>{marks}</header>'
        f'<p class="soft">{escape(promised.description)}</p>'
        f'<div class="body">{_facts(column)}<div>{_picture(column)}</div></div></article>'
    )


def _facts(column: ColumnProfile) -> str:
    facts = [
        ("missing", _counted(column.missing, column.rows)),
        ("distinct", f"{column.distinct:,}"),
    ]
    present = column.rows - column.missing
    if column.kind == IDENTIFIER and column.distinct:
        facts.append(("rows per value", figure(round(present / column.distinct, 2))))
    if column.numbers:
        facts.append(("mean", figure(column.numbers.mean)))
        if column.numbers.deviation is not None:
            facts.append(("standard deviation", figure(column.numbers.deviation)))
        facts.append(("zero", _counted(column.numbers.zeros, present)))
        if column.numbers.negatives:
            facts.append(("negative", _counted(column.numbers.negatives, present)))
    if column.kind == NUMBER and present and (not_finite := present - (column.numbers.count if column.numbers else 0)):
        facts.append(("infinite or no number", _counted(not_finite, present)))
    if column.times:
        facts += [("oldest", _moment(column, 0)), ("newest", _moment(column, 1))]
    if column.text_lengths:
        least, mean, greatest = column.text_lengths
        facts += [("characters", f"{least:,} to {greatest:,}"), ("on average", figure(round(mean, 1)))]
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{escape(value)}</dd>' for name, value in facts)}</dl>"


def _picture(column: ColumnProfile) -> str:
    if column.kind == MASKED:
        return _note(MASKED_NOTE)
    if not column.rows - column.missing:
        return _note(EMPTY_NOTE)
    if column.kind == IDENTIFIER:
        return _note(IDENTIFIER_NOTE)
    if column.numbers:
        return _numbers(column)
    if column.kind == NUMBER:
        return _note("No value is a finite number.")
    if column.times and len(column.times.series) > 1:
        return f"{charts.series(column.name, column.times)}{_caption(f'Rows per {column.times.unit}')}"
    if column.times:
        return _note(f"All in one {column.times.unit}.")
    if column.values:
        return _values(column.values, column.rows - column.missing)
    return _note(
        "Too long to compare: no value is shown." if column.kind == TEXT else "No value can be placed in time."
    )


def _numbers(column: ColumnProfile) -> str:
    numbers = column.numbers
    assert numbers
    outside = [
        f"{count:,} rows {way} {figure(edge)}"
        for count, way, edge in (
            (numbers.histogram.below, "below", numbers.histogram.edges[0]),
            (numbers.histogram.above, "above", numbers.histogram.edges[-1]),
        )
        if count
    ]
    notes = ["Logarithmic axis"] if numbers.histogram.is_log else []
    notes += [f"Not drawn: {' and '.join(outside)}"] if outside else []
    quantiles = {
        "least": numbers.minimum,
        **{QUANTILE_NAMES[share]: value for share, value in numbers.quantiles.items()},
        "greatest": numbers.maximum,
    }
    heads = "".join(f"<th>{name}</th>" for name in quantiles)
    values = "".join(f"<td>{figure(value)}</td>" for value in quantiles.values())
    table = f'<table class="quantiles"><thead><tr>{heads}</tr></thead><tbody><tr>{values}</tr></tbody></table>'
    return (
        f"{charts.histogram(column.name, numbers)}{_caption('. '.join(notes))}"
        f"{scrolling(f'Quantiles of {column.name}', table)}"
    )


def _values(values: Values, present: int) -> str:
    greatest = max([rows for _, rows in values.top] + [1])
    entries = [(_shown(value), value, rows, "") for value, rows in values.top]
    if values.other_rows:
        name = f"{values.others:,} other value{'s' if values.others != 1 else ''}"
        entries.append((name, name, values.other_rows, "rest"))
    return (
        '<div class="values">'
        + "".join(
            f'<span class="label" title="{escape(full)}">{escape(text)}</span><span class="track" aria-hidden="true">'
            f'<i class="{kind}" style="width:{min(100.0, 100 * rows / greatest):.1f}%"></i></span>'
            f'<span class="count">{rows:,}</span><span class="share">{_percent(rows / present)}</span>'
            for text, full, rows, kind in entries
        )
        + "</div>"
    )


def _together(profile: Profile) -> str:
    found = profile.associations
    if not _has_pairs(found):
        return ""
    parts = ['<section id="together"><h2 class="part">How columns go together</h2>']
    if found.strongest:
        cards = "".join(_pair(pair) for pair in found.strongest)
        parts.append(f'<p class="soft">The strongest pairs, strongest first.</p><div class="pairs">{cards}</div>')
    elif not found.alike:
        parts.append(_note("No two columns go together to speak of, or too few rows would say so."))
    if found.alike:
        alike = "".join(
            f"<li>{escape(pair.left)} and {escape(pair.right)}: {_measures(pair)}</li>" for pair in found.alike
        )
        parts.append(
            '<h2 class="part">Columns that say the same</h2><div class="card"><p class="soft">Whoever knows one of them'
            f' knows the other, or its order.</p><ul class="plain">{alike}</ul></div>'
        )
    parts += _heatmaps(found)
    return "".join(parts) + "</section>"


def _pair(pair: Pair) -> str:
    picture = ""
    if pair.cloud:
        left_out = f"{pair.cloud.left_out:,} rows lie outside the axes" if pair.cloud.left_out else ""
        picture = charts.cloud(pair.left, pair.right, pair.cloud) + _caption(left_out)
    elif pair.axis:
        picture = charts.boxes(pair.left, pair.right, pair.groups, pair.axis)
    elif pair.mosaic:
        legend = "".join(
            f'<span><i class="p{at}"></i>{escape(_shown(name))}</span>' for at, name in enumerate(pair.mosaic.right)
        )
        picture = (
            charts.mosaic(pair.left, pair.right, pair.mosaic)
            + f'<div class="legend">{escape(pair.right)}: {legend}</div>'
        )
    return (
        f'<article class="card"><h3>{escape(pair.left)} × {escape(pair.right)}</h3><p>{escape(sentence(pair))}</p>'
        f'<p class="soft small">{_measures(pair)}, {pair.rows:,} rows</p>{picture}</article>'
    )


def _measures(pair: Pair) -> str:
    if pair.kind == NUMBERS:
        return f"Pearson {pair.pearson:.2f}, Spearman {pair.spearman:.2f}"
    name = {MIXED: "correlation ratio", CATEGORIES: "Cramér's V"}[pair.kind]
    return f"{name} {pair.strength:.2f}"


def _heatmaps(found: Associations) -> Iterable[str]:
    if found.pearson:
        alt = f"Correlations of {len(found.pearson.rows)} numbers; the strongest are told above and below."
        yield _heatmap(
            "Numbers with numbers",
            "Below the diagonal Pearson's correlation, above it Spearman's, by rank. Blue: they rise together; orange:"
            " one falls as the other rises.",
            charts.heatmap(found.pearson, found.spearman, alt),
            _listed(found.pearson, "Pearson", found.spearman),
        )
    if found.ratio:
        yield _heatmap(
            "Categories with numbers",
            "The correlation ratio; its square is the share of a number's variation that lies between the categories.",
            charts.heatmap(found.ratio, None, "Correlation ratios of categories (down) and numbers (across)."),
            _listed(found.ratio, "correlation ratio"),
        )
    if found.cramers_v:
        yield _heatmap(
            "Categories with categories",
            "Cramér's V: 0 where they are independent, 1 where one decides the other.",
            charts.heatmap(found.cramers_v, None, "Cramér's V of every two categories."),
            _listed(found.cramers_v, "Cramér's V"),
        )


def _heatmap(title: str, note: str, picture: str, numbers: str) -> str:
    return (
        f'<h2 class="part">{title}</h2><div class="card"><p class="soft">{note}</p>{scrolling(title, picture)}'
        f"<details><summary>The numbers</summary>{numbers}</details></div>"
    )


def _listed(matrix: Matrix, measure: str, ranked: Matrix | None = None) -> str:
    """The pairs of a matrix, strongest first."""
    is_square = matrix.rows == matrix.columns
    pairs = [
        (abs(float(matrix.values[y, x])), row, column, y, x)
        for y, row in enumerate(matrix.rows)
        for x, column in enumerate(matrix.columns)
        if (not is_square or x < y) and matrix.values[y, x] == matrix.values[y, x]
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    heads = f'<th>columns</th><th class="number">{measure}</th>' + (
        '<th class="number">Spearman</th>' if ranked else ""
    )
    rows = "".join(
        f'<tr><td>{escape(row)} × {escape(column)}</td><td class="number">{matrix.values[y, x]:.3f}</td>'
        + (f'<td class="number">{ranked.values[y, x]:.3f}</td>' if ranked else "")
        + "</tr>"
        for _, row, column, y, x in pairs[:MOST_LISTED]
    )
    rest = (
        f'<p class="soft small">and {len(pairs) - MOST_LISTED:,} weaker pairs</p>' if len(pairs) > MOST_LISTED else ""
    )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f"{scrolling(f'{measure} in numbers', table)}{rest}"


def _reading(profile: Profile) -> str:
    notes = [
        "Under a histogram the line reaches from the 5 % to the 95 % quantile, the bar from 25 % to 75 %, and the dot"
        " is the median. The same holds for the lines of a number by category.",
        f"Of personal columns only type, missing and distinct values are told; keys and ids are not shown; and of texts"
        f" only values that rows of at least {LEAST_PEOPLE} people have, unless the contract lists them.",
        f"Categories of up to {MOST_LEVELS} values are compared with other columns. Pairs with few rows for their"
        " categories are not among the strongest. None of this says what causes what.",
    ]
    if profile.sampled < profile.rows:
        notes.append(
            f"Ranks and pictures of pairs come from {profile.sampled:,} rows, drawn by the hash of their key; all else"
            " is measured on all rows."
            if profile.is_exact
            else f"Quantiles, ranks and pictures of pairs come from {profile.sampled:,} rows, drawn by the hash of"
            " their key; numbers of distinct values are estimates; all else is measured on all rows."
        )
    items = "".join(f"<li>{text}</li>" for text in notes)
    return (
        '<section id="reading"><h2 class="part">How to read this</h2>'
        f'<div class="card"><ul class="plain">{items}</ul></div></section>'
    )


def _in_figures(column: ColumnProfile, is_brief: bool = False) -> str:
    """A column in a few words."""
    if not column.rows - column.missing:
        return ""
    if column.kind == MASKED:
        return f"{MASK} (personal)"
    if column.kind == IDENTIFIER:
        return "(identifier)"
    if column.numbers:
        return f"{figure(column.numbers.minimum)} to {figure(column.numbers.maximum)}"
    if column.times:
        oldest, newest = (_moment(column, at)[: 10 if is_brief else None] for at in (0, 1))
        return oldest if oldest == newest else f"{oldest} to {newest}"
    if column.values and column.values.top:
        value, rows = column.values.top[0]
        return f"{_shown(value)} ({_percent(rows / (column.rows - column.missing))})"
    return ""


def _spark(column: ColumnProfile) -> str:
    if column.numbers:
        zeros = [column.numbers.zeros] if column.numbers.histogram.is_log else []
        counts = column.numbers.histogram.counts
        return charts.spark([*(min(rows, max(counts)) for rows in zeros), *counts])
    if column.times and len(column.times.series) > 1:
        return charts.spark([rows for _, rows in column.times.series])
    if column.values and column.values.top:
        return charts.spark([rows for _, rows in column.values.top])
    return ""


def _meter(column: ColumnProfile) -> str:
    if not column.missing:
        return '<span class="soft">–</span>'
    width = 100 * column.missing_share
    return (
        f'<span class="meter" aria-hidden="true"><i style="width:{width:.1f}%"></i></span>'
        f"{_percent(column.missing_share)}"
    )


def _moment(column: ColumnProfile, at: int) -> str:
    assert column.times
    moment = (column.times.oldest, column.times.newest)[at]
    text = moment.replace(microsecond=0).isoformat(sep=" ")
    return text[:10] if column.column.type == "DATE" else text[:16]


def _has_pairs(found: Associations) -> bool:
    return any((found.pearson, found.ratio, found.cramers_v))


def _counted(rows: int, present: int) -> str:
    return f"{rows:,} ({_percent(rows / present)})" if rows else "–"


def _percent(share: float) -> str:
    if 0 < share < 0.001:
        return "< 0.1%"
    return "> 99.9%" if 0.999 < share < 1 else f"{100 * share:.1f}%".replace(".0%", "%")


def _shown(value: str) -> str:
    if not value.strip():
        return "(empty)"
    return value if len(value) <= LONGEST_TEXT else f"{value[: LONGEST_TEXT - 1]}…"


def _anchor(column: ColumnProfile) -> str:
    return f"column-{escape(column.name)}"


def _note(text: str) -> str:
    return f'<p class="note">{text}</p>'


def _caption(text: str) -> str:
    return f'<p class="soft small">{escape(text)}.</p>' if text else ""
