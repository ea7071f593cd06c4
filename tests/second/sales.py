"""What was sold by week, from the contract's text alone."""

import pandas as pd

from tests.second.published import Published

MOST = 208


def weekly_sales(tables: Published) -> pd.DataFrame:
    sold = _sold(tables)
    # Whole weeks: a day alone that is asked for means its last second.
    end = tables.clock(pd.Series([tables.as_of + pd.Timedelta(seconds=1)]))[0]
    last = _monday(pd.Series([end]))[0] - pd.Timedelta(weeks=1)
    orders = tables["orders"]
    first = tables.clock(orders.ordered_at[orders.is_completed]).min().normalize()
    begin = max(first + pd.Timedelta(days=(7 - first.day_of_week) % 7), last - pd.Timedelta(weeks=MOST - 1))
    sold = sold[sold.week_on.between(begin, last)]
    parts = [_level(sold, level, last) for level in ("total", "category", "brand", "country", "product")]
    return pd.concat(parts, ignore_index=True)


def _sold(tables: Published) -> pd.DataFrame:
    """Each line that counts, and per order the rest of its value, of which nothing is known."""
    orders = tables["orders"].merge(tables["customers"][["customer_id", "country"]], on="customer_id", how="left")
    orders = orders[orders.ordered_at.notna()]
    orders["week_on"] = _monday(tables.clock(orders.ordered_at))
    orders["country"] = orders.shipping_country.fillna(orders.country).fillna("unknown")
    lines = tables["order_lines"]
    is_back = (lines.line_kind == "return") & (lines.net_amount < 0)
    lines = lines[(lines.line_kind == "sale") | is_back]
    lines = lines.merge(tables["products"].drop(columns=["product_id", "product_name"]), on="sku_id", how="left")
    names = tables["products"].groupby("product_id").product_name.min()
    lines = lines.assign(
        is_sale=lines.line_kind == "sale",
        revenue=lines.net_amount.fillna(0),
        sold=lines.quantity.where(lines.line_kind == "sale", 0),
        category=lines.product_category,
        brand=lines.brand_id,
        brand_name=lines.brand_name.fillna(lines.brand_id),
        product=lines.product_id,
        product_name=lines.product_id.map(names).fillna(lines.product_id),
    )
    told = lines.groupby("order_id").agg(told=("revenue", "sum"), sale_count=("is_sale", "sum"))
    rest = orders.merge(told, on="order_id", how="left").fillna({"told": 0, "sale_count": 0})
    rest["revenue"] = rest.order_amount.fillna(0) - rest.refunded_amount - rest.told
    rest["is_sale"] = rest.is_completed & (rest.sale_count == 0)
    rest = rest[(rest.revenue != 0) | rest.is_sale].assign(sold=0)
    columns = ["order_id", "is_sale", "revenue", "sold", "category", "brand", "brand_name", "product", "product_name"]
    lines = lines[columns].merge(orders[["order_id", "week_on", "country"]], on="order_id")
    both = pd.concat([lines, rest.reindex(columns=[*columns, "week_on", "country"])], ignore_index=True)
    texts = ["category", "brand", "brand_name", "product", "product_name"]
    return both.assign(**{name: both[name].astype(object).fillna("unknown") for name in texts}, total="total")


def _level(sold: pd.DataFrame, level: str, last: pd.Timestamp) -> pd.DataFrame:
    name = f"{level}_name" if f"{level}_name" in sold else level
    keyed = sold.assign(series_id=sold[level], name=sold[name])
    key = ["series_id", "week_on"]
    sums = keyed.groupby(key).agg(revenue=("revenue", "sum"), quantity=("sold", "sum"))
    bought = keyed[keyed.is_sale.astype(bool)].drop_duplicates([*key, "order_id"])
    sums = sums.assign(order_count=bought.groupby(key).size())
    series = keyed.groupby("series_id").agg(begins=("week_on", "min"), series_name=("name", "min"))
    weeks = [pd.date_range(begins, last, freq="7D") for begins in series.begins]
    grid = series.assign(week_on=weeks).explode("week_on").reset_index()
    filled = grid.merge(sums.reset_index(), on=key, how="left").fillna({"revenue": 0, "quantity": 0, "order_count": 0})
    numbers = {column: filled[column].astype("int64") for column in ("revenue", "quantity", "order_count")}
    days = pd.to_datetime(filled.week_on).dt.date
    return filled.drop(columns="begins").assign(level=level, week_on=days, **numbers)


def _monday(moments: pd.Series) -> pd.Series:
    days = moments.dt.normalize()
    return days - pd.to_timedelta(days.dt.day_of_week, unit="D")
