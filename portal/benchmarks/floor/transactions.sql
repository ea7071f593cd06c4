select
  paid.transaction_id,
  paid.order_id,
  orders.customer_id,
  paid.amount::decimal(18, 4) as amount,
  paid.payment_method,
  paid.transaction_ts as transacted_at,
  epoch_us(paid.transaction_ts) // 1000000 - epoch_us(orders.ordered_at) // 1000000 as processing_seconds
from "sources/transactions" paid
left join orders on orders.order_id = paid.order_id
where coalesce(paid.transaction_ts <= {as_of}, true)
