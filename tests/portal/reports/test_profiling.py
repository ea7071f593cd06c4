"""Profiles: measures against pandas and SciPy, what must not be told, and a page that loads nothing."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.stats.contingency import association

from governance.contract import Column, Contract
from portal import printing
from portal.cli import main
from portal.reports import charts, profile_page, profiling
from portal.reports.associations import LINEAR, LOG, LOG_FROM_ZERO, Axis, Matrix, Pair, Zeros, figure, sentence
from portal.reports.profiling import ColumnProfile, Profile
from resources import deployment as deployments
from resources.engine import Engine
from tests.tables import day, table

ROWS = 600
ARROW = {
    "VARCHAR": pa.string(), "INTEGER": pa.int32(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(),
    "DECIMAL(18,4)": pa.decimal128(18, 4), "DATE": pa.date32(), "TIMESTAMP": pa.timestamp("us"),
}  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine("1GB", 2)
    yield engine
    engine.close()


def column(name: str, kind: str, **more: Any) -> Column:
    return Column(name, kind, f"What {name} means.", **more)


def contract(*columns: Column, **more: Any) -> Contract:
    return Contract(
        layer="analytics", name="things", title="Things", version="1.0.0", purpose="To be looked at.",
        grain="One row per thing.", owner="team", domain="things", frequency="1 d", retention="1 y", columns=columns,
        **more,
    )  # fmt: skip


def profiled(engine: Engine, about: Contract, **values: list[Any]) -> Profile:
    schema = pa.schema([(column.name, ARROW[column.type]) for column in about.columns])
    return profiling.profile(engine, about, ibis.memtable(pa.table(values, schema=schema)))


def alone(engine: Engine, kind: str, values: list[Any], **more: Any) -> ColumnProfile:
    return profiled(engine, contract(column("x", kind, **more)), x=values).columns[0]


def page_of(profile: Profile) -> str:
    return profile_page.page(profile, "Test company")


def summary_of(profile: Profile, width: int = 200) -> str:
    console = printing.Screen(file=StringIO(), width=width)
    profile_page.print_summary(profile, console)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


SHOP = contract(
    column("thing_id", "VARCHAR", key_position=1),
    column("customer_id", "VARCHAR", classification="pseudonymous"),
    column("amount", "DECIMAL(18,4)"),
    column("weight", "DOUBLE"),
    column("pieces", "INTEGER"),
    column("colour", "VARCHAR"),
    column("size", "VARCHAR"),
    column("is_gift", "BOOLEAN"),
    column("sold_at", "TIMESTAMP"),
    column("email", "VARCHAR", classification="direct_identifier"),
    column("age", "INTEGER", classification="personal"),
)


def shop(rows: int = ROWS, seed: int = 3) -> dict[str, list[Any]]:
    """Rows with ties, with missing values in different places, and with relations of every kind."""
    random = np.random.default_rng(seed)
    pieces = random.poisson(3, rows)
    weight = pieces * 1.5 + random.normal(0, 1, rows)
    amount = np.round(np.exp(random.normal(3, 1.4, rows)), 2)
    colour = random.choice(["red", "green", "blue"], rows, p=[0.5, 0.3, 0.2])
    size = np.where(random.random(rows) < 0.6, np.where(colour == "red", "L", "S"), random.choice(["S", "M"], rows))
    lost = random.random((4, rows)) < 0.1
    return {
        "thing_id": [f"thing-{at}" for at in range(rows)],
        "customer_id": [f"customer-{at % 97}" for at in range(rows)],
        "amount": [None if gone else value for value, gone in zip(amount.tolist(), lost[0], strict=True)],
        "weight": [None if gone else value for value, gone in zip(weight.tolist(), lost[1], strict=True)],
        "pieces": pieces.tolist(),
        "colour": [None if gone else value for value, gone in zip(colour.tolist(), lost[2], strict=True)],
        "size": size.tolist(),
        "is_gift": [None if gone else bool(value > 3) for value, gone in zip(pieces, lost[3], strict=True)],
        "sold_at": [datetime(2025, 1, 1) + timedelta(days=int(at)) for at in random.integers(0, 700, rows)],
        "email": [f"person{at}@example.com" for at in range(rows)],
        "age": [711 + at for at in range(rows)],
    }


def shop_table(values: dict[str, list[Any]]) -> pa.Table:
    arrays = {
        one.name: pa.array(values[one.name], pa.float64() if "DECIMAL" in one.type else ARROW[one.type])
        for one in SHOP.columns
    }
    return pa.table(arrays).cast(pa.schema([(one.name, ARROW[one.type]) for one in SHOP.columns]))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.DataFrame(shop())


@pytest.fixture(scope="module")
def sold(engine: Engine) -> Profile:
    return profiling.profile(engine, SHOP, ibis.memtable(shop_table(shop())))


def of(profile: Profile, name: str) -> ColumnProfile:
    return next(column for column in profile.columns if column.name == name)


def measured(matrix: Matrix | None, row: str, column: str) -> float:
    assert matrix is not None
    return float(matrix.values[matrix.rows.index(row), matrix.columns.index(column)])


# Single columns


def test_a_few_numbers_by_hand(engine: Engine) -> None:
    found = alone(engine, "DOUBLE", [1.0, 2.0, 2.0, 7.0, -2.0, 0.0, None])
    assert (found.kind, found.rows, found.missing, found.distinct) == ("number", 7, 1, 5)
    assert found.numbers is not None
    assert (found.numbers.count, found.numbers.zeros, found.numbers.negatives) == (6, 1, 1)
    assert (found.numbers.minimum, found.numbers.maximum) == (-2.0, 7.0)
    assert found.numbers.mean == pytest.approx(10 / 6, rel=1e-11)
    assert found.numbers.deviation == pytest.approx(math.sqrt((62 - 100 / 6) / 5), rel=1e-11)
    assert (found.numbers.quantiles[0.25], found.numbers.quantiles[0.5], found.numbers.quantiles[0.75]) == (
        0.25,
        1.5,
        2,
    )


@pytest.mark.parametrize("name", ["amount", "weight", "pieces"])
def test_numbers_are_those_of_pandas(sold: Profile, frame: pd.DataFrame, name: str) -> None:
    numbers, values = of(sold, name).numbers, frame[name].dropna().astype(float)
    assert numbers is not None
    assert numbers.mean == pytest.approx(values.mean(), rel=1e-11)
    assert numbers.deviation == pytest.approx(values.std(), rel=1e-11)
    for share, quantile in numbers.quantiles.items():
        assert quantile == pytest.approx(values.quantile(share), rel=1e-12), share
    assert of(sold, name).distinct == values.nunique()
    assert of(sold, name).missing == frame[name].isna().sum()


def test_top_values_and_levels_are_those_of_pandas(sold: Profile, frame: pd.DataFrame) -> None:
    values = of(sold, "colour").values
    assert values is not None
    assert dict(values.top) == frame.colour.value_counts().to_dict()
    assert [value for value, _ in values.top] == ["red", "green", "blue"]
    assert (values.others, values.other_rows) == (0, 0)


def test_whole_numbers_of_a_small_range_have_a_bar_each(engine: Engine) -> None:
    found = alone(engine, "INTEGER", [1, 1, 2, 4, 4, 4])
    assert found.numbers is not None
    assert found.numbers.histogram.edges == (0.5, 1.5, 2.5, 3.5, 4.5)
    assert found.numbers.histogram.counts == (2, 1, 0, 3)


def test_bins_hold_every_row_once(sold: Profile, frame: pd.DataFrame) -> None:
    for name in ("amount", "weight", "pieces"):
        numbers = of(sold, name).numbers
        assert numbers is not None
        shown = numbers.histogram
        drawn = sum(shown.counts) + shown.below + shown.above + (numbers.zeros if shown.is_log else 0)
        assert drawn == numbers.count == frame[name].notna().sum()
        inner, right = shown.counts[1], shown.edges[1:3]
        assert inner == ((frame[name] > right[0]) & (frame[name] <= right[1])).sum()


def test_skewed_numbers_have_a_logarithmic_axis_and_a_bar_for_zero(engine: Engine) -> None:
    found = alone(engine, "DOUBLE", [0.0] * 50 + [1.0] * 40 + [10.0] * 5 + [1000.0])
    assert found.numbers is not None
    shown = found.numbers.histogram
    assert shown.is_log
    assert sum(shown.counts) == 46
    ratios = [high / low for low, high in zip(shown.edges[:-1], shown.edges[1:], strict=True)]
    assert max(ratios) == pytest.approx(min(ratios))


def test_numbers_far_out_do_not_hide_the_others(engine: Engine) -> None:
    found = alone(engine, "DOUBLE", [*(float(at % 100) for at in range(1000)), -1e9, 1e9])
    assert found.numbers is not None
    shown = found.numbers.histogram
    assert not shown.is_log
    assert (shown.edges[0] >= -1, shown.edges[-1] <= 100) == (True, True)
    assert (shown.below > 0, shown.above > 0) == (True, True)
    assert sum(shown.counts) + shown.below + shown.above == 1002


def test_infinite_and_impossible_numbers_are_counted_apart(engine: Engine) -> None:
    found = alone(engine, "DOUBLE", [1.0, 3.0, math.inf, -math.inf, math.nan, 1e300, None])
    assert found.numbers is not None
    assert (found.numbers.count, found.numbers.not_finite, found.missing) == (2, 4, 1)
    assert (found.numbers.mean, found.numbers.minimum, found.numbers.maximum) == (2.0, 1.0, 3.0)
    assert "infinite or no number" in page_of(profiled(engine, contract(column("x", "DOUBLE")), x=[math.nan]))


def test_numbers_that_are_all_the_same_deviate_by_nothing(engine: Engine) -> None:
    profile = profiled(engine, contract(column("x", "DOUBLE"), column("y", "DOUBLE")), x=[0.1] * 999, y=[0.7] * 999)
    assert [column.numbers and column.numbers.deviation for column in profile.columns] == [0.0, 0.0]
    assert profile.associations.pearson is None


def test_months_without_rows_are_zero(engine: Engine) -> None:
    found = alone(engine, "TIMESTAMP", [datetime(2025, 1, 5), datetime(2025, 1, 9), datetime(2025, 5, 1, 12), None])
    assert found.times is not None
    assert found.times.unit == "month"
    assert [rows for _, rows in found.times.series] == [2, 0, 0, 0, 1]
    assert (found.times.oldest, found.times.newest) == (datetime(2025, 1, 5), datetime(2025, 5, 1, 12))


@pytest.mark.parametrize(
    ("newest", "unit", "length"),
    [
        (datetime(2025, 1, 1, 5), "hour", 6),
        (datetime(2025, 1, 31), "day", 31),
        (datetime(2026, 12, 1), "month", 24),
        (datetime(2099, 1, 1), "year", 75),
        (datetime(2425, 1, 1), "decade", 41),
    ],
)
def test_the_unit_follows_the_span(engine: Engine, newest: datetime, unit: str, length: int) -> None:
    times = alone(engine, "TIMESTAMP", [datetime(2025, 1, 1), newest]).times
    assert times is not None
    assert (times.unit, len(times.series), sum(rows for _, rows in times.series)) == (unit, length, 2)


def test_dates_are_times(engine: Engine) -> None:
    found = alone(engine, "DATE", [day("2025-01-01").date(), day("2025-01-03").date()])
    assert found.times is not None
    assert [rows for _, rows in found.times.series] == [1, 0, 1]
    assert ">2025-01-03<" in page_of(
        profiled(engine, contract(column("x", "DATE")), x=[day("2025-01-03").date(), day("2025-01-01").date()])
    )


# Pairs


@pytest.mark.parametrize(("left", "right"), [("amount", "weight"), ("weight", "pieces"), ("amount", "pieces")])
def test_correlations_are_those_of_scipy(sold: Profile, frame: pd.DataFrame, left: str, right: str) -> None:
    both = frame[[left, right]].dropna()
    found = sold.associations
    assert measured(found.pearson, left, right) == pytest.approx(stats.pearsonr(*both.T.values).statistic, abs=1e-8)
    assert measured(found.spearman, left, right) == pytest.approx(stats.spearmanr(*both.T.values).statistic, abs=1e-8)
    assert measured(found.spearman, left, right) == measured(found.spearman, right, left)


@pytest.mark.parametrize(("left", "right"), [("colour", "size"), ("size", "is_gift"), ("colour", "is_gift")])
def test_cramers_v_is_that_of_scipy(sold: Profile, frame: pd.DataFrame, left: str, right: str) -> None:
    both = frame[[left, right]].dropna()
    expected = association(pd.crosstab(both[left], both[right]).to_numpy(), method="cramer")
    assert measured(sold.associations.cramers_v, left, right) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("category", "number"), [("colour", "amount"), ("is_gift", "pieces"), ("size", "weight")])
def test_the_correlation_ratio_is_that_of_a_plain_loop(
    sold: Profile, frame: pd.DataFrame, category: str, number: str
) -> None:
    both = frame[[category, number]].dropna()
    mean = both[number].mean()
    between = sum(len(group) * (group.mean() - mean) ** 2 for _, group in both.groupby(category)[number])
    expected = math.sqrt(between / ((both[number] - mean) ** 2).sum())
    assert measured(sold.associations.ratio, category, number) == pytest.approx(expected, abs=1e-8)


def test_by_hand_two_columns_that_decide_each_other_are_alike_and_the_rest_is_ranked(engine: Engine) -> None:
    about = contract(column("a", "INTEGER"), column("b", "INTEGER"), column("c", "VARCHAR"), column("d", "INTEGER"))
    found = profiled(
        engine, about,
        a=list(range(40)), b=[-3 * at for at in range(40)], c=["low"] * 20 + ["high"] * 20, d=[0, 1] * 20,
    ).associations  # fmt: skip
    assert [(pair.left, pair.right, pair.pearson, pair.spearman) for pair in found.alike] == [("a", "b", -1, -1)]
    assert [(pair.left, pair.right) for pair in found.strongest][:2] == [("c", "a"), ("c", "b")]
    assert [group.name for group in found.strongest[0].groups] == ["high", "low"]
    assert [group.median for group in found.strongest[0].groups] == [29.5, 9.5]
    assert sentence(found.strongest[0]) == (
        "c explains 75% of the variation of a. Its median is 29.5 where c is high, 9.5 where it is low."
    )
    assert measured(found.ratio, "c", "d") == 0


def test_a_pair_of_few_rows_is_not_among_the_strongest(engine: Engine) -> None:
    about = contract(column("a", "INTEGER"), column("b", "INTEGER"))
    few = profiled(engine, about, a=list(range(19)), b=list(range(19))).associations
    assert (few.alike, few.strongest) == ((), ())
    assert measured(few.pearson, "a", "b") == 1


def test_ten_pairs_are_shown_and_none_that_is_next_to_nothing(engine: Engine, sold: Profile) -> None:
    random = np.random.default_rng(5)
    shared = random.normal(size=200)
    names = "abcdef"
    values = {name: (shared + at * random.normal(size=200)).tolist() for at, name in enumerate(names, 1)}
    found = profiled(engine, contract(*(column(name, "DOUBLE") for name in names)), **values).associations
    assert len(found.strongest) == 10
    strengths = [pair.strength for pair in found.strongest]
    assert strengths == sorted(strengths, reverse=True)
    assert abs(measured(sold.associations.pearson, "amount", "weight")) < 0.1
    assert {"amount", "weight"} not in [{pair.left, pair.right} for pair in sold.associations.strongest]


def test_of_numbers_that_mostly_are_zero_the_zeros_are_told_apart_from_the_rest(engine: Engine) -> None:
    """Thirty of a hundred rows have both, and there they have nothing to do with each other."""
    about = contract(column("a", "INTEGER"), column("b", "INTEGER"))
    some = [(one, other) for one in (1, 2, 3, 4, 5) for other in (10, 20, 30, 40, 50, 60)]
    both = [*some, *[(0, 0)] * 70]
    found = profiled(engine, about, a=[one for one, _ in both], b=[other for _, other in both]).associations
    (pair,) = found.strongest
    assert (pair.spearman or 0) > 0.9
    assert pair.zeros == Zeros(0.7, 30, 0.0)
    assert sentence(pair) == (
        "a and b are both 0 in 70% of the rows. In those where neither is (30 of the rows looked at),"
        " one says nothing of the other."
    )
    assert profiled(engine, about, a=[1, *range(2, 41)], b=[*range(40)]).associations.alike[0].zeros is None


def test_pairs_are_told_in_plain_sentences(sold: Profile) -> None:
    told = [sentence(pair) for pair in sold.associations.strongest]
    assert told[0].startswith("weight rises almost without exception as pieces rises.")
    assert any(re.fullmatch(r"colour and size go together clearly\. Of the rows with .*%\.", text) for text in told)
    assert sentence(Pair("numbers", "a", "b", 50, 0.9, 0.2, 0.9)).endswith("or a few rows lie far out.")
    mostly = Pair("numbers", "a", "b", 50, 0.9, 0.2, 0.9, zeros=Zeros(0.8, 1200, -0.75))
    assert sentence(mostly) == (
        "a and b are both 0 in 80% of the rows. In those where neither is (1,200 of the rows looked at),"
        " a falls strongly as b rises."
    )
    assert sentence(replace(mostly, zeros=Zeros(0.8, 1200, 0.05))).endswith("one says nothing of the other.")
    assert sentence(replace(mostly, zeros=Zeros(0.8, 7, None))).endswith("to say how they go together there.")
    assert sentence(Pair("numbers", "a", "b", 50, 0.9, -0.9, -0.2)).startswith("a falls almost without exception")
    assert sentence(Pair("numbers", "a", "b", 50, 0.4, -0.4, 0.3)).startswith("a and b go together, but not one way")


# What must not be told


def test_personal_values_keys_and_ids_are_nowhere(engine: Engine) -> None:
    about = contract(
        column("customer_id", "VARCHAR", classification="pseudonymous", key_position=1),
        column("email", "VARCHAR", classification="direct_identifier"),
        column("born_on", "DATE", classification="personal"),
        column("income", "DOUBLE", classification="personal"),
        column("is_ill", "BOOLEAN", classification="sensitive"),
        column("order_id", "BIGINT"),
        column("shelf", "VARCHAR", references=("shelves", "shelf")),
        column("level", "VARCHAR"),
        column("spent", "DOUBLE"),
    )
    rows = 60
    profile = profiled(
        engine, about,
        customer_id=[f"planted-{at:03}" for at in range(rows)], email=["planted@example.com"] * rows,
        born_on=[day("1977-03-05").date()] * rows, income=[765432.1] * rows, is_ill=[True] * 55 + [None] * 5,
        order_id=[555444] * rows, shelf=["planted shelf"] * rows, level=["gold"] * 30 + ["tin"] * 30,
        spent=[float(at) for at in range(rows)],
    )  # fmt: skip
    for told in (page_of(profile), summary_of(profile), repr(profile)):
        for value in ("planted", "1977", "765432", "765,432", "555444", "555,444"):
            assert value not in told
        assert "gold" in told
    assert [(one.kind, one.missing, one.distinct) for one in profile.columns[:5]] == [
        ("identifier", 0, 60), ("masked", 0, 1), ("masked", 0, 1), ("masked", 0, 1), ("masked", 5, 1),
    ]  # fmt: skip
    pairs = [*profile.associations.alike, *profile.associations.strongest]
    assert {name for pair in pairs for name in (pair.left, pair.right)} == {"level", "spent"}


def test_texts_of_fewer_than_five_people_are_not_named(engine: Engine) -> None:
    about = contract(
        column("thing_id", "VARCHAR", key_position=1),
        column("customer_id", "VARCHAR", classification="pseudonymous"),
        column("hint", "VARCHAR", values=("declared",)),
    )
    rows = [*(("often", f"c{at}") for at in range(5)), *(("manifold", f"c{at % 4}") for at in range(50))]
    rows += [("declared", "c1"), *(("anonymous", None) for _ in range(5))]
    profile = profiled(
        engine, about,
        thing_id=[str(at) for at in range(len(rows))], customer_id=[one for _, one in rows],
        hint=[one for one, _ in rows],
    )  # fmt: skip
    values = of(profile, "hint").values
    assert values is not None
    assert values.top == (("anonymous", 5), ("often", 5), ("declared", 1))
    assert (values.others, values.other_rows) == (1, 50)
    told = page_of(profile)
    assert "manifold" not in told
    assert "1 other value<" in told


def test_a_rare_category_is_not_named_in_the_picture_of_a_pair(engine: Engine) -> None:
    about = contract(
        column("customer_id", "VARCHAR", classification="pseudonymous", key_position=1),
        column("level", "VARCHAR"),
        column("shade", "VARCHAR"),
        column("spent", "INTEGER"),
    )
    levels = ["gold"] * 40 + ["tin"] * 40 + ["unique"] * 4
    profile = profiled(
        engine, about,
        customer_id=[str(at) for at in range(84)], level=levels, shade=["dark"] * 36 + ["light"] * 44 + ["faint"] * 4,
        spent=[len(level) * 10 + at % 7 for at, level in enumerate(levels)],
    )  # fmt: skip
    assert len(profile.associations.strongest) == 3
    assert "unique" not in page_of(profile)
    assert "faint" not in page_of(profile)
    mosaic = next(pair.mosaic for pair in profile.associations.strongest if pair.mosaic)
    assert (mosaic.left, sum(map(sum, mosaic.counts))) == (("gold", "tin"), 80) or "other" in mosaic.left


def test_tables_about_no_person_name_their_rare_values(engine: Engine) -> None:
    values = alone(engine, "VARCHAR", ["spring", "summer"]).values
    assert values is not None
    assert values.top == (("spring", 1), ("summer", 1))


def test_long_texts_are_measured_not_shown(engine: Engine) -> None:
    found = alone(engine, "VARCHAR", ["a word " * 30] * 9)
    assert (found.kind, found.text_lengths, found.values) == ("text", (210, 210.0, 210), None)


def test_rows_called_sensitive_are_left_out(engine: Engine) -> None:
    about = contract(column("audience", "VARCHAR"), column("is_delicate", "BOOLEAN"), sensitive_rows="is_delicate")
    profile = profiled(
        engine, about, audience=["Patients"] * 9 + ["Collectors"] * 6, is_delicate=[True] * 8 + [None] + [False] * 6
    )
    assert profile.rows == 6
    assert "Patients" not in page_of(profile)


# The page


class _Reader(HTMLParser):
    """Every tag with its attributes; an error where they are not closed in order."""

    VOID = ("meta", "br", "path", "rect", "circle")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_file_that_loads_and_runs_nothing(sold: Profile) -> None:
    told = page_of(sold)
    reader = _Reader(told)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:", told)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & {tag for tag, _ in reader.tags}
    assert not any(name in ("src", "srcset") or name.startswith("on") for _, found in reader.tags for name in found)
    anchors = {found["id"] for _, found in reader.tags if "id" in found}
    links = [found["href"] or "" for _, found in reader.tags if "href" in found]
    assert links
    assert {link.removeprefix("#") for link in links} <= anchors


def test_every_picture_has_a_text_or_is_told_beside_it(sold: Profile) -> None:
    pictures = [found for tag, found in _Reader(page_of(sold)).tags if tag == "svg"]
    assert len(pictures) > 15
    for found in pictures:
        assert found.get("aria-hidden") == "true" or (found.get("role"), bool(found.get("aria-label"))) == ("img", True)


def test_every_column_has_a_card_and_a_line(sold: Profile) -> None:
    told, summary = page_of(sold), summary_of(sold)
    for name in SHOP.column_names:
        assert f'id="column-{name}"' in told
        assert f"What {name} means." in told
        assert re.search(rf"^{name} ", summary, re.MULTILINE)
    assert re.search(r"colour +varchar +[\d.]+% +3 +red \([\d.]+%\)", summary)
    assert re.search(r"email +varchar +600 +\*{3} \(personal\)", summary)


def test_on_a_narrow_console_every_column_is_left(engine: Engine) -> None:
    name = "a_name_as_long_as_a_column_may_well_have"
    profile = profiled(engine, contract(column(name, "VARCHAR")), **{name: ["a value of some length"] * 7 + [None]})
    told = summary_of(profile, width=76)
    assert re.search(r"a_name_as_long_\w*… +varchar +12\.5% +1 +a value of some len…", told)


def test_values_are_escaped(engine: Engine) -> None:
    about = contract(column("x", "VARCHAR"), column("y", "VARCHAR"))
    values = ["<script>alert('1')</script>", "[bold]&amp;", "[bold]&amp;"] * 20
    profile = profiled(engine, about, x=values, y=values[:30] + values[1:31])
    told = page_of(profile)
    assert "script" not in {tag for tag, _ in _Reader(told).tags}
    assert "&lt;script&gt;" in told
    assert "[bold]&amp;" in summary_of(profile)


def test_the_order_of_rows_changes_no_byte(engine: Engine) -> None:
    rows = shop_table(shop(3000))
    expected = page_of(profiling.profile(engine, SHOP, ibis.memtable(rows)))
    for seed in range(3):
        shuffled = rows.take(np.random.default_rng(seed).permutation(rows.num_rows))
        assert page_of(profiling.profile(engine, SHOP, ibis.memtable(shuffled))) == expected


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(), st.sampled_from([0.0, 1.0, 1e-300, 5e99])),
            st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1), st.integers(0, 3)),
            st.one_of(st.none(), st.text("xyz<&'\"\n é", max_size=3)),
            st.one_of(st.none(), st.datetimes(datetime(10, 1, 1), datetime(9999, 12, 31))),
        ),
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_whatever_the_rows_the_page_is_whole_and_their_order_does_not_matter(
    engine: Engine, rows: list[tuple[Any, ...]], random: Any
) -> None:
    about = contract(column("a", "DOUBLE"), column("b", "INTEGER"), column("c", "VARCHAR"), column("d", "TIMESTAMP"))

    def page(rows: list[tuple[Any, ...]]) -> str:
        return page_of(profiled(engine, about, **{name: [row[at] for row in rows] for at, name in enumerate("abcd")}))

    expected = page(rows)
    assert "nan" not in expected
    _Reader(expected)
    assert page(random.sample(rows, len(rows))) == expected


def test_what_is_wider_than_a_phone_is_scrolled_by_keyboard_too(engine: Engine) -> None:
    page = page_of(profiling.profile(engine, SHOP, ibis.memtable(shop_table(shop(ROWS)))))
    regions = re.findall(r'<div class="wide" role="region" aria-label="[^"]+" tabindex="0">(<\w+)', page)
    assert regions.count("<table") == page.count("<table") > 3
    assert regions.count("<svg") >= 1


def test_an_empty_table_has_a_page(engine: Engine) -> None:
    nothing: dict[str, list[Any]] = {name: [] for name in SHOP.column_names}
    profile = profiled(engine, SHOP, **nothing)
    assert (profile.rows, profile.associations.strongest) == (0, ())
    told = page_of(profile)
    assert "The table is empty." in told
    assert told.count(profile_page.EMPTY_NOTE) == len(SHOP.columns) - 2
    assert "customer_id" in summary_of(profile)


def test_a_single_row_and_columns_without_values_have_a_page(engine: Engine) -> None:
    one = profiling.profile(engine, SHOP, ibis.memtable(shop_table(shop(1))))
    numbers = of(one, "pieces").numbers
    assert numbers is not None
    assert numbers.deviation is None
    _Reader(page_of(one))
    missing: dict[str, list[Any]] = {name: [None, None] for name in SHOP.column_names}
    blank = profiled(engine, SHOP, **missing)
    assert all((column.missing, column.distinct) == (2, 0) for column in blank.columns)
    assert profile_page.EMPTY_NOTE in page_of(blank)


# Big tables


def test_a_sample_is_the_same_whatever_the_order_of_rows(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "SAMPLE_ROWS", 200)
    rows = shop_table(shop(3000))
    whole = profiling.profile(engine, SHOP, ibis.memtable(rows))
    shuffled = rows.take(np.random.default_rng(1).permutation(rows.num_rows))
    assert whole.sampled == 200
    assert page_of(profiling.profile(engine, SHOP, ibis.memtable(shuffled))) == page_of(whole)
    assert "Ranks and pictures of pairs come from 200 rows" in page_of(whole)
    numbers = of(whole, "weight").numbers
    assert numbers is not None
    assert numbers.count == rows.num_rows - rows["weight"].null_count


def test_beyond_exact_counting_estimates_are_close_and_said_to_be_ones(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiling, "MOST_EXACT_ROWS", 1000)
    values = shop(3000)
    profile = profiling.profile(engine, SHOP, ibis.memtable(shop_table(values)))
    numbers = of(profile, "amount").numbers
    assert numbers is not None
    known = pd.Series(values["amount"]).dropna()
    assert numbers.mean == pytest.approx(known.mean(), rel=1e-11)
    assert numbers.quantiles[0.5] == pytest.approx(known.median(), rel=0.01)
    assert of(profile, "thing_id").distinct == pytest.approx(3000, rel=0.3)
    assert "numbers of distinct values are estimates" in page_of(profile) or profile.sampled == profile.rows


# Charts


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis(0, 10, LINEAR, 1), [0, 2, 4, 6, 8, 10]),
        (Axis(-0.5, 4.5, LINEAR, 1), [0, 1, 2, 3, 4]),
        (Axis(0.3, 40, LOG, 1), [0.5, 1, 2, 5, 10, 20]),
        (Axis(0.3, 4000, LOG, 1), [1, 10, 100, 1000]),
        (Axis(2, 30, LOG, 1), [2, 5, 10, 20]),
        (Axis(0, 3000, LOG_FROM_ZERO, 1), [0, 1, 10, 100, 1000]),
        (Axis(1000, 1000.4, LINEAR, 1), [1000, 1000.1, 1000.2, 1000.3, 1000.4]),
    ],
)
def test_ticks_are_round_numbers_within_the_axis(axis: Axis, ticks: list[float]) -> None:
    assert charts._ticks(axis, 6) == ticks


@pytest.mark.parametrize(
    ("value", "told", "shortly"),
    [
        (0, "0", "0"),
        (1234567, "1,234,567", "1.235M"),
        (25000, "25,000", "25k"),
        (1234.5, "1,234", "1234"),
        (14.95, "14.95", "14.95"),
        (0.012345, "0.0123", "0.01235"),
        (-3.5, "-3.5", "-3.5"),
    ],
)
def test_numbers_are_written_for_people(value: float, told: str, shortly: str) -> None:
    assert (figure(value), charts.short(value)) == (told, shortly)


# The command

CONFIG = "name: Corner shop\ncurrency: EUR\naccess: {anyone: data_steward}\n"


def c360(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def corner_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment in which three source orders were published, and where we stand."""
    monkeypatch.setenv("C360_CONFIG", "")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "c360.yaml"
    file.write_text(CONFIG)
    deployment = deployments.load(file)
    rows = [
        {
            "order_id": f"order-{at}",
            "customer_id": "ann",
            "ordered_at": day(f"2026-01-0{at}"),
            "total_amount": 10.5 * at,
        }
        for at in (1, 2, 3)
    ]
    orders = deployment.contracts["sources/orders"]
    deployment.lake.publish(deployment.lake.write(orders, table("sources/orders", *rows)))
    deployment.close()
    return file


def test_the_command_writes_a_page_and_prints_a_summary(corner_shop: Path) -> None:
    result = c360("profile", "sources/orders", "--config", corner_shop)
    assert result.exit_code == 0, result.output
    assert "sources/orders: 3 rows" in result.output
    assert re.search(r"total_amount +double +3 +10\.5 to 31\.5", result.output)
    assert re.search(r"ordered_at +timestamp +3 +2026-01-01 to 2026-01-03", result.output)
    assert "zed" not in result.output + Path("sources-orders.html").read_text()
    assert "Pictures and more: sources-orders.html" in result.output
    assert "Corner shop" in Path("sources-orders.html").read_text()
    assert c360("profile", "sources/orders", "--config", corner_shop, "--out", "a/b.html").exit_code == 0
    assert Path("a/b.html").read_text() == Path("sources-orders.html").read_text()


@pytest.mark.parametrize(
    ("name", "message"), [("orderz", "There is no table 'orderz'"), ("rfm", "Table rfm has not been built yet")]
)
def test_a_mistake_is_that_of_show_and_nothing_is_written(corner_shop: Path, name: str, message: str) -> None:
    result = c360("profile", name, "--config", corner_shop)
    assert result.exit_code == 1
    assert message in result.output
    assert result.output.endswith(c360("show", name, "--config", corner_shop).output)
    assert not list(Path.cwd().glob("*.html"))


def test_tables_of_operations_are_profiled_too(corner_shop: Path) -> None:
    result = c360("profile", "quality_scores", "--config", corner_shop)
    assert result.exit_code == 0, result.output
    assert "The table is empty." in Path("quality_scores.html").read_text()
