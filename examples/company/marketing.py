"""What the company does to be seen: touchpoints of known customers, and what the campaigns cost per day."""

import numpy as np
import pyarrow as pa

from examples.company import season
from examples.company.browsing import Sessions
from examples.company.channels import CHANNELS, NAMES
from examples.company.columns import ids, money, picked, timestamps
from examples.company.records import Flags, Ints

TOUCH_TYPES = ("impression", "click", "email_open")
IMPRESSION, CLICK, EMAIL_OPEN = range(3)
CLICK_SHARE = 0.55  # of paid sessions, known to have come by a click
IMPRESSIONS_PER_SESSION = 0.7  # seen before a paid session
SEEN_BEFORE_DAYS = 3.0
BUDGET_BEYOND_CUSTOMERS = 2.5  # spend that reaches people who never become customers, per unit that does
TOUCHES_PER_CHUNK = 10**8  # room for the numbers of a chunk's touchpoints

CAMPAIGNS = tuple((code, name) for code, channel in enumerate(CHANNELS) for name in channel.campaigns)
_CAMPAIGN_CHANNEL = np.array([code for code, _ in CAMPAIGNS])
_FIRST_CAMPAIGN = np.searchsorted(_CAMPAIGN_CHANNEL, np.arange(len(CHANNELS)))
_PAID = np.isin(np.arange(len(CHANNELS)), _CAMPAIGN_CHANNEL)
_EMAIL = NAMES.index("email")
# Cents per touch: channels x touch types.
_COST = np.array([[channel.view_cents, channel.click_cents, channel.view_cents] for channel in CHANNELS])


def touchpoints(
    rng: np.random.Generator,
    sessions: Sessions,
    registered_at: Ints,
    customer_ids: pa.StringArray,
    chunk: int,
) -> tuple[pa.Table, Ints]:
    """One row per touch of a known customer; and touches counted by day, campaign and type."""
    session, kind = _touches(rng, _PAID[sessions.channel] & ~sessions.anonymous)
    customer, channel = sessions.customer[session], sessions.channel[session]
    kind = np.where((kind == IMPRESSION) & (channel == _EMAIL), EMAIL_OPEN, kind)
    before = (rng.standard_exponential(len(session)) * SEEN_BEFORE_DAYS * season.DAY).astype(np.int64)
    at = np.where(kind == CLICK, sessions.started_at[session], sessions.started_at[session] - before)
    at = np.maximum(at, registered_at[customer])
    # Which campaign brought a session is settled per session, so that its touches agree.
    campaign = _FIRST_CAMPAIGN[channel] + sessions.number[session] % 2
    touches = pa.table(
        {
            "touchpoint_id": ids("TP", chunk * TOUCHES_PER_CHUNK + np.arange(len(session)), 14),
            "customer_id": picked(customer_ids, customer),
            "touched_at": timestamps(at),
            "traffic_channel": picked(NAMES, channel),
            "campaign": picked(tuple(name for _, name in CAMPAIGNS), campaign),
            "touch_type": picked(TOUCH_TYPES, kind),
            "cost": money(_COST[channel, kind]),
        }
    )
    cell = ((at - season.START) // season.DAY * len(CAMPAIGNS) + campaign) * len(TOUCH_TYPES) + kind
    shape = (season.DAYS, len(CAMPAIGNS), len(TOUCH_TYPES))
    return touches, np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)


def _touches(rng: np.random.Generator, reachable: Flags) -> tuple[Ints, Ints]:
    """Session and type of each touch: what was seen before it, and the click that opened it."""
    paid = np.flatnonzero(reachable)
    seen = np.repeat(paid, rng.poisson(IMPRESSIONS_PER_SESSION, len(paid)))
    clicked = paid[rng.random(len(paid)) < CLICK_SHARE]
    kind = np.concatenate([np.full(len(seen), IMPRESSION), np.full(len(clicked), CLICK)])
    return np.concatenate([seen, clicked]), kind


def spend_table(rng: np.random.Generator, touches: Ints) -> pa.Table:
    """One row per day and campaign: the touches of customers, and those of everybody else it reached."""
    days, campaigns, _ = touches.shape
    beyond = 1 + BUDGET_BEYOND_CUSTOMERS * rng.lognormal(-0.02, 0.2, (days, campaigns))
    seen = touches[:, :, IMPRESSION] + touches[:, :, EMAIL_OPEN]
    clicks = np.rint(touches[:, :, CLICK] * beyond).astype(np.int64)
    impressions = np.rint((20 * touches[:, :, CLICK] + seen) * beyond).astype(np.int64)
    view_cents, click_cents = _COST[_CAMPAIGN_CHANNEL, IMPRESSION], _COST[_CAMPAIGN_CHANNEL, CLICK]
    cents = np.ceil(clicks * click_cents + impressions * view_cents).astype(np.int64)
    day, campaign = (axis.ravel() for axis in np.indices((days, campaigns)))
    return pa.table(
        {
            "spend_id": ids("MS", np.arange(1, days * campaigns + 1), 6),
            "spent_on": pa.array((season.START // season.DAY + day).astype("datetime64[D]")),
            "traffic_channel": picked(NAMES, _CAMPAIGN_CHANNEL[campaign]),
            "campaign": picked(tuple(name for _, name in CAMPAIGNS), campaign),
            "spend_amount": money(cents.ravel()),
            "impressions": pa.array(impressions.ravel()),
            "clicks": pa.array(clicks.ravel()),
        }
    )
