"""Which datasets the tables of files fill, and how: the feeds that `c360 init` proposes.

A table is of one dataset, whose rows its rows are. Others may lie in it: customers and products in the lines of orders.
Those get a feed of their own from the columns that are left, one row per key, unless another table is of them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from governance.contract import Column, Contract
from governance.reference import column_names
from portal.mapping.column_matching import (
    LINES,
    POSSIBLE,
    SURE,
    Match,
    assigned,
    is_line_number,
    is_name_of_customer,
    is_whole_name,
    matches,
    names_dataset,
    nearly_unique,
    rival,
    says_nothing,
    score,
    scores,
    words_of,
)
from resources.engine import Engine, literal, quoted
from resources.inspection import YES_AND_NO, Found, Seen, inspected
from resources.values import plainly

# What a table is of: the least its columns must say, and what its name says beside them.
LEAST, BY_FILE, BY_KEY = 1.0, 1.5, 0.5
# Datasets that lie in tables of others, one row per key, or one per row of a table of customers.
GROUPED, PER_ROW = ("orders", "product", "customer"), ("orders", LINES, "review")
# What a table that tells all of a sale may be of, if it is not called otherwise.
OF_SALES = ("orders", LINES)
PRODUCT_KEYS = ("sku_id", "product_id", "product_sku")
# What money is spent for.
SPENT_FOR = ("traffic_channel", "campaign", "impressions", "clicks")
# Without what nobody takes a bare ID for one of these.
NAMED_BY = {"product": "product_name", "brand": "brand_name"}
# By what rows are known for want of an ID, and what that is.
STAND_INS = {
    "customer": {"email_address": "e-mail address", "phone_number": "phone number"},
    "product": {"product_name": "name"},
    "brand": {"brand_name": "name"},
}
# What a whole name is taken apart into: its first word and the rest or, where a comma stands between, the other way.
PARTS = {
    "first_name": "trim(if(contains({0}, ','), split_part({0}, ',', 2), regexp_extract(trim({0}), '^\\S+')))",
    "last_name": (
        "nullif(trim(if(contains({0}, ','), split_part({0}, ',', 1), regexp_replace(trim({0}), '^\\S+', ''))), '')"
    ),
}
# What a line came to; one of them tells it.
AMOUNTS = ("unit_price", "line_amount")
# What rows are that were given a number of their order, and that number.
NUMBERED, NUMBER = "numbered", "order_number"
# From this share of its values on a column is of dates or amounts, which types of columns that rows need are.
MANY = 0.5
KINDS_ALONE = {"DATE": ("date", "dates"), "TIMESTAMP": ("date", "dates"), "DOUBLE": ("fraction", "amounts")}
# How many columns that are left must go with a dataset for it to be there, and how sure.
LEFT, LEFT_SURE = 2, 0.75
# From this share of its values on, a column refers to the key in which they are found; fewer values are a coincidence.
REFERS, REFERRING = 0.9, 10
# From this share of orders with rows of several days on, their numbers may begin anew each day.
DAYS_THAT_TELL = 0.5
# A table that another is more of is the next it may be of only where that explains nearly as much.
NEXT = 0.7


@dataclass(frozen=True)
class Line:
    """A column of a feed's select: its expression in SQL, how sure it is, and what is doubtful about it.

    `source` is the column of the file where the expression is that and no more.
    """

    column: Column
    expression: str
    score: float
    doubt: str = ""
    source: str | None = None


@dataclass(frozen=True)
class FeedProposal:
    """How a table may fill a dataset: one row per row of it or, where it `is_grouped`, per value of its key."""

    table: Found
    contract: Contract
    lines: tuple[Line, ...]
    is_grouped: bool = False

    @property
    def status(self) -> dict[str, str]:
        """What words for the status of an order mean that its contract does not know."""
        known = column_names.load().status.items() if self.contract.name == "orders" else ()
        meanings = {plainly(word): meant for meant, words in known for word in words}
        return {word: meanings[plainly(word)] for word in sorted(self._words) if plainly(word) in meanings}

    @property
    def unknown_word_count(self) -> int:
        """How many words for the status of an order, or the action of an event, nobody knows."""
        listed = [column for column in self.contract.columns if column.synonyms]
        known = {plainly(word) for column in listed for word in (*column.values, *dict(column.synonyms))}
        return sum(plainly(word) not in known for word in self._words - set(self.status))

    @property
    def _words(self) -> frozenset[str]:
        lines = [line for line in self.lines if line.column.synonyms and line.source]
        return self.table.column(lines[0].source or "").words if lines else frozenset()

    @property
    def select(self) -> str:
        """The feed's select, in SQL."""
        listed = ",\n".join(f"  {line.expression} as {line.column.name}" for line in self.lines)
        start = f"{self.table.prelude}\n" if self.table.prelude else ""
        start += f"select\n{listed}\nfrom {self.table.view}"
        if not self.is_grouped:
            return start
        key = next(line.expression for line in self.lines if line.column.key_position)
        return f"{start}\nwhere {key} is not null\ngroup by {key}"

    @property
    def missing(self) -> list[Column]:
        """Columns of the contract that rows need and nothing was found for."""
        return _lacking(self.contract, {line.column.name for line in self.lines})


@dataclass
class _Reading:
    """A table, the dataset it is of, and what of its columns goes with that."""

    table: Found
    main: Contract
    found: list[Match]


def propose(tables: Sequence[Found], contracts: Mapping[str, Contract], engine: Engine) -> list[FeedProposal]:
    """A feed for each dataset that is found in the tables, in the order of the contracts; at most one of each."""
    sources = {contract.name: contract for contract in contracts.values() if contract.layer == "sources"}
    mains = _mains([_numbered(table, sources, engine) for table in tables], sources)
    feeds: dict[str, FeedProposal] = {}
    for reading in mains.values():
        reading.found = _with_key_referred_to(reading, mains, engine)
    for name, reading in mains.items():
        reading.found = _with_references(reading, mains, engine)
        feeds[name] = _with_doubt(_main_feed(reading, engine), reading)
    for reading in mains.values():
        for feed in _further_feeds(reading, sources, feeds):
            feeds.setdefault(feed.contract.name, _with_doubt(feed, reading))
    completed = [_with_days(_with_keys(feeds[name], feeds), engine) for name in sources if name in feeds]
    return [feed for feed in completed if not any(column.required for column in feed.missing)]


def _numbered(table: Found, sources: Mapping[str, Contract], engine: Engine) -> Found:
    """The table, with a column that tells orders apart where it lists what was sold when and no column does."""
    of_lines, of_orders = (scores(table.columns, sources[name], LINES) for name in (LINES, "orders"))
    sold = {column.name for _, column, likely in of_lines if likely >= SURE}
    sure = {column.name: seen for seen, column, likely in reversed(of_orders) if likely >= SURE}
    is_of_sales = "qty" in sold and bool(sold.intersection(PRODUCT_KEYS)) and "ordered_at" in sure
    is_called = any(names_dataset(table.name, name) for name in ("orders", LINES))
    keys = [*of_orders, *scores(table.columns, sources["orders"], "orders")]
    has_key = any(column.key_position and likely >= POSSIBLE for _, column, likely in keys)
    if has_key or not (is_of_sales and is_called):
        return table
    # A digest, for customers may be known by their names; a sale to nobody known is an order of its own.
    whose = [f"{quoted(sure[name].name)}::varchar" for name in ("customer_id", "ordered_at") if "customer_id" in sure]
    each = f"md5({table.view}::varchar)"
    number = f"coalesce(md5({' || '.join(whose)}), {each})" if whose else each
    start = f"{table.prelude},\n{NUMBERED} as" if table.prelude else f"with {NUMBERED} as"
    prelude = f"{start} (\n  select *, {number} as {NUMBER}\n  from {table.view}\n)"
    sql = f"SELECT *, {number} AS {NUMBER} FROM ({table.sql}) AS {table.view}"
    column = inspected(sql, NUMBER, "VARCHAR", engine)
    return replace(table, sql=sql, columns=(*table.columns, column), prelude=prelude, view=NUMBERED)


def _mains(tables: Sequence[Found], sources: Mapping[str, Contract]) -> dict[str, _Reading]:
    """By dataset the table that is of it: where several may be, or one of several, what explains most comes first."""
    readings = [
        _Reading(table, contract, _own_matches(table, contract, sources))
        for table in tables
        for contract in sources.values()
    ]
    likely = [each for each in readings if _may_be_of(each.table, each.main, each.found)]
    # What names a product is a line, be there one for each order.
    lines = {each.table.name for each in likely if _is_of_lines(each, sources)}
    sales = {each.table.name for each in likely if _is_of_sales(each)} | lines
    weighed = [
        (_weight(each), each)
        for each in likely
        if not (each.main.name == "orders" and each.table.name in lines)
        and (each.main.name in OF_SALES or each.table.name not in sales or _is_called(each))
    ]
    mains: dict[str, _Reading] = {}
    best: dict[str, float] = {}
    for weight, reading in sorted(weighed, key=lambda pair: -pair[0]):
        is_of_another = any(other.table is reading.table for other in mains.values())
        enough = max(LEAST, NEXT * best.setdefault(reading.table.name, weight))
        if weight >= enough and reading.main.name not in mains and not is_of_another:
            mains[reading.main.name] = reading
    return mains


def _is_of_lines(reading: _Reading, sources: Mapping[str, Contract]) -> bool:
    """Whether the table explains itself as lines of orders, each of a product."""
    if reading.main.name != LINES or _weight(reading) < LEAST:
        return False
    sure = {match.column.name: match.seen for match in reading.found if match.score >= SURE}
    products = [sure[name].distinct for name in PRODUCT_KEYS if name in sure]
    # Of a few products, or of some that have no ID, it has to be said how many were sold, or for how much each.
    if any(distinct >= REFERRING for distinct in products) or "qty" in sure:
        return bool(products) or _names_product(reading, sources)
    return "unit_price" in sure and _names_product(reading, sources)


def _names_product(reading: _Reading, sources: Mapping[str, Contract]) -> bool:
    product = sources["product"]
    named = scores(reading.table.columns, product, LINES)
    return any(likely >= SURE and column.name == NAMED_BY["product"] for _, column, likely in named)


def _is_of_sales(reading: _Reading) -> bool:
    """Whether the table surely has all that an order needs."""
    sure = {match.column.name for match in reading.found if match.score >= SURE}
    needed = {column.name for column in reading.main.columns if column.required or column.is_needed}
    return reading.main.name == "orders" and needed <= sure


def _is_called(reading: _Reading) -> bool:
    """Whether the table is called one of the dataset, or surely has what is of it alone, as the action of an event."""
    sure = {match.column.name for match in reading.found if match.score >= SURE}
    needed = {column.name for column in reading.main.columns if column.required and not column.key_position}
    return names_dataset(reading.table.name, reading.main.name) or (bool(needed) and needed <= sure)


def _own_matches(table: Found, contract: Contract, sources: Mapping[str, Contract]) -> list[Match]:
    """The columns that go with a dataset; of lines not those that go better with their orders or products."""
    found = matches(table, contract, contract.name)
    found += _only_ones(table, contract, found)
    if contract.name != LINES:
        return (
            found
            if any(match.column.key_position for match in found)
            else [*found, *_repeated_key(table, contract, sources)]
        )
    found = _with_order(_with_product(found, contract), table, contract, sources["orders"])
    others = [pair for name in GROUPED for pair in scores(table.columns, sources[name], contract.name)]
    better = {seen.name for seen, column, likely in others if likely >= SURE and not column.is_identifier}
    return [match for match in found if match.score >= SURE or match.column.required or match.seen.name not in better]


def _only_ones(table: Found, contract: Contract, found: Sequence[Match]) -> list[Match]:
    """What rows need and no name says, where one column alone can be it and says nothing else; if the rows are told."""
    lacking = [column for column in _lacking(contract, {match.column.name for match in found}) if column.name != "qty"]
    taken = {match.seen.name for match in found}
    only = []
    for column in lacking if _is_told(table, contract, found) else []:
        kind, what = KINDS_ALONE.get(column.type, ("", ""))
        alike = [seen for seen in table.columns if seen.distinct > 1 and seen.shares.get(kind, 0) > MANY]
        if len(alike) == 1 and alike[0].name not in taken and says_nothing(alike[0].name):
            doubt = f"its name does not say so, but it is the only column of {what}"
            only.append(Match(alike[0], column, POSSIBLE, doubt))
    return only


def _with_product(found: list[Match], contract: Contract) -> list[Match]:
    """The matches of lines, where an ID of items is that of the line only beside one of the product."""
    item = {"product", "id"}
    keys = [match for match in found if match.column.key_position and set(words_of(match.seen.name)) == item]
    if not keys or any(match.column.name in PRODUCT_KEYS for match in found):
        return found
    return [*(match for match in found if match not in keys), replace(keys[0], column=contract.column("product_id"))]


def _with_order(found: list[Match], table: Found, contract: Contract, orders: Contract) -> list[Match]:
    """The matches of lines, whose own ID is that of their order where they are in a file of orders, one line each."""
    given = {match.column.name for match in found}
    if "order_id" in given or not names_dataset(table.name, "orders"):
        return found
    keys = [pair for pair in scores(table.columns, orders, "orders") if pair[1].key_position and pair[2] >= SURE]
    if not keys:
        return found
    seen, _, likely = keys[0]
    doubt = "a row is taken for an order of one line"
    return [*(match for match in found if match.seen != seen), Match(seen, contract.column("order_id"), likely, doubt)]


def _repeated_key(table: Found, contract: Contract, sources: Mapping[str, Contract]) -> list[Match]:
    """The key of customers or products where several rows share it, in a file that is named so and no other way."""
    named_so = [name for name in sources if names_dataset(table.name, name)]
    if contract.name not in ("customer", "product") or named_so != [contract.name]:
        return []
    named = [Match(*pair) for pair in scores(table.columns, contract, "") if pair[1].key_position and pair[2] >= SURE]
    return named[:1]


def _weight(reading: _Reading) -> float:
    """How much of the table its dataset explains."""
    contract, given = reading.main, {match.column.name for match in reading.found}
    explained = sum((match.score - POSSIBLE) / (1 - POSSIBLE) for match in reading.found)
    has_key = any(match.column.key_position for match in reading.found)
    lacking = sum(not column.key_position for column in _lacking(contract, given))
    return explained + BY_KEY * has_key + BY_FILE * names_dataset(reading.table.name, contract.name) - lacking


def _lacking(contract: Contract, given: Collection[str]) -> list[Column]:
    """The columns that rows of the dataset need and do not have; of a line's amounts one is enough."""
    enough = AMOUNTS if any(name in given for name in AMOUNTS) else AMOUNTS[1:]
    needed = [column for column in contract.columns if column.required or column.is_needed]
    return [column for column in needed if column.name not in (*given, *enough)]


def _may_be_of(table: Found, contract: Contract, found: Sequence[Match]) -> bool:
    """Whether the rows of the table can be those of the dataset."""
    given = {match.column.name for match in found}
    if any(column.required and not column.key_position and column.name not in given for column in contract.columns):
        return False
    needed = {column.name for column in contract.columns if column.is_needed and not column.key_position}
    if contract.name == "orders" and not needed & given:
        return False
    keys = [match for match in found if match.column.key_position]
    if keys:
        # That a bare ID is one of products or brands is likely only where they have names.
        return _is_told(table, contract, keys) or NAMED_BY.get(contract.name, keys[0].column.name) in given
    if contract.name == LINES:
        return True
    if _repeats_key(table, contract):
        return False
    if contract.name in STAND_INS:
        return _stand_in(contract, found) is not None or names_dataset(table.name, contract.name)
    # Without a key what happened is known by all that is told of it, and to whom or with what it was.
    asked = {column.name for column in contract.columns if column.is_needed or column.required}
    expected = asked - {_key(contract).name}
    whose = {column.name for column in contract.columns if _target(column) in GROUPED or column.name in SPENT_FOR}
    is_told = names_dataset(table.name, contract.name) or (bool(expected) and expected <= given)
    return is_told and bool(whose & given)


def _stand_in(contract: Contract, found: Sequence[Match]) -> Match | None:
    """What tells the rows apart where no column is their ID."""
    whose = STAND_INS.get(contract.name, {})
    given = {match.column.name: match for match in found if nearly_unique(match.seen)}
    return next((given[name] for name in whose if name in given), None)


def _is_told(table: Found, contract: Contract, found: Sequence[Match]) -> bool:
    """Whether the table's name says what its rows are, or a column they are known by."""
    sure = {match.column.name for match in found if score(match.seen, contract, match.column, "") >= SURE}
    key = _key(contract).name
    others = {column.name for column in contract.columns if column.required} - {key}
    return key in sure or (bool(others) and others <= sure) or names_dataset(table.name, contract.name)


def _repeats_key(table: Found, contract: Contract) -> bool:
    """Whether a column is the key of the dataset by its name, but is the same in several rows."""
    named = [
        seen for seen, column, likely in scores(table.columns, contract, "") if column.key_position and likely >= SURE
    ]
    return any(not nearly_unique(seen) for seen in named)


def _key(contract: Contract) -> Column:
    (key,) = [column for column in contract.columns if column.key_position]
    return key


def _target(column: Column) -> str:
    """The dataset a column refers to, if any."""
    return (column.references or ("", ""))[0].removeprefix("sources/")


def _with_key_referred_to(reading: _Reading, mains: Mapping[str, _Reading], engine: Engine) -> list[Match]:
    """The matches, with the key by which other tables know the rows, of several that tell them apart."""
    key = next((match for match in reading.found if match.column.key_position), None)
    pairs = scores(reading.table.columns, reading.main, reading.main.name) if key else []
    rivals = [seen for seen, column, likely in pairs if column.key_position and likely >= POSSIBLE]
    if key is None or len(rivals) < 2:
        return reading.found
    referring = [
        (other.table, match.seen)
        for other in mains.values()
        for match in other.found
        if other is not reading and _target(match.column) == reading.main.name and match.score >= SURE
    ]
    for table, seen in referring:
        # The key itself first, which is as good as any that has all the values.
        known = [
            each for each in (key.seen, *rivals) if _share_found(table, seen, reading.table, each, engine) >= REFERS
        ]
        if known and known[0] != key.seen:
            others = [match for match in reading.found if match.seen != known[0] and match is not key]
            return [*others, replace(key, seen=known[0], doubt="")]
    return reading.found


def _with_references(reading: _Reading, mains: Mapping[str, _Reading], engine: Engine) -> list[Match]:
    """The matches, and those columns that refer to a key of another table because their values are found there."""
    found = {match.column.name: match for match in reading.found}
    for column in reading.main.columns:
        other = mains.get(_target(column))
        key = next((match for match in other.found if match.column.key_position), None) if other else None
        if other is None or key is None or other is reading:
            continue
        alike = PRODUCT_KEYS if column.name in PRODUCT_KEYS else (column.name,)
        held = next((found[name] for name in alike if name in found), None)
        if held and held.score >= SURE:
            if _share_found(reading.table, held.seen, other.table, key.seen, engine) == 0:
                doubt = f"none of its values is a {column.name} of {other.table.name}"
                found[held.column.name] = replace(held, doubt=doubt)
            continue
        free = [
            seen for seen in reading.table.columns if seen.name not in {match.seen.name for match in found.values()}
        ]
        likely = [
            (share, seen)
            for seen in ([held.seen] if held else free)
            if seen.distinct >= REFERRING
            and not (seen.is_nearly("date") or seen.shares["fraction"])
            and (share := _share_found(reading.table, seen, other.table, key.seen, engine)) >= REFERS
        ]
        if likely:
            _, seen = max(likely, key=lambda each: (each[0], each[1].name))
            doubt = "" if held else f"its name does not say so, but its values are found in {other.table.name}"
            found[column.name] = Match(seen, column, max(held.score if held else 0.0, SURE), doubt)
    return list(found.values())


def _share_found(table: Found, seen: Seen, other: Found, key: Seen, engine: Engine) -> float:
    """What share of the different values of a column is among those of a key in another table."""
    ((share,),) = engine.query(
        f"SELECT avg((v IN (SELECT trim({quoted(key.name)}::VARCHAR) FROM ({other.sql})))::INTEGER) FROM"
        f" (SELECT DISTINCT trim({quoted(seen.name)}::VARCHAR) AS v FROM ({table.sql})) WHERE v IS NOT NULL"
    )
    return float(share or 0)


# Feeds of the datasets that tables are of.


def _main_feed(reading: _Reading, engine: Engine) -> FeedProposal:
    table, contract = reading.table, reading.main
    is_grouped = any(match.column.key_position and not nearly_unique(match.seen) for match in reading.found)
    lines = [_line(match, table, is_grouped) for match in reading.found]
    lines += _parts_of_name(reading.table, contract, reading.found, is_grouped, is_main=True)
    if not any(line.column.key_position for line in lines):
        lines.append(_own_key(reading, engine))
    return FeedProposal(table, contract, tuple(_completed(lines, contract)), is_grouped)


def _with_doubt(feed: FeedProposal, reading: _Reading) -> FeedProposal:
    """The feed, all of it doubtful where what the rows of its table are is a guess."""
    if _is_told(reading.table, reading.main, reading.found):
        return feed
    doubt = f"that a row of {reading.table.name} is one of {reading.main.name} is a guess"
    return replace(feed, lines=tuple(replace(line, doubt=line.doubt or doubt) for line in feed.lines))


def _with_days(feed: FeedProposal, engine: Engine) -> FeedProposal:
    """The feed; of orders in several rows each, the key doubtful where most have rows of several days."""
    key, moment = (_line_of(feed, name) for name in (_key(feed.contract).name, feed.contract.event_time))
    if feed.contract.name != "orders" or not (feed.is_grouped and key and key.source and moment and moment.source):
        return feed
    name, formats = quoted(moment.source), feed.table.column(moment.source).date_formats
    listed = ", ".join(map(literal, formats))
    day = f"try_strptime({name}, [{listed}])::date" if formats else f"try_cast({name} as date)"
    ((share,),) = engine.query(
        f"SELECT avg((days > 1)::INTEGER) FROM (SELECT count(DISTINCT {day}) AS days FROM ({feed.table.sql})"
        f" WHERE {quoted(key.source)} IS NOT NULL GROUP BY {quoted(key.source)})"
    )
    if (share or 0) <= DAYS_THAT_TELL:
        return feed
    doubt = (
        f"{share:.0%} of its values have rows of several days; where numbers begin anew each day, put the day into it,"
        f" in the lines, too: {day}::varchar || '-' || {quoted(key.source)}"
    )
    return replace(feed, lines=tuple(replace(line, doubt=doubt) if line is key else line for line in feed.lines))


def _line_of(feed: FeedProposal, name: str | None) -> Line | None:
    return next((line for line in feed.lines if line.column.name == name), None)


def _line(match: Match, table: Found, is_grouped: bool = False) -> Line:
    name = quoted(match.seen.name)
    expression = _plain(match, name)
    if is_grouped and not match.column.key_position:
        formats = ", ".join(map(literal, match.seen.date_formats))
        first = f"coalesce(min_by({name}, try_strptime({name}, [{formats}])), min({name}))"
        expression = first if formats else f"min({expression})"
    if match.seen.name == NUMBER and table.view == NUMBERED:
        doubt = "no column tells orders apart, so what one customer buys at one time is taken for one"
        return Line(match.column, expression, POSSIBLE, doubt)
    return Line(match.column, expression, match.score, match.doubt, match.seen.name)


def _parts_of_name(
    table: Found, contract: Contract, found: Sequence[Match], is_grouped: bool, is_main: bool = False
) -> list[Line]:
    """The first and last names of customers, where one column has both."""
    given, taken = {match.column.name for match in found}, {match.seen.name for match in found}
    if contract.name != "customer" or given & set(PARTS):
        return []
    whole = next((seen for seen in table.columns if seen.name not in taken and is_whole_name(seen, is_main)), None)
    if whole is None:
        return []
    doubt = "of a whole name, the first word is taken for the first name and the rest for the last"
    parts = {name: part.format(quoted(whole.name)) for name, part in PARTS.items()}
    return [
        Line(contract.column(name), f"min({part})" if is_grouped else part, POSSIBLE, doubt)
        for name, part in parts.items()
    ]


def _plain(match: Match, name: str) -> str:
    """The column as it can be cast: a number without its currency, a month as its first day, yes and no in English."""
    column, seen = match.column, match.seen
    if column.type == "DOUBLE" and seen.is_nearly("currency"):
        return f"regexp_replace({name}, '[^0-9.,+-]', '', 'g')"
    if column.type in ("DATE", "TIMESTAMP") and seen.is_nearly("month"):
        return f"{name} || '-01'"
    if column.type == "BOOLEAN" and seen.words & set(YES_AND_NO):
        meant = " ".join(
            f"when {literal(word)} then {str(YES_AND_NO.get(word, word)).lower()}" for word in sorted(seen.words)
        )
        return f"case lower(trim({name})) {meant} end"
    return name


def _own_key(reading: _Reading, engine: Engine) -> Line:
    """A key made of what the rows have: the number of a line in its order, or a digest of the row."""
    key = _key(reading.main)
    if stand_in := _stand_in(reading.main, reading.found):
        what = STAND_INS[reading.main.name][stand_in.column.name]
        doubt = f"no column is an id of rows of {reading.main.name}, so they are known by their {what}"
        return Line(key, quoted(stand_in.seen.name), POSSIBLE, doubt, stand_in.seen.name)
    taken, view = {match.seen.name for match in reading.found}, reading.table.view
    free = [seen for seen in reading.table.columns if seen.name not in taken]
    order = next((match.seen for match in reading.found if match.column.name == "order_id"), None)
    if order is not None and reading.main.name == LINES:
        for seen in filter(is_line_number, free):
            if _tell_apart(reading.table, [order, seen], engine):
                return Line(key, f"{quoted(order.name)} || '-' || {quoted(seen.name)}", SURE)
        numbered = (
            f"{quoted(order.name)} || '-' || row_number() over (partition by {quoted(order.name)} order by {view})"
        )
        return Line(key, numbered, POSSIBLE, "nothing numbers the lines, so they are numbered by what they hold")
    for seen in free:
        if seen.is_unique and _may_be_id(seen.name):
            return Line(key, quoted(seen.name), POSSIBLE, "the only column that tells all rows apart", seen.name)
    digest = f"md5({view}::varchar) || '-' || row_number() over (partition by {view})"
    return Line(key, digest, POSSIBLE, "no column tells the rows apart, so they are known by all they hold")


def _may_be_id(name: str) -> bool:
    """Whether a column may be an ID of whatever the rows are: it says so, and not of what else."""
    words = set(words_of(name))
    nouns = {noun for listed in column_names.load().nouns.values() for noun in listed}
    return not words or name == "column0" or ("id" in words and not words & nouns)


def _tell_apart(table: Found, columns: Sequence[Seen], engine: Engine) -> bool:
    listed = ", ".join(quoted(seen.name) for seen in columns)
    ((count, distinct),) = engine.query(f"SELECT count(*), count(DISTINCT ({listed})) FROM ({table.sql})")
    return bool(count == distinct)


def _completed(lines: list[Line], contract: Contract) -> list[Line]:
    """The lines in the order of the contract, with what a shop of one kind need not say."""
    given = {line.column.name: line for line in lines}
    columns = {column.name: column for column in contract.columns}
    if contract.name in ("product", LINES) and len({"sku_id", "product_id"} & set(given)) == 1:
        ((name, line),) = [(name, line) for name, line in given.items() if name in ("sku_id", "product_id")]
        other = "product_id" if name == "sku_id" else "sku_id"
        # Where one column is both, that it may be the other is no doubt.
        given |= {each: replace(line, column=columns[each], doubt="") for each in (name, other)}
    if contract.name == "orders" and "order_status" not in given:
        doubt = "no column tells the state of an order; without one it would not count as a sale"
        given["order_status"] = Line(columns["order_status"], "'completed'", POSSIBLE, doubt)
    if contract.name == LINES and "qty" not in given:
        given["qty"] = Line(columns["qty"], "1", POSSIBLE, "no column tells how many were sold")
    return [given[name] for name in contract.column_names if name in given]


# Feeds of the datasets that lie in tables of others.


def _further_feeds(
    reading: _Reading, sources: Mapping[str, Contract], feeds: Mapping[str, FeedProposal]
) -> list[FeedProposal]:
    """The feeds of datasets that no table is of and that lie in this one."""
    main = reading.main.name
    # Money is spent on nobody in particular: customers are counted there.
    if main == "marketing_spend":
        return []
    used = {match.seen.name for match in reading.found}
    free = [seen for seen in reading.table.columns if seen.name not in used]
    names = [name for name in (*GROUPED, *PER_ROW) if name not in feeds and name != main]
    left = _left(free, sources, main, names)
    found = [
        feed
        for name in GROUPED
        if name in names and (feed := _grouped(reading, sources[name], free, left.get(name, [])))
    ]
    if main == "customer":
        known = {feed.contract.name for feed in found}
        found += _of_each_customer(reading, sources, {name: its for name, its in left.items() if name not in known})
    return found


def _grouped(reading: _Reading, contract: Contract, free: Sequence[Seen], left: Sequence[Match]) -> FeedProposal | None:
    """A feed with one row per key of the dataset, where the table has such a key."""
    keys = [match for match in reading.found if match.column.is_identifier or match.column.name in PRODUCT_KEYS]
    key = _key_of(contract, reading.main.name, keys, free, left)
    if key is None:
        return None
    # What customers or products are known by for want of an ID is still their address or name.
    others = [match for match in left if match.seen != key.seen or key.score < SURE]
    if contract.name == "orders" and not others:
        return None
    lines = [_line(key, reading.table), *(_line(match, reading.table, is_grouped=True) for match in others)]
    lines += _parts_of_name(reading.table, contract, [*reading.found, *others], is_grouped=True)
    if contract.name == "orders" and names_dataset(reading.table.name, "orders"):
        lacking = [
            match for match in _only_ones(reading.table, contract, [key, *others]) if match.column.type != "DOUBLE"
        ]
        lines += [_line(match, reading.table, is_grouped=True) for match in lacking]
    return FeedProposal(reading.table, contract, tuple(_completed(lines, contract)), is_grouped=True)


def _left(
    free: Sequence[Seen], sources: Mapping[str, Contract], of: str, names: Sequence[str]
) -> dict[str, list[Match]]:
    """To which dataset each column that is left goes best."""
    pairs = [
        (likely, sources[name], seen, column)
        for name in dict.fromkeys(names)
        for seen, column, likely in scores(free, sources[name], of)
        if likely >= POSSIBLE and not column.key_position
    ]
    pairs.sort(key=lambda pair: -pair[0])
    scored = [(seen, column, likely) for likely, _, seen, column in pairs]
    left: dict[str, list[Match]] = {}
    for place in assigned([(likely, seen.name, (of_it.name, column.name)) for likely, of_it, seen, column in pairs]):
        left.setdefault(pairs[place][1].name, []).append(Match(*scored[place], rival(*scored[place], scored)))
    return left


def _key_of(
    contract: Contract, of: str, keys: Sequence[Match], free: Sequence[Seen], left: Sequence[Match]
) -> Match | None:
    """The column by which rows of the dataset are told apart within a table of another."""
    key = _key(contract)
    referring = [
        match
        for match in keys
        if (match.column.references or ("", ""))[0] == contract.key
        or (contract.name == "product" and match.column.name in PRODUCT_KEYS)
    ]
    if referring:
        best = max(referring, key=lambda match: match.score)
        return replace(best, column=key)
    named = [pair for pair in scores(free, contract, of) if pair[1] is key and pair[2] >= SURE]
    if named:
        return Match(named[0][0], key, named[0][2])
    if contract.name == "customer":
        stand_ins, what = (
            [seen for seen in free if seen.is_nearly("email")],
            "customers, so they are known by their e-mail address",
        )
        if not stand_ins and of in ("orders", LINES):
            stand_ins, what = list(filter(is_name_of_customer, free)), "customers, so they are known by their name"
    else:
        names = [match.seen for match in left if match.column.name == "product_name"]
        stand_ins, what = names if of in (LINES, "review") else [], "products, so they are known by their name"
    return Match(stand_ins[0], key, POSSIBLE, f"no column is an id of {what}") if stand_ins else None


def _of_each_customer(
    reading: _Reading, sources: Mapping[str, Contract], left: Mapping[str, list[Match]]
) -> list[FeedProposal]:
    """What a table with a row per customer tells of his purchase: product, order, its line, and his review."""
    enough = {name for name, found in left.items() if sum(match.score >= LEFT_SURE for match in found) >= LEFT}
    if "orders" not in enough:
        return []
    customer = next((match.seen for match in reading.found if match.column.key_position), None)
    if customer is None:
        return []
    products = left["product"] if "product" in enough else []
    found = {name: left[name] for name in PER_ROW if left.get(name)} | ({"product": products} if products else {})
    totals = [match for match in left["orders"] if match.column.name == "total_amount"]
    if products and totals and LINES not in found:
        price = sources[LINES].column("unit_price")
        found[LINES] = [replace(match, column=price) for match in totals]
    return [_of_purchase(reading.table, sources[name], its, customer, products) for name, its in found.items()]


def _of_purchase(
    table: Found, contract: Contract, found: Sequence[Match], customer: Seen, products: Sequence[Match]
) -> FeedProposal:
    """The feed of one dataset, known by the customer whose row it is or, of products, by what is told of them."""
    is_product = contract.name == "product"
    reason = "no column is an id of products, so they are known by all that is told of them"
    product = " || '/' || ".join(f"coalesce({quoted(match.seen.name)}, '')" for match in products)
    lines = [_line(match, table, is_grouped=is_product) for match in found]
    for column in contract.columns:
        target = _target(column)
        if (is_product and column.key_position) or (target == "product" and products):
            lines.append(Line(column, product, POSSIBLE, reason))
        elif column.key_position:
            doubt = "a row is taken for one purchase, known by its customer"
            lines.append(Line(column, quoted(customer.name), POSSIBLE, doubt))
        elif target in ("customer", "orders"):
            source = customer.name if target == "customer" else None
            lines.append(Line(column, quoted(customer.name), SURE, "", source))
    return FeedProposal(table, contract, tuple(_completed(lines, contract)), is_grouped=is_product)


def _with_keys(feed: FeedProposal, feeds: Mapping[str, FeedProposal]) -> FeedProposal:
    """The feed with its references to datasets that are of the same table, where nothing else was found for them."""
    given = {line.column.name for line in feed.lines}
    more = []
    for column in feed.contract.columns:
        other = feeds.get(_target(column))
        if column.name in given or other is None or other.table is not feed.table or other is feed:
            continue
        key = next(line for line in other.lines if line.column.key_position)
        if key.source:
            expression = f"min({key.expression})" if feed.is_grouped else key.expression
            more.append(replace(key, column=column, expression=expression))
    lines = {line.column.name: line for line in (*feed.lines, *more)}
    return replace(feed, lines=tuple(lines[name] for name in feed.contract.column_names if name in lines))
