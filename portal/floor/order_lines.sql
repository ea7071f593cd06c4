with first_sku as (select product_id, min(sku_id) as sku_id from products group by 1),
priced as (
  select
    line.order_li_id,
    line.order_id,
    placed.customer_id,
    placed.ordered_at,
    case when lower(trim(placed.order_status, E' \t\n\r')) in
      ('placed', 'shipped', 'delivered', 'completed', 'cancelled', 'returned', 'adjustment')
      then lower(trim(placed.order_status, E' \t\n\r')) end as order_status,
    coalesce(line.sku_id, first_sku.sku_id) as sku_id,
    line.product_id,
    line.qty,
    line.unit_price::decimal(18, 4) as source_price
  from "sources/order_line_item" line
  join "sources/orders" placed on placed.order_id = line.order_id and coalesce(placed.ordered_at <= {as_of}, true)
  left join first_sku on first_sku.product_id = line.product_id
)
select
  order_li_id as order_line_id,
  order_id,
  customer_id,
  ordered_at,
  order_status,
  priced.sku_id,
  coalesce(priced.product_id, products.product_id) as product_id,
  qty as quantity,
  coalesce(source_price, sale_price, list_price) as unit_price,
  (coalesce(source_price, sale_price, list_price) * qty)::decimal(18, 4) as line_amount,
  case
    when coalesce(order_status not in ('cancelled', 'returned', 'adjustment'), true)
      and qty > 0 and coalesce(coalesce(source_price, sale_price, list_price) > 0, true) then 'sale'
    when order_status = 'returned' then 'return'
    else 'other'
  end as line_kind
from priced
left join products on products.sku_id = priced.sku_id
