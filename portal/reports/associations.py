"""How columns go together: correlations of numbers, Cramér's V of categories, the correlation ratio between the two."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, product

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

NUMBERS, MIXED, CATEGORIES = "numbers", "mixed", "categories"
LINEAR, LOG, LOG_FROM_ZERO = "linear", "log", "log from zero"
STRONGEST = 10
# What is weaker is nothing to tell of.
LEAST_STRENGTH = 0.1
# As good as the same column twice: said in a line, no picture is needed.
ALIKE = 0.995
# Measures of fewer rows are mostly chance, and are not among the strongest.
LEAST_ROWS = 20
LEAST_ROWS_OF_A_CELL = 5
LEAST_GROUP = 5
# The part of its values from which on a number mostly is 0.
MOSTLY_ZERO = 0.5
MOST_GROUPS = 8
OTHER = "other"
BOX_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DIGITS = 9
CELLS = 28
MOST_WHOLE_CELLS = 41
OUTLYING = 2.0


@dataclass(frozen=True)
class Matrix:
    """One measure of every row column with every column column; NaN where it is not defined."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Floats


@dataclass(frozen=True)
class Axis:
    """From `low` to `high` in `bins` cells of one width on its scale."""

    low: float
    high: float
    scale: str
    bins: int

    def place(self, values: Floats | float) -> Floats:
        """Where values lie, from 0 (low) to 1 (high)."""
        low, high, found = (self._scaled(np.asarray(value, dtype=float)) for value in (self.low, self.high, values))
        return np.asarray((found - low) / (high - low)) if high > low else np.full_like(found, 0.5)

    def _scaled(self, values: Floats) -> Floats:
        if self.scale == LINEAR:
            return values
        with np.errstate(divide="ignore"):
            return np.log10(values) if self.scale == LOG else np.log1p(values)


@dataclass(frozen=True)
class Cloud:
    """Two numbers: sampled rows per cell (column, row, count); `left_out` are rows outside the axes."""

    x: Axis
    y: Axis
    cells: tuple[tuple[int, int, int], ...]
    left_out: int


@dataclass(frozen=True)
class Group:
    """A number within one category: sampled rows, and quantiles at BOX_QUANTILES."""

    name: str
    rows: int
    quantiles: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return self.quantiles[2]


@dataclass(frozen=True)
class Mosaic:
    """Rows by categories of the left column (first index) and the right."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Zeros:
    """Of two numbers that mostly are 0: the share of rows where `both` are, the `rows` where neither is, and Spearman's
    correlation of these, None where they are too few.
    """

    both: float
    rows: int
    spearman: float | None


@dataclass(frozen=True)
class Pair:
    """Two columns, of a MIXED pair the category first; `rows` have a value in both. `strength` is 0 to 1."""

    kind: str
    left: str
    right: str
    rows: int
    strength: float
    pearson: float | None = None
    spearman: float | None = None
    cloud: Cloud | None = None
    zeros: Zeros | None = None
    groups: tuple[Group, ...] = ()
    axis: Axis | None = None
    mosaic: Mosaic | None = None


@dataclass(frozen=True)
class Associations:
    """All measures; `alike` are pairs that say the same, `strongest` the next ten, both in order of strength."""

    pearson: Matrix | None = None
    spearman: Matrix | None = None
    ratio: Matrix | None = None
    cramers_v: Matrix | None = None
    alike: tuple[Pair, ...] = ()
    strongest: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Columns:
    """What is compared: numbers with their mean and deviation, categories with all their levels.

    Of the levels only those `named` may be told. `logs` are numbers better seen on a logarithmic axis.
    """

    numbers: Mapping[str, tuple[float, float]]
    levels: Mapping[str, Sequence[str]]
    named: Mapping[str, Sequence[str]] = field(default_factory=dict)
    logs: frozenset[str] = frozenset()


def associations(columns: Columns, batches: Callable[[], Iterable[pa.RecordBatch]], sample: pa.Table) -> Associations:
    """Every measure of every pair: of all rows, in `batches`; ranks and pictures of those in the `sample`."""
    if len(columns.numbers) + len(columns.levels) < 2:
        return Associations()
    # The engine reads the next batch meanwhile, and needs the other cores for it.
    with threadpool_limits(1, "blas"):
        sums = _Sums(columns, batches())
    pearson, spearman = sums.pearson, _spearman(sample, tuple(columns.numbers))
    found = [*_number_pairs(sums, pearson, spearman), *_mixed_pairs(sums), *_category_pairs(sums)]
    pairs = sorted(
        [pair for pair in found if pair.strength >= LEAST_STRENGTH],
        key=lambda pair: (-pair.strength, pair.left, pair.right),
    )
    pictures = _Pictures(columns, sums, sample)
    return Associations(
        pearson,
        spearman,
        sums.ratio,
        sums.cramers_v,
        alike=tuple(pair for pair in pairs if pair.strength >= ALIKE),
        strongest=tuple(pictures.draw(pair) for pair in [p for p in pairs if p.strength < ALIKE][:STRONGEST]),
    )


class _Sums:
    """All sums the measures need, gathered in one pass.

    Of every row a vector is made of the standardised numbers (0 where missing), whether each is there, their squares,
    and one 0 or 1 per category and level. The sum of its outer products holds every sum of two of these.
    """

    def __init__(self, columns: Columns, batches: Iterable[pa.RecordBatch]) -> None:
        self.numbers = tuple(columns.numbers)
        self.categories = tuple(columns.levels)
        self.levels = columns.levels
        count = len(self.numbers)
        self.value, self.there, self.square = (slice(at * count, (at + 1) * count) for at in range(3))
        ends = np.cumsum([3 * count, *(len(levels) for levels in columns.levels.values())]).tolist()
        self.level = {name: slice(ends[at], ends[at + 1]) for at, name in enumerate(self.categories)}
        self.products = np.zeros((ends[-1], ends[-1]))
        centre = np.array([mean for mean, _ in columns.numbers.values()])
        spread = np.array([deviation for _, deviation in columns.numbers.values()])
        for batch in batches:
            vectors = np.zeros((batch.num_rows, ends[-1]))
            if count:
                values = (_numbers(batch, self.numbers) - centre) / spread
                is_there = ~np.isnan(values)
                vectors[:, self.value] = np.where(is_there, values, 0.0)
                vectors[:, self.there] = is_there
                vectors[:, self.square] = vectors[:, self.value] ** 2
            for name, levels in columns.levels.items():
                codes = _codes(batch.column(name), levels)
                known = np.flatnonzero(codes >= 0)
                vectors[known, self.level[name].start + codes[known]] = 1.0
            self.products += vectors.T @ vectors

    def rows(self, left: str, right: str) -> int:
        """Rows in which both numbers have a value."""
        at = [self.numbers.index(name) for name in (left, right)]
        return int(self.products[self.there, self.there][at[0], at[1]])

    def rows_by_level(self, category: str, number: str) -> Floats:
        """Rows per level in which the number has a value."""
        return np.asarray(self.products[self.level[category], self.there][:, self.numbers.index(number)])

    def crosstab(self, left: str, right: str) -> Whole:
        """Rows by the levels of two categories."""
        return np.rint(self.products[self.level[left], self.level[right]]).astype(np.int64)

    @cached_property
    def pearson(self) -> Matrix | None:
        """Pearson's correlation of the rows in which both numbers have a value."""
        if len(self.numbers) < 2:
            return None
        count = self.products[self.there, self.there]
        total = self.products[self.value, self.there]
        squares = self.products[self.square, self.there]
        with np.errstate(divide="ignore", invalid="ignore"):
            variation = squares - total**2 / count
            shared = self.products[self.value, self.value] - total * total.T / count
            # What is the same in all rows in question differs by rounding only.
            variation[variation <= 1e-12 * squares] = np.nan
            found = shared / np.sqrt(variation * variation.T)
        return Matrix(self.numbers, self.numbers, _tidy(found, -1.0))

    @cached_property
    def ratio(self) -> Matrix | None:
        """The correlation ratio: the root of the share of a number's variation that lies between the categories."""
        if not self.numbers or not self.categories:
            return None
        found = np.array([self._ratios(category) for category in self.categories])
        return Matrix(self.categories, self.numbers, _tidy(found, 0.0))

    @cached_property
    def cramers_v(self) -> Matrix | None:
        """Cramér's V, without correction for bias."""
        if len(self.categories) < 2:
            return None
        size = len(self.categories)
        found = np.full((size, size), np.nan)
        for at, other in product(range(size), repeat=2):
            found[at, other] = cramers_v(self.crosstab(self.categories[at], self.categories[other]))
        return Matrix(self.categories, self.categories, _tidy(found, 0.0))

    def _ratios(self, category: str) -> Floats:
        level = self.level[category]
        count, total, squares = (self.products[level, part] for part in (self.there, self.value, self.square))
        with np.errstate(divide="ignore", invalid="ignore"):
            offset = total.sum(axis=0) ** 2 / count.sum(axis=0)
            variation = squares.sum(axis=0) - offset
            variation[variation <= 1e-12 * squares.sum(axis=0)] = np.nan
            between = np.where(count > 0, total**2 / count, 0.0).sum(axis=0) - offset
            return np.asarray(np.sqrt(np.clip(between / variation, 0.0, 1.0)))


def cramers_v(counts: Whole) -> float:
    """Cramér's V of a crosstab; NaN where one of its sides has a single category."""
    found = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0].astype(float)
    if min(found.shape, default=0) < 2:
        return float("nan")
    expected = found.sum(axis=1, keepdims=True) * found.sum(axis=0, keepdims=True) / found.sum()
    chi_square = ((found - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi_square / found.sum() / (min(found.shape) - 1)))


def _spearman(sample: pa.Table, numbers: tuple[str, ...]) -> Matrix | None:
    """Spearman's rank correlation, ties by their mean rank, of the rows in which both numbers have a value."""
    if len(numbers) < 2:
        return None
    values = _numbers(sample, numbers)
    is_there = ~np.isnan(values)
    dense = [np.unique(column, return_inverse=True)[1] for column in values.T]
    found = np.full((len(numbers), len(numbers)), np.nan)
    patterns: dict[bytes, list[int]] = {}
    for at in range(len(numbers)):
        patterns.setdefault(np.packbits(is_there[:, at]).tobytes(), []).append(at)
    groups = list(patterns.values())
    for left, right in [*combinations(groups, 2), *((group, group) for group in groups)]:
        shared = is_there[:, left[0]] & is_there[:, right[0]]
        if shared.sum() > 1:
            ranks = [np.array([_ranked(dense[at][shared]) for at in group]) for group in (left, right)]
            with np.errstate(divide="ignore", invalid="ignore"):
                block = _correlated(*ranks)
            found[np.ix_(left, right)] = block
            found[np.ix_(right, left)] = block.T
    return Matrix(numbers, numbers, _tidy(found, -1.0))


def _ranked(dense: Whole) -> Floats:
    counts = np.bincount(dense)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[dense])


def _correlated(left: Floats, right: Floats) -> Floats:
    left, right = (part - part.mean(axis=1, keepdims=True) for part in (left, right))
    spread = np.outer((left**2).sum(axis=1), (right**2).sum(axis=1))
    return np.asarray(left @ right.T / np.sqrt(np.where(spread > 0, spread, np.nan)))


def _tidy(values: Floats, least: float) -> Floats:
    """Without the last digits, which depend on the order in which rows were added up."""
    return np.asarray(np.round(np.clip(values, least, 1.0), DIGITS) + 0.0, dtype=np.float64)


def _number_pairs(sums: _Sums, pearson: Matrix | None, spearman: Matrix | None) -> Iterable[Pair]:
    if pearson is None or spearman is None:
        return
    for (at, left), (other, right) in combinations(enumerate(sums.numbers), 2):
        straight, ranked = float(pearson.values[at, other]), float(spearman.values[at, other])
        rows = sums.rows(left, right)
        if rows >= LEAST_ROWS and not np.isnan(straight) and not np.isnan(ranked):
            strength = max(abs(straight), abs(ranked))
            yield Pair(NUMBERS, left, right, rows, strength, straight, ranked)


def _mixed_pairs(sums: _Sums) -> Iterable[Pair]:
    if sums.ratio is None:
        return
    for (at, category), (other, number) in product(enumerate(sums.categories), enumerate(sums.numbers)):
        strength = float(sums.ratio.values[at, other])
        by_level = sums.rows_by_level(category, number)
        enough = max(LEAST_ROWS, LEAST_ROWS_OF_A_CELL * int((by_level > 0).sum()))
        if not np.isnan(strength) and by_level.sum() >= enough:
            yield Pair(MIXED, category, number, int(by_level.sum()), strength)


def _category_pairs(sums: _Sums) -> Iterable[Pair]:
    if sums.cramers_v is None:
        return
    for (at, left), (other, right) in combinations(enumerate(sums.categories), 2):
        strength = float(sums.cramers_v.values[at, other])
        counts = sums.crosstab(left, right)
        cells = int((counts.sum(axis=1) > 0).sum() * (counts.sum(axis=0) > 0).sum())
        if not np.isnan(strength) and counts.sum() >= max(LEAST_ROWS, LEAST_ROWS_OF_A_CELL * cells):
            yield Pair(CATEGORIES, left, right, int(counts.sum()), strength)


class _Pictures:
    """What is drawn of a pair."""

    def __init__(self, columns: Columns, sums: _Sums, sample: pa.Table) -> None:
        self.columns = columns
        self.sums = sums
        self.sample = sample

    def draw(self, pair: Pair) -> Pair:
        """The pair with its picture."""
        if pair.kind == NUMBERS:
            values = _numbers(self.sample, (pair.left, pair.right))
            values = values[~np.isnan(values).any(axis=1)]
            return replace(pair, cloud=self._cloud(pair.left, pair.right, values), zeros=_zeros(values))
        if pair.kind == MIXED:
            groups = self._groups(pair.left, pair.right)
            return replace(pair, groups=groups, axis=self._axis_of(groups, pair.right))
        return replace(pair, mosaic=self._mosaic(pair.left, pair.right))

    def _cloud(self, left: str, right: str, values: Floats) -> Cloud | None:
        if len(values) < LEAST_ROWS:
            return None
        axes = [self._axis(name, column) for name, column in zip((left, right), values.T, strict=True)]
        places = np.column_stack([axis.place(column) for axis, column in zip(axes, values.T, strict=True)])
        inside = ((places >= 0) & (places <= 1)).all(axis=1)
        bins = np.array([axis.bins for axis in axes])
        cells = np.minimum((places[inside] * bins).astype(np.int64), bins - 1)
        found, counts = np.unique(cells, axis=0, return_counts=True)
        drawn = tuple((int(x), int(y), int(count)) for (x, y), count in zip(found, counts, strict=True))
        return Cloud(axes[0], axes[1], drawn, int((~inside).sum()))

    def _axis(self, name: str, values: Floats) -> Axis:
        low, high = float(values.min()), float(values.max())
        if high - low < MOST_WHOLE_CELLS and bool((values == np.floor(values)).all()):
            return Axis(low - 0.5, high + 0.5, LINEAR, round(high - low) + 1)
        if name in self.columns.logs:
            return Axis(low, high, LOG if low > 0 else LOG_FROM_ZERO, CELLS)
        inner = [float(edge) for edge in np.quantile(values, (0.005, 0.995))]
        if high - low > OUTLYING * (inner[1] - inner[0]) > 0:
            low, high = inner
        return Axis(low, high, LINEAR, CELLS)

    def _axis_of(self, groups: Sequence[Group], number: str) -> Axis | None:
        if not groups:
            return None
        low, high = min(group.quantiles[0] for group in groups), max(group.quantiles[-1] for group in groups)
        margin = (high - low) / 50 or max(0.5, 1e-9 * abs(low))
        if number in self.columns.logs and low < high:
            return Axis(low, high, LOG if low > 0 else LOG_FROM_ZERO, CELLS)
        return Axis(low - margin, high + margin, LINEAR, CELLS)

    def _groups(self, category: str, number: str) -> tuple[Group, ...]:
        values = _numbers(self.sample, (number,))[:, 0]
        names = self._named(category)
        codes = _codes(self.sample.column(category), names)
        is_valid = np.asarray(pc.is_valid(self.sample.column(category)).to_numpy())
        groups = []
        for at, name in enumerate((*names, OTHER)):
            is_member = (codes == at) if at < len(names) else (codes < 0) & is_valid
            member = values[is_member & ~np.isnan(values)]
            if len(member) >= LEAST_GROUP:
                groups.append(Group(name, len(member), tuple(np.quantile(member, BOX_QUANTILES).tolist())))
        return tuple(sorted(groups, key=lambda group: (group.name == OTHER, -group.median, group.name)))

    def _mosaic(self, left: str, right: str) -> Mosaic:
        counts = _folded(self.sums.crosstab(left, right), self.sums.levels[left], self._named(left))
        counts = _folded(counts.T, self.sums.levels[right], self._named(right)).T
        names = [(*self._named(name), OTHER) for name in (left, right)]
        kept = [np.flatnonzero(counts.sum(axis=axis)) for axis in (1, 0)]
        kept_counts = tuple(tuple(int(count) for count in row) for row in counts[np.ix_(*kept)])
        return Mosaic(tuple(names[0][at] for at in kept[0]), tuple(names[1][at] for at in kept[1]), kept_counts)

    def _named(self, category: str) -> list[str]:
        return list(self.columns.named[category][:MOST_GROUPS])


def _zeros(values: Floats) -> Zeros | None:
    """Whether two columns mostly are 0, so that one measure of all rows would tell of little else."""
    is_zero = values == 0
    if not len(values) or is_zero.mean(axis=0).min() < MOSTLY_ZERO:
        return None
    beyond = values[~is_zero.any(axis=1)]
    ranks = [_ranked(np.unique(column, return_inverse=True)[1])[None, :] for column in beyond.T]
    found = float(_correlated(*ranks)[0, 0]) if len(beyond) >= LEAST_ROWS else float("nan")
    return Zeros(float(is_zero.all(axis=1).mean()), len(beyond), None if np.isnan(found) else round(found, DIGITS))


def _folded(counts: Whole, levels: Sequence[str], names: Sequence[str]) -> Whole:
    """The rows of a crosstab in the order of `names`, and the sum of all others below them."""
    found = [counts[levels.index(name)] for name in names]
    others = [row for level, row in zip(levels, counts, strict=True) if level not in names]
    return np.array([*found, np.sum(others, axis=0, dtype=np.int64) if others else np.zeros_like(counts[0])])


def _numbers(rows: pa.Table | pa.RecordBatch, names: Sequence[str]) -> Floats:
    """Columns as doubles, NaN where missing."""
    found = [rows.column(name).to_numpy(zero_copy_only=False) for name in names]
    return np.column_stack(found).astype(np.float64) if found else np.empty((rows.num_rows, 0))


def _codes(values: pa.ChunkedArray | pa.Array, levels: Sequence[str]) -> Whole:
    """The position of each value among the levels; -1 where it is none of them."""
    found = pc.fill_null(pc.index_in(values, value_set=pa.array(levels, pa.string())), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False)).astype(np.int64)


def sentence(pair: Pair) -> str:
    """What a pair shows, in plain words."""
    if pair.kind == NUMBERS:
        return _of_numbers(pair)
    return _of_groups(pair) if pair.kind == MIXED else _of_categories(pair)


def _of_zeros(pair: Pair, zeros: Zeros) -> str:
    reading = f"{pair.left} and {pair.right} are both 0 in {zeros.both:.0%} of the rows."
    if zeros.spearman is None:
        return f"{reading} Too few rows have both to say how they go together there."
    where = f"In those where neither is ({zeros.rows:,} of the rows looked at)"
    if abs(zeros.spearman) < LEAST_STRENGTH:
        return f"{reading} {where}, one says nothing of the other."
    way = "rises" if zeros.spearman > 0 else "falls"
    return f"{reading} {where}, {pair.left} {way} {_firmly(abs(zeros.spearman))} as {pair.right} rises."


def _of_numbers(pair: Pair) -> str:
    if pair.zeros:
        return _of_zeros(pair, pair.zeros)
    straight, ranked = pair.pearson or 0.0, pair.spearman or 0.0
    if straight * ranked < 0 and min(abs(straight), abs(ranked)) > 0.1:
        return f"{pair.left} and {pair.right} go together, but not one way: few rows weigh against the many."
    way = "rises" if (ranked if abs(ranked) >= abs(straight) else straight) > 0 else "falls"
    reading = f"{pair.left} {way} {_firmly(pair.strength)} as {pair.right} rises."
    if abs(ranked) - abs(straight) > 0.15:
        reading += " It does so in order more than in proportion: the relation is bent, or a few rows lie far out."
    if abs(straight) - abs(ranked) > 0.15:
        reading += " A few large rows make much of it: in order alone it is weaker."
    return reading


def _of_groups(pair: Pair) -> str:
    share = pair.strength**2
    reading = f"{pair.left} explains {share:.0%} of the variation of {pair.right}."
    groups = [group for group in pair.groups if group.name != OTHER]
    if len(groups) > 1 and groups[0].median > groups[-1].median:
        high, low = groups[0], groups[-1]
        reading += (
            f" Its median is {figure(high.median)} where {pair.left} is {high.name},"
            f" {figure(low.median)} where it is {low.name}."
        )
    return reading


def _of_categories(pair: Pair) -> str:
    reading = f"{pair.left} and {pair.right} go together {_firmly(pair.strength)}."
    standing = _outstanding(pair.mosaic) if pair.mosaic else None
    if standing:
        left, right, within, overall = standing
        reading += (
            f" Of the rows with {pair.left} {left}, {within:.0%} have {pair.right} {right}; of all rows {overall:.0%}."
        )
    return reading


def _outstanding(mosaic: Mosaic) -> tuple[str, str, float, float] | None:
    """The cell that differs most from what its categories have in all rows."""
    counts = np.array(mosaic.counts, dtype=float)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / counts.sum()
    gain = (counts - expected) / np.sqrt(expected)
    named = np.outer([name != OTHER for name in mosaic.left], [name != OTHER for name in mosaic.right])
    gain[~named | (counts < LEAST_GROUP)] = -np.inf
    row, column = np.unravel_index(int(np.argmax(np.round(gain, DIGITS))), gain.shape)
    if gain[row, column] <= 0:
        return None
    within = counts[row, column] / counts[row].sum()
    return mosaic.left[row], mosaic.right[column], within, counts[:, column].sum() / counts.sum()


def _firmly(strength: float) -> str:
    for least, word in ((0.9, "almost without exception"), (0.7, "strongly"), (0.5, "clearly"), (0.3, "somewhat")):
        if strength >= least:
            return word
    return "slightly"


def figure(value: float) -> str:
    """A number for people: whole ones in full, others to two decimals or three figures."""
    if value == round(value) and abs(value) < 1e12:
        return f"{value:,.0f}"
    if 1000 <= abs(value) < 1e12:
        return f"{value:,.0f}"
    if 1 <= abs(value) < 1000:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:.3g}"
