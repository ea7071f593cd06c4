with first_sku as (select product_id, min(sku_id) as sku_id from products group by 1),
placed as (
  select
    order_id,
    customer_id,
    ordered_at,
    abs(discounted_amount)::decimal(18, 4) as order_discount,
    case
      when order_delivery_date > {as_of}
        and lower(trim(order_status, E' \t\n\r')) in ('shipped', 'delivered', 'completed', 'returned', 'refunded')
        then 'placed'
      when lower(trim(order_status, E' \t\n\r')) in (
        'placed', 'paid', 'shipped', 'delivered', 'completed', 'returned', 'refunded', 'cancelled', 'failed', 'pending',
        'adjustment'
      ) then lower(trim(order_status, E' \t\n\r'))
      else 'unknown'
    end as order_status
  from "sources/orders" where coalesce(ordered_at <= {as_of}, true)
),
chosen as (
  select line.*, placed.* exclude (order_id), coalesce(line.sku_id, first_sku.sku_id) as sold_sku_id
  from "sources/order_line_item" line
  join placed on placed.order_id = line.order_id
  left join first_sku on first_sku.product_id = line.product_id
),
priced as (
  select
    chosen.* exclude (product_id),
    coalesce(chosen.product_id, products.product_id) as product_id,
    qty::decimal(18, 4) as quantity,
    case when qty < 0 then abs(unit_price) else unit_price end as stated_price,
    case when qty < 0 then -abs(line_amount) else line_amount end as stated_amount,
    coalesce(
      stated_price::decimal(18, 8), try_cast(stated_amount / nullif(qty, 0) as decimal(18, 8)),
      sale_price::decimal(18, 8), list_price::decimal(18, 8)
    ) as price,
    coalesce(stated_amount::decimal(18, 4), (price * qty::decimal(18, 4))::decimal(18, 4)) as amount
  from chosen left join products on products.sku_id = sold_sku_id
),
running as (
  select
    order_li_id,
    order_id,
    (order_discount::double * (sum(amount) over so_far)::double
      / (sum(amount) over (partition by order_id))::double)::decimal(18, 4) as upto
  from priced where order_discount > 0 and amount > 0
  window so_far as (partition by order_id order by order_li_id rows unbounded preceding)
),
shares as (
  select order_li_id, upto - coalesce(lag(upto) over (partition by order_id order by order_li_id), 0) as share
  from running
),
discounted as (
  select
    priced.*,
    (coalesce(abs(discount_amount), 0)::decimal(18, 4) * sign(amount) + coalesce(share, 0))::decimal(18, 4) as discount
  from priced left join shares using (order_li_id)
)
select
  order_li_id as order_line_id,
  order_id,
  customer_id,
  ordered_at,
  order_status,
  sold_sku_id as sku_id,
  product_id,
  quantity,
  price::decimal(18, 4) as unit_price,
  amount as line_amount,
  discount as discount_amount,
  (amount - discount)::decimal(18, 4) as net_amount,
  tax_amount::decimal(18, 4) as tax_amount,
  unit_cost::decimal(18, 4) as unit_cost,
  nullif(trim(promotion, E' \t\n\r'), '') as promotion,
  case
    when order_status in ('placed', 'paid', 'shipped', 'delivered', 'completed')
      and qty > 0 and coalesce(price > 0, true) and coalesce(amount >= 0, true) then 'sale'
    when order_status in ('returned', 'refunded')
      or order_status in ('placed', 'paid', 'shipped', 'delivered', 'completed')
        and (qty < 0 or price < 0 or amount < 0) then 'return'
    else 'other'
  end as line_kind
from discounted
