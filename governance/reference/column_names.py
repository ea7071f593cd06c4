"""What columns and files are called elsewhere, as words that mean the same in every system and language."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from governance.yaml_loader import SafeLoader

FILE = Path(__file__).with_suffix(".yaml")
Words = tuple[str, ...]
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Shorter ones are found in too many words to be part of one, but for these.
SHORTEST_PART = 3
SHORT_PARTS = ("id", "no", "nr", "at", "on", "ts")
UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue"}
BRACKETED = re.compile(r"\([^)]*\)|\[[^]]*\]")


@dataclass(frozen=True)
class ColumnNames:
    """The reference: other `words` for one, names of files and columns, and `nouns` that go without saying."""

    words: Mapping[str, list[str]]
    fillers: frozenset[str]
    file_names: Mapping[str, list[str]]
    nouns: Mapping[str, list[str]]
    column_names: Mapping[str, list[str]]
    event_time: list[str]
    line_number: list[str]
    values: Mapping[str, list[str]]
    status: Mapping[str, list[str]]

    def read(self, name: str) -> Words:
        """A name as words: 'Kundennummer', 'CUSTOMER_ID' and 'customerNo' are all (customer, id)."""
        found: list[str] = []
        for word in _split(BRACKETED.sub(self._said_in_brackets, name)) or _split(name):
            found += self._parts(word)
        joined = " ".join(found)
        for phrase, meant in self._phrases.items():
            joined = re.sub(rf"\b{phrase}\b", meant, joined)
        words = [self._meanings.get(word) or _singular(word) for word in joined.split() if word not in self.fillers]
        return tuple(dict.fromkeys(words))

    def knows(self, name: str) -> bool:
        """Whether any word of the name is one that columns bear."""
        return any(word in self._known for word in self.read(name))

    def _said_in_brackets(self, bracketed: re.Match[str]) -> str:
        """What stands in brackets where it is a word of columns; a unit or a format is none of the name."""
        words = [part for word in _split(bracketed.group()) for part in self._parts(word)]
        return bracketed.group() if any(word in self._meanings for word in words) else " "

    @cached_property
    def _meanings(self) -> dict[str, str]:
        return self._spelt(are_phrases=False)

    @cached_property
    def _phrases(self) -> dict[str, str]:
        return self._spelt(are_phrases=True)

    def _spelt(self, are_phrases: bool) -> dict[str, str]:
        """What the words, or the phrases, of other languages mean, in each of their spellings."""
        found = [(word, other) for word, others in self.words.items() for other in others]
        return {spelt: word for word, other in found if (" " in other) == are_phrases for spelt in spellings(other)}

    @cached_property
    def _known(self) -> frozenset[str]:
        names = [name for names in self.column_names.values() for name in names]
        return frozenset(self.words) | {word for name in names for word in self.read(name)}

    def _parts(self, word: str) -> list[str]:
        """The known words a longer one is made of, or the word itself."""
        if word in self._meanings:
            return [word]
        if (singular := _singular(word)) in self._meanings:
            return [singular]
        for length in range(len(word) - 2, 1, -1):
            start, rest = word[:length], word[length:]
            if self._is_part(start) and (self._is_part(rest) or (tail := self._parts(rest)) != [rest]):
                return [start, *([rest] if self._is_part(rest) else tail)]
        return [word]

    def _is_part(self, text: str) -> bool:
        return text in self._meanings and (len(text) >= SHORTEST_PART or text in SHORT_PARTS)


@cache
def load() -> ColumnNames:
    """The reference as it is in the file beside this module."""
    document: dict[str, Any] = yaml.load(FILE.read_text(encoding="utf-8"), Loader=SafeLoader)
    return ColumnNames(
        document["words"],
        frozenset(document["fillers"]),
        document["files"],
        document["nouns"],
        document["columns"],
        document["event_time"],
        document["line_number"],
        document["values"],
        document["status"],
    )


def spellings(word: str) -> list[str]:
    """How a word of the reference is written without accents: größe is grosse and groesse."""
    apart = "".join(UMLAUTS.get(letter, letter) for letter in unicodedata.normalize("NFC", word.lower()))
    return list(dict.fromkeys([_plain(word), _plain(apart)]))


def _singular(word: str) -> str:
    return word.removesuffix("ies") + "y" if word.endswith("ies") else word.removesuffix("s")


def _split(name: str) -> list[str]:
    text = name.replace("°", "o ").replace("#", " no ")
    return re.findall(r"[a-z]+|\d+", _plain(CAMEL.sub(" ", text)))


def _plain(text: str) -> str:
    """Small letters without accents."""
    folded = unicodedata.normalize("NFKD", text.replace("ß", "ss").lower())
    return "".join(letter for letter in folded if not unicodedata.combining(letter))
