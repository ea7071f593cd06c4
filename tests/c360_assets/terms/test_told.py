"""Told: values of columns within a text, as people read them."""

import ibis
import pyarrow as pa
import pytest

from c360_assets.terms.told import told

PEOPLE = ibis.memtable(
    pa.table(
        {
            "probability_purchase": [0.6449, None],
            "frequency": pa.array([3, None], pa.int64()),
            "monetary": pa.array([1234.5, None]).cast(pa.float64()),
            "average_rating": [4.46, None],
            "category_to": ["Tea", None],
            "is_early_warning": [True, None],
        }
    )
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no place at all", ["no place at all", "no place at all"]),
        ("purchase probability {probability_purchase}", ["purchase probability 64 %", "purchase probability unknown"]),
        ("{frequency} orders, {monetary}", ["3 orders, 1234.50 EUR", "unknown orders, unknown"]),
        ("rates {average_rating}, next {category_to}", ["rates 4.5, next Tea", "rates unknown, next unknown"]),
        ("{is_early_warning}", ["yes", "unknown"]),
    ],
)
def test_shares_are_percentages_and_amounts_have_a_currency(text: str, shown: list[str]) -> None:
    assert PEOPLE.select(text=told(PEOPLE, text, "EUR")).to_pyarrow()["text"].to_pylist() == shown
