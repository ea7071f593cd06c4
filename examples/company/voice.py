"""What customers say: reviews, support tickets and survey answers, each about a real order."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from examples.company import season
from examples.company.catalogue import Catalogue, sku_ids
from examples.company.chance import weighted_by_row
from examples.company.columns import ids, picked, timestamps
from examples.company.habits import Habits
from examples.company.purchases import CANCELLED, RETURNED_STATUS, Lines, Orders
from examples.company.records import Flags, Floats, Ints, rows_of

REVIEW_SHARE = 0.16  # of delivered lines
CONTRARY_SHARE = 0.08  # of review sentences that belong to another rating
NPS_SHARE, CSAT_SHARE, CES_SHARE = 0.04, 0.08, 0.05  # of delivered orders
TICKET_SHARE, TROUBLED_TICKET_SHARE = 0.06, 0.30  # of orders; of cancelled and returned orders
COMMENT_SHARE = 0.5
SLOW_DAYS = 7

SURVEYS = ("NPS", "CSAT", "CES")
TOPICS = ("delivery", "return", "payment", "product question", "account")
CONTACT_CHANNELS = ("email", "chat", "phone", "social")
PRIORITIES = ("low", "normal", "high")
TICKET_STATUSES = ("open", "solved")


def _pool(text: str) -> tuple[tuple[str, ...], ...]:
    """One line per topic or mood, phrases separated by bars."""
    return tuple(tuple(line.split(" | ")) for line in text.strip().split("\n"))


_SUBJECTS = _pool("""
Where is my parcel? | Parcel is late | Delivered to the wrong door
How do I send this back? | Refund has not arrived | Return label does not print
Charged twice | Card was declined | Invoice needed
Which size should I take? | When is it back in stock? | How do I clean it?
Cannot log in | Change of address | Please correct my name
""")
_LONGEST_SOLUTION_DAYS = 12

# Five lines, for ratings 1 to 5.
_TITLES = _pool("""
Awful | Do not buy | Waste of money | Broke at once | Very angry
Disappointed | Not as shown | Expected more | Poor quality | Would not order again
It is okay | Average | Does the job | Mixed feelings | Nothing special
Good choice | Pleased with it | Nice for the price | Works well | Happy so far
Perfect | Love it | Best purchase this year | Excellent | Exceeded my hopes
""")
_OPENINGS = _pool("""
This was a terrible buy. | I regret ordering it. | It fell apart within a week. | Complete rubbish.
I am rather let down. | It looks cheaper than in the pictures. | Not worth what it cost. | It disappoints.
It is fine, no more than that. | An ordinary product. | Some things are good, some are not. | It is usable.
I like it. | A solid product that I use often. | It is well made. | Good value, as described.
I absolutely love it. | It is wonderful in every way. | Beautifully made and a joy to use. | Simply superb.
""")
_ASPECTS = _pool("""
The seams were torn and the colour faded. | It smelled horrible. | It arrived broken. | Support was useless.
The size runs small. | The material feels thin. | Delivery was slow. | It scratches easily.
The size is about right. | Delivery took a while. | The colour is slightly different. | It needs some care.
It fits well. | Delivery was quick. | The material feels nice. | The colour is as shown.
It fits like a glove. | Delivery was amazingly fast. | The quality is outstanding. | Gorgeous colour.
""")
_CLOSINGS = _pool("""
I want my money back. | Never again. | Stay away. | Avoid this shop.
I will probably send it back. | I would look elsewhere. | A pity. | I cannot recommend it.
Time will tell. | It depends on what you need. | Three stars are fair. | I might buy it again on sale.
I would buy it again. | Recommended. | My family likes it too. | A good present.
I recommend it to everyone. | I have already ordered another. | Five stars. | Thank you so much.
""")
_COMMENTS = _pool("""
Everything went wrong. | Too slow and nobody answers. | I am leaving.
It could be easier. | Delivery should be faster. | Prices went up.
It was alright. | No strong opinion. | As usual.
Good service. | Ordering was simple. | Reliable as ever.
Brilliant, keep it up. | Fast, friendly and fair. | My favourite shop.
""")


@dataclass(frozen=True)
class Mood:
    """How pleased the customer was with each order: standard normal, shifted by what happened to it."""

    orders: Orders
    pleased: Floats


def mood(rng: np.random.Generator, orders: Orders, habits: Habits) -> Mood:
    """The customer's own contentment, less what went wrong with this order."""
    slow = (orders.arrives_at - orders.at > SLOW_DAYS * season.DAY) & orders.arrived
    pleased = 0.8 * habits.content[orders.customer] + 0.6 * rng.standard_normal(len(orders.at))
    pleased -= 1.2 * (orders.status == RETURNED_STATUS) + 0.8 * (orders.status == CANCELLED) + 0.7 * slow
    return Mood(orders, pleased)


def reviews(
    rng: np.random.Generator, felt: Mood, lines: Lines, catalogue: Catalogue, customer_ids: pa.StringArray
) -> pa.Table:
    """One row per review of a delivered order line: stars and a text that goes with them."""
    orders = felt.orders
    written_at = orders.arrives_at[lines.order] + _delay(rng, len(lines.order), 30)
    written = orders.arrived[lines.order] & (rng.random(len(lines.order)) < REVIEW_SHARE)
    written &= written_at <= season.END
    said, written_at = rows_of(lines, written), written_at[written]
    liking = 0.75 * felt.pleased[said.order] + 0.7 * catalogue.quality[said.sku]
    stars = np.searchsorted((-1.5, -0.8, -0.15, 0.65), liking, side="right")
    return pa.table(
        {
            "review_id": ids("R", orders.number[said.order] * 100 + said.place + 1, 10),
            "customer_id": picked(customer_ids, orders.customer[said.order]),
            "sku_id": picked(sku_ids(np.arange(len(catalogue.price))), said.sku),
            "rating": pa.array(stars + 1.0),
            "review_title": _phrase(rng, _TITLES, stars),
            "review_text": pc.binary_join_element_wise(
                *(_phrase(rng, pool, stars).dictionary_decode() for pool in (_OPENINGS, _ASPECTS, _CLOSINGS)),
                " ",
            ),
            "reviewed_at": timestamps(written_at),
        }
    )


def tickets(rng: np.random.Generator, felt: Mood, customer_ids: pa.StringArray) -> pa.Table:
    """One row per support ticket, opened within two weeks of an order."""
    orders = felt.orders
    troubled = (orders.status == RETURNED_STATUS) | (orders.status == CANCELLED)
    likely = np.where(troubled, TROUBLED_TICKET_SHARE, TICKET_SHARE * np.exp(-0.5 * felt.pleased))
    opened_at = orders.at + season.HOUR + _delay(rng, len(orders.at), 14)
    opened = (rng.random(len(orders.at)) < likely) & (opened_at <= season.END)
    asked, opened_at, unhappy = rows_of(orders, opened), opened_at[opened], felt.pleased[opened]
    solved_at = opened_at + _delay(rng, len(opened_at), _LONGEST_SOLUTION_DAYS)
    still_open = solved_at > season.END
    topic = _topics(rng, asked)
    subject = topic * len(_SUBJECTS[0]) + rng.integers(0, len(_SUBJECTS[0]), len(topic))
    return pa.table(
        {
            "ticket_id": ids("K", asked.number, 8),
            "customer_id": picked(customer_ids, asked.customer),
            "opened_at": timestamps(opened_at),
            "resolved_at": timestamps(solved_at, still_open),
            "contact_channel": picked(CONTACT_CHANNELS, rng.integers(0, len(CONTACT_CHANNELS), len(topic))),
            "topic": picked(TOPICS, topic),
            "priority": picked(PRIORITIES, np.where(unhappy < -1, 2, np.where(unhappy < 0.5, 1, 0))),
            "ticket_status": picked(TICKET_STATUSES, np.where(still_open, 0, 1)),
            "subject": picked(tuple(text for pool in _SUBJECTS for text in pool), subject),
        }
    )


def answers(rng: np.random.Generator, felt: Mood, customer_ids: pa.StringArray) -> pa.Table:
    """One row per answered survey question, within a month of delivery."""
    orders = felt.orders
    edges = np.cumsum([NPS_SHARE, CSAT_SHARE, CES_SHARE])
    kind = np.searchsorted(edges, rng.random(len(orders.at)), side="right")
    answered_at = orders.arrives_at + _delay(rng, len(orders.at), 21)
    answered = (kind < len(SURVEYS)) & orders.arrived & (answered_at <= season.END)
    asked, kind, feels = rows_of(orders, answered), kind[answered], felt.pleased[answered]
    score = _scores(kind, feels)
    commented = rng.random(len(kind)) < COMMENT_SHARE
    step = np.searchsorted((-1.3, -0.6, 0.0, 0.8), feels, side="right")
    return pa.table(
        {
            "answer_id": ids("A", asked.number * 10 + kind, 9),
            "customer_id": picked(customer_ids, asked.customer),
            "answered_at": timestamps(answered_at[answered]),
            "survey_type": picked(SURVEYS, kind),
            "score": pa.array(score, pa.int32()),
            "comment": _phrase(rng, _COMMENTS, step, ~commented),
        }
    )


def _scores(kind: Ints, feels: Floats) -> Ints:
    """NPS 0 to 10, CSAT 1 to 5, CES 1 to 7: the better the mood, the higher."""
    low, middle = np.array([0, 1, 1])[kind], np.array([7.6, 3.9, 5.2])[kind]
    high, slope = np.array([10, 5, 7])[kind], np.array([2.2, 0.9, 1.3])[kind]
    return np.clip(np.rint(middle + slope * feels), low, high).astype(np.int64)


def _topics(rng: np.random.Generator, orders: Orders) -> Ints:
    """Returned orders ask about returns, cancelled ones about payment, the others about all sorts."""
    kind = (orders.status == RETURNED_STATUS) + 2 * (orders.status == CANCELLED)
    shares = np.array([[0.42, 0.08, 0.12, 0.26, 0.12], [0.1, 0.8, 0.1, 0, 0], [0.15, 0.05, 0.7, 0, 0.1]])
    edges = np.cumsum(shares, axis=1)
    return weighted_by_row(rng, edges, kind).astype(np.int64)


def _delay(rng: np.random.Generator, size: int, longest_days: int) -> Ints:
    """Mostly soon, never later than this."""
    return (rng.beta(1.1, 3.0, size) * longest_days * 86_400).astype(np.int64) * season.SECOND


def _phrase(
    rng: np.random.Generator, pools: tuple[tuple[str, ...], ...], row: Ints, missing: Flags | None = None
) -> pa.DictionaryArray:
    """A phrase for each row's mood, now and then one of a neighbouring mood."""
    shift = np.where(rng.random(len(row)) < CONTRARY_SHARE, rng.integers(-2, 3, len(row)), 0)
    mood_row = np.clip(row + shift, 0, len(pools) - 1)
    width = len(pools[0])
    flat = tuple(text for pool in pools for text in pool)
    return picked(flat, mood_row * width + rng.integers(0, width, len(row)), missing)
