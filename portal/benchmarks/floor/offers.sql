with sold as (
  select order_id, product_id, max(customer_id) as customer_id, max(ordered_at) as ordered_at
  from order_lines where line_kind = 'sale' and product_id is not null group by all
), goods as (
  select
    product_id, any_value(category) as category, coalesce(any_value(name), product_id) as name,
    sum(net_amount)::double / nullif(sum(quantity) filter (net_amount is not null), 0)::double as price,
    count(distinct order_id) as order_count
  from order_lines
  left join (
    select product_id as id, min(product_category) as category, min(product_name) as name from products group by 1
  ) on id = product_id
  where line_kind = 'sale' and product_id is not null group by product_id
), latest as (
  select distinct on (customer_id) customer_id, order_id from sold
  where customer_id is not null and ordered_at is not null order by customer_id, ordered_at desc, order_id desc
), last as (select latest.customer_id, product_id from latest join sold using (order_id)
), dear as (
  select * from goods
  qualify row_number() over (partition by category order by order_count desc, product_id) <= 100
), pairs as (
  select
    cheap.product_id as because, dear.product_id as product_id, dear.name as product_name, dear.order_count,
    format('like {}, which was bought last, for {} % more', cheap.name, round((dear.price / cheap.price - 1) * 100)::bigint)
      as reason
  from goods as cheap
  join dear on dear.category = cheap.category
    and dear.price >= 1.25 * cheap.price and dear.price <= 2 * cheap.price
  qualify row_number() over (partition by because order by dear.order_count desc, dear.product_id) <= 10
), found as (
  select customer_id, 'upsell' as kind, pairs.product_id, product_name, because, order_count::double as weight, reason
  from last join pairs on because = last.product_id
  union all
  select
    customer_id, 'cross-sell', consequent_id, named.name, antecedent_ids, confidence,
    format('in {} % of the orders with {}, which was bought last', round(confidence * 100)::bigint, bought.name)
  from last
  join basket_rules on antecedent_ids = last.product_id and antecedent_item_count = 1
  join goods as named on named.product_id = consequent_id
  join goods as bought on bought.product_id = antecedent_ids
), once as (
  select * from found
  anti join (select distinct customer_id, product_id from sold) using (customer_id, product_id)
  qualify row_number() over (partition by customer_id, kind, product_id order by weight desc, because) = 1
)
select
  customer_id, kind,
  row_number() over (partition by customer_id, kind order by weight desc, product_id)::integer as rank,
  product_id, product_name, because as because_product_id, reason
from once
qualify rank <= 3
