"""Models for people: which way was chosen, and a card that says how well, beside what, and when not to use it."""

import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from governance.errors import C360Error
from portal.reports import charts, models
from portal.reports.model_card import page
from portal.reports.models import MODELS, candidates, chosen, figure, listing, named
from resources import deployment as deployments
from resources.deployment import Deployment
from tests.checks.measured import hold
from tests.golden_company import c360


class Texts(HTMLParser):
    """The texts of a page, and whether what is opened is closed again."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """Nothing stays open."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)


def told(html: str) -> str:
    page = Texts(html)
    assert page.open == []
    return " ".join(" ".join(page.texts).split())


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    file = tmp_path_factory.mktemp("empty") / "c360.yaml"
    file.write_text("name: Test <shop>\ncurrency: EUR\nconnectors: {}\nfeeds: {}\n", encoding="utf-8")
    return deployments.load(file)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_card_tells_every_way_that_was_tried_with_its_figure(golden: Deployment, model: models.Model) -> None:
    rows = candidates(golden, model)
    text = told(page(golden, model))
    for row in rows:
        if row[model.measure] is not None:
            assert f"{row[model.candidate]} {figure(model, row)}" in text
    best = chosen(rows)
    assert rows
    assert (best or rows[0])["reason"][1:] in text
    limits = golden.contracts[model.scores].limitations
    assert limits
    assert all(limit in text for limit in limits)
    assert golden.contracts[model.scores].purpose.split(".")[0] in text


def test_the_card_of_churn_shows_calibration_lift_and_what_the_model_looks_at(golden: Deployment) -> None:
    html = page(golden, named("churn"))
    golden.lake.read(golden.contracts["churn_deciles"])
    said, share, lift = golden.engine.query(
        "SELECT mean_probability, churn_share, lift FROM churn_deciles WHERE is_chosen AND decile = 1"
    )[0]
    assert f"<title>said {said:.0%}, came {share:.0%}</title>" in html
    assert f"<title>1: {lift:.2f}</title>" in html
    shares = [int(share) for share in re.findall(r'class="share">(\d+)%', html)]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 105
    assert "http" not in html.replace("http-equiv", "")


def test_the_card_of_forecasts_draws_what_was_and_what_comes(golden: Deployment) -> None:
    html = page(golden, named("forecasts_total"))
    for name in ("forecasts", "weekly_sales"):
        golden.lake.read(golden.contracts[name])
    expected, low, high = golden.engine.query(
        "SELECT expected, low_80, high_80 FROM forecasts WHERE level = 'total' AND week_number = 1"
    )[0]
    assert f"{expected:,.0f} expected, {low:,.0f} to {high:,.0f} (80 %)" in html
    ((sold,),) = golden.engine.query(
        "SELECT revenue FROM weekly_sales WHERE level = 'total' ORDER BY week_on DESC LIMIT 1"
    )
    assert f": {sold:,.0f} sold" in html
    assert html.count("<svg") == 1
    assert "USD in the next 13 weeks" in told(html)
    assert 1 < page(golden, named("forecasts_category")).count("<svg") <= 4


def test_a_fan_is_drawn_of_zeros_and_without_a_past() -> None:
    weeks = [(date(2026, 1, 5), 0.0, 0.0, 0.0, 0.0, 0.0)]
    for past in ([], [(date(2025, 12, 29), 0.0)], [(date(2025, 12, 29), -5.0)]):
        html = charts.fan("All <sales>", past, weeks)
        assert "nan" not in html.lower().replace("narrow", "")
        assert "All &lt;sales&gt; by week" in html


def test_the_list_names_the_way_chosen_for_each_model(golden: Deployment) -> None:
    names, words = (list(column.cells) for column in listing(golden).columns)
    assert names == [model.name for model in MODELS]
    for model, told_of in zip(MODELS, words, strict=True):
        rows = candidates(golden, model)
        best = chosen(rows)
        if best is None:
            # So small a shop shows no product of some kinds of demand, and too little of some actions.
            assert model.scores in ("forecasts", "next_actions")
            assert told_of == f"none: {rows[0]['reason']}"
            continue
        assert str(told_of).startswith(f"{best[model.candidate]}: {model.called} {figure(model, best)}; chosen")


def test_what_was_not_trained_is_said_with_the_command(empty: Deployment) -> None:
    _, words = (list(column.cells) for column in listing(empty).columns)
    assert list(words) == [f"not trained yet: c360 run --select +{model.scores}" for model in MODELS]
    text = told(page(empty, named("churn")))
    assert "Test <shop> · model card" in text
    assert "It was not trained yet." in text


def test_too_little_data_is_the_whole_card(empty: Deployment) -> None:
    reason = "not enough data: of 90 days before as_of, 12 customers, needed are 200"
    rows = [{"candidate": name, "is_baseline": True, "is_chosen": False, "reason": reason} for name in ("a", "b")]
    hold(empty, "churn_model", *rows)
    _, words = (list(column.cells) for column in listing(empty).columns)
    assert words[0] == f"none: {reason}"
    text = told(page(empty, named("churn")))
    assert f"N{reason[1:]}." in text
    assert "How well, beside what" not in text


def test_an_unknown_model_is_refused_with_those_there_are() -> None:
    with pytest.raises(C360Error) as refused:
        named("churm")
    assert str(refused.value).startswith("There is no model 'churm'. There are churn, lifetime_value, recommendations_")


def test_the_command_writes_the_card_and_lists_the_models(golden: Deployment, tmp_path: Path) -> None:
    listed = c360("models", "--config", str(golden.file))
    assert listed.returncode == 0, listed.stderr
    assert all(model.name in listed.stdout for model in MODELS)
    target = tmp_path / "card.html"
    written = c360("models", "lifetime_value", "--config", str(golden.file), "--out", str(target))
    assert written.returncode == 0, written.stderr
    assert "Lifetime value" in told(target.read_text(encoding="utf-8"))
