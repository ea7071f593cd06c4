with views as (
  select
    entity_id as customer_id,
    product_category as category,
    count(*) as view_count,
    count(*) filter (date_diff('day', activity_ts, {as_of}) < 90) as recent_interest_count,
    max(activity_ts) as last_at
  from product_views join products on sku_id = product_sku
  where entity_id is not null and product_category is not null group by 1, 2
),
favorites as (
  select
    entity_id as customer_id,
    category_name as category,
    count(*) as favorite_count,
    count(*) filter (date_diff('day', activity_ts, {as_of}) < 90) as recent_interest_count,
    max(activity_ts) as last_at
  from items_added_to_favorite where entity_id is not null and category_name is not null group by 1, 2
),
carts as (
  select
    entity_id as customer_id,
    category_name as category,
    count(*) as cart_count,
    count(*) filter (date_diff('day', activity_ts, {as_of}) < 90) as recent_interest_count,
    max(activity_ts) as last_at
  from items_added_to_cart where entity_id is not null and category_name is not null group by 1, 2
),
bought as (
  select
    customer_id,
    product_category as category,
    count(*) as line_count,
    count(distinct order_id) as order_count,
    sum(quantity) as item_count,
    sum(line_amount) as spent_amount,
    max(ordered_at) as last_at
  from order_lines join products using (sku_id)
  where line_kind = 'sale' and customer_id is not null and product_category is not null group by 1, 2
),
summed as (
  select
    customer_id,
    category,
    coalesce(sum(view_count), 0)::bigint as view_count,
    coalesce(sum(favorite_count), 0)::bigint as favorite_count,
    coalesce(sum(cart_count), 0)::bigint as cart_count,
    coalesce(sum(line_count), 0)::bigint as line_count,
    coalesce(sum(order_count), 0)::bigint as order_count,
    coalesce(sum(item_count), 0)::bigint as item_count,
    coalesce(sum(spent_amount), 0)::decimal(18, 4) as spent_amount,
    coalesce(sum(recent_interest_count), 0)::bigint as recent_interest_count,
    max(last_at) as last_at
  from (
    from views union all by name from favorites union all by name from carts union all by name from bought
  ) group by 1, 2
),
weighted as (
  select *, view_count + 2 * favorite_count + 3 * cart_count + 5 * line_count as weight from summed
)
select
  * exclude (weight),
  weight::double / sum(weight) over (partition by customer_id)::double as interest_share,
  row_number() over (
    partition by customer_id order by weight desc, spent_amount desc, category
  )::integer as preference_rank
from weighted
