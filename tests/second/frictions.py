"""Where visits to the shop stumble."""

import re
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import pandas as pd

from tests.second.published import Published

TOP, TIMES, SECONDS = 50, 4, 10
Happened = dict[tuple[str, str, str], int]
FAILURE = re.compile(r"error|fail|(^|[^a-z])bugs?([^a-z]|$)", re.IGNORECASE)
# Done on a page, and no way from page to page.
DONE_ON_PAGES = ("add_to_favorite", "add_to_cart", "order_placed")


class Event(NamedTuple):
    at: Any
    action: str
    page: str | None
    sku: str | None

    @property
    def step(self) -> str:
        return self.page or self.action


def frictions(tables: Published) -> pd.DataFrame:
    sessions = tables["sessions"].set_index("session_id")
    happened = _happened(tables.by_now(tables["sources/web_analytics"], "activity_ts"), sessions)
    for kind, count in (("abandoned_cart", "cart_count"), ("abandoned_checkout", "checkout_count")):
        left = sessions[(sessions[count] > 0) & (sessions.order_count == 0)]
        for session, page, times in zip(left.index, left.exit_page, left[count], strict=True):
            happened[kind, _shown(page) if isinstance(page, str) else "(unknown)", session] = times
    return _ranked(_by_place(happened), sessions, tables)


def stumbles(events: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Those of web events up to now."""
    happened = _happened(events, sessions.set_index("session_id"))
    rows = [(session, kind, place, times) for (kind, place, session), times in happened.items()]
    return pd.DataFrame(rows, columns=["session_id", "kind", "place", "example_count"])


def _happened(events: pd.DataFrame, sessions: pd.DataFrame) -> Happened:
    return {
        (kind, place, session): times
        for session, visit in _visits(events).items()
        for (kind, place), times in _stumbles(visit, sessions.order_count[session] > 0).items()
    }


def _visits(events: pd.DataFrame) -> dict[str, list[Event]]:
    events = events[events.session_id.notna()]
    visits: dict[str, list[Event]] = defaultdict(list)
    columns = (events.activity_ts, events.event_action, events.page_url, events.product_sku)
    for session, at, action, url, sku in zip(events.session_id, *columns, strict=True):
        page = url.split("?")[0] if isinstance(url, str) else ""
        visits[session].append(Event(at, action, page or None, sku if isinstance(sku, str) else None))
    return {
        session: sorted(visit, key=lambda event: (event.at, event.step, event.action))
        for session, visit in visits.items()
    }


def _shown(page: str) -> str:
    """The path, without what tells who or which one."""
    path = re.split(r"[?#;]", re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "", page))[0]
    parts = ["*" if re.search("@|%40", part) or len(re.findall(r"\d", part)) >= 4 else part for part in path.split("/")]
    return "/".join(parts).rstrip("/") or "/"


def _stumbles(visit: list[Event], ordered: bool) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    met: dict[tuple[str, str], set[Any]] = defaultdict(set)
    for event in visit:
        failed = FAILURE.search(event.action) or (event.page and not event.sku and FAILURE.search(event.page))
        if failed or (event.action == "checkout" and not ordered):
            met[event.action, event.step].add(event.at)
    for (_, step), moments in met.items():
        if len(moments) >= 2:
            found["repeated_failure", _shown(step)] += len(moments)
    moves = [event for event in visit if event.action not in DONE_ON_PAGES]
    ways = [
        move.step for move, before in zip(moves, [None, *moves], strict=False) if not before or move.step != before.step
    ]
    for a, b, c, d in zip(ways, ways[1:], ways[2:], ways[3:], strict=False):
        if (a, b) == (c, d):
            found["back_and_forth", " <> ".join(sorted([_shown(a), _shown(b)]))] += 1
    for at in range(len(moves) - TIMES + 1):
        run = moves[at : at + TIMES]
        alike = len({(move.step, move.action) for move in run}) == 1
        if alike and (run[-1].at - run[0].at).total_seconds() <= SECONDS:
            found["rage_repeat", _shown(run[0].step)] += 1
    return found


def _by_place(happened: Happened) -> dict[tuple[str, str], dict[str, int]]:
    places: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for (kind, place, session), times in happened.items():
        places[kind, place][session] = times
    merged: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for kind in {kind for kind, _ in places}:
        of_kind = sorted((-len(there), place) for (other, place), there in places.items() if other == kind)
        shown = {place for _, place in of_kind[:TOP]}
        for _, place in of_kind:
            merged[kind, place if place in shown else "(other)"].update(places[kind, place])
    return merged


def _ranked(places: Any, sessions: pd.DataFrame, tables: Published) -> pd.DataFrame:
    carts = tables["items_added_to_cart"]
    carts = carts[carts.session_id.isin(sessions.index[sessions.order_count == 0])]
    value = carts.groupby("session_id").order_value.sum(min_count=1)
    rows = []
    for (kind, place), there in sorted(places.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        share = len(there) / len(sessions)
        row = {
            "kind": kind,
            "place": place,
            "session_count": len(there),
            "customer_count": sessions.entity_id.reindex(list(there)).nunique(),
            "session_share": share,
            "lost_value": value.reindex(list(there)).sum(min_count=1),
            "example_count": sum(there.values()),
            "priority": "High" if share >= 0.05 else "Medium" if share >= 0.01 else "Low",
            "rank": len(rows) + 1,
        }
        rows.append(row)
    return pd.DataFrame(rows, columns=None if rows else list(tables["frictions"].columns))
