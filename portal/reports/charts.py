"""Charts as inline SVG: drawn with plain shapes, coloured by the page's style sheet, named for those who cannot see."""

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from html import escape

import numpy as np

from portal.reports.associations import BOX_QUANTILES, LINEAR, LOG, Axis, Cloud, Group, Matrix, Mosaic, figure
from portal.reports.profiling import Histogram, Numbers, Times

WIDTH = 660
PAIR_WIDTH = 440
LEFT = 46
RIGHT = 16
# Text is measured by this, as no browser is at hand.
LETTER = 7.2
LONGEST_LABEL = 24
STEPS = 6
MOST_WRITTEN_CELLS = 14
# A week, what is expected of it, and the bounds of 80 and 95 per cent.
Coming = tuple[date, float, float, float, float, float]


def histogram(name: str, numbers: Numbers) -> str:
    """Rows per bin; below it the quantiles: a line of 5 to 95 %, a bar of 25 to 75 %, a dot at the median."""
    shown, height, bottom = numbers.histogram, 178, 138
    slots = _Slots(shown, numbers)
    tallest = max([*shown.counts, 1])
    parts = [_grid(tallest, 8, bottom)]
    for left, right, count, label in slots.bars():
        top = bottom - (bottom - 8) * min(1.0, count / tallest)
        kind = "bar" if count <= tallest else "bar broken"
        parts.append(_rect(kind, left, top, right - left, bottom - top, f"{label}: {count:,} rows") if count else "")
        if count > tallest:
            parts.append(_text(right + 4, 17, f"{count:,}"))
    parts += [_tick(x, label, bottom + 36) for x, label in slots.ticks()]
    quantiles = numbers.quantiles
    at = {share: slots.place(quantiles[share]) for share in BOX_QUANTILES}
    middle = bottom + 13
    parts.append(f'<path class="reach" d="M{_n(at[0.05])} {middle}H{_n(at[0.95])}"/>')
    parts.append(_rect("box", at[0.25], middle - 4, max(1.0, at[0.75] - at[0.25]), 8))
    parts.append(f'<circle class="median" cx="{_n(at[0.5])}" cy="{middle}" r="3.5"/>')
    scale = ", logarithmic axis" if shown.is_log else ""
    alt = (
        f"Histogram of {name}{scale}: half of the rows lie between {figure(quantiles[0.25])} and"
        f" {figure(quantiles[0.75])}, the median is {figure(quantiles[0.5])}."
    )
    return _svg(WIDTH, height, alt, parts)


class _Slots:
    """Where numbers lie on the axis of a histogram. On a logarithmic one zeros have a slot of their own, leftmost."""

    def __init__(self, shown: Histogram, numbers: Numbers) -> None:
        self.shown = shown
        self.zeros = numbers.zeros if shown.is_log else 0
        self.start = LEFT + 34 if self.zeros else LEFT
        self.axis = Axis(shown.edges[0], shown.edges[-1], LOG if shown.is_log else LINEAR, 1)

    def place(self, value: float) -> float:
        if self.zeros and value <= 0:
            return LEFT + 11.0
        share = float(np.clip(self.axis.place(max(value, self.axis.low)), 0.0, 1.0))
        return self.start + share * (WIDTH - RIGHT - self.start)

    def bars(self) -> Iterable[tuple[float, float, int, str]]:
        if self.zeros:
            yield LEFT, LEFT + 22, self.zeros, "0"
        edges = self.shown.edges
        for low, high, count in zip(edges[:-1], edges[1:], self.shown.counts, strict=True):
            label = figure((low + high) / 2) if self.shown.is_each else f"{figure(low)} to {figure(high)}"
            yield self.place(low) + 0.5, self.place(high) - 0.5, count, label

    def ticks(self) -> Iterable[tuple[float, str]]:
        if self.zeros:
            yield LEFT + 11.0, "0"
        ticks = _ticks(self.axis, 6)
        if self.shown.is_each:
            ticks = [tick for tick in ticks if tick == round(tick)]
        for tick in ticks:
            yield self.place(tick), short(tick)


def series(name: str, times: Times) -> str:
    """Rows per hour, day, month, year or decade, as a line."""
    height, bottom = 170, 140
    counts = [count for _, count in times.series]
    tallest = max(counts)
    step = (WIDTH - RIGHT - LEFT) / max(1, len(counts) - 1)
    points = [(LEFT + at * step, bottom - (bottom - 8) * count / tallest) for at, count in enumerate(counts)]
    line = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
    parts = [_grid(tallest, 8, bottom)]
    parts.append(f'<path class="area" d="M{LEFT} {bottom}L{line}L{_n(points[-1][0])} {bottom}Z"/>')
    parts.append(f'<path class="line" d="M{line}"/>')
    for (x, _), (moment, count) in zip(points, times.series, strict=True):
        parts.append(_rect("hover", x - step / 2, 8, step, bottom - 8, f"{when(moment, times.unit)}: {count:,} rows"))
    every = max(1, math.ceil(len(counts) / 7))
    for at in range(0, len(counts), every):
        if points[at][0] < WIDTH - 20:
            parts.append(_tick(points[at][0], when(times.series[at][0], times.unit), bottom + 20))
    busiest = max(times.series, key=lambda entry: entry[1])
    alt = (
        f"Line of rows per {times.unit} by {name}, {when(times.oldest, times.unit)} to"
        f" {when(times.newest, times.unit)}; most, {busiest[1]:,}, in {when(busiest[0], times.unit)}."
    )
    return _svg(WIDTH, height, alt, parts)


def spark(counts: Sequence[int]) -> str:
    """A picture of the size of a word, for those who see; what it shows is told beside it."""
    tallest = max([*counts, 1])
    width = 96 / max(1, len(counts))
    bars = "".join(
        f"M{_n(at * width)} 22h{_n(max(0.6, width - 0.5))}v-{_n(max(0.8, 21 * count / tallest))}"
        f"h-{_n(max(0.6, width - 0.5))}z"
        for at, count in enumerate(counts)
        if count
    )
    return f'<svg class="spark" viewBox="0 0 96 22" aria-hidden="true"><path class="bar" d="{bars}"/></svg>'


def cloud(left: str, right: str, shown: Cloud) -> str:
    """Two numbers: the darker a cell, the more rows lie in it, on a logarithmic scale."""
    width, height, start, bottom, top = PAIR_WIDTH, 320, 58, 274, 8
    tall, wide = bottom - top, width - RIGHT - start
    step_x, step_y = wide / shown.x.bins, tall / shown.y.bins
    most = max([count for _, _, count in shown.cells] or [1])
    layers: dict[int, list[str]] = {}
    for x, y, count in shown.cells:
        step = STEPS if most == 1 else 1 + round((STEPS - 1) * math.log(count) / math.log(most))
        place = f"M{_n(start + x * step_x)} {_n(bottom - y * step_y)}"
        layers.setdefault(step, []).append(f"{place}h{_n(step_x)}v-{_n(step_y)}h-{_n(step_x)}z")
    parts = [f'<path class="frame" d="M{start} {top}V{bottom}H{width - RIGHT}"/>']
    parts += [f'<path class="cell s{step}" d="{"".join(layers[step])}"/>' for step in sorted(layers)]
    for tick in _ticks(shown.x, 6):
        parts.append(_tick(start + float(shown.x.place(tick)) * wide, short(tick), bottom + 16))
    for tick in _ticks(shown.y, 6):
        parts.append(_text(start - 6, bottom - float(shown.y.place(tick)) * tall + 4, short(tick), "end"))
    parts.append(_text(start + wide / 2, height - 6, left, "middle", "name"))
    middle = (top + bottom) / 2
    parts.append(
        f'<text class="name" text-anchor="middle" transform="translate(12 {_n(middle)}) rotate(-90)">'
        f"{escape(right)}</text>"
    )
    return _svg(width, height, f"Rows by {left} (across) and {right} (up), darker where there are more.", parts)


def boxes(category: str, number: str, groups: Sequence[Group], axis: Axis) -> str:
    """A number by category: a line of 5 to 95 %, a bar of 25 to 75 %, a dot at the median."""
    start = 16 + LETTER * min(LONGEST_LABEL, max(len(group.name) for group in groups))
    bottom = 8 + 28 * len(groups)
    wide = PAIR_WIDTH - RIGHT - start
    parts = []
    for tick in _ticks(axis, 6):
        x = start + float(axis.place(tick)) * wide
        parts.append(f'<path class="grid" d="M{_n(x)} 8V{bottom}"/>')
        parts.append(_tick(x, short(tick), bottom + 16))
    for at, group in enumerate(groups):
        middle = 22 + 28 * at
        places = [start + float(axis.place(value)) * wide for value in group.quantiles]
        parts.append(_text(start - 8, middle + 4, _cut(group.name), "end"))
        title = f"{group.name}: median {figure(group.median)}, {group.rows:,} rows"
        parts.append(f'<path class="reach" d="M{_n(places[0])} {middle}H{_n(places[4])}"/>')
        parts.append(_rect("box", places[1], middle - 7, max(1.5, places[3] - places[1]), 14, title))
        parts.append(f'<circle class="median" cx="{_n(places[2])}" cy="{middle}" r="4"/>')
    parts.append(_text(start + wide / 2, bottom + 34, number, "middle", "name"))
    alt = f"{number} by {category}: " + "; ".join(f"{group.name} median {figure(group.median)}" for group in groups)
    return _svg(PAIR_WIDTH, bottom + 40, alt, parts)


def mosaic(left: str, right: str, shown: Mosaic) -> str:
    """Shares of the right column's categories within each of the left's; the taller a row, the more there are."""
    start = 16 + LETTER * min(LONGEST_LABEL, max(map(len, shown.left)))
    total, wide, y = sum(map(sum, shown.counts)), PAIR_WIDTH - RIGHT - start, 8.0
    parts = []
    for name, counts in zip(shown.left, shown.counts, strict=True):
        rows, x = sum(counts), start
        tall = max(14.0, 190 * rows / total)
        parts.append(_text(start - 8, y + tall / 2 + 4, _cut(name), "end"))
        for at, count in enumerate(counts):
            width = wide * count / rows
            title = f"{left} {name}: {count / rows:.0%} {right} {shown.right[at]}"
            parts.append(_rect(f"part p{at}", x, y, width, tall, title) if count else "")
            x += width
        y += tall + 3
    for share in (0, 25, 50, 75, 100):
        parts.append(_tick(start + wide * share / 100, f"{share}%", y + 14))
    alt = f"Shares of {right} within each {left}: " + "; ".join(
        f"{name} {max(counts) / sum(counts):.0%} {shown.right[counts.index(max(counts))]}"
        for name, counts in zip(shown.left, shown.counts, strict=True)
    )
    return _svg(PAIR_WIDTH, y + 22, alt, parts)


def forest(measure: str, figures: Sequence[tuple[str, float, float, float]], told: str) -> str:
    """Figures by name, each a dot with the line of its interval; the one `told` is drawn strongly."""
    start = 16 + LETTER * min(LONGEST_LABEL, max(len(name) for name, *_ in figures))
    low, high = min(figure[2] for figure in figures), max(figure[3] for figure in figures)
    room = (high - low or 1.0) * 0.04
    axis, bottom, wide = Axis(low - room, high + room, LINEAR, 1), 8 + 26 * len(figures), WIDTH - RIGHT - start
    parts = []
    for tick in _ticks(axis, 6):
        x = start + float(axis.place(tick)) * wide
        parts.append(f'<path class="grid" d="M{_n(x)} 8V{bottom}"/>')
        parts.append(_tick(x, short(tick), bottom + 16))
    for at, (name, *values) in enumerate(figures):
        middle = 21 + 26 * at
        dot, left, right = (start + float(axis.place(value)) * wide for value in values)
        parts.append(_text(start - 8, middle + 4, _cut(name), "end", "name" if name == told else ""))
        parts.append(f'<path class="reach" d="M{_n(left)} {middle}H{_n(right)}"/>')
        kind = "median" if name == told else "other"
        parts.append(f'<circle class="{kind}" cx="{_n(dot)}" cy="{middle}" r="{5 if name == told else 4}"/>')
    parts.append(_text(start + wide / 2, bottom + 34, measure, "middle", "name"))
    alt = f"{measure}: " + "; ".join("{} {:.3f}, {:.3f} to {:.3f}".format(*one) for one in figures)
    return _svg(WIDTH, bottom + 40, alt, parts)


def calibration(points: Sequence[tuple[float, float]]) -> str:
    """What was said (across) and what came (up), both shares; on the diagonal they are the same."""
    start, top, bottom = 58, 8, 274
    wide, tall = PAIR_WIDTH - RIGHT - start, bottom - top
    parts = [f'<path class="frame" d="M{start} {top}V{bottom}H{PAIR_WIDTH - RIGHT}"/>']
    parts.append(f'<path class="reach" d="M{start} {bottom}L{PAIR_WIDTH - RIGHT} {top}"/>')
    for percent in range(0, 101, 20):
        parts.append(_tick(start + wide * percent / 100, f"{percent}%", bottom + 16))
        parts.append(_text(start - 6, bottom - tall * percent / 100 + 4, f"{percent}%", "end"))
    places = [(start + wide * said, bottom - tall * came) for said, came in points]
    parts.append(f'<path class="line" d="M{"L".join(f"{_n(x)} {_n(y)}" for x, y in places)}"/>')
    for (x, y), (said, came) in zip(places, points, strict=True):
        title = f"said {said:.0%}, came {came:.0%}"
        parts.append(f'<circle class="median" cx="{_n(x)}" cy="{_n(y)}" r="4"><title>{title}</title></circle>')
    parts.append(_text(start + wide / 2, bottom + 36, "probability that was said", "middle", "name"))
    parts.append(
        f'<text class="name" text-anchor="middle" transform="translate(14 {_n((top + bottom) / 2)}) rotate(-90)">'
        "share that came</text>"
    )
    alt = "Said and came, tenth by tenth: " + "; ".join(f"{said:.0%} and {came:.0%}" for said, came in points)
    return _svg(PAIR_WIDTH, bottom + 44, alt, parts)


def lifts(values: Sequence[float]) -> str:
    """How many times as often as usual it came, tenth by tenth; the line is as usual."""
    start, top, bottom = 40, 14, 274
    wide, highest = PAIR_WIDTH - RIGHT - start, max([*values, 1.2])
    step, tall = wide / len(values), bottom - top
    parts = []
    for at, value in enumerate(values):
        height = tall * value / highest
        parts.append(_rect("bar", start + at * step + 2, bottom - height, step - 4, height, f"{at + 1}: {value:.2f}"))
        parts.append(_text(start + (at + 0.5) * step, bottom - height - 4, f"{value:.1f}", "middle"))
        parts.append(_tick(start + (at + 0.5) * step, str(at + 1), bottom + 16))
    usual = bottom - tall / highest
    parts.append(f'<path class="reach" d="M{start} {_n(usual)}H{PAIR_WIDTH - RIGHT}"/>')
    parts.append(_text(start - 4, usual + 4, "usual", "end"))
    parts.append(_text(start + wide / 2, bottom + 36, "tenth of the customers, likeliest first", "middle", "name"))
    alt = "Lift by tenth: " + "; ".join(f"{at} {value:.2f}" for at, value in enumerate(values, 1))
    return _svg(PAIR_WIDTH, bottom + 44, alt, parts)


def fan(name: str, history: Sequence[tuple[date, float]], coming: Sequence[Coming]) -> str:
    """What was sold week by week, and what comes: expected, and between which bounds of 80 and of 95 %.

    Of a week that comes: its day, what is expected, low and high of 80 %, low and high of 95 %.
    """
    height, top, bottom = 230, 10, 190
    days = [day for day, *_ in (*history, *coming)]
    low = min([0.0, *(value for _, value in history)])
    axis = Axis(low, max([*(value for _, value in history), *(week[5] for week in coming), low + 1]), LINEAR, 1)
    start, step = LEFT + 8, (WIDTH - RIGHT - LEFT - 8) / max(1, len(days) - 1)

    def points(first: int, values: Sequence[float]) -> list[str]:
        return [
            f"{_n(start + (first + at) * step)} {_n(bottom - (bottom - top) * float(axis.place(value)))}"
            for at, value in enumerate(values)
        ]

    parts = []
    for tick in _ticks(axis, 5):
        y = bottom - (bottom - top) * float(axis.place(tick))
        parts.append(f'<path class="grid" d="M{start} {_n(y)}H{WIDTH - RIGHT}"/>')
        parts.append(_text(start - 6, y + 4, short(tick), "end"))
    joint, seam = ([history[-1][1]], len(history) - 1) if history else ([], 0)
    bounds = {"wide": [week[4:6] for week in coming], "narrow": [week[2:4] for week in coming]}
    for kind, ends in bounds.items():
        there = points(seam, [*joint, *(upper for _, upper in ends)])
        back = points(seam, [*joint, *(lower for lower, _ in ends)])[::-1]
        parts.append(f'<path class="band {kind}" d="M{"L".join(there + back)}Z"/>')
    parts.append(f'<path class="line" d="M{"L".join(points(0, [value for _, value in history]))}"/>')
    parts.append(f'<path class="line told" d="M{"L".join(points(seam, [*joint, *(week[1] for week in coming)]))}"/>')
    for at, day in enumerate(days):
        told = (
            f"{history[at][1]:,.0f} sold"
            if at < len(history)
            else "{1:,.0f} expected, {2:,.0f} to {3:,.0f} (80 %), {4:,.0f} to {5:,.0f} (95 %)".format(
                *coming[at - len(history)]
            )
        )
        x = start + (at - 0.5) * step
        parts.append(_rect("hover", x, top, step, bottom - top, f"week of {day:%Y-%m-%d}: {told}"))
    every = max(1, math.ceil(len(days) / 7))
    parts += [
        _tick(start + at * step, f"{days[at]:%Y-%m-%d}", bottom + 20)
        for at in range(0, len(days), every)
        if start + at * step < WIDTH - 30
    ]
    alt = f"{name} by week: {len(history)} weeks that were"
    if coming:
        alt += ", and {1:,.0f} expected of the last that comes, {2:,.0f} to {3:,.0f} (80 %)".format(*coming[-1])
    return _svg(WIDTH, height, f"{alt}.", parts)


def heatmap(lower: Matrix, upper: Matrix | None, alt: str) -> str:
    """One measure as colours; of a square matrix the part below the diagonal, and above it that of `upper`."""
    rows, columns = lower.rows, lower.columns
    side = 34.0 if len(columns) <= MOST_WRITTEN_CELLS else 18.0
    start = 12 + LETTER * min(LONGEST_LABEL, max(map(len, rows)))
    top = 12 + LETTER * min(LONGEST_LABEL, max(map(len, columns)))
    is_square = rows == columns
    parts: list[str] = []
    layers: dict[str, list[str]] = {}
    for at, name in enumerate(rows):
        parts.append(_text(start - 6, top + side * (at + 0.5) + 4, _cut(name), "end"))
    for at, name in enumerate(columns):
        parts.append(
            f'<text transform="translate({_n(start + side * (at + 0.5) + 4)} {_n(top - 6)}) rotate(-90)">'
            f"{escape(_cut(name))}</text>"
        )
    for y, x in np.ndindex(lower.values.shape):
        if is_square and x == y:
            continue
        value = float((upper if upper and x > y else lower).values[y, x])
        place = f"M{_n(start + x * side + 0.5)} {_n(top + y * side + 0.5)}"
        layer = "none" if math.isnan(value) else f"{'plus' if value >= 0 else 'minus'} o{round(abs(value) * 20)}"
        layers.setdefault(layer, []).append(f"{place}h{side - 1:g}v{side - 1:g}h-{side - 1:g}z")
        if side > 20 and not math.isnan(value):
            tone = "value strong" if abs(value) > 0.7 else "value"
            text = _value(value)
            parts.append(_text(start + side * (x + 0.5), top + side * (y + 0.5) + 4, text, "middle", tone))
    cells = [f'<path class="{layer}" d="{"".join(layers[layer])}"/>' for layer in sorted(layers)]
    return _svg(start + side * len(columns) + 8, top + side * len(rows) + 6, alt, [*cells, *parts], is_fixed=True)


def when(moment: datetime, unit: str) -> str:
    """A moment to the precision of the unit."""
    day = f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
    if unit == "hour":
        return f"{day[5:]} {moment.hour:02}:00"
    return {"day": day, "month": day[:7]}.get(unit, day[:4])


def short(value: float) -> str:
    """A number in the room there is on an axis."""
    for least, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= least:
            scaled = value / (1e3 if letter == "k" else least)
            return f"{scaled:.4g}{letter}" if abs(scaled) < 1e4 else f"{value:.0e}"
    return f"{value:,.6g}" if value == round(value) else f"{value:.4g}"


def _ticks(axis: Axis, most: int) -> list[float]:
    """Round numbers within an axis, at most about so many."""
    if axis.scale == LINEAR:
        return _even_ticks(axis.low, axis.high, most)
    powers = range(math.floor(math.log10(max(axis.low, 1e-300))) if axis.low > 0 else 0, 101)
    steps = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    inside = [tick for tick in steps if axis.low <= tick <= axis.high]
    if len(inside) > most:
        inside = [tick for tick in inside if f"{tick:e}".startswith("1")]
    if len(inside) > most:
        inside = inside[:: math.ceil(len(inside) / most)]
    return inside if axis.scale == LOG else [0.0, *inside]


def _even_ticks(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{at * step:.12g}") for at in range(first, last + 1)]


def _grid(tallest: int, top: float, bottom: float) -> str:
    ticks = [tick for tick in _even_ticks(0, tallest, 4) if tick == round(tick)]
    lines = []
    for tick in ticks:
        y = bottom - (bottom - top) * tick / tallest
        lines.append(f'<path class="grid" d="M{LEFT} {_n(y)}H{WIDTH - RIGHT}"/>')
        lines.append(_text(LEFT - 6, y + 4, short(tick), "end"))
    return "".join(lines)


def _tick(x: float, label: str, y: float) -> str:
    return _text(x, y, label, "middle")


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{escape(text)}</text>'


def _rect(kind: str, x: float, y: float, width: float, height: float, title: str = "") -> str:
    shape = f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0.5))}" height="{_n(height)}"'
    return f"{shape}><title>{escape(title)}</title></rect>" if title else f"{shape}/>"


def _svg(width: float, height: float, alt: str, parts: Sequence[str], is_fixed: bool = False) -> str:
    size = f"width:{width:.0f}px" if is_fixed else f"max-width:{width * 1.25:.0f}px"
    box = f"0 0 {_n(width)} {_n(height)}"
    return f'<svg viewBox="{box}" role="img" aria-label="{escape(alt)}" style="{size}">{"".join(parts)}</svg>'


def _value(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.0f}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"


def _n(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")
