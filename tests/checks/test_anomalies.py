"""What is unusual: slices of time and their seasonal past, and values distributed unlike a reference."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import anomalies
from checks.anomalies import Verdict, judge

MONDAY = datetime(2026, 1, 5)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = 7 * DAY
# Moments and values of slices.
Series = tuple[list[datetime], list[float]]


def working_days(*values: float) -> Series:
    """One slice for each day from Monday to Friday."""
    return [MONDAY + (day // 5) * WEEK + (day % 5) * DAY for day in range(len(values))], list(values)


def newest(series: Series) -> Verdict:
    (verdict,) = judge(*series, last=1)
    return verdict


def statuses(series: Series) -> list[str]:
    return [verdict.status for verdict in judge(*series, last=len(series[0]))]


@st.composite
def some_series(draw: st.DrawFn, least: int = 0) -> Series:
    """Days, or mornings and evenings, some of them missing, with a few very unusual values."""
    period = draw(st.sampled_from([DAY, 12 * HOUR]))
    usual, unusual = st.integers(90, 110), st.sampled_from([0, 50, 125, 200, 10_000])
    value = st.one_of(usual, usual, usual, usual, unusual, st.just(math.nan))
    values = draw(st.lists(value, min_size=least, max_size=130))
    return [MONDAY + number * period for number in range(len(values))], [float(value) for value in values]


# -- one slice


@pytest.mark.parametrize(
    ("value", "status", "share"),
    [
        (100, "pass", 1.0),
        (115, "pass", 1.0),
        (85, "pass", 1.0),
        (125, "warn", 0.63),
        (80, "warn", 0.63),
        (0, "fail", 0.0),
        (200, "fail", 0.0),
    ],
)
def test_a_slice_is_compared_with_eight_days_of_100(value: float, status: str, share: float) -> None:
    verdict = newest(working_days(*[100] * 8, value))
    assert (verdict.moment, verdict.value, verdict.status) == (MONDAY + WEEK + 3 * DAY, value, status)
    assert verdict.expected == pytest.approx(100)
    assert verdict.z == pytest.approx(math.log((value + 1) / 101) / 0.05)
    assert verdict.share == pytest.approx(share, abs=0.005)


def test_fewer_than_eight_peers_are_too_few_to_judge_by() -> None:
    verdict = newest(working_days(*[100] * 7, 0))
    assert verdict == Verdict(MONDAY + WEEK + 2 * DAY, 0, None, None, "learning")
    assert verdict.share is None


def test_where_the_past_varies_more_the_same_value_is_less_unusual() -> None:
    # The median of 80 and 125 is near 100 on a logarithm, and each lies about 0.22 from it.
    assert newest(working_days(*[80, 125] * 4, 200)).status == "pass"
    assert newest(working_days(*[99, 101] * 4, 200)).status == "fail"


@pytest.mark.parametrize(
    ("z", "status"),
    [(3.49, "pass"), (3.51, "warn"), (-3.51, "warn"), (5.99, "warn"), (6.01, "fail"), (-6.01, "fail"), (60, "fail")],
)
def test_beyond_3_5_a_slice_warns_and_beyond_6_it_fails(z: float, status: str) -> None:
    verdict = newest(working_days(*[math.expm1(1)] * 8, math.expm1(1 + z * 0.05)))
    assert verdict.z == pytest.approx(z)
    assert verdict.status == status


@pytest.mark.parametrize(("z", "share"), [(0, 1), (3.5, 1), (-3.5, 1), (4.75, 0.5), (-4.75, 0.5), (6, 0), (-60, 0)])
def test_the_share_falls_from_the_warning_to_the_failing_bound(z: float, share: float) -> None:
    assert Verdict(MONDAY, 1, 1, z, "any").share == pytest.approx(share)


# -- peers


def test_weekends_are_compared_with_weekends() -> None:
    days = [MONDAY + number * DAY for number in range(35)]
    values = [20.0 if day.weekday() >= 5 else 100.0 for day in days]
    weekends = [verdict for verdict in judge(days, values, last=35) if verdict.moment.weekday() >= 5]
    assert [verdict.status for verdict in weekends] == ["learning"] * 8 + ["pass"] * 2
    assert weekends[-1].expected == pytest.approx(20)


def test_hours_are_compared_with_the_same_hour() -> None:
    hours = [MONDAY + number * HOUR for number in range(14 * 24)]
    verdicts = judge(hours, [100.0 * hour.hour for hour in hours], last=4 * 24)
    assert {verdict.status for verdict in verdicts[:48]} == {"pass"}
    assert {verdict.status for verdict in verdicts[48:]} == {"learning"}, "four days of weekends"
    assert [verdict.expected for verdict in verdicts[:24]] == pytest.approx([100 * hour for hour in range(24)])


@pytest.mark.parametrize(("last_start", "status"), [(42 * DAY, "pass"), (43 * DAY, "learning")])
def test_peers_are_at_most_42_days_old(last_start: timedelta, status: str) -> None:
    days, values = working_days(*[100] * 8)
    assert newest(([*days, days[0] + last_start], [*values, 100])).status == status


def test_what_failed_is_no_peer_so_a_fault_stays_one_however_long_it_lasts() -> None:
    assert statuses(working_days(*[100] * 9, *[0] * 20)) == ["learning"] * 8 + ["pass"] + ["fail"] * 20


def test_what_only_warned_is_a_peer_so_a_slow_change_is_learned() -> None:
    assert statuses(working_days(*[100] * 8, *[125] * 9)) == ["learning"] * 8 + ["warn"] * 8 + ["pass"]


def test_a_lasting_new_level_is_learned_once_the_old_one_is_six_weeks_old() -> None:
    verdicts = judge(*working_days(*[100] * 20, *[500] * 40), last=40)
    assert verdicts[0].status == "fail"
    assert verdicts[-1].status == "pass"
    assert verdicts[-1].expected == pytest.approx(500)


def test_a_slice_that_is_missing_or_without_a_value_is_not_judged() -> None:
    days, values = working_days(*[100] * 10)
    values[3] = math.nan
    judged = judge(days[:5] + days[6:], values[:5] + values[6:], last=10)
    assert [verdict.moment for verdict in judged] == [*days[:3], days[4], *days[6:]]
    assert {verdict.status for verdict in judged} == {"learning"}
    assert judge([], [], last=3) == []
    assert judge(days, values, last=0) == []


@pytest.mark.parametrize("value", [-1, -0.01, math.inf, -math.inf])
def test_a_value_that_cannot_be_measured_on_a_logarithm_is_an_error_that_names_its_moment(value: float) -> None:
    with pytest.raises(ValueError, match="2026-01-06 00:00:00 must be finite and not negative"):
        judge(*working_days(1, value, 1), last=1)


def test_two_slices_of_one_moment_are_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="two slices start at 2026-01-05 00:00:00"):
        judge([MONDAY, MONDAY], [1, 2], last=1)


def test_each_slice_has_one_value() -> None:
    with pytest.raises(ValueError, match="shorter"):
        judge([MONDAY, MONDAY + DAY], [1], last=1)


# -- laws and an oracle for slices


@given(series=some_series(), random=st.randoms(use_true_random=False))
def test_the_order_of_slices_does_not_matter(series: Series, random: Random) -> None:
    pairs = list(zip(*series, strict=True))
    random.shuffle(pairs)
    moments, values = [moment for moment, _ in pairs], [value for _, value in pairs]
    assert judge(moments, values, last=200) == judge(*series, last=200)


@given(series=some_series(), cut=st.integers(0, 130))
def test_later_slices_change_no_verdict(series: Series, cut: int) -> None:
    moments, values = series
    earlier = judge(moments[:cut], values[:cut], last=200)
    assert judge(*series, last=200)[: len(earlier)] == earlier


@given(series=some_series(), last=st.integers(0, 140))
def test_how_many_slices_are_asked_for_changes_no_verdict(series: Series, last: int) -> None:
    every = judge(*series, last=200)
    assert judge(*series, last=last) == every[max(len(every) - last, 0) :]


@given(series=some_series(), weeks=st.integers(-100, 100))
def test_whole_weeks_earlier_or_later_the_verdicts_are_the_same(series: Series, weeks: int) -> None:
    moved = judge([moment + weeks * WEEK for moment in series[0]], series[1], last=200)
    assert [verdict.z for verdict in moved] == [verdict.z for verdict in judge(*series, last=200)]


@given(series=some_series(least=1), more=st.floats(1, 1000))
def test_the_more_there_is_the_higher_the_z(series: Series, more: float) -> None:
    moments, values = series
    values[-1] = 100.0
    usual, raised = newest(series), newest((moments, [*values[:-1], values[-1] + more]))
    assert (usual.z is None) == (raised.z is None)
    assert usual.z is None or raised.z is None or raised.z > usual.z


@given(values=st.lists(st.floats(0, 1e12), max_size=8))
def test_nothing_is_said_of_a_short_series(values: list[float]) -> None:
    assert set(statuses(working_days(*values))) <= {"learning"}


def looped(series: Series) -> list[tuple[datetime, float | None]]:
    """The same z, slowly: every slice searches all those before it for its peers."""
    judged: list[tuple[datetime, float, float | None]] = []
    for moment, value in sorted(zip(*series, strict=True)):
        if math.isnan(value):
            continue
        peers = []
        for other, level, z in judged:
            same_season = other.hour == moment.hour and (other.isoweekday() > 5) == (moment.isoweekday() > 5)
            if same_season and moment - other <= timedelta(days=42) and (z is None or abs(z) <= 6):
                peers.append(level)
        level, deviation = math.log1p(value), None
        if len(peers) >= 8:
            mad = np.median(np.abs(np.array(peers) - np.median(peers)))
            deviation = (level - np.median(peers)) / max(1.4826 * mad, 0.05)
        judged.append((moment, level, deviation))
    return [(moment, z) for moment, _, z in judged]


@given(series=some_series(least=20))
def test_a_slow_loop_finds_the_same(series: Series) -> None:
    verdicts, expected = judge(*series, last=200), looped(series)
    assert [verdict.moment for verdict in verdicts] == [moment for moment, _ in expected]
    for verdict, (_, z) in zip(verdicts, expected, strict=True):
        assert verdict.z == (z if z is None else pytest.approx(z))


# -- a simulation: what is found, and what is cried for nothing

FAULTS: list[Callable[[int], int]] = [lambda rows: 0, lambda rows: 2 * rows, lambda rows: rows // 2]
WEEKS, LEARNED_WEEKS, PLANTED = 12, 4, 14


def simulated(random: np.random.Generator) -> tuple[Series, set[datetime]]:
    """Hourly rows with the shape of a day and a week, 2 % growth a week and Poisson noise; and when they are faulty."""
    hours = np.arange(WEEKS * 168)
    day = 1 + 0.6 * np.sin(2 * np.pi * (hours % 24 - 9) / 24)
    week = np.where(hours // 24 % 7 >= 5, 0.6, 1.0)
    rows = random.poisson(150 * day * week * 1.02 ** (hours / 168))
    faulty = random.choice(hours[LEARNED_WEEKS * 168 :], PLANTED, replace=False)
    for number, hour in enumerate(faulty):
        rows[hour] = FAULTS[number % len(FAULTS)](rows[hour])
    moments = [MONDAY + int(hour) * HOUR for hour in hours]
    return (moments, [float(count) for count in rows]), {moments[hour] for hour in faulty}


def test_most_planted_faults_are_found_with_few_false_alarms() -> None:
    random = np.random.default_rng(7)
    found = false_alarms = 0
    all_statuses = set()
    judged_weeks = WEEKS - LEARNED_WEEKS
    for _ in range(8):
        series, faulty = simulated(random)
        verdicts = judge(*series, last=judged_weeks * 168)
        alarms = {verdict.moment for verdict in verdicts if verdict.status in ("warn", "fail")}
        all_statuses |= set(statuses(series))
        found += len(alarms & faulty)
        false_alarms += len(alarms - faulty)
    assert found / (8 * PLANTED) >= 0.6
    assert false_alarms / (8 * judged_weeks) <= 4
    assert all_statuses == {"learning", "pass", "warn", "fail"}


# -- drift of a distribution


def test_a_shift_from_half_and_half_to_60_and_40() -> None:
    # 0.1 ln(0.6 / 0.5) - 0.1 ln(0.4 / 0.5), by hand
    index = anomalies.psi({"card": 500, "cash": 500}, {"card": 600, "cash": 400})
    assert index == pytest.approx(0.040547, abs=1e-6)
    assert anomalies.drift_share(index) == 1


def test_a_category_nobody_had_before_is_drift_and_not_infinite() -> None:
    index = anomalies.psi({"card": 1000, "cash": 0}, {"card": 800, "cheque": 200, "gold": 0})
    assert index == pytest.approx(0.2 * math.log(1 / 0.8) + (0.2 - 0.0005) * math.log(0.2 / 0.0005))
    assert index is not None
    assert index > anomalies.DRIFT_FAIL
    assert anomalies.drift_share(index) == 0


@pytest.mark.parametrize(("reference", "current"), [(499, 1000), (1000, 499), (0, 1000), (0, 0)])
def test_nothing_is_said_of_fewer_than_500_rows(reference: int, current: int) -> None:
    assert anomalies.psi({"card": reference}, {"cash": current}) is None
    assert anomalies.drift_share(None) is None
    assert anomalies.psi({"card": 500}, {"card": 500}) == 0


@pytest.mark.parametrize(("index", "share"), [(0, 1), (0.1, 1), (0.175, 0.5), (0.25, 0), (7, 0)])
def test_the_share_of_drift_falls_from_the_warning_to_the_failing_bound(index: float, share: float) -> None:
    assert anomalies.drift_share(index) == pytest.approx(share)


counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 1000), max_size=6).map(
    lambda drawn: drawn | {"z": 500}
)


@given(counts=counts, times=st.integers(1, 50))
def test_equal_proportions_have_no_drift(counts: dict[str, int], times: int) -> None:
    assert anomalies.psi(counts, {category: times * count for category, count in counts.items()}) == 0


@given(reference=counts, current=counts)
def test_drift_is_never_negative_and_the_same_both_ways(reference: dict[str, int], current: dict[str, int]) -> None:
    index = anomalies.psi(reference, current)
    assert index is not None
    assert index >= 0
    assert anomalies.psi(current, reference) == index
    assert anomalies.psi(dict(reversed(reference.items())), current) == index


@given(reference=st.lists(st.integers(1, 1000), min_size=5, max_size=5), current=st.permutations(range(100, 105)))
def test_drift_is_the_divergence_of_kullback_and_leibler_both_ways(reference: list[int], current: list[int]) -> None:
    p, q = 500 + np.array(reference), np.array(current)
    index = anomalies.psi(dict(zip("abcde", p.tolist(), strict=True)), dict(zip("abcde", current, strict=True)))
    p, q = p / p.sum(), q / q.sum()
    assert index == pytest.approx((p * np.log(p / q)).sum() + (q * np.log(q / p)).sum(), abs=1e-12)


# -- deciles


def test_each_decile_of_the_reference_holds_a_tenth_of_it() -> None:
    reference = np.arange(1.0, 101.0)
    ends = [*(f"up to {end}.0" for end in range(10, 100, 10)), "above"]
    assert anomalies.decile_counts(reference, reference) == dict.fromkeys(ends, 10)
    some = np.array([-5, 10, 10.5, 20, 90.1, 1000, math.nan])
    assert anomalies.decile_counts(reference, some) == dict.fromkeys(ends, 0) | {
        "up to 10.0": 2,
        "up to 20.0": 2,
        "above": 2,
    }


def test_deciles_that_end_with_the_same_value_are_one_bin() -> None:
    stars = np.array([5] * 6 + [4] * 3 + [1])
    assert anomalies.decile_counts(stars, stars) == {"up to 1.0": 1, "up to 4.0": 3, "up to 5.0": 6, "above": 0}
    assert anomalies.decile_counts(np.array([0.0, -0.0]), np.array([-0.0, 1])) == {"up to 0.0": 1, "above": 1}


def test_without_a_reference_there_is_one_bin() -> None:
    assert anomalies.decile_counts(np.array([math.nan]), np.array([1.0, 2.0])) == {"above": 2}
    assert anomalies.decile_counts(np.array([]), np.array([])) == {"above": 0}


numbers = st.lists(st.integers(-50, 50), max_size=60).map(np.array)


@given(reference=numbers, values=numbers)
def test_every_value_is_counted_once_whatever_the_order(reference: np.ndarray, values: np.ndarray) -> None:
    binned = anomalies.decile_counts(reference, values)
    assert sum(binned.values()) == values.size
    assert anomalies.decile_counts(np.sort(reference), values[::-1]) == binned


@given(reference=numbers, values=numbers)
def test_another_unit_gives_the_same_counts(reference: np.ndarray, values: np.ndarray) -> None:
    cents = anomalies.decile_counts(100 * reference, 100 * values)
    assert list(cents.values()) == list(anomalies.decile_counts(reference, values).values())


def test_the_same_distribution_does_not_drift_and_a_moved_one_does() -> None:
    random = np.random.default_rng(7)
    reference, same, moved = random.normal(size=5000), random.normal(size=1000), random.normal(0.7, size=1000)
    expected = anomalies.decile_counts(reference, reference)
    assert (anomalies.psi(expected, anomalies.decile_counts(reference, same)) or 0) < anomalies.DRIFT_WARN
    assert (anomalies.psi(expected, anomalies.decile_counts(reference, moved)) or 0) > anomalies.DRIFT_FAIL
