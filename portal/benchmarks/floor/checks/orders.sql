with flagged as (
  select
    order_id not in (select order_id from "sources/orders" group by order_id having count(*) > 1) as key_unique,
    regexp_matches(order_id, '\S') as required_filled,
    true as types_fit,
    regexp_matches(order_id, '\S') and coalesce(regexp_matches(customer_id, '\S'), false) and ordered_at is not null
      and coalesce(regexp_matches(order_status, '\S'), false) and total_amount is not null
      and coalesce(regexp_matches(payment_method, '\S'), false) as completeness,
    (customer_id is not null)::int + (ordered_at is not null)::int + (order_status is not null)::int
      + (total_amount is not null)::int + (payment_method is not null)::int + 1 as cells,
    customer_id in (select customer_id from "sources/customer") as customer_id_known,
    o.transaction_id in (select transaction_id from "sources/transactions") as transaction_id_known,
    not (coalesce(regexp_matches(order_id, '^-?[0-9]([.,][0-9]+)?[eE][+]?[0-9]+$'), false) or coalesce(regexp_matches(customer_id, '^-?[0-9]([.,][0-9]+)?[eE][+]?[0-9]+$'), false)
      or coalesce(regexp_matches(o.transaction_id, '^-?[0-9]([.,][0-9]+)?[eE][+]?[0-9]+$'), false)) as keys_whole,
    order_status in (
      'placed', 'paid', 'shipped', 'delivered', 'completed', 'cancelled', 'returned', 'refunded', 'failed',
      'pending', 'adjustment'
    ) as status_listed,
    case when order_status = 'delivered' then order_delivery_date is not null end as delivered_has_date,
    case when order_status = 'cancelled' then order_delivery_date is null end as cancelled_has_no_date,
    ordered_at <= order_delivery_date as delivered_after_order,
    case when order_delivery_date >= ordered_at
      then order_delivery_date <= ordered_at + interval 30 days end as delivered_in_time,
    case when order_status in ('placed', 'paid', 'shipped') and order_delivery_date is null
      then ordered_at >= {as_of} - interval 30 days end as no_order_forgotten,
    coalesce(regexp_matches(payment_method, '\S'), false) as payment_present,
    payment_method in ('credit_card', 'debit_card', 'paypal', 'gift_card', 'bank_transfer', 'cash', 'Credit Card',
      'Debit Card', 'PayPal', 'Cash', 'Bank Transfer', 'Venmo') as payment_listed,
    case when lower(payment_method) in ('credit_card', 'debit_card', 'paypal', 'gift_card', 'bank_transfer', 'cash',
      'credit card', 'debit card', 'bank transfer', 'venmo') then payment_method = paid end as payment_as_transacted,
    coalesce(regexp_matches(customer_id, '\S'), false) as customer_named,
    total_amount >= 0 as total_not_negative
  from "sources/orders" o
  left join (select transaction_id as paid_id, payment_method as paid from "sources/transactions")
    on paid_id = o.transaction_id
)
select
  count(*) as rows,
  count(*) filter (not key_unique) as key_unique,
  count(*) filter (not required_filled) as required_filled,
  count(*) filter (not types_fit) as types_fit,
  6 * count(*) - sum(cells)::bigint as null_values,
  count(*) filter (not completeness) as completeness,
  count(*) filter (not customer_id_known) as customer_id_known,
  count(*) filter (not transaction_id_known) as transaction_id_known,
  count(*) filter (not keys_whole) as keys_whole,
  count(*) filter (not status_listed) as status_listed,
  count(*) filter (not delivered_has_date) as delivered_has_date,
  count(*) filter (not cancelled_has_no_date) as cancelled_has_no_date,
  count(*) filter (not delivered_after_order) as delivered_after_order,
  count(*) filter (not delivered_in_time) as delivered_in_time,
  count(*) filter (not no_order_forgotten) as no_order_forgotten,
  count(*) filter (not payment_present) as payment_present,
  count(*) filter (not payment_listed) as payment_listed,
  count(*) filter (not payment_as_transacted) as payment_as_transacted,
  count(*) filter (not customer_named) as customer_named,
  count(*) filter (not total_not_negative) as total_not_negative,
  count(*) filter (key_unique and required_filled and completeness and coalesce(customer_id_known, true)
    and coalesce(transaction_id_known, true) and keys_whole
    and coalesce(status_listed, true) and coalesce(delivered_has_date, true) and coalesce(cancelled_has_no_date, true)
    and coalesce(delivered_after_order, true) and coalesce(delivered_in_time, true)
    and coalesce(no_order_forgotten, true) and payment_present and coalesce(payment_listed, true)
    and coalesce(payment_as_transacted, true) and customer_named and coalesce(total_not_negative, true)) as faultless
from flagged
