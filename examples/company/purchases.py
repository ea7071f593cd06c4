"""What is in each order: basket, prices, discount, delivery, return, and the payment that follows."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from examples.company import places, season
from examples.company.catalogue import RETURNED, Catalogue, product_ids, sku_ids
from examples.company.chance import weighted, weighted_by_row
from examples.company.columns import ids, money, picked, timestamps
from examples.company.habits import VALUE_SHAPE, Habits
from examples.company.lifetimes import OrderTimes
from examples.company.people import People, addresses
from examples.company.records import Flags, Floats, Ints, positions

SALES_CHANNELS = ("web", "app", "store")
SALES_CHANNEL_SHARES = (0.62, 0.18, 0.20)
WEB, APP, STORE = range(3)

STATUSES = ("placed", "shipped", "delivered", "cancelled", "returned")
PLACED, SHIPPED, DELIVERED, CANCELLED, RETURNED_STATUS = range(5)

PAYMENT_METHODS = ("credit_card", "debit_card", "paypal", "bank_transfer", "gift_card", "cash")
CASH = 5
USUAL_PAYMENT_SHARE = 0.8

SHIPPING_TYPES = ("standard", "express", "economy", "pickup")
STANDARD, EXPRESS, ECONOMY, PICKUP = range(4)
_FASTEST_DAYS, _SLOWEST_DAYS = np.array([2, 1, 4, 1]), np.array([6, 2, 10, 3])
_SHIPPING_CENTS = np.array([595, 1495, 295, 0])
FREE_SHIPPING_CENTS = 7_500

CANCELLED_SHARE = 0.035
GIFT_SHARE = 0.07  # shipped to another address than the buyer's
PROMO_SHARE = 0.45  # of the orders with a discount
EXTRA_LINES, USUAL_VALUE = (
    1.0,
    85.0,
)  # mean number of lines beyond the first in an order of the usual value, USD
MOST_LINES = 8
AIM = 0.91  # partners join and cheap wishes meet dearer goods: aiming lower makes the mean come out right


@dataclass(frozen=True)
class Orders:
    """One row per order of a chunk, by customer and then time."""

    customer: Ints
    at: Ints
    number: Ints
    channel: Ints
    shipping: Ints
    payment: Ints
    ship_to: Ints  # customer whose address is used
    status: Ints
    arrives_at: Ints  # when the parcel is delivered, whether or not it ever was
    subtotal: Ints  # cents, as are all amounts
    discount: Ints
    shipping_fee: Ints
    promo: Flags
    paid_at: Ints

    @property
    def total(self) -> Ints:
        """Cents to pay."""
        return self.subtotal - self.discount + self.shipping_fee

    @property
    def arrived(self) -> Flags:
        """Whether the customer has had the goods."""
        has_arrived: Flags = (self.status == DELIVERED) | (self.status == RETURNED_STATUS)
        return has_arrived


@dataclass(frozen=True)
class Lines:
    """One row per order line, by order."""

    order: Ints  # position in Orders
    place: Ints  # 0, 1, 2 ... within the order
    sku: Ints
    quantity: Ints
    price: Ints  # cents per unit


def draw(
    rng: np.random.Generator,
    times: OrderTimes,
    habits: Habits,
    catalogue: Catalogue,
) -> tuple[Orders, Lines]:
    """Fill the orders of a chunk. `times.customer` counts within the chunk."""
    lines = _baskets(rng, times, habits, catalogue)
    spent = np.bincount(lines.order, lines.quantity * lines.price, minlength=len(times.at))
    subtotal = spent.astype(np.int64)
    category = catalogue.category[lines.sku[lines.place == 0]]
    handling = _handling(rng, times, habits)
    discount, promo = _discounts(rng, subtotal, habits.bargains[times.customer])
    shipping = handling["shipping"]
    fee = np.where((subtotal >= FREE_SHIPPING_CENTS) & (shipping != EXPRESS), 0, _SHIPPING_CENTS[shipping])
    arrives_at = _arrivals(rng, times.at, shipping)
    orders = Orders(
        customer=times.customer,
        at=times.at,
        number=times.number,
        **handling,
        status=_statuses(rng, times.at, arrives_at, RETURNED[category]),
        arrives_at=arrives_at,
        subtotal=subtotal,
        discount=discount,
        shipping_fee=fee,
        promo=promo,
        paid_at=np.minimum(times.at + _processing(rng, len(times.at)), season.END),
    )
    return orders, lines


def _baskets(rng: np.random.Generator, times: OrderTimes, habits: Habits, catalogue: Catalogue) -> Lines:
    """Lines whose values add up, roughly, to a Gamma draw around the customer's mean order value."""
    spread = rng.standard_gamma(VALUE_SHAPE, len(times.at)) / VALUE_SHAPE
    wanted = AIM * habits.mean_value[times.customer] * spread
    extra = EXTRA_LINES * np.sqrt(wanted / USUAL_VALUE)
    counts = np.minimum(1 + rng.poisson(extra), MOST_LINES)
    order: Ints = np.repeat(np.arange(len(times.at)), counts)
    cents = (100 * wanted / counts)[order] * np.exp(rng.normal(0, 0.25, len(order)))
    category = weighted_by_row(rng, habits.taste, times.customer[order])
    sku = catalogue.choose(rng, category, cents, times.at[order])
    order, sku = _with_partners(rng, order, sku, catalogue)
    price = catalogue.unit_price(sku, times.at[order])
    target = (100 * wanted / counts)[order]
    quantity = np.clip(np.rint(target / price), 1, 4).astype(np.int64)
    quantity[np.isin(sku, catalogue.pair_b)] = 1
    return Lines(order, positions(np.bincount(order, minlength=len(times.at))), sku, quantity, price)


def _with_partners(
    rng: np.random.Generator,
    order: Ints,
    sku: Ints,
    catalogue: Catalogue,
) -> tuple[Ints, Ints]:
    """Add the planted partners, and keep each SKU at most once per order."""
    partner, probability = np.full(len(catalogue.price), -1), np.zeros(len(catalogue.price))
    partner[catalogue.pair_a] = catalogue.pair_b
    probability[catalogue.pair_a] = catalogue.pair_probability
    joins = np.flatnonzero(rng.random(len(sku)) < probability[sku])
    order, sku = np.concatenate([order, order[joins]]), np.concatenate([sku, partner[sku[joins]]])
    keys = np.unique(order * len(catalogue.price) + sku)
    return np.divmod(keys, len(catalogue.price))


def _handling(rng: np.random.Generator, times: OrderTimes, habits: Habits) -> dict[str, Ints]:
    """Sales channel, shipping, payment method and whose address the parcel goes to."""
    size, customers = len(times.at), len(habits.rate)
    channel = weighted(rng, SALES_CHANNEL_SHARES, size)
    shipping = np.where(channel == STORE, PICKUP, weighted(rng, (0.62, 0.18, 0.20), size))
    usual = np.searchsorted((480, 700, 880, 950), habits.payment[times.customer], side="right")
    payment = np.where(rng.random(size) < USUAL_PAYMENT_SHARE, usual, rng.integers(0, CASH, size))
    payment = np.where((channel == STORE) & (rng.random(size) < 0.3), CASH, payment)
    gift = (rng.random(size) < GIFT_SHARE) & (channel != STORE)
    return {
        "channel": channel,
        "shipping": shipping,
        "payment": payment,
        "ship_to": np.where(gift, rng.integers(0, customers, size), times.customer),
    }


def _discounts(rng: np.random.Generator, subtotal: Ints, bargains: Floats) -> tuple[Ints, Flags]:
    """Cents off, 5 to 30 % for those who look for it; and whether by promotion code."""
    reduced = rng.random(len(subtotal)) < bargains
    percent = 5 * rng.integers(1, 7, len(subtotal))
    promo = reduced & (rng.random(len(subtotal)) < PROMO_SHARE)
    return np.where(reduced, subtotal * percent // 100, 0), promo


def _arrivals(rng: np.random.Generator, at: Ints, shipping: Ints) -> Ints:
    """One to ten days after the order, by shipping type."""
    fastest, slowest = _FASTEST_DAYS[shipping], _SLOWEST_DAYS[shipping]
    days = fastest + rng.random(len(at)) * (slowest - fastest)
    arrives_at: Ints = at + (days * 86_400).astype(np.int64) * season.SECOND
    return arrives_at


def _statuses(rng: np.random.Generator, at: Ints, arrives_at: Ints, returned_share: Floats) -> Ints:
    """Where each order stands at the end of the span."""
    shipped = at + season.DAY < season.END
    status = np.where(arrives_at <= season.END, DELIVERED, np.where(shipped, SHIPPED, PLACED))
    sent_back = (arrives_at + 14 * season.DAY <= season.END) & (rng.random(len(at)) < returned_share)
    cancelled = rng.random(len(at)) < CANCELLED_SHARE
    return np.where(cancelled, CANCELLED, np.where(sent_back, RETURNED_STATUS, status))


def _processing(rng: np.random.Generator, size: int) -> Ints:
    """Seconds to minutes from the order to its payment: never more than ten minutes."""
    seconds = 5 + np.minimum(rng.standard_exponential(size) * 70, 590)
    return (seconds * 1_000).astype(np.int64) * 1_000


def order_ids(number: Ints) -> pa.StringArray:
    """O00000001 for order number 1."""
    return ids("O", number, 8)


def transaction_ids(number: Ints) -> pa.StringArray:
    """Each order is paid by one transaction, which has the order's number."""
    return ids("T", number, 8)


def order_table(orders: Orders, people: People, customer_ids: pa.StringArray) -> pa.Table:
    """One row per order."""
    address = addresses(people)
    ship_city = people.city[orders.ship_to]
    return pa.table(
        {
            "order_id": order_ids(orders.number),
            "customer_id": picked(customer_ids, orders.customer),
            "ordered_at": timestamps(orders.at),
            "order_status": picked(STATUSES, orders.status),
            "order_delivery_date": timestamps(orders.arrives_at, ~orders.arrived),
            "discounted_amount": money(orders.discount),
            "shipping_amount": money(orders.shipping_fee),
            "total_amount": money(orders.total),
            "payment_method": picked(PAYMENT_METHODS, orders.payment),
            "billing_address": picked(address, orders.customer),
            "shipping_address": picked(address, orders.ship_to),
            "transaction_id": transaction_ids(orders.number),
            "shipping_city": picked(places.NAMES, ship_city),
            "shipping_state": picked(places.STATES, ship_city),
            "shipping_country": picked(places.COUNTRIES, ship_city),
            "shipping_type": picked(SHIPPING_TYPES, orders.shipping),
            "has_discount": pa.array(orders.discount > 0),
            "has_promo_code": pa.array(orders.promo & (orders.discount > 0)),
            "sales_channel": picked(SALES_CHANNELS, orders.channel),
        }
    )


def line_table(orders: Orders, lines: Lines, catalogue: Catalogue) -> pa.Table:
    """One row per order line."""
    number = orders.number[lines.order]
    skus = np.arange(len(catalogue.price))
    return pa.table(
        {
            "order_li_id": ids("L", number * 100 + lines.place + 1, 10),
            "order_id": picked(order_ids(orders.number), lines.order),
            "product_id": picked(product_ids(catalogue.product), lines.sku),
            "qty": pa.array(lines.quantity, pa.int32()),
            "sku_id": picked(sku_ids(skus), lines.sku),
            "unit_price": money(lines.price),
        }
    )


def transaction_table(orders: Orders) -> pa.Table:
    """One row per payment."""
    return pa.table(
        {
            "transaction_id": transaction_ids(orders.number),
            "order_id": order_ids(orders.number),
            "amount": money(orders.total),
            "payment_method": picked(PAYMENT_METHODS, orders.payment),
            "transaction_ts": timestamps(orders.paid_at),
        }
    )
