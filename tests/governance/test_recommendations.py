"""What is not to be recommended: a short file that says at once what is wrong with it."""

from pathlib import Path

import pytest

from governance import recommendations
from governance.recommendations import Exclusions, ExclusionsError

WHOLE = """
version: "1"
discontinued: [85123, TEA]
excluded_products: [POST]
excluded_categories: [Gift cards]
seasons:
  - {months: [11, 12], categories: [Christmas], products: [SLED]}
  - {months: [1], products: [SLED]}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "recommendations.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_ours_leaves_nothing_out() -> None:
    assert recommendations.load() == Exclusions(version="1")


def test_products_and_categories_are_left_out_for_good(tmp_path: Path) -> None:
    out = recommendations.load(written(tmp_path, WHOLE))
    told = [
        out.is_out(*one) for one in (("85123", None), ("POST", "Fees"), ("X", "Gift cards"), ("X", "Tea"), ("X", None))
    ]
    assert told == [True, True, True, False, False]


def test_a_season_shows_in_its_months_only(tmp_path: Path) -> None:
    out = recommendations.load(written(tmp_path, WHOLE))
    assert [out.is_out_of_season("SLED", None, month) for month in (10, 11, 1)] == [True, False, False]
    assert [out.is_out_of_season("X", "Christmas", month) for month in (10, 12, 1)] == [True, False, True]
    assert not out.is_out_of_season("X", None, 10)


def test_what_the_catalogue_does_not_know_is_told_with_what_is_nearest(tmp_path: Path) -> None:
    out = recommendations.load(written(tmp_path, WHOLE))
    assert list(out.unknown({"85123", "POST", "TEAS"}, {"Christmas", "Gift card"})) == [
        "no product has the product_id 'SLED'",
        "no product has the product_id 'TEA' (nearest: TEAS)",
        "no product is of the category 'Gift cards' (nearest: Gift card)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("discontinued", "discontinud", "key discontinud: Extra inputs are not permitted"),
        ("[11, 12]", "[13]", "key seasons.0.months.0: Input should be less than or equal to 12"),
        ("[11, 12]", "[]", "key seasons.0.months"),
        ("{months: [1], products: [SLED]}", "{months: [1]}", "a season must name products or categories"),
        ("[POST]", "POST", "key excluded_products: Input should be a valid list"),
        ('version: "1"', "", "key version: Field required"),
    ],
)
def test_a_fault_is_named_with_its_key(old: str, new: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ExclusionsError) as fault:
        recommendations.load(written(tmp_path, WHOLE.replace(old, new, 1)))
    assert str(fault.value).startswith("recommendations.yaml")
    assert told in str(fault.value)
