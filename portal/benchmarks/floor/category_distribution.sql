with sold as (
  select
    coalesce(product_category, 'unknown') as category,
    count(distinct customer_id) as customer_count,
    count(distinct order_id) as order_count,
    sum(quantity) as item_count,
    sum(line_amount) as revenue
  from order_lines left join products using (sku_id)
  where line_kind = 'sale' group by 1
),
views as (
  select coalesce(product_category, 'unknown') as category, count(*) as view_count
  from product_views left join products on sku_id = product_sku group by 1
),
carts as (
  select coalesce(category_name, 'unknown') as category, count(*) as cart_count from items_added_to_cart group by 1
),
categories as (
  select coalesce(product_category, 'unknown') as category from products
  union select category from sold
  union select category from views
  union select category from carts
),
facts as (
  select exists (from views) or exists (from carts) as has_events, exists (from sold) as has_orders
)
select
  category,
  coalesce(customer_count, 0) as customer_count,
  coalesce(order_count, 0) as order_count,
  coalesce(item_count, 0)::bigint as item_count,
  coalesce(revenue, 0)::decimal(18, 4) as revenue,
  coalesce(revenue, 0)::decimal(18, 4)::double / nullif(sum(revenue) over (), 0)::double as revenue_share,
  case when has_events then coalesce(view_count, 0) end as view_count,
  case when has_events then coalesce(cart_count, 0) end as cart_count,
  case when has_events and has_orders
    then coalesce(order_count, 0) / nullif(coalesce(view_count, 0), 0) end as view_to_order_rate
from categories
cross join facts
left join sold using (category)
left join views using (category)
left join carts using (category)
