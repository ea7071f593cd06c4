"""The conformed tables once more, in pandas: from sources, by the texts of the contracts alone.

Amounts are whole ten-thousandths. `raw` are sources by the name of the dataset, other frames are tables of this module.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from governance.reference import us_states
from tests.second import frictions

SALES = ("placed", "paid", "shipped", "delivered", "completed")
RETURNS = ("returned", "refunded")
STATUSES = (*SALES, *RETURNS, "cancelled", "failed", "pending", "adjustment")
# What an order is not before it is delivered.
DELIVERED = ("shipped", "delivered", "completed", *RETURNS)
GENDERS = {
    "female": ("female", "f", "woman", "w"),
    "male": ("male", "m", "man"),
    "other": ("other", "non-binary", "nonbinary", "diverse", "x"),
}
EXTENSION = re.compile(r"[\s,;/]*(extension|ext|x|#|durchwahl|poste|anexo)[\s.:]*[0-9]+\s*$", re.IGNORECASE)
SCALE = 10_000
SURVEYS = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}

Tables = Mapping[str, pd.DataFrame]


def tables(raw: Tables, timezone: str, asked: datetime | None = None) -> dict[str, pd.DataFrame]:
    """All of them, of a shop by the clock of `timezone`, as of the newest event or the moment `asked` for (UTC)."""
    moment = as_of(raw, timezone) if asked is None else pd.DataFrame({"as_of": [asked], "timezone": [timezone]})
    now = moment.as_of[0]
    known, catalogue, web = heads(raw, now), products(raw, now), events(raw, now)
    lines = order_lines(raw, known, catalogue)
    ordered, visits = orders(known, lines), sessions(web)
    return {
        "as_of": moment,
        "customers": customers(raw, known, now, timezone),
        "customer_history": customer_history(raw, now),
        "products": catalogue,
        "orders": ordered,
        "order_lines": lines,
        "transactions": transactions(raw, known, now),
        "product_views": activities(web, "product_view", catalogue, timezone),
        "items_added_to_cart": activities(web, "add_to_cart", catalogue, timezone),
        "items_added_to_favorite": activities(web, "add_to_favorite", catalogue, timezone),
        "order_placed": order_placed(ordered, lines, web, catalogue, timezone),
        "sessions": visits,
        "session_paths": session_paths(web),
        "stumbles": frictions.stumbles(web, visits),
        "answers": answers(raw, now),
        "ratings": ratings(raw, now),
        "tickets": tickets(raw, now),
        "points": points(raw, now),
        "contacts": contacts(raw, now),
    }


# as_of


def as_of(raw: Tables, timezone: str) -> pd.DataFrame:
    moments = pd.concat(
        [
            raw["orders"].ordered_at,
            raw["web_analytics"].activity_ts,
            raw["review"].reviewed_at,
            raw["support_ticket"].opened_at,
            raw["survey_answer"].answered_at,
        ]
    )
    moments = moments.dropna().sort_values(ignore_index=True)
    days = moments.dt.normalize()
    newest = moments.max()
    for later in range(1, len(moments)):
        if later > max(1, len(moments) / 100) or later * 2 >= len(moments):
            break
        if days.iloc[-later] - days.iloc[-later - 1] > pd.Timedelta(days=400):
            newest = moments.iloc[-later - 1]
    return pd.DataFrame({"as_of": [newest], "timezone": [timezone]})


def until(rows: pd.DataFrame, moment: pd.Series, now: pd.Timestamp) -> pd.DataFrame:
    return rows[moment.isna() | (moment <= now)].reset_index(drop=True)


# customers


def customers(raw: Tables, heads: pd.DataFrame, now: pd.Timestamp, timezone: str) -> pd.DataFrame:
    web = until(raw["web_analytics"], raw["web_analytics"].activity_ts, now)
    seen = set(heads.customer_id.dropna()) | set(web.entity_id.dropna())
    known = raw["customer"]
    known = known[known.registration_date.isna() | (known.registration_date <= now) | known.customer_id.isin(seen)]
    others = pd.DataFrame({"customer_id": sorted(seen - set(known.customer_id))}, dtype="object")
    rows = pd.concat([known.assign(is_registered=True), others.assign(is_registered=False)], ignore_index=True)
    texts = [name for name in rows.columns if rows[name].dtype == known.first_name.dtype and name != "customer_id"]
    rows[texts] = rows[texts].apply(cleaned)
    code = rows.state_code.str.upper()
    states = us_states.names_by_code()
    words = {word: gender for gender, spelt in GENDERS.items() for word in spelt}
    return rows.assign(
        gender=rows.gender.str.lower().map(words),
        phone_number=rows.phone_number.map(_phone, na_action="ignore"),
        email_address=rows.email_address.str.lower(),
        date_of_birth=rows.date_of_birth.dt.date,
        age=_age(rows, now, timezone),
        number_of_children=rows.no_of_children,
        registered_at=rows.registration_date.where(rows.registration_date <= now),
        state_code=code.fillna(rows.state.map({name: code for code, name in states.items()})),
        state=rows.state.fillna(code.map(states)),
    )


def _phone(number: str) -> str | None:
    kept = re.sub("[^0-9+]", "", EXTENSION.sub("", number))
    return kept[:1] + kept[1:].replace("+", "") if re.search("[0-9]", kept) else None


def _age(rows: pd.DataFrame, now: pd.Timestamp, timezone: str) -> pd.Series:
    """Whole years by the shop's clock; where the birthday gives an impossible age or none, the age stored."""
    today, born = shop_time(pd.Series([now]), timezone)[0], rows.date_of_birth
    is_to_come = born.dt.month * 100 + born.dt.day > today.month * 100 + today.day
    age = today.year - born.dt.year - is_to_come
    return age.where(age.between(13, 115)).astype("Int64").fillna(rows.age.where(rows.age.between(13, 115)))


def shop_time(moments: pd.Series, timezone: str) -> pd.Series:
    return moments.dt.tz_localize("UTC").dt.tz_convert(timezone).dt.tz_localize(None)


def customer_history(raw: Tables, now: pd.Timestamp) -> pd.DataFrame:
    """Of a single snapshot; who has not registered by as_of is not there yet, and nobody where it is not known."""
    rows = raw["customer"] if pd.notna(now) else raw["customer"][:0]
    rows = rows[rows.registration_date.isna() | (rows.registration_date <= now)]
    return rows.assign(
        version=1, valid_from=now, valid_to=pd.NaT, is_current=True, change="added", changed_columns=pd.NA
    )


# products


def products(raw: Tables, now: pd.Timestamp) -> pd.DataFrame:
    rows = until(raw["product"], raw["product"].launched_ts, now)
    rows = rows.merge(raw["brand"][["brand_id", "brand_name", "parent_company", "brand_type"]], "left", on="brand_id")
    texts = ["product_name", "product_description", "product_category", "product_subcategory"]
    rows[texts] = rows[texts].apply(cleaned)
    return rows.assign(
        product_id=rows.product_id.fillna(rows.sku_id),
        list_price=money(rows.list_price),
        sale_price=money(rows.sale_price),
        launched_at=rows.launched_ts,
    )


# orders and their lines


def heads(raw: Tables, now: pd.Timestamp) -> pd.DataFrame:
    """Source orders placed by as_of, with their status then."""
    rows = until(raw["orders"], raw["orders"].ordered_at, now)
    word = rows.order_status.str.strip().str.lower()
    status = word.where(word.isin(STATUSES), "unknown")
    is_to_come = (rows.order_delivery_date > now) & status.isin(DELIVERED)
    return rows.assign(
        order_status=status.mask(is_to_come, "placed"),
        delivered_at=rows.order_delivery_date.where(rows.order_delivery_date <= now),
        discounted_amount=money(rows.discounted_amount).abs(),
        shipping_amount=money(rows.shipping_amount),
        tax_amount=money(rows.tax_amount),
        total_amount=money(rows.total_amount),
        store=cleaned(rows.store),
        promo_code=cleaned(rows.promo_code),
    )


def order_lines(raw: Tables, heads: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    head = heads[["order_id", "customer_id", "ordered_at", "order_status", "discounted_amount"]]
    rows = raw["order_line_item"].rename(columns={"order_li_id": "order_line_id"}).merge(head, on="order_id")
    skus = products.set_index("sku_id")
    rows["sku_id"] = rows.sku_id.fillna(rows.product_id.map(products.groupby("product_id").sku_id.min()))
    rows["product_id"] = rows.product_id.fillna(rows.sku_id.map(skus.product_id))
    rows["asked"] = rows.sku_id.map(skus.sale_price.fillna(skus.list_price))
    rows = _valued(rows)
    rows["tax_amount"], rows["unit_cost"] = money(rows.tax_amount), money(rows.unit_cost)
    rows["promotion"] = cleaned(rows.promotion)
    rows["discount_amount"] = _own_discount(rows) + _share(rows)
    rows["net_amount"] = rows.line_amount - rows.discount_amount
    is_sold = rows.order_status.isin(SALES)
    is_back = (rows[["quantity", "unit_price", "line_amount"]] < 0).fillna(False).any(axis=1)
    is_sale = is_sold & (rows.quantity > 0) & (rows.unit_price > 0).fillna(True) & ~is_back
    rows["line_kind"] = "other"
    rows.loc[rows.order_status.isin(RETURNS) | (is_sold & is_back), "line_kind"] = "return"
    rows.loc[is_sale, "line_kind"] = "sale"
    return rows


def _valued(lines: pd.DataFrame) -> pd.DataFrame:
    """The lines with quantity, price and amount; of lines that are alike but one is reckoned."""
    stated = ["qty", "unit_price", "line_amount", "asked"]
    alike = lines[stated].drop_duplicates(ignore_index=True)
    reckoned = [_value(*numbers) for numbers in alike.itertuples(index=False)]
    values = pd.DataFrame(reckoned, columns=["quantity", "worth_each", "worth"], dtype="Int64")
    rows = lines.merge(alike.join(values), "left", on=stated)
    return rows.assign(unit_price=rows.worth_each, line_amount=rows.worth)


def _value(qty: float, unit_price: float, line_amount: float, asked: int) -> tuple[Any, Any, Any]:
    quantity, price, amount = exact(qty), exact(unit_price), exact(line_amount)
    if quantity is not None and quantity < 0:
        price, amount = (None if price is None else abs(price)), (None if amount is None else -abs(amount))
    if price is None and amount is not None and quantity:
        price = amount / quantity
    if price is None and not pd.isna(asked):
        price = Decimal(int(asked)) / SCALE
    if amount is None and price is not None:
        amount = quantity * price
    return scaled(quantity), scaled(price), scaled(amount)


def _own_discount(lines: pd.DataFrame) -> pd.Series:
    """The line's discount with the sign of its amount, which it makes smaller; unknown where the amount is."""
    stated = money(lines.discount_amount).fillna(0).abs()
    return stated * ((lines.line_amount > 0).astype("Int64") - (lines.line_amount < 0).astype("Int64"))


def _share(lines: pd.DataFrame) -> pd.Series:
    """The line's share of the discount on its order: what the lines up to it bear, less what those before it bear."""
    bears = ((lines.discounted_amount > 0) & (lines.line_amount > 0)).fillna(False)
    bearing = lines[bears].sort_values(["order_id", "order_line_id"])
    of_order = bearing.groupby("order_id")
    # Whole numbers of Python, which no product is too large for.
    part, total = (
        sums.astype(object) for sums in (of_order.line_amount.cumsum(), of_order.line_amount.transform("sum"))
    )
    upto = ((2 * bearing.discounted_amount.astype(object) * part + total) // (2 * total)).astype("int64")
    share = upto - upto.groupby(bearing.order_id).shift(fill_value=0)
    return share.reindex(lines.index).fillna(0).astype("Int64")


def orders(heads: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    rows = heads.set_index("order_id", drop=False)
    sale, back = lines[lines.line_kind == "sale"], lines[lines.line_kind == "return"]

    def total(of: pd.DataFrame, values: pd.Series) -> pd.Series:
        """The sum over the lines of each order; NA for an order without any of them."""
        return values.groupby(of.order_id).sum(min_count=1).reindex(rows.index)

    has_lines = rows.order_id.isin(lines.order_id.unique())
    sale_count, back_count = (of.order_id.value_counts().reindex(rows.index).fillna(0) for of in (sale, back))
    is_unpriced = rows.order_id.isin(sale[sale.line_amount.isna()].order_id.unique())
    is_handed_back = has_lines & (sale_count == 0) & (back_count > 0)
    is_handed_back |= ~has_lines & (rows.total_amount < 0).fillna(False)
    is_handed_back &= rows.order_status.isin(SALES)
    is_completed = rows.order_status.isin(SALES) & ~is_handed_back
    # Goods by weight or length are one.
    pieces = (sale.quantity // SCALE).where(sale.quantity % SCALE == 0, 1)
    lines_amount = total(sale, sale.line_amount).fillna(0).where(has_lines & ~is_unpriced)
    lines_discount = total(sale, sale.discount_amount)
    discount = lines_discount.mask(lines_discount == 0).fillna(rows.discounted_amount)
    tax = rows.tax_amount.fillna(total(sale, sale.tax_amount))
    stated_goods = rows.total_amount - rows.shipping_amount.fillna(0) - rows.tax_amount.fillna(0)
    goods = (lines_amount - lines_discount.fillna(0)).fillna(stated_goods)
    handed_back = stated_goods.where((rows.order_status.isin(RETURNS) | is_handed_back) & ~has_lines, 0).fillna(0)
    returned = total(back, back.net_amount.abs()).fillna(handed_back.abs())
    taken_back = total(back, -back.net_amount.where(back.net_amount < 0, 0)).fillna(
        -handed_back.where(handed_back < 0, 0)
    )
    return rows.assign(
        is_completed=is_completed,
        is_anonymous=rows.customer_id.isna(),
        line_count=sale_count,
        item_count=total(sale, pieces).fillna(0),
        lines_amount=lines_amount,
        discount_amount=discount,
        has_discount=_told(rows.has_discount, discount > 0, ((discount != 0) & discount.notna()).any()),
        has_promo_code=_told(rows.has_promo_code, rows.promo_code.notna(), rows.promo_code.notna().any()),
        tax_amount=tax,
        order_amount=goods.where(is_completed, 0),
        returned_amount=returned,
        refunded_amount=taken_back,
    ).reset_index(drop=True)


def _told(stated: pd.Series, is_seen: pd.Series, is_kept: bool) -> pd.Series:
    """What the source says, else what is seen of it in a shop that keeps it at all."""
    return stated.fillna(is_seen.fillna(False).astype("boolean")) if is_kept else stated


def transactions(raw: Tables, heads: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    rows = until(raw["transactions"], raw["transactions"].transaction_ts, now)
    rows = rows.merge(heads[["order_id", "customer_id", "ordered_at"]], "left", on="order_id")
    return rows.assign(
        amount=money(rows.amount),
        transacted_at=rows.transaction_ts,
        processing_seconds=seconds(rows.ordered_at, rows.transaction_ts),
    )


def seconds(begin: pd.Series, end: pd.Series) -> pd.Series:
    """Between two moments, each cut to whole seconds."""
    return (end.dt.floor("s") - begin.dt.floor("s")).dt.total_seconds()


# what customers say, their points, and what marketing does


def answers(raw: Tables, now: pd.Timestamp) -> pd.DataFrame:
    rows = until(raw["survey_answer"], raw["survey_answer"].answered_at, now)
    rows = rows.assign(metric=rows.survey_type.str.strip().str.lower())
    # Of no answer at all, pandas would take the bounds for texts.
    least, most = (
        rows.metric.map({name: ends[end] for name, ends in SURVEYS.items()}).astype("Float64") for end in (0, 1)
    )
    return rows.assign(score=rows.score.where((least <= rows.score) & (rows.score <= most)))


def ratings(raw: Tables, now: pd.Timestamp) -> pd.DataFrame:
    rows = until(raw["review"], raw["review"].reviewed_at, now)
    return rows.assign(rating=money(rows.rating.where(rows.rating.between(1, 5))))


def tickets(raw: Tables, now: pd.Timestamp) -> pd.DataFrame:
    rows = until(raw["support_ticket"], raw["support_ticket"].opened_at, now)
    rows = rows.assign(resolved_at=rows.resolved_at.where(rows.resolved_at <= now))
    took = seconds(rows.opened_at, rows.resolved_at)
    return rows.assign(resolution_seconds=took.where(took >= 0))


def points(raw: Tables, now: pd.Timestamp) -> pd.DataFrame:
    rows = until(raw["loyalty_ledger"], raw["loyalty_ledger"].entry_ts, now)
    rows = rows[rows.customer_id.notna()]
    rows = rows.assign(
        kind=rows.entry_type.str.strip().str.lower(), entry_at=rows.entry_ts, points=rows.points.fillna(0)
    )
    above, below = ((rows.points > 0).groupby(rows.kind).sum(), (rows.points < 0).groupby(rows.kind).sum())
    turned = rows.kind.map(below > above).fillna(False).astype(bool)
    added = rows.points.where(~turned, -rows.points)
    kinds = {"earned": "earn", "burned": "burn", "expired": "expire"}
    return rows.assign(
        **{name: added.where(rows.kind == kind, 0) for name, kind in kinds.items()},
        is_earn=(rows.kind == "earn") & (added >= 0),
        is_burn=(rows.kind == "burn") & (added >= 0),
    )


def contacts(raw: Tables, now: pd.Timestamp) -> pd.DataFrame:
    rows = until(raw["marketing_touchpoint"], raw["marketing_touchpoint"].touched_at, now)
    return rows.assign(cost=money(rows.cost))


# web events


def events(raw: Tables, now: pd.Timestamp) -> pd.DataFrame:
    """Web events by as_of in their order, those of one moment by the hash that the contract of sessions names."""
    rows = until(raw["web_analytics"], raw["web_analytics"].activity_ts, now)
    identifiers = pa.table({"identifier": pa.array(rows.activity_uuid, pa.string())})
    hashed = duckdb.from_arrow(identifiers).select("hash(identifier) AS hashed").df()
    return rows.assign(hashed=hashed.hashed).sort_values(["activity_ts", "hashed"], ignore_index=True)


def activities(events: pd.DataFrame, action: str, products: pd.DataFrame, timezone: str) -> pd.DataFrame:
    """The events of one action, each with its product and which time it is for its customer."""
    rows = with_product(events[events.event_action == action], products)
    rows = with_recurrence(rows, "activity_uuid", "activity_uuid")
    shown = shop_time(rows.activity_ts, timezone)
    price = money(rows.price).fillna(rows.product_price)
    return rows.assign(
        product_price=price,
        order_value=price * rows.quantity,
        activity_year=shown.dt.year,
        activity_month=shown.dt.month,
    )


def with_product(rows: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    about = pd.DataFrame(
        {
            "product_sku": products.sku_id,
            "product_name": products.product_name,
            "category_name": products.product_category,
            "subcategory_name": products.product_subcategory,
            "brand_name": products.brand_name,
            "parent_company": products.parent_company,
            "product_price": products.sale_price.fillna(products.list_price),
        }
    )
    return rows.merge(about, "left", on="product_sku")


def with_recurrence(rows: pd.DataFrame, what: str, key: str) -> pd.DataFrame:
    """Which time each customer does `what`, and when next; rows of one `what` are one time, its first moment."""
    is_counted = rows.entity_id.notna() & rows.activity_ts.notna()
    times = rows[is_counted].groupby(["entity_id", what], as_index=False).activity_ts.min()
    times = times.sort_values(["activity_ts", what])
    of_customer = times.groupby("entity_id")
    times["activity_occurrence"] = of_customer.cumcount() + 1
    times["activity_repeated_at"] = of_customer.activity_ts.shift(-1)
    return rows.merge(times.drop(columns="activity_ts"), "left", on=["entity_id", what])


def order_placed(
    orders: pd.DataFrame, lines: pd.DataFrame, events: pd.DataFrame, products: pd.DataFrame, timezone: str
) -> pd.DataFrame:
    said = events[events.event_action == "order_placed"]
    rows = pd.concat([_ordered(orders, lines, said), _unheld(orders, said)], ignore_index=True)
    rows = with_product(rows.drop(columns="product_price", errors="ignore"), products)
    rows = with_recurrence(rows, "order_key", "order_key")
    shown = shop_time(rows.activity_ts, timezone)
    price = rows.unit_price.fillna(rows.product_price)
    return rows.assign(
        activity_year=shown.dt.year,
        activity_month=shown.dt.month,
        product_price=price,
        order_value=rows.order_value.fillna(money_product(price, rows.quantity)),
        event_action="order_placed",
    )


def money_product(price: pd.Series, quantity: pd.Series) -> pd.Series:
    exactly = price.astype(object) * quantity.astype(object)
    return exactly.map(lambda value: (2 * value + SCALE) // (2 * SCALE), na_action="ignore").astype("Int64")


def _ordered(orders: pd.DataFrame, lines: pd.DataFrame, said: pd.DataFrame) -> pd.DataFrame:
    """The lines of orders with the session of the first event that names the order and a session."""
    linked = said[said.order_id.notna()].assign(no_session=said.session_id.isna())
    linked = linked.sort_values(["no_session", "activity_ts", "activity_uuid"]).drop_duplicates("order_id")
    is_ordered = (lines.quantity > 0) & (lines.net_amount >= 0).fillna(True) & (lines.order_status != "adjustment")
    rows = lines[is_ordered].merge(orders[["order_id", "is_completed", "transaction_id"]], on="order_id")
    rows = rows.merge(linked[["order_id", "session_id", "traffic_channel", "traffic_source"]], "left", on="order_id")
    return rows.assign(
        activity_uuid=rows.order_line_id,
        entity_id=rows.customer_id,
        activity_ts=rows.ordered_at,
        transaction_id=rows.transaction_id.fillna(rows.order_id),
        product_sku=rows.sku_id,
        order_value=rows.net_amount,
        order_key=rows.order_id,
    )


def _unheld(orders: pd.DataFrame, said: pd.DataFrame) -> pd.DataFrame:
    """The events of orders that the shop does not hold, those left out that say so again later."""
    rows = said_once(said)
    rows = rows[~rows.order_id.isin(orders.order_id)]
    at_once = rows.session_id + " " + rows.activity_ts.astype(str)
    return rows.assign(
        transaction_id=rows.order_id,
        quantity=rows.quantity * SCALE,
        unit_price=money(rows.price),
        order_value=pd.Series(pd.NA, rows.index, "Int64"),
        is_completed=False,
        order_key=rows.order_id.fillna(at_once).fillna(rows.activity_uuid),
    )


def said_once(events: pd.DataFrame) -> pd.DataFrame:
    """Without the events that say that an order was placed after one that said so before."""
    placed = events[(events.event_action == "order_placed") & events.order_id.notna()]
    is_again = placed.activity_ts > placed.groupby("order_id").activity_ts.transform("min")
    return events.drop(placed[is_again].index)


def sessions(events: pd.DataFrame) -> pd.DataFrame:
    inside = events[events.session_id.notna()]
    visits = inside.groupby("session_id")
    rows = visits.agg(
        entity_id=("entity_id", "max"),
        visitor_id=("visitor_id", "max"),
        visit_start=("visit_start_ts", "min"),
        first_event=("activity_ts", "min"),
        ended_at=("activity_ts", "max"),
        device=("device", "first"),
        traffic_channel=("traffic_channel", "first"),
        traffic_source=("traffic_source", "first"),
        entry_page=("page_url", "first"),
        exit_page=("page_url", "last"),
        event_count=("activity_uuid", "size"),
    )
    counted = {
        "product_view_count": "product_view",
        "favorite_count": "add_to_favorite",
        "cart_count": "add_to_cart",
        "checkout_count": "checkout",
    }
    for name, action in counted.items():
        rows[name] = inside[inside.event_action == action].session_id.value_counts().reindex(rows.index, fill_value=0)
    placed = said_once(inside[inside.event_action == "order_placed"])
    order = placed.order_id.fillna(placed.activity_uuid)
    rows["order_count"] = order.groupby(placed.session_id).nunique().reindex(rows.index, fill_value=0)
    rows["started_at"] = rows[["visit_start", "first_event"]].min(axis=1)
    rows["engagement_minutes"] = seconds(rows.started_at, rows.ended_at) / 60
    rows["is_bounce"] = rows.event_count == 1
    rows["is_cart_abandoned"] = (rows.cart_count > 0) & (rows.order_count == 0)
    return rows.reset_index()


def session_paths(events: pd.DataFrame) -> pd.DataFrame:
    steps = said_once(events[events.session_id.notna()])
    steps = steps.sort_values(["session_id", "activity_ts", "event_action"])
    is_new = (steps.session_id != steps.session_id.shift()) | (steps.event_action != steps.event_action.shift())
    walked = steps[is_new].groupby("session_id").event_action
    return pd.DataFrame({"path": walked.agg(" > ".join), "step_count": walked.size()}).reset_index()


# amounts and words


def exact(value: float) -> Decimal | None:
    """A number as the decimal it is written as."""
    return None if pd.isna(value) else Decimal(repr(float(value)))


def scaled(value: Decimal | None) -> Any:
    return pd.NA if value is None else int((value * SCALE).quantize(Decimal(1), ROUND_HALF_UP))


def money(values: pd.Series) -> pd.Series:
    """Amounts in whole ten-thousandths."""
    known = {value: scaled(exact(value)) for value in values.dropna().unique()}
    return values.map(known).astype("Int64")


def cleaned(texts: pd.Series) -> pd.Series:
    """Texts without blanks around them; of blanks alone, none."""
    trimmed = texts.str.strip(" ")
    return trimmed.mask(trimmed == "")
