with buyers as (
  select
    *,
    greatest(30, least(90, coalesce(ceil(2 * nullif(order_interval_days, 0)), 90)))::integer as horizon_days,
    (frequency * 365)::double / (history_days + 30) as orders_per_year,
    (recency_days + 1)::double / (coalesce(nullif(order_interval_days, 0), history_days) + 1) as overdue
  from features where frequency > 0 and recency_days is not null
),
described as (
  select false as is_now, * from churn_examples
  union all by name
  select true as is_now, * from buyers
),
numbers as (
  select is_now, columns(c -> c in (
    'recency_days', 'history_days', 'frequency', 'monetary', 'average_order_amount', 'last_order_amount',
    'order_interval_days', 'item_count', 'category_count', 'product_count', 'recent_order_count', 'former_order_count',
    'session_count', 'recent_session_count', 'visit_recency_days', 'product_view_count', 'favorite_count',
    'abandoned_cart_count', 'engagement_minutes', 'review_count', 'support_ticket_count', 'horizon_days',
    'orders_per_year', 'overdue', 'return_rate', 'discount_rate', 'average_rating', 'nps_score', 'csat_score'
  ))::double
  from described
),
longer as (
  from numbers unpivot include nulls (value for feature in (columns(* exclude is_now)))
),
edges as (
  select feature, list_transform(range(1, 10), tenth -> in_order[(tenth * len(in_order) + 9) // 10]) as edges
  from (
    select feature, list(value order by value) as in_order
    from longer where not is_now and value is not null group by 1
  )
),
bins as (
  select
    feature,
    case when value is null then -1 else coalesce(len(list_filter(edges, edge -> edge < value)), 0) end as bin,
    count(*) filter (not is_now) as then_count,
    count(*) filter (is_now) as now_count
  from longer left join edges using (feature) group by all
),
parts as (
  select
    *,
    coalesce(nullif(then_count, 0), 0.5) / nullif(sum(then_count) over of_feature, 0)::double as p,
    coalesce(nullif(now_count, 0), 0.5) / nullif(sum(now_count) over of_feature, 0)::double as q
  from bins window of_feature as (partition by feature)
),
indexed as (
  select
    feature,
    round(sum((q - p) * ln(q / p)), 6) as index,
    sum(then_count)::bigint as example_count,
    sum(now_count)::bigint as customer_count,
    coalesce(sum(then_count) filter (bin = -1), 0) as unknown_examples,
    coalesce(sum(now_count) filter (bin = -1), 0) as unknown_customers
  from parts group by 1
),
used as (select unnest(string_split(features_used, ', ')) as feature from churn_model where is_chosen)
select
  feature,
  case when least(example_count, customer_count) >= 500 then index end as psi,
  case when psi < 0.1 then 'none' when psi < 0.25 then 'some' when psi >= 0.25 then 'much' end as drift,
  feature in (from used) as is_used,
  example_count,
  customer_count,
  unknown_examples::double / nullif(example_count, 0) as example_unknown_share,
  unknown_customers::double / nullif(customer_count, 0) as customer_unknown_share,
  case when psi is null then 'fewer than 500 examples or customers' end as reason
from indexed
