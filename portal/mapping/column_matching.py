"""How well a column of a file goes with one of a contract: by its name, and by what its values are like."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from governance.contract import Column, Contract
from governance.reference import column_names, us_states
from governance.reference.column_names import Words, spellings
from resources.inspection import Found, Seen

# From here on a proposal is taken for right; below, it is marked as doubtful; below the second, none is made.
SURE, POSSIBLE = 0.8, 0.65
# So close a second best makes the best doubtful; of a doubtful one that is told from here on.
CLOSE, SECOND = 0.05, 0.3
# A name that agrees but for what the table is of, and the most that one can reach of which other words are missing.
WITHOUT_NOUN, IN_PART = 0.97, 0.9
LINES, PRODUCT = "order_line_item", "product"
# A key repeats by mistake in fewer rows; in more of them, the rows are of something else.
TELLS_APART = 0.9
# Words that say of what kind values are and that many columns have, and how much they say beside others.
KINDS_OF = {"DATE": ["date"], "TIMESTAMP": ["date"], "DOUBLE": ["amount", "total"], "INTEGER": ["amount", "total"]}
KINDS, SAYS_LITTLE = frozenset(["id", "name", "date", "type", "amount", "status", "total"]), 0.4
# Of what an amount is has to be said, or asked.
VAGUE, SAYS_TOO_LITTLE = frozenset(["amount", "total", "name", "type"]), 0.75
# The most that a name of another kind can reach, too little to be asked about.
OTHER_KINDS, SAYS_OTHERWISE = frozenset(["id", "type", "date", "status"]), 0.6
# What values add to a name. Alone they are enough to be asked about, too little to be believed.
TOGETHER = 0.25
# What values count of which most, but not nearly all, are of the column's type.
MOSTLY_FITS = 0.75
LONG_TEXT, SHORT_TEXT = 60, 40
# Which kind of values columns have, beside their type.
SHAPES = {"email_address": "email", "phone_number": "phone", "website": "url", "page_url": "url"}
DISCOUNTS = ("discount_amount", "discounted_amount")
LONG = ("product_description", "review_text")
# More words for genders than this are of something else.
GENDERS = 10
# A whole name is not one of these.
PARTS_OF_NAMES = ("first_name", "last_name")
CODES = ("zipcode", "state_code", "product_size", "founded_year", "campaign", "priority", "store")


@dataclass(frozen=True)
class Match:
    """A column of a file that goes with one of a contract, from 0 to 1, and the next best it could be."""

    seen: Seen
    column: Column
    score: float
    doubt: str = ""

    @property
    def is_doubtful(self) -> bool:
        """Whether somebody should look at it."""
        return bool(self.doubt) or self.score < SURE


def matches(table: Found, contract: Contract, of: str) -> list[Match]:
    """The columns of a table that go with those of a contract, each at most once, the surest first.

    `of` is the dataset whose rows the table's rows are, which its names need not say: its id is that of the dataset.
    """
    scored = scores(table.columns, contract, of)
    chosen = assigned([(score, seen.name, column.name) for seen, column, score in scored])
    return [Match(*scored[place], rival(*scored[place], scored)) for place in chosen]


def assigned(pairs: Sequence[tuple[float, str, Hashable]]) -> list[int]:
    """Which pairs of a column and what it may be, best first, go together best if each stands in one pair at most."""
    from scipy.optimize import linear_sum_assignment

    likely = [(score, source, target) for score, source, target in pairs if score >= POSSIBLE]
    sources = {source: place for place, source in enumerate(dict.fromkeys(source for _, source, _ in likely))}
    targets = {target: place for place, target in enumerate(dict.fromkeys(target for _, _, target in likely))}
    gain = [[0.0] * len(targets) for _ in sources]
    places = {}
    for place, (score, source, target) in enumerate(likely):
        cell = sources[source], targets[target]
        # Squared, for one that is sure is worth two that are doubtful; of equally good ones the first counts.
        gain[cell[0]][cell[1]] = (score - POSSIBLE) ** 2 + 1e-9 * (len(likely) - place)
        places[cell] = place
    rows, columns = linear_sum_assignment(gain, maximize=True) if likely else ([], [])
    return sorted(places[cell] for cell in zip(map(int, rows), map(int, columns), strict=True) if cell in places)


def scores(columns: Iterable[Seen], contract: Contract, of: str) -> list[tuple[Seen, Column, float]]:
    """How well each column goes with each of the contract, best first, then as contract and names are ordered."""
    filled = [seen for seen in columns if seen.filled]
    of_lines = _said_of_lines(filled) if contract.name == LINES else frozenset()
    pairs = [
        (seen, column, score(seen, contract, column, of))
        for column in contract.columns
        for seen in filled
        if not of_lines or column.type != "DOUBLE" or seen.name in of_lines
    ]
    order = {column.name: place for place, column in enumerate(contract.columns)}
    return sorted(
        pairs,
        key=lambda pair: (
            -pair[2],
            not _is_named(pair[0].name, pair[1]),
            order[pair[1].name],
            _place(pair[0].name, contract, pair[1]),
        ),
    )


def score(seen: Seen, contract: Contract, column: Column, of: str) -> float:
    """How well a column goes with one of a contract, from 0 to 1."""
    if column.key_position and contract.name == of and not nearly_unique(seen):
        return 0.0
    if of == LINES and not column.key_position and is_line_number(seen):
        return 0.0
    named, fit, alike = (
        _named(seen.name, contract.name, contract.event_time, column, of),
        _fit(seen, column),
        _alike(seen, column),
    )
    if _may_be_any_product(seen, contract, column, of):
        named = max(named, POSSIBLE)
    by_name = named * fit
    if not alike or not fit:
        return by_name
    return min(1.0, by_name + TOGETHER * alike) if named >= 0.4 else max(by_name, POSSIBLE * alike)


@cache
def names_dataset(name: str, dataset: str) -> bool:
    """Whether a file of that name is one of the dataset: no other goes with more words of the name."""
    words = set(words_of(name))
    fitting = {
        other: max((len(set(words_of(each))) for each in names if set(words_of(each)) <= words), default=0)
        for other, names in column_names.load().file_names.items()
    }
    return 0 < fitting[dataset] == max(fitting.values())


def says_nothing(name: str) -> bool:
    """Whether no word of the name is known but for the kind of its values."""
    return not any(column_names.load().knows(word) for word in words_of(name) if word not in KINDS)


def is_line_number(seen: Seen) -> bool:
    """Whether the column may number the lines of an order."""
    names = column_names.load().line_number
    return seen.is_nearly("whole") and any(set(words_of(name)) == set(words_of(seen.name)) for name in names)


def is_whole_name(seen: Seen, is_of_customers: bool) -> bool:
    """Whether a column holds first and last names together, of customers or, in another table, by its name of these."""
    words = set(words_of(seen.name))
    nouns = _nouns("customer", "customer", frozenset())
    is_said = is_of_customers or bool(words & nouns)
    return is_said and words - nouns == {"name"} and seen.shares["words"] > 0.5 and not seen.shares["digit"] > 0.5


def is_name_of_customer(seen: Seen) -> bool:
    """Whether a column says by name who ordered, and not by an ID."""
    words, nouns = set(words_of(seen.name)), _nouns("customer", "customer", frozenset())
    return bool(words & nouns) and words - nouns <= {"name"} and not seen.shares["digit"] > 0.5


def rival(seen: Seen, column: Column, score: float, scored: Sequence[tuple[Seen, Column, float]]) -> str:
    """What the column may be instead, or what may be in its place, where that is nearly as likely or none is sure."""
    least = max(POSSIBLE, score - CLOSE) if score >= SURE else SECOND
    for other, target, its in scored:
        if its < least:
            break
        if other.name == seen.name and target.name != column.name:
            return f"second best {target.name} ({its:.2f})"
        if other.name != seen.name and target.name == column.name:
            return f"second best {other.name} ({its:.2f})"
    return ""


def _said_of_lines(columns: Iterable[Seen]) -> frozenset[str]:
    """The columns whose names say that they are of the line, where that leaves the amounts of others to the order."""
    nouns = set(column_names.load().nouns[LINES])
    said = {seen.name: set(words_of(seen.name)) - nouns for seen in columns if nouns & set(words_of(seen.name))}
    is_told = {"quantity"} in said.values() and any("price" in words for words in said.values())
    return frozenset(said) if is_told else frozenset()


def _may_be_any_product(seen: Seen, contract: Contract, column: Column, of: str) -> bool:
    """Whether it is an ID or a name of things that have no word here: what is sold goes by any, as book_id."""
    if contract.name != PRODUCT or not (column.key_position or column.name == "product_name"):
        return False
    kind = "id" if column.key_position else "name"
    if of not in (PRODUCT, *([] if column.key_position else [LINES])) or kind not in words_of(seen.name):
        return False
    others = [word for word in words_of(seen.name) if word != kind]
    return bool(others or column.key_position) and not any(column_names.load().knows(word) for word in others)


@cache
def _named(name: str, dataset: str, event_time: str | None, column: Column, of: str) -> float:
    words = frozenset(words_of(name))
    nouns = _nouns(dataset, of, words)
    is_event_time = column.name == event_time and bool(nouns)
    phrases = _phrases(dataset, column.name, column.references, is_event_time)
    kinds = frozenset(["id"] if column.is_identifier else KINDS_OF.get(column.type, []))
    best = max(_overlap(words, phrase, nouns, (phrase | kinds) & KINDS) for phrase in phrases)
    # A name may say the same twice, as issue_category does.
    said = frozenset[str]().union(*(phrase for phrase in phrases if phrase <= words))
    return max(best, IN_PART) if words - nouns and said >= words - nouns else best


def _is_named(name: str, column: Column) -> bool:
    """Whether it bears the name of the contract itself, and not one that means the same."""
    return re.sub(r"\W|_", "", name).lower() == column.name.replace("_", "")


def _place(name: str, contract: Contract, column: Column) -> int:
    """How far behind its own name the reference has this one for a column."""
    phrases, words = _phrases(contract.name, column.name, column.references, True), frozenset(words_of(name))
    return phrases.index(words) if words in phrases else len(phrases)


@cache
def _nouns(dataset: str, of: str, words: frozenset[str]) -> frozenset[str]:
    """The words that a name need not say in a table of its dataset, nor anywhere else where it says one of them."""
    nouns = frozenset(column_names.load().nouns.get(dataset, ()))
    # The lines of orders are of orders, too.
    return nouns if dataset == of or (dataset, of) == ("orders", LINES) or words & nouns else frozenset()


@cache
def _phrases(
    dataset: str, column: str, refers_to: tuple[str, str] | None, is_event_time: bool
) -> tuple[frozenset[str], ...]:
    """The names of a column of a contract, as words: its own, those of the key it refers to, those of a date."""
    reference = column_names.load()
    names = [column, *reference.column_names.get(f"{dataset}.{column}", ())]
    if refers_to:
        names += reference.column_names.get(f"{refers_to[0].removeprefix('sources/')}.{refers_to[1]}", ())
    names += reference.event_time if is_event_time else []
    return tuple(dict.fromkeys(frozenset(reference.read(spelt)) for name in names for spelt in spellings(name)))


def _overlap(words: frozenset[str], phrase: frozenset[str], nouns: frozenset[str], kinds: frozenset[str]) -> float:
    if words == phrase:
        return 1.0
    # A name is no date, and an ID is no name.
    if kinds and words & KINDS and not words & kinds:
        return 0.0
    is_said = bool(words & nouns)
    words, phrase = words - nouns, phrase - nouns
    if not (words and phrase):
        return 0.0
    if words == phrase:
        return WITHOUT_NOUN if is_said or not words <= VAGUE else SAYS_TOO_LITTLE
    likely = IN_PART * 2 * _says(words & phrase) / (_says(words) + _says(phrase))
    # The type of an address is no address; an ID may stand for what it is of.
    otherwise = (words & OTHER_KINDS) - phrase - kinds
    return min(likely, SAYS_TOO_LITTLE if otherwise == {"id"} else SAYS_OTHERWISE) if otherwise else likely


def _says(words: Iterable[str]) -> float:
    """How much the words say together."""
    return sum(SAYS_LITTLE if word in KINDS else 1.0 for word in words)


def _fit(seen: Seen, column: Column) -> float:
    """Whether the values can be of the column, from 0 (none of them) to 1."""
    if column.type in ("INTEGER", "BIGINT"):
        return _mostly(
            seen.is_nearly("whole") or (seen.type in ("INTEGER", "BIGINT") and not seen.date_formats), seen, "whole"
        )
    if column.type == "DOUBLE":
        # A share of the price is no amount; that nothing was taken off says neither.
        is_share = column.name in DISCOUNTS and seen.is_nearly("share") and seen.shares["fraction"] > 0
        return 0.3 if is_share else _mostly(seen.is_nearly("number"), seen, "number")
    if column.type in ("DATE", "TIMESTAMP"):
        return _mostly(seen.is_nearly("date") or seen.is_nearly("month"), seen, "date")
    if column.type == "BOOLEAN":
        return float((seen.is_nearly("boolean") and seen.distinct <= 2) or seen.type == "BOOLEAN")
    return _fit_of_text(seen, column)


def _mostly(is_nearly: bool, seen: Seen, kind: str) -> float:
    """1 where the values fit; where a good part of them is something else, so much that somebody should look."""
    return 1.0 if is_nearly else MOSTLY_FITS * (seen.shares[kind] > 0.5)


def _fit_of_text(seen: Seen, column: Column) -> float:
    if seen.is_nearly("date") or seen.type == "BOOLEAN" or seen.is_nearly("boolean"):
        return 0.2
    if column.name == "phone_number" and seen.is_nearly("digits"):
        return 1.0
    if column.name in SHAPES:
        return 1.0 if seen.shares[SHAPES[column.name]] > 0.5 else 0.4
    if column.is_identifier or column.name.endswith("_id"):
        # Brands are known by their names where they have no ID.
        is_text = seen.shares["words"] > 0.5 and column.name != "brand_id"
        return 0.2 if seen.shares["fraction"] > 0.2 or is_text else 1.0
    if column.name == "gender" and seen.distinct > GENDERS:
        return 0.3
    if column.name in PARTS_OF_NAMES:
        is_part = bool({"first", "last"} & set(words_of(seen.name)))
        return 1.0 if is_part or seen.shares["words"] <= 0.5 else 0.2
    if column.name in LONG:
        return 1.0 if seen.length >= SHORT_TEXT else 0.7
    if seen.is_nearly("number") and column.name not in CODES:
        return 0.3
    if column.name == "state_code":
        return 1.0 if seen.length <= 3 else 0.3
    if column.name == "state":
        return 1.0 if seen.length > 3 else 0.5
    if column.name == "product_name":
        return 1.0 if seen.length < LONG_TEXT else 0.7
    return 1.0


def _alike(seen: Seen, column: Column) -> float:
    """How much of the values are words or shapes that hardly another column has, from 0 to 1."""
    if column.name == "order_id" and seen.is_nearly("hash"):
        return 1.0
    if column.name in ("email_address", "page_url", "website"):
        return seen.shares[SHAPES[column.name]] if seen.is_nearly(SHAPES[column.name]) else 0.0
    vocabulary = _vocabulary(column)
    if not vocabulary or not seen.words:
        return 0.0
    share = len(seen.words & vocabulary) / len(seen.words)
    return share if share > 0.5 and len(seen.words) > 1 else 0.0


def _vocabulary(column: Column) -> frozenset[str]:
    states: Mapping[str, str] = us_states.names_by_code()
    if column.name == "state":
        return frozenset(name.lower() for name in states.values())
    if column.name == "state_code":
        return frozenset(code.lower() for code in states)
    reference = column_names.load()
    spelt = reference.values.get(column.name, [])
    words = [word for word, _ in column.synonyms]
    if column.name == "order_status":
        words += [word for listed in reference.status.values() for word in listed]
    return frozenset(value.lower() for value in (*column.values, *words, *spelt))


def nearly_unique(seen: Seen) -> bool:
    """Whether the column tells the rows apart but for a few that repeat by mistake."""
    return bool(seen.rows) and seen.distinct >= TELLS_APART * seen.rows and not seen.is_nearly("date")


@cache
def words_of(name: str) -> Words:
    """A name as words of the reference."""
    return column_names.load().read(name)
