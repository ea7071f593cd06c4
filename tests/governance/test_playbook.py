"""The playbook: advice for every segment of the rules, in sentences short enough to be read."""

import re
from itertools import chain
from pathlib import Path

import pytest
from pydantic import BaseModel

from governance import contracts, playbook, segments
from governance.playbook import LONGEST, PlaybookError

PLAYBOOK = playbook.load()
RULES = segments.load()
SMALL = """\
version: "1"
segments:
  engagement_level:
    Champions:
      actions:
        - High: Thank them
        - Low: Write once a year
      risks:
        - One large order can make a Champion
traits:
  recency_days:
    high:
      action: {High: Win back}
      risk: They may be gone
general:
  actions:
    - Medium: Ask them
    - Low: Keep writing
  risks:
    - They are like all others
small:
  below: 30
  risk: Few customers
"""
# What is written instead of what, and the key the error must name.
FAULTS = {
    "an unknown priority": ("High: Thank them", "Urgent: Thank them", "segments.engagement_level.Champions.actions.0"),
    "an action without priority": ("High: Thank them", "Thank them", "segments.engagement_level.Champions.actions.0"),
    "one action only": ("        - Low: Write once a year\n", "", "segments.engagement_level.Champions.actions"),
    "four actions": (
        "        - Low: Write once a year\n",
        "".join(f"        - Low: Write {n} times\n" for n in range(3)),
        "segments.engagement_level.Champions.actions",
    ),
    "no risk": ("- One large order can make a Champion", "", "segments.engagement_level.Champions.risks"),
    "a sentence nobody reads": ("Thank them", "Thank them " + "again " * 20, "actions.0"),
    "a trait without risk": ("      risk: They may be gone\n", "", "traits.recency_days.high.risk"),
    "an unknown direction": ("    high:", "    higher:", "traits.recency_days.higher"),
    "no version": ('version: "1"\n', "", "version"),
    "an unknown key": ("version:", "author: Ann\nversion:", "author"),
    "small of no size": ("below: 30", "below: 0", "small.below"),
    "goods that take no time to come": (
        "small:",
        "stock: {lead_time_days: 0, service_level: 0.9}\nsmall:",
        "lead_time_days",
    ),
    "stock that is always enough": ("small:", "stock: {lead_time_days: 7, service_level: 1}\nsmall:", "service_level"),
    "a category of an unknown word": (
        "small:",
        "stock: {lead_time_days: 7, service_level: 0.9, categories: {Home: {days: 3}}}\nsmall:",
        "stock.categories.Home.days",
    ),
}


def written(folder: Path, text: str) -> Path:
    file = folder / "playbook.yaml"
    file.write_text(text)
    return file


def sentences() -> list[str]:
    """Every sentence of the playbook."""

    def texts(part: object) -> list[str]:
        if isinstance(part, BaseModel):
            named = [getattr(part, name) for name in type(part).model_fields if name not in ("version", "priority")]
            return list(chain.from_iterable(map(texts, named)))
        if isinstance(part, dict):
            return list(chain.from_iterable(map(texts, part.values())))
        if isinstance(part, list):
            return list(chain.from_iterable(map(texts, part)))
        return [part] if isinstance(part, str) else []

    return texts(PLAYBOOK)


def test_the_playbook_names_the_segments_of_the_rules_and_no_others() -> None:
    ruled = {**RULES.segmentations, "audience": RULES.audiences}
    expected = {name: {rule.name for rule in listed} for name, listed in ruled.items()} | {"premium": {"Premium"}}
    assert {name: set(advised) for name, advised in PLAYBOOK.segments.items()} == expected


def test_it_speaks_of_features_that_there_are() -> None:
    assert set(PLAYBOOK.traits) <= set(contracts.load()["features"].column_names)
    assert all(trait.high or trait.low for trait in PLAYBOOK.traits.values())


def test_sentences_are_short_and_plain() -> None:
    assert len(sentences()) > 250
    for sentence in sentences():
        assert len(sentence) <= LONGEST
        assert re.fullmatch(r"[A-Z0-9].*[^.!?:;, ]", sentence), sentence
        assert "  " not in sentence


def test_the_most_urgent_action_comes_first() -> None:
    urgency = ("High", "Medium", "Low")
    for advised in (*PLAYBOOK.segments.values(), {"general": PLAYBOOK.general}):
        for segment, advice in advised.items():
            places = [urgency.index(action.priority) for action in advice.actions]
            assert places == sorted(places), segment
            assert len({action.action for action in advice.actions}) == len(places)


def test_a_small_playbook_is_read_and_its_version_tells_of_every_change(tmp_path: Path) -> None:
    first = playbook.load(written(tmp_path, SMALL))
    assert first.segments["engagement_level"]["Champions"].actions[0].priority == "High"
    assert first.traits["recency_days"].low is None
    changed = playbook.load(written(tmp_path, SMALL.replace("Thank them", "Thank all")))
    assert first.full_version.startswith("1-")
    assert changed.full_version != first.full_version


@pytest.mark.parametrize(("old", "new", "key"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_file_and_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert old in SMALL
    with pytest.raises(PlaybookError) as fault:
        playbook.load(written(tmp_path, SMALL.replace(old, new, 1)))
    assert "playbook.yaml" in str(fault.value)
    assert key in str(fault.value)


def test_a_file_that_is_missing_or_no_yaml_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match=r"playbook\.yaml cannot be read"):
        playbook.load(tmp_path / "playbook.yaml")
    with pytest.raises(PlaybookError, match=r"playbook\.yaml is not readable YAML"):
        playbook.load(written(tmp_path, "segments: ["))


def test_an_action_is_written_as_the_error_advises(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match="must be a priority and what to do, such as `High: Do this`"):
        playbook.load(written(tmp_path, SMALL.replace("High: Thank them", "Thank them")))
    found = playbook.load(written(tmp_path, SMALL.replace("High: Thank them", "High: Do this")))
    assert found.segments["engagement_level"]["Champions"].actions[0].action == "Do this"


def test_a_category_of_goods_has_what_is_different_for_it(tmp_path: Path) -> None:
    stock = "stock: {lead_time_days: 7, service_level: 0.9, categories: {Home: {lead_time_days: 42}}}\n"
    found = playbook.load(written(tmp_path, SMALL + stock)).stock
    assert (found.of("Home").lead_time_days, found.of("Home").service_level) == (42, 0.9)
    assert (found.of(None).lead_time_days, found.of("Toys").lead_time_days) == (7, 7)


def test_a_playbook_without_stock_takes_ours(tmp_path: Path) -> None:
    assert playbook.load(written(tmp_path, SMALL)).stock == PLAYBOOK.stock
