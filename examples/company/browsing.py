"""What visitors do on the web site: sessions, and the events in them.

A session converts with the true probability of its channel. Every web order has its own session; the number
of sessions without an order is drawn so that this holds. Half of them follow the customer's orders, half his
rate.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from examples.company import channels, season
from examples.company.catalogue import CATEGORY_NAMES, Catalogue, sku_ids
from examples.company.chance import weighted, weighted_by_row
from examples.company.columns import ids, picked, timestamps, uuids
from examples.company.habits import Habits
from examples.company.lifetimes import LAST_ORDER, Lives
from examples.company.purchases import SALES_CHANNEL_SHARES, WEB, Lines, Orders, order_ids
from examples.company.records import Flags, Floats, Ints, positions, rows_of, starts

ACTIONS = ("page_view", "product_view", "add_to_favorite", "add_to_cart", "checkout", "order_placed")
PAGE_VIEW, PRODUCT_VIEW, ADD_TO_FAVORITE, ADD_TO_CART, CHECKOUT, ORDER_PLACED = range(6)
DEVICES = ("desktop", "mobile", "tablet")

# Where a visitor without an order goes next: from and to page, product, favourite, cart, checkout. The rest
# leave.
STEPS = np.array(
    [
        [0.15, 0.45, 0.00, 0.00, 0.00],
        [0.13, 0.33, 0.06, 0.11, 0.00],
        [0.05, 0.45, 0.00, 0.12, 0.00],
        [0.12, 0.30, 0.00, 0.00, 0.24],
        [0.10, 0.00, 0.00, 0.00, 0.00],
    ]
)
LONGEST_WALK = 60
ANONYMOUS_SHARE = 0.22  # of sessions without an order: the visitor has not logged in
USUAL_DEVICE_SHARE = 0.8
LATE_SHARE = 0.01  # of events: arrive, in the file, far behind their neighbours
GAP_SECONDS, IMPLAUSIBLE_GAP_SECONDS = 38.0, 1.5
CONSIDERATION_DAYS = 4.0  # mean time by which a session precedes the order it prepares
AFTERGLOW = 14 * season.DAY  # how long a customer who has left still looks around
LONGEST_SESSION = 50 * season.MINUTE

Columns = dict[str, np.ndarray]

_LEAVES = len(STEPS)
_PAGES = (
    "/",
    *(f"/c/{name.lower()}" for name in CATEGORY_NAMES),
    "/cart",
    "/checkout",
    "/order-confirmation",
)
_CART_PAGE = 1 + len(CATEGORY_NAMES)


@dataclass(frozen=True)
class Sessions:
    """One row per session of a chunk: first those without an order, then one per web order."""

    customer: Ints
    number: Ints  # of the customer's sessions, 0-based
    started_at: Ints
    channel: Ints
    source: Ints
    device: Ints
    anonymous: Flags
    order: Ints  # position in Orders, -1 for none


@dataclass(frozen=True)
class Events:
    """One row per event, by session and then time."""

    session: Ints
    at: Ints
    action: Ints
    sku: Ints  # -1 for none
    quantity: Ints  # 0 for none
    implausible: Flags  # belongs to a session that no human had


@dataclass(frozen=True)
class Visitors:
    """What browsing depends on, besides the orders: one row per customer of the chunk."""

    registered_at: Ints
    lives: Lives
    habits: Habits


def draw(
    rng: np.random.Generator,
    visitors: Visitors,
    orders: Orders,
    lines: Lines,
    catalogue: Catalogue,
    implausible_share: float,
) -> tuple[Sessions, Events]:
    """All sessions of a chunk of customers and their events."""
    web = np.flatnonzero(orders.channel == WEB)
    idle, moment = _idle_visits(rng, visitors, orders, web)
    channel = weighted(rng, channels.SHARES * (1 - channels.CONVERSION), len(idle))
    walked = _walks(rng, channel, rng.random(len(idle)) < implausible_share)
    shopped = _shopping(rng, web, orders, lines)
    order_channel = weighted(rng, channels.SHARES * channels.CONVERSION, len(web))
    events = _joined(walked, shopped, len(idle))
    offset, length = _offsets(rng, events, len(idle) + len(web))
    started = np.concatenate([moment, orders.at[web] - length[len(idle) :]])
    customer = np.concatenate([idle, orders.customer[web]])
    order = np.concatenate([np.full(len(idle), -1), web])
    channel = np.concatenate([channel, order_channel])
    sessions = _sessions(rng, visitors.habits, customer, started, channel, order)
    sku = _looked_at(rng, events, sessions, visitors.habits, catalogue)
    return sessions, Events(**{**events, "sku": sku, "at": started[events["session"]] + offset})


def _idle_visits(
    rng: np.random.Generator,
    visitors: Visitors,
    orders: Orders,
    web: Ints,
) -> tuple[Ints, Ints]:
    """Customer and time of the sessions without an order, by customer."""
    customers = len(visitors.registered_at)
    bought = np.bincount(orders.customer[web], minlength=customers)
    expected = SALES_CHANNEL_SHARES[WEB] * visitors.lives.expected_orders
    per_order = (1 - channels.MEAN_CONVERSION) / channels.MEAN_CONVERSION
    customer = np.repeat(np.arange(customers), rng.poisson(per_order * (bought + expected) / 2))
    return customer, _moments(rng, customer, visitors, orders)


def _moments(rng: np.random.Generator, customer: Ints, visitors: Visitors, orders: Orders) -> Ints:
    """Half of the sessions prepare one of the customer's orders, the others come at any time."""
    last = np.minimum(LAST_ORDER, np.minimum(visitors.lives.left_at, LAST_ORDER) + AFTERGLOW)
    low = season.season_days(visitors.registered_at)[customer]
    high = season.season_days(last)[customer]
    any_time = season.calendar(low + rng.random(len(customer)) * (high - low))
    counts = np.bincount(orders.customer, minlength=len(last))
    if not counts.any():
        return any_time
    pick = starts(counts)[customer] + (rng.random(len(customer)) * counts[customer]).astype(np.int64)
    lead = (rng.standard_exponential(len(customer)) * CONSIDERATION_DAYS * season.DAY).astype(np.int64)
    before = orders.at[np.minimum(pick, len(orders.at) - 1)] - lead
    prepares = (rng.random(len(customer)) < 0.5) & (counts[customer] > 0)
    prepares &= before >= visitors.registered_at[customer]
    return np.where(prepares, before, np.maximum(any_time, visitors.registered_at[customer]))


def _step_edges() -> Floats:
    """Channels x states x next states, cumulative; the last column, leaving, is implied."""
    stays = np.array([channel.stays for channel in channels.CHANNELS])[:, None, None]
    going = STEPS.sum(axis=1)[None, :, None]
    # A channel's visitors go on with odds `stays` times the usual.
    kept = stays * going / (1 - going + stays * going)
    return np.cumsum(STEPS[None] / going * kept, axis=2).astype(np.float32)


def _walks(rng: np.random.Generator, channel: Ints, implausible: Flags) -> Columns:
    """Markov chains over the actions: every session takes its k-th step together with all others."""
    edges = _step_edges()
    alive, state = np.arange(len(channel)), np.zeros(len(channel), dtype=np.int8)
    visited = [(alive, state)]
    length = np.ones(len(channel), dtype=np.int64)
    for _ in range(LONGEST_WALK - 1):
        u, row = rng.random(len(alive), dtype=np.float32), edges[channel[alive], state]
        state = (u[:, None] >= row).sum(axis=1, dtype=np.int8)
        alive, state = alive[state < _LEAVES], state[state < _LEAVES]
        length[alive] += 1
        visited.append((alive, state))
    length[implausible] += rng.integers(250, 400, implausible.sum())
    action = np.zeros(length.sum(), dtype=np.int8)
    first = starts(length)
    for step, (session, taken) in enumerate(visited):
        action[first[session] + step] = taken
    session = np.repeat(np.arange(len(channel)), length)
    quantity = np.where(action == ADD_TO_CART, 1 + (rng.random(len(action)) < 0.12), 0)
    return {
        "session": session,
        "action": action,
        "sku": np.full(len(action), -1),
        "quantity": quantity,
        "implausible": implausible[session],
    }


def _shopping(rng: np.random.Generator, web: Ints, orders: Orders, lines: Lines) -> Columns:
    """The sessions of web orders: look at each product, put it in the cart, check out, order."""
    session_of = np.full(len(orders.at), -1)
    session_of[web] = np.arange(len(web))
    bought = rows_of(lines, session_of[lines.order] >= 0)
    line_session = session_of[bought.order]
    liked = (rng.random(len(line_session)) < 0.2).astype(np.int64)
    looks = 1 + rng.poisson(0.8, len(web))
    per_line = np.bincount(line_session, 2 + liked, minlength=len(web)).astype(np.int64)
    line_count = np.bincount(line_session, minlength=len(web))
    length = looks + per_line + 1 + line_count
    first = starts(length)
    within = np.cumsum(2 + liked) - (2 + liked)
    view = (first + looks)[line_session] + within - starts(per_line)[line_session]
    cart = view + liked + 1
    ordered = (first + length - line_count)[line_session] + bought.place
    action = np.zeros(length.sum(), dtype=np.int8)
    sku, quantity = np.full(len(action), -1), np.zeros(len(action), dtype=np.int64)
    action[first + length - line_count - 1] = CHECKOUT
    # Where nothing became a favourite, that mark falls on the product view, which takes its place back.
    marks = {ADD_TO_FAVORITE: view + liked, PRODUCT_VIEW: view, ADD_TO_CART: cart, ORDER_PLACED: ordered}
    for kind, at in marks.items():
        action[at], sku[at] = kind, bought.sku
    quantity[cart], quantity[ordered] = bought.quantity, bought.quantity
    return {
        "session": np.repeat(np.arange(len(web)), length),
        "action": action,
        "sku": sku,
        "quantity": quantity,
        "implausible": np.zeros(len(action), dtype=bool),
    }


def _joined(walked: Columns, shopped: Columns, idle: int) -> Columns:
    shopped = {**shopped, "session": shopped["session"] + idle}
    return {name: np.concatenate([walked[name], shopped[name]]) for name in walked}


def _offsets(rng: np.random.Generator, events: Columns, sessions: int) -> tuple[Ints, Ints]:
    """Time of each event since its session began, and how long each session lasts."""
    session, action = events["session"], events["action"]
    gap = rng.standard_exponential(len(session), dtype=np.float32) * np.float32(GAP_SECONDS)
    gap[events["implausible"]] *= IMPLAUSIBLE_GAP_SECONDS / GAP_SECONDS
    # The lines of one order are placed at one moment.
    gap[1:][(action[1:] == ORDER_PLACED) & (action[:-1] == ORDER_PLACED)] = 0
    counts = np.bincount(session, minlength=sessions)
    first = starts(counts)
    gap[first] = 0
    elapsed = np.cumsum(gap, dtype=np.float64)
    seconds = elapsed - elapsed[first][session]
    lasts = seconds[first + counts - 1]
    shrink = np.minimum(1, LONGEST_SESSION / season.SECOND / np.maximum(lasts, 1))
    offset = (seconds * shrink[session] * 1_000).astype(np.int64) * 1_000
    return offset, offset[first + counts - 1]


def _sessions(
    rng: np.random.Generator, habits: Habits, customer: Ints, started: Ints, channel: Ints, order: Ints
) -> Sessions:
    size = len(customer)
    usual = rng.random(size) < USUAL_DEVICE_SHARE
    by_customer = np.argsort(customer, kind="stable")
    number = np.empty(size, dtype=np.int64)
    number[by_customer] = positions(np.bincount(customer, minlength=len(habits.rate)))
    return Sessions(
        customer=customer,
        number=number,
        started_at=started,
        channel=channel,
        source=weighted_by_row(rng, channels.source_edges(), channel),
        device=np.where(usual, habits.device[customer], rng.integers(0, len(DEVICES), size)),
        anonymous=(rng.random(size) < ANONYMOUS_SHARE) & (order < 0),
        order=order,
    )


def _looked_at(
    rng: np.random.Generator,
    events: Columns,
    sessions: Sessions,
    habits: Habits,
    catalogue: Catalogue,
) -> Ints:
    """Fill in what visitors without an order look at; favourites and carts hold the product seen last."""
    session, action, sku = events["session"], events["action"], events["sku"]
    seen = np.flatnonzero((action == PRODUCT_VIEW) & (sku < 0))
    customer = sessions.customer[session[seen]]
    cents = habits.mean_value[customer] * 55 * np.exp(0.4 * rng.standard_normal(len(seen), dtype=np.float32))
    category = weighted_by_row(rng, habits.taste, customer)
    sku[seen] = catalogue.choose(rng, category, cents, sessions.started_at[session[seen]])
    last_seen = np.maximum.accumulate(np.where(action == PRODUCT_VIEW, np.arange(len(action)), 0))
    follows = ((action == ADD_TO_FAVORITE) | (action == ADD_TO_CART)) & (sku < 0)
    return np.where(follows, sku[last_seen], sku)


def _scrambled(numbers: Ints, places: int) -> Ints:
    """A one-to-one shuffle of 0 .. 10**places - 1, so that an identifier does not give its owner away."""
    shuffled: Ints = (numbers * 3_999_971 + 271_828_183) % 10**places
    return shuffled


def arrival_order(rng: np.random.Generator, events: Events) -> Events:
    """The events as they lie in the file: session by session, the late ones behind all others."""
    late = rng.random(len(events.at)) < LATE_SHARE
    return rows_of(events, np.concatenate([np.flatnonzero(~late), np.flatnonzero(late)]))


def table(
    rng: np.random.Generator,
    sessions: Sessions,
    events: Events,
    orders: Orders,
    customer_number: Ints,
    customer_ids: pa.StringArray,
    catalogue: Catalogue,
) -> pa.Table:
    """One row per event: the `web_analytics` dataset."""
    session, owner = events.session, sessions.customer[events.session]
    devices = np.arange(len(customer_number) * len(DEVICES))
    visitor = customer_number[devices // len(DEVICES)] * 10 + devices % len(DEVICES)
    sku_pool = sku_ids(np.arange(len(catalogue.price)))
    placed = events.action == ORDER_PLACED
    return pa.table(
        {
            "activity_uuid": uuids(rng, len(session)),
            "session_id": picked(
                ids("S", _scrambled(customer_number[sessions.customer] * 10_000 + sessions.number, 12), 12),
                session,
            ),
            "visitor_id": picked(
                ids("V", _scrambled(visitor, 10), 10), owner * len(DEVICES) + sessions.device[session]
            ),
            "entity_id": picked(customer_ids, owner, sessions.anonymous[session]),
            "visit_start_ts": timestamps(sessions.started_at[session]),
            "activity_ts": timestamps(events.at),
            "event_action": picked(ACTIONS, events.action),
            "page_url": _urls(rng, events, sku_pool),
            "product_sku": picked(sku_pool, events.sku, events.sku < 0),
            "quantity": pa.array(events.quantity.astype(np.int32), mask=events.quantity == 0),
            "traffic_channel": picked(channels.NAMES, sessions.channel[session]),
            "traffic_source": picked(channels.SOURCES, sessions.source[session]),
            "device": picked(DEVICES, sessions.device[session]),
            "order_id": picked(order_ids(orders.number), np.maximum(sessions.order[session], 0), ~placed),
        }
    )


def _urls(rng: np.random.Generator, events: Events, sku_pool: pa.StringArray) -> pa.DictionaryArray:
    """Landing and category pages for page views, then what the action says."""
    pool = pa.array([*_PAGES, *(f"/product/{sku}" for sku in sku_pool.to_pylist())])
    landing = np.maximum(rng.integers(-6, _CART_PAGE, len(events.at), dtype=np.int16), 0)
    by_action = np.array([0, 0, 0, _CART_PAGE, _CART_PAGE + 1, _CART_PAGE + 2])[events.action]
    product = (events.action == PRODUCT_VIEW) | (events.action == ADD_TO_FAVORITE)
    page = np.where(events.action == PAGE_VIEW, landing, by_action)
    return picked(pool, np.where(product, len(_PAGES) + events.sku, page))
