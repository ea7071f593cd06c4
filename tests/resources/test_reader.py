"""A reader who looks through the eyes of another role: no right comes with it, and no gate in front of files goes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from governance.policy import Forbidden
from resources import deployment as deployments
from resources.access import Grant, Identity
from resources.deployment import Deployment
from resources.reader import Reader

ANALYSIS, MARKETING = "analysis", "marketing"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Deployment]:
    file = tmp_path / "c360.yaml"
    file.write_text("name: Test\ncurrency: EUR\nconnectors: {}\nfeeds: {}\n")
    deployment = deployments.load(file)
    yield deployment
    deployment.close()


def reader(shop: Deployment, role: str) -> Reader:
    return Reader(shop, Identity("someone", Grant(role=role), "a test"))


@pytest.mark.parametrize("right", ["grant", "erase", "audit"])
def test_no_right_comes_with_the_eyes_of_another_role(shop: Deployment, right: str) -> None:
    reader(shop, "data_steward").must_be_able_to(right)
    with pytest.raises(Forbidden, match="Role marketing may not"):
        reader(shop, "marketing").seen_as("data_steward").must_be_able_to(right)
    with pytest.raises(Forbidden, match="Role marketing may not"):
        reader(shop, "data_steward").seen_as("marketing").must_be_able_to(right)


def test_files_are_for_the_purpose_of_ones_own_role_through_whatever_eyes(shop: Deployment) -> None:
    assert reader(shop, "business_analyst").writing_files().purpose == ANALYSIS
    assert reader(shop, "marketing").writing_files().purpose == MARKETING
    assert reader(shop, "marketing").seen_as("business_analyst").writing_files().purpose == MARKETING
    assert reader(shop, "data_steward").seen_as("marketing").writing_files().purpose == MARKETING


def test_files_are_anonymous_where_those_of_ones_own_role_are(shop: Deployment) -> None:
    assert not reader(shop, "data_steward").files_are_anonymous
    assert reader(shop, "data_steward").seen_as("data_scientist").files_are_anonymous
    assert reader(shop, "data_consumer").seen_as("business_analyst").files_are_anonymous
