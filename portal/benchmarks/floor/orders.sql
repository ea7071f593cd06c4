with lines as (
  select
    order_id,
    count(*) filter (line_kind = 'sale') as line_count,
    count(*) filter (line_kind = 'return') as return_count,
    sum(case when quantity = floor(quantity) then quantity else 1 end) filter (line_kind = 'sale') as item_count,
    not bool_or(line_kind = 'sale' and line_amount is null) as is_priced,
    coalesce(sum(line_amount) filter (line_kind = 'sale'), 0) as lines_amount,
    coalesce(sum(discount_amount) filter (line_kind = 'sale'), 0) as lines_discount,
    coalesce(sum(net_amount) filter (line_kind = 'sale'), 0) as net_amount,
    sum(tax_amount) filter (line_kind = 'sale') as lines_tax,
    sum(abs(net_amount)) filter (line_kind = 'return') as returned,
    coalesce(sum(-net_amount) filter (line_kind = 'return' and net_amount < 0), 0) as refunded
  from order_lines group by 1
),
known as (
  select
    *,
    case
      when order_delivery_date > {as_of}
        and lower(trim(order_status, E' \t\n\r')) in ('shipped', 'delivered', 'completed', 'returned', 'refunded')
        then 'placed'
      when lower(trim(order_status, E' \t\n\r')) in (
        'placed', 'paid', 'shipped', 'delivered', 'completed', 'returned', 'refunded', 'cancelled', 'failed', 'pending',
        'adjustment'
      ) then lower(trim(order_status, E' \t\n\r'))
      else 'unknown'
    end as status,
    abs(discounted_amount)::decimal(18, 4) as discount,
    shipping_amount::decimal(18, 4) as shipping,
    tax_amount::decimal(18, 4) as tax,
    total_amount::decimal(18, 4) as total
  from "sources/orders" where coalesce(ordered_at <= {as_of}, true)
),
judged as (
  select
    known.*,
    lines.* exclude (order_id),
    lines.order_id is not null as has_lines,
    status in ('placed', 'paid', 'shipped', 'delivered', 'completed') as is_sale,
    coalesce(case when has_lines then line_count = 0 and return_count > 0 else total < 0 end, false) as is_handed_back,
    total - coalesce(shipping, 0) - coalesce(tax, 0) as goods,
    case when not has_lines and (status in ('returned', 'refunded') or is_sale and is_handed_back) then goods else 0 end
      as stated
  from known left join lines on lines.order_id = known.order_id
)
select
  order_id,
  customer_id,
  ordered_at,
  status as order_status,
  is_sale and not is_handed_back as is_completed,
  customer_id is null as is_anonymous,
  case when order_delivery_date <= {as_of} then order_delivery_date end as delivered_at,
  payment_method,
  transaction_id,
  coalesce(line_count, 0) as line_count,
  coalesce(item_count, 0)::bigint as item_count,
  (case when is_priced then lines_amount end)::decimal(18, 4) as lines_amount,
  coalesce(nullif(lines_discount, 0), discount)::decimal(18, 4) as discount_amount,
  shipping as shipping_amount,
  coalesce(tax, lines_tax)::decimal(18, 4) as tax_amount,
  total as total_amount,
  (case when not (is_sale and not is_handed_back) then 0
    when is_priced then net_amount
    else goods end)::decimal(18, 4) as order_amount,
  coalesce(returned, abs(stated), 0)::decimal(18, 4) as returned_amount,
  coalesce(refunded, greatest(-stated, 0), 0)::decimal(18, 4) as refunded_amount,
  nullif(trim(store, E' \t\n\r'), '') as store,
  shipping_city,
  shipping_state,
  shipping_country,
  shipping_type,
  coalesce(has_discount, case
    when (select count(*) > 0 from "sources/orders" where ordered_at <= {as_of} and discounted_amount <> 0)
      or (select count(*) > 0 from order_lines where discount_amount <> 0)
      then coalesce(coalesce(nullif(lines_discount, 0), discount) > 0, false) end) as has_discount,
  coalesce(has_promo_code, case
    when (select count(*) > 0 from "sources/orders" where ordered_at <= {as_of} and trim(promo_code) <> '')
      then coalesce(trim(promo_code) <> '', false) end) as has_promo_code,
  nullif(trim(promo_code, E' \t\n\r'), '') as promo_code,
  sales_channel,
  season
from judged
