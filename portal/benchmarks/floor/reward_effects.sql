with bands (reward_band, least_points, greatest_points) as (
  values (1, 1, 99), (2, 100, 199), (3, 200, 399), (4, 400, 799), (5, 800, null)
),
burns as (
  select order_id, sum(burned) as points
  from points where burned > 0 and order_id is not null group by 1
),
sales as (
  select order_id, customer_id, ordered_at, order_amount
  from orders where is_completed and order_amount is not null and customer_id is not null
),
bought as (
  select
    sales.*,
    points,
    case when ordered_at is not null then
      (sum(order_amount) filter (points is null and ordered_at is not null) over later
        / nullif(count(*) filter (points is null and ordered_at is not null) over later, 0))::decimal(18, 4)
    end as usual_amount
  from sales left join burns using (order_id)
  where customer_id in (select customer_id from sales semi join burns using (order_id))
  window later as (
    partition by customer_id order by ordered_at desc nulls last, order_id desc
    rows between unbounded preceding and 1 preceding
  )
),
burned as (
  select
    reward_band,
    customer_id,
    count(*) as orders,
    count(usual_amount) as n,
    sum(points) filter (usual_amount is not null) as points,
    sum(order_amount) filter (usual_amount is not null) as amount,
    sum(usual_amount) as usual,
    sum(order_amount - usual_amount)::decimal(38, 4) as difference
  from bought join bands on points between least_points and coalesce(greatest_points, points)
  where points is not null
  group by 1, 2
),
counted as (
  select
    reward_band,
    sum(orders)::bigint as orders,
    sum(n)::bigint as n,
    count(*) filter (n > 0) as customers,
    sum(points) as points,
    (sum(points) * 0.01)::decimal(18, 4) as cost,
    sum(amount) as amount,
    sum(usual) as usual,
    sum(difference) as difference,
    sum(difference * difference)::double as squares,
    sum(difference * n)::double as products,
    sum(n * n)::double as square_counts
  from burned group by 1
),
measured as (
  select
    *,
    nullif(n, 0)::double as m,
    difference::double / nullif(n, 0)::double as mean,
    customers::double as g,
    case
      when customers - 1 between 1 and 10 then t_of_few[customers - 1]
      when customers > 1 then 1.95996398454::double + 2.372271::double / (customers::double - 1)
        + 2.822499::double / ((customers::double - 1) * (customers::double - 1))
        + 2.55585::double / ((customers::double - 1) * (customers::double - 1) * (customers::double - 1))
    end as t
  from counted cross join (
    select [
      12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139
    ]::double[] as t_of_few
  )
),
averaged as (
  select
    *,
    t * sqrt(g * greatest(squares - 2 * mean * products + mean * mean * square_counts, 0) / ((g - 1) * m * m)) as half
  from measured
)
select
  bands.reward_band::integer as reward_band,
  least_points::bigint as least_points,
  greatest_points::bigint as greatest_points,
  case when has_entries then coalesce(orders, 0) end as order_count,
  case when has_entries then coalesce(n, 0) end as compared_order_count,
  case when has_entries then coalesce(customers, 0) end as compared_customer_count,
  points::double / m as average_points,
  cost::double / m as average_cost,
  amount::double / m as average_order_amount,
  usual::double / m as usual_order_amount,
  mean as difference,
  mean - half as difference_low,
  mean + half as difference_high,
  (difference - cost)::double / nullif(cost, 0)::double as observed_roi,
  case
    when not has_entries then 'no loyalty entries'
    when orders is null then 'no order in this band'
    when n = 0 then 'no customer of this band has ordered without burning since'
    when customers = 1 then 'orders to compare are of one customer only'
  end as reason
from bands
left join averaged using (reward_band)
cross join (select count(*) > 0 as has_entries from points)
