"""Hold-outs: errors are those of their definitions, and intervals hold the truth as often as they say."""

import math

import numpy as np
import pytest

from c360_assets.terms.holdouts import Measure, measures


def test_the_figures_are_those_of_their_definitions() -> None:
    found = measures(np.array([1.0, 2.0, 4.0]), np.array([0.0, 2.0, 5.0]))
    assert {name: measure.value for name, measure in found.items()} == {
        "mae": pytest.approx(2 / 3, abs=1e-6),
        "rmse": pytest.approx(math.sqrt(2 / 3), abs=1e-6),
        "correlation": pytest.approx(float(np.corrcoef([1, 2, 4], [0, 2, 5])[0, 1]), abs=1e-6),
        "total_bias": 0.0,
    }


def test_what_does_not_exist_is_none() -> None:
    found = measures(np.full(500, 0.1), np.zeros(500))
    assert found["correlation"] == found["total_bias"] == Measure(None, None, None)
    assert found["mae"] == Measure(0.1, 0.1, 0.1)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 100 samples of 300 customers whose mean error is 2."""
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        mae = measures(rng.exponential(2, 300), np.zeros(300))["mae"]
        assert mae.low is not None
        assert mae.high is not None
        held += mae.low <= 2 <= mae.high
    assert held >= 89


def test_an_interval_is_as_wide_as_theory_has_it() -> None:
    error = np.random.default_rng(2).exponential(2, 20_000)
    mae = measures(error, np.zeros(len(error)))["mae"]
    assert mae.low is not None
    assert mae.high is not None
    width = 2 * 1.96 * error.std() / math.sqrt(len(error))
    assert mae.high - mae.low == pytest.approx(width, rel=0.1)
