"""Values: what a mapped cell becomes in its contract's type, as SQL, and what is wrong with one that becomes nothing.

A cell passes three stages, each a column of its own so that none is computed twice: as it was given, as what it means
(no value, an identifier without the blanks around it), and in the type of the contract.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import BaseModel, ConfigDict

from governance.contract import Column
from resources.engine import literal, quoted

MISSING = "is missing"
# How programs write that there is no value, where a number, a moment or an identifier is expected; in small letters.
NO_VALUE = ("", "null", "(null)", "\\n", "none", "nan", "n/a", "#n/a", "<na>", "nat", "undefined")
# MySQL's word for no date.
ZERO_DATE = "0000-00-00%"
# Blanks of all alphabets, control characters, and signs without width such as the byte order mark.
UNSEEN = r"[\s\p{Z}\p{Cf}\p{Cc}]"
# What reports write where a row has its key.
TOTALS = r"(?i)^(grand |sub[- ]?)?(totals?|sum|summe|gesamt(summe)?|totale|total g[eé]n[eé]ral)\s*:?$"
EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
GUID = r"^\{?[0-9A-Fa-f]{8}-?([0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}\}?$"
WHOLE = r"^(-?[0-9]+)\.0+$"
# What may need a second look among identifiers; most are taken as they are.
SUSPICIOUS = "|".join(
    [
        f"^{UNSEEN}",
        f"{UNSEEN}$",
        r"\.0+$",
        *(f"^(?i){re.escape(w)}$" for w in NO_VALUE),
    ]
)
OFFSET = r":.*[+-][0-9:]+\s*$"
TWELVE_HOURS = r"(?i)[0-9]\s*[ap]\.?m\.?\s*$"
TWELVE_HOUR_FORMATS = ("%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M %p", "%Y-%m-%dT%I:%M:%S %p")
# `pending_payment` and `Pending payment` are one word.
BETWEEN_WORDS = r"[\s_-]+"
WHOLE_TYPES = ("INTEGER", "BIGINT")
NUMBERS = (*WHOLE_TYPES, "DOUBLE")
MOMENTS = ("DATE", "TIMESTAMP")
# The types of moments without offset, in which files keep them.
NAIVE = (*MOMENTS, "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S")
# A dot before three digits each: 1.250 is one thousand two hundred and fifty, or one and a quarter.
GROUPED = r"^\s*[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+\s*$"
# What `reading` says of a cell.
EITHER_WAY, DOT_IS_DECIMAL = 1, 2


@dataclass(frozen=True)
class Notation:
    """How a source writes what is no text; None where it does not say so.

    `decimal` and `thousands` are signs within numbers, `date_format` are formats as strftime has them, and
    `null_values` are the texts that mean no value, in whatever column.
    """

    decimal: str | None = None
    thousands: str | None = None
    date_format: tuple[str, ...] = ()
    null_values: tuple[str, ...] | None = None

    def of(self, type_: str) -> "Notation":
        """What of it matters to a column of a contract's type."""
        if type_ in NUMBERS:
            return replace(self, date_format=())
        return Notation(date_format=self.date_format if type_ in MOMENTS else (), null_values=self.null_values)


class Identity(BaseModel):
    """What tells no two identifiers apart: blanks around them, `.0` behind a whole number, and the case of letters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trim: bool = True
    whole_numbers: bool = True
    ignore_case: bool = False


@dataclass(frozen=True)
class Value:
    """A column of a contract on its way from the type it is `given` in; None where the mapping does not give it.

    `timezone` is the clock of moments without offset. `words` are the source's own for values of the contract, and go
    before the synonyms that the contract knows; `currency` is the one of the deployment.
    """

    column: Column
    given: str | None
    notation: Notation
    identity: Identity
    timezone: str = "UTC"
    words: Mapping[str, str] = field(default_factory=dict)
    currency: str | None = None

    @property
    def meant(self) -> str:
        """The cell as what it means, under the name `_meant_<column>`: null where it says that there is no value."""
        return f"{self._meant()} AS {self._name('meant')}"

    @property
    def typed(self) -> str:
        """What is meant in the type of the contract, under the name `_typed_<column>`: null too where it has none."""
        return f"{self._typed()} AS {self._name('typed')}"

    @property
    def named(self) -> str:
        """The typed value under the name of the column, null where it breaks the contract."""
        value = self._name("typed")
        if not self.is_needed and self.fault:
            value = f"CASE WHEN {self.fault} IS NULL THEN {value} END"
        return f"{value} AS {quoted(self.column.name)}"

    @property
    def is_needed(self) -> bool:
        """Whether a row without a right value here is worth nothing."""
        column = self.column
        return column.required or column.is_needed or column.is_reporting_currency

    @property
    def fault(self) -> str | None:
        """A CASE expression that says what is wrong with the cell first, or NULL; it never quotes the cell."""
        tests = [f"WHEN {test} THEN {literal(f'{self.column.name} {fault}')}" for test, fault in self._faults()]
        return f"CASE {' '.join(tests)} END" if tests else None

    @property
    def is_of_no_type(self) -> str | None:
        """A condition: whether the cell says something that is none of the contract's type. None where none can."""
        if self.column.is_identifier or self.given == self.column.type:
            return None
        return f"{self._name('meant')} IS NOT NULL AND {self._name('typed')} IS NULL"

    @property
    def reading(self) -> str | None:
        """Which of two readings a number allows; None where its dot, if it has one, is the decimal sign anyway."""
        if self.given != "VARCHAR" or self.column.type not in NUMBERS or self.notation.decimal:
            return None
        meant = self._name("meant")
        grouped = f"regexp_matches({meant}, {literal(GROUPED)})"
        decimal = f"WHEN {self._name('typed')} IS NOT NULL THEN {DOT_IS_DECIMAL}"
        return f"CASE WHEN contains({meant}, '.') THEN CASE WHEN {grouped} THEN {EITHER_WAY} {decimal} END END"

    def _name(self, stage: str) -> str:
        return quoted(f"_{stage}_{self.column.name}")

    def _meant(self) -> str:
        if self.given is None:
            return f"NULL::{self.column.type}"
        name = quoted(self.column.name)
        if self.column.is_identifier:
            return self._identifier(name)
        if self.given != "VARCHAR" or (self.column.type == "VARCHAR" and self.notation.null_values is None):
            meant = name
        else:
            meant = f"CASE WHEN {self._says_nothing(name)} THEN NULL ELSE {name} END"
        return self._in_our_words(meant) if self.given == "VARCHAR" and self.column.synonyms else meant

    def _says_nothing(self, text: str) -> str:
        if self.notation.null_values is not None:
            return _is_among(self.notation.null_values, f"trim({text})") if self.notation.null_values else "false"
        nothing = _is_among(NO_VALUE, f"lower(trim({text}))")
        is_moment = self.column.type in MOMENTS
        return f"({nothing} OR {text} LIKE {literal(ZERO_DATE)})" if is_moment else nothing

    def _in_our_words(self, text: str) -> str:
        """The value of the contract that a word means, whatever its case and signs; the text where it is not known."""
        known = {value: value for value in self.column.values} | dict(self.column.synonyms) | dict(self.words)
        meanings = {plainly(word): value for word, value in known.items()}
        listed = ", ".join(f"{literal(word)}: {literal(value)}" for word, value in meanings.items())
        plain = f"regexp_replace(lower(trim({text})), {literal(BETWEEN_WORDS)}, ' ', 'g')"
        return f"coalesce(MAP {{{listed}}}[{plain}], nullif(trim({text}), ''))"

    def _identifier(self, name: str) -> str:
        if self.given in ("DOUBLE", "FLOAT") or (self.given or "").startswith("DECIMAL"):
            whole = f"WHEN {name} = trunc({name}) AND abs({name}) < 1e15 THEN {name}::BIGINT::VARCHAR"
            is_nan = f"WHEN isnan({name}::DOUBLE) THEN NULL"
            return f"CASE {is_nan} {whole if self.identity.whole_numbers else ''} ELSE {name}::VARCHAR END"
        if self.given != "VARCHAR":
            return f"{name}::VARCHAR"
        text = name
        if self.identity.trim:
            text = f"regexp_replace({text}, {literal(f'^{UNSEEN}+|{UNSEEN}+$')}, '', 'g')"
        if self.identity.whole_numbers:
            text = f"regexp_replace({text}, {literal(WHOLE)}, '\\1')"
        is_caseless = f"regexp_matches({text}, {literal(GUID)}) OR regexp_matches({text}, {literal(EMAIL)})"
        folded = f"lower({text})"
        if not self.identity.ignore_case:
            folded = f"CASE WHEN {is_caseless} THEN {folded} ELSE {text} END"
        known = f"CASE WHEN {self._says_nothing(text)} THEN NULL ELSE {folded} END"
        if self.identity.ignore_case or self.notation.null_values is not None:
            return known
        is_folded = f"{name} <> lower({name}) AND regexp_matches({name}, {literal(f'{GUID}|{EMAIL}')})"
        is_suspicious = f"regexp_matches({name}, {literal(SUSPICIOUS)}) OR ({is_folded})"
        return f"CASE WHEN {is_suspicious} THEN {known} ELSE nullif({name}, '') END"

    def _typed(self) -> str:
        meant, type_ = self._name("meant"), self.column.type
        if self.given in NAIVE and type_ == "TIMESTAMP":
            return self._in_utc(f"try_cast({meant} AS TIMESTAMP)")
        if self.given is None or self.column.is_identifier or self.given == type_ != "DOUBLE":
            return meant
        if type_ == "DOUBLE":
            number = self._number(meant)
            return f"CASE WHEN isnan({number}) THEN NULL ELSE {number} END"
        if self.given == "VARCHAR" and type_ in WHOLE_TYPES:
            return f"try_cast({self._plain(meant)} AS {type_})"
        if self.given == "VARCHAR" and type_ in MOMENTS:
            return f"try_cast({self._moment(meant)} AS {type_})"
        return f"try_cast({meant} AS {type_})"

    def _number(self, meant: str) -> str:
        return f"try_cast({self._plain(meant) if self.given == 'VARCHAR' else meant} AS DOUBLE)"

    def _plain(self, meant: str) -> str:
        """The text of a number as SQL writes numbers; null where it is not written as the source says."""
        decimal = self.notation.decimal
        if decimal is None:
            return meant
        thousands = self.notation.thousands or ("." if decimal == "," else ",")
        one, group = _in_pattern(decimal), _in_pattern(thousands)
        written = rf"^\s*[+-]?([0-9]+|[0-9]{{1,3}}({group}[0-9]{{3}})+)({one}[0-9]+)?([eE][+-]?[0-9]+)?\s*$"
        plain = f"replace(replace({meant}, {literal(thousands)}, ''), {literal(decimal)}, '.')"
        return f"CASE WHEN regexp_matches({meant}, {literal(written)}) THEN {plain} END"

    def _moment(self, meant: str) -> str:
        """The text of a moment, with an offset from UTC in UTC."""
        if self.notation.date_format:
            formats = ", ".join(map(literal, self.notation.date_format))
            naive = f"try_strptime(trim({meant}), [{formats}])"
            return naive if any("%z" in one for one in self.notation.date_format) else self._in_utc(naive)
        # A cast to TIMESTAMP drops the offset; one to TIMESTAMPTZ heeds it, at nine times the cost.
        close = f"regexp_replace({meant}, '\\s+([+-][0-9:]+)\\s*$', '\\1')"
        in_utc = f"try_cast(try_cast({close} AS TIMESTAMPTZ) AS TIMESTAMP)"
        formats = ", ".join(map(literal, TWELVE_HOUR_FORMATS))
        twelve = f"try_strptime(upper(replace(trim({meant}), '.', '')), [{formats}])"
        return (
            f"CASE WHEN regexp_matches({meant}, {literal(OFFSET)}) THEN {in_utc}"
            f" WHEN regexp_matches({meant}, {literal(TWELVE_HOURS)}) THEN {self._in_utc(twelve)}"
            f" ELSE {self._in_utc(f'try_cast(trim({meant}) AS TIMESTAMP)')} END"
        )

    def _in_utc(self, moment: str) -> str:
        """A moment by the clock of the source, in UTC."""
        if self.timezone == "UTC" or self.column.type != "TIMESTAMP" or self.column.is_calendar_day:
            return moment
        return f"timezone('UTC', timezone({literal(self.timezone)}, {moment}))"

    def _faults(self) -> list[tuple[str, str]]:
        if self.given is None:
            return []
        meant, value, column = self._name("meant"), self._name("typed"), self.column
        tests: list[tuple[str, str]] = []
        if column.type == "DOUBLE":
            is_none = f"{meant} IS NOT NULL AND {self._number(meant)} IS NULL"
            tests.append((f"{is_none} OR isinf({value})", "is no number"))
        elif column.type in WHOLE_TYPES and self.given != column.type:
            # DuckDB rounds '2.5' to 3 when it casts to a whole number.
            number = self._number(meant)
            is_nan = f"coalesce(isnan({number}), false)"
            test = f"{meant} IS NOT NULL AND {value} IS NULL AND NOT {is_nan} OR {number} <> {value}"
            tests.append((test, "is no whole number"))
        elif self.given != column.type and not column.is_identifier:
            tests.append((f"{meant} IS NOT NULL AND {value} IS NULL", f"is no {column.type}"))
        if column.key_position and column.type == "VARCHAR":
            tests.append((f"regexp_matches({meant}, {literal(TOTALS)})", "is a line of totals"))
        if column.is_reporting_currency and self.currency:
            other = f"upper(trim({meant})) <> {literal(self.currency.upper())}"
            tests.append((other, f"is not {self.currency}, the reporting currency"))
        if column.required:
            is_text = column.type == "VARCHAR" and self.given == "VARCHAR"
            blank = f" OR NOT regexp_matches({value}, '\\S')" if is_text else ""
            tests.append((f"{meant} IS NULL{blank}", MISSING))
        is_number = column.type in NUMBERS
        for bound, sign, word in (
            (column.minimum, "<", "below" if is_number else "before"),
            (column.maximum, ">", "above" if is_number else "after"),
        ):
            if bound is not None:
                shown = f"{float(bound):,.0f}" if is_number else bound
                tests.append((f"{value} {sign} {literal(bound)}::{column.type}", f"is {word} {shown}"))
        return tests


def _is_among(words: Sequence[str], text: str) -> str:
    # Of a long IN DuckDB makes a join, for which it looks at every row, whatever CASE stands around it.
    return f"list_contains([{', '.join(map(literal, words))}], {text})"


def plainly(word: str) -> str:
    """A word as it is compared with those of a contract: small, whatever stands between its parts."""
    return re.sub(BETWEEN_WORDS, " ", word.strip().lower())


def _in_pattern(sign: str) -> str:
    return f"[{sign}]" if sign not in "\\^]-" else f"\\{sign}"
