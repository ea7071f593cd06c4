with lines as (
  select
    order_id,
    count(*) filter (line_kind = 'sale') as line_count,
    sum(quantity) filter (line_kind = 'sale') as item_count,
    case when not bool_or(line_kind = 'sale' and line_amount is null)
      then coalesce(sum(line_amount) filter (line_kind = 'sale'), 0) end as lines_amount,
    sum(abs(line_amount)) filter (line_kind = 'return') as returned_lines_amount
  from order_lines group by 1
),
known as (
  select
    *,
    case when lower(trim(order_status, E' \t\n\r')) in
      ('placed', 'shipped', 'delivered', 'completed', 'cancelled', 'returned', 'adjustment')
      then lower(trim(order_status, E' \t\n\r')) end as status,
    discounted_amount::decimal(18, 4) as discount,
    shipping_amount::decimal(18, 4) as shipping,
    total_amount::decimal(18, 4) as total
  from "sources/orders" where coalesce(ordered_at <= {as_of}, true)
)
select
  known.order_id,
  customer_id,
  ordered_at,
  status as order_status,
  coalesce(status not in ('cancelled', 'returned', 'adjustment'), true) as is_completed,
  customer_id is null as is_anonymous,
  order_delivery_date as delivered_at,
  payment_method,
  transaction_id,
  coalesce(line_count, 0) as line_count,
  coalesce(item_count, 0)::bigint as item_count,
  lines_amount::decimal(18, 4) as lines_amount,
  discount as discount_amount,
  shipping as shipping_amount,
  total as total_amount,
  (case when coalesce(status not in ('cancelled', 'returned', 'adjustment'), true)
    then coalesce(lines_amount - coalesce(discount, 0), total - coalesce(shipping, 0)) else 0 end
  )::decimal(18, 4) as order_amount,
  (case when status = 'returned' then coalesce(returned_lines_amount, abs(total), 0) else 0 end
  )::decimal(18, 4) as returned_amount,
  shipping_city,
  shipping_state,
  shipping_country,
  shipping_type,
  has_discount,
  has_promo_code,
  sales_channel,
  season
from known left join lines on lines.order_id = known.order_id
