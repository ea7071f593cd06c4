"""Segments on the command line and as a picture, from a summary of a few rows."""

import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from portal import cli
from portal.reports import segment_picture, segments
from portal.reports.segments import Segment, Segmentation, percent
from resources import deployment as deployments
from resources.reader import this_user
from tests.tables import CONTRACTS, at, money, table
from tests.told import plain

CONFIG = "name: Corner shop\ncurrency: EUR\n"
PICTURE_WIDTH = segment_picture.WIDTH * segment_picture.FINENESS


def row(segmentation: str, name: str, count: int, place: int = 1, **known: Any) -> dict[str, Any]:
    return {
        "segment_id": f"{segmentation}/{name}",
        "segmentation": segmentation,
        "segment_name": name,
        "is_sensitive": False,
        "precedence": place,
        "customer_count": count,
        "customer_share": count / 10,
        "historical_value": money("10"),
        "action_1": "Thank them",
        "priority_1": "High",
        "action_2": "Write once a year",
        "priority_2": "Low",
        "risk_1": "One large order can make a Champion",
        "rule_version": "2-abc",
        "playbook_version": "1-def",
        **known,
    }


ROWS = (
    row("engagement_level", "Churn Risk", 6, place=2, value_share=0.04, trait_1="spends less: 3 against 31"),
    row(
        "engagement_level", "Champions", 4, value_share=0.96, business_relevance=1.0, stability=0.78, actionability=0.5,
        trait_1="spends more: 61 against 31", trait_2="last order more recent: 12 days against 92",
    ),
    row("engagement_level", "Loyal Customers", 0, place=3, value_share=0.0, reason="nobody fits the rule"),
    row("audience", "Buyers", 7),
    row("audience", "Expecting Parents", 2, place=2, is_sensitive=True),
    row("premium", "Premium", 0, reason="no subscription is known"),
)  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment of which nothing is built but the summary and as_of."""
    file = tmp_path_factory.mktemp("shop") / "c360.yaml"
    file.write_text(CONFIG)
    deployment = deployments.load(file)
    for key, rows in (("segment_summary", table("segment_summary", *ROWS)), ("as_of", at("2026-06-30"))):
        deployment.lake.publish(deployment.lake.write(CONTRACTS[key], rows))
    deployment.close()
    return file


def c360(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["segments", *map(str, arguments)])


def told(*arguments: str | Path) -> str:
    result = c360(*arguments)
    assert result.exit_code == 0, result.output
    return plain(result.output)


def test_every_segment_is_shown_in_order_of_precedence_with_what_to_do(shop: Path) -> None:
    shown = told("--config", shop)
    assert "Engagement level, Corner shop, as of 2026-06-30" in shown
    assert shown.index("Champions") < shown.index("Churn Risk") < shown.index("Loyal Customers nobody fits the rule")
    for expected in (
        "40% of the customers: 4", "96% of the value", "who spends more: 61 against 31", "do High Thank them",
        "beware One large order can make a Champion",
        "measured 50% reachable, business relevance 1.00, stability 0.78", "Rules 2-abc, playbook 1-def",
    ):  # fmt: skip
        assert expected in shown


def test_sensitive_segments_are_shown_to_whoever_may_see_them(shop: Path) -> None:
    assert "Expecting Parents" not in told("--config", shop, "--of", "audience")
    shop.write_text(f"{shop.read_text()}access: {{anyone: data_steward}}\n")
    assert "Expecting Parents" in told("--config", shop, "--of", "audience")
    assert "Expecting Parents" not in told("--config", shop, "--of", "audience", "--as", "marketing")


def test_a_segmentation_of_nobody_tells_the_reason(shop: Path) -> None:
    assert "Premium no subscription is known" in told("--config", shop, "--of", "premium")


def test_an_unknown_segmentation_is_an_error_that_names_those_there_are(shop: Path) -> None:
    result = c360("--config", shop, "--of", "zodiac")
    assert result.exit_code == 1
    told = plain(result.output)
    assert "There are: audience, engagement_level, premium" in told
    for name in told.split("There are: ")[1].rstrip(". ").split(", "):
        assert c360("--config", shop, "--of", name).exit_code == 0


def test_without_a_summary_the_command_says_how_to_build_it(tmp_path: Path) -> None:
    file = tmp_path / "c360.yaml"
    file.write_text(CONFIG)
    result = c360("--config", file)
    assert result.exit_code == 1
    assert "c360 run --select +segment_summary" in plain(result.output)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_picture_has_the_same_bytes_each_time_and_no_time_or_version_in_it(
    shop: Path, tmp_path: Path, kind: str
) -> None:
    first, second = tmp_path / f"first.{kind}", tmp_path / "folder" / f"second.{kind}"
    for target in (first, second):
        assert "Drawn:" in told("--config", shop, "--picture", target)
    content = first.read_bytes()
    assert content == second.read_bytes()
    assert b"matplotlib" not in content.lower()


def test_a_png_is_twice_as_wide_as_the_page_and_not_blank(shop: Path, tmp_path: Path) -> None:
    target = tmp_path / "levels.png"
    told("--config", shop, "--picture", target)
    content = target.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack(">II", content[16:24])
    assert width == PICTURE_WIDTH
    assert height > width / 4
    assert len(content) > 20_000


def test_an_svg_is_xml_on_a_solid_ground(shop: Path, tmp_path: Path) -> None:
    target = tmp_path / "levels.svg"
    told("--config", shop, "--picture", target)
    root = ElementTree.parse(target).getroot()
    assert root.tag.endswith("svg")
    assert root.get("viewBox", "").startswith("0 0 648 ")
    assert segment_picture.PAPER in target.read_text()


@pytest.mark.parametrize(
    ("of", "name", "problem", "advised"),
    [
        ("engagement_level", "levels.jpg", ".png or .svg, not levels.jpg", ["levels.png", "levels.svg"]),
        ("premium", "premium.png", "Nobody is in a segment of premium", []),
    ],
)
def test_what_cannot_be_drawn_is_an_error(
    shop: Path, tmp_path: Path, of: str, name: str, problem: str, advised: list[str]
) -> None:
    result = c360("--config", shop, "--of", of, "--picture", tmp_path / name)
    assert result.exit_code == 1
    assert problem in plain(result.output)
    assert not (tmp_path / name).exists()
    for other in advised:
        assert "Drawn:" in told("--config", shop, "--of", of, "--picture", tmp_path / other)


def test_long_names_and_odd_signs_are_drawn_as_they_are(tmp_path: Path) -> None:
    odd = Segment(
        name="$pend & $ave, " + "a name of very many words " * 4,
        customer_count=3,
        customer_share=1.0,
        value_share=None,
        traits=(),
        actions=(("High", "Write <soon> & often"),),
        risks=(),
        stability=None,
        actionability=None,
        business_relevance=None,
        reason=None,
    )
    target = tmp_path / "odd.svg"
    segment_picture.write(Segmentation("cluster", "Shop", None, "rules 2, playbook 1", (odd,)), target)
    assert ElementTree.parse(target).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (0.0002, "<0.1%"), (0.045, "4.5%"), (0.1, "10%"), (0.964, "96%"), (1, "100%"), (-0.001, "-0.1%")],
)
def test_shares_are_told_as_people_read_them(share: float, text: str) -> None:
    assert percent(share) == text


def test_segments_are_in_order_and_those_of_nobody_apart(shop: Path) -> None:
    deployment = deployments.load(shop)
    shown = segments.segmentation(this_user(deployment), "engagement_level")
    deployment.close()
    assert [segment.name for segment in shown.segments] == ["Champions", "Churn Risk", "Loyal Customers"]
    assert [segment.name for segment in shown.empty] == ["Loyal Customers"]
