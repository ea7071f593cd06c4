with dated as (
  select
    order_id,
    is_completed,
    date_trunc('week', ordered_at)::date as week_on,
    coalesce(shipping_country, country, 'unknown') as country,
    coalesce(order_amount, 0) - refunded_amount as net
  from orders left join customers on customers.customer_id = orders.customer_id
  where ordered_at is not null and (is_completed or refunded_amount <> 0)
),
bounds as (
  select
    greatest(
      (select date_trunc('week', min(ordered_at) + interval 6 day)::date from orders where is_completed),
      date_trunc('week', {as_of} + interval 1 second)::date - 7 * 208
    ) as first_week,
    date_trunc('week', {as_of} + interval 1 second)::date - 7 as last_week
),
lines as (
  select
    order_id,
    coalesce(product_category, 'unknown') as category,
    coalesce(brand_id, 'unknown') as brand,
    coalesce(brand_name, brand_id, 'unknown') as brand_name,
    coalesce(order_lines.product_id, 'unknown') as product,
    coalesce(net_amount, 0) as revenue,
    case when line_kind = 'sale' then coalesce(quantity, 0) else 0 end as quantity,
    line_kind = 'sale' as is_sale
  from order_lines left join products on products.sku_id = order_lines.sku_id
  where line_kind = 'sale' or (line_kind = 'return' and net_amount < 0)
),
told as (select order_id, sum(revenue) as told, count(*) filter (is_sale) as sales from lines group by order_id),
sold as (
  select order_id, week_on, country, category, brand, brand_name, product, revenue, quantity, is_sale
  from lines join dated using (order_id)
  union all by name
  select
    order_id, week_on, country, 'unknown' as category, 'unknown' as brand, 'unknown' as brand_name,
    'unknown' as product, net - coalesce(told, 0) as revenue, 0 as quantity,
    is_completed and coalesce(sales, 0) = 0 as is_sale
  from dated left join told using (order_id)
  where net <> coalesce(told, 0) or (is_completed and coalesce(sales, 0) = 0)
),
names as (select product_id, min(product_name) as product_name from products group by product_id),
labelled as (
  select sold.*, coalesce(product_name, product) as product_name, unnest([
    {'level': 'total', 'id': 'total', 'name': 'total'},
    {'level': 'category', 'id': category, 'name': category},
    {'level': 'brand', 'id': brand, 'name': brand_name},
    {'level': 'country', 'id': country, 'name': country},
    {'level': 'product', 'id': product, 'name': coalesce(product_name, product)}
  ]) as series
  from sold left join names on names.product_id = sold.product
  where week_on between (select first_week from bounds) and (select last_week from bounds)
),
weekly as (
  select
    series.level as level, series.id as series_id, week_on,
    min(series.name) as series_name,
    sum(revenue) as revenue,
    sum(quantity) as quantity,
    count(distinct order_id) filter (is_sale) as order_count
  from labelled group by 1, 2, 3
),
grid as (
  select
    level, series_id, min(series_name) as series_name,
    unnest(generate_series(min(week_on), (select last_week from bounds), interval 7 day))::date as week_on
  from weekly group by 1, 2
)
select
  grid.level,
  grid.series_id,
  grid.week_on,
  grid.series_name,
  coalesce(revenue, 0)::decimal(18, 4) as revenue,
  coalesce(quantity, 0)::decimal(18, 4) as quantity,
  coalesce(order_count, 0) as order_count
from grid left join weekly using (level, series_id, week_on)
