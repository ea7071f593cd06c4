with entries as (select *, date_trunc('month', entry_at)::date as month_on from points),
months as (
  select unnest(generate_series(min(month_on), date_trunc('month', {as_of}), interval 1 month))::date as month_on
  from entries
),
moved as (
  select
    month_on,
    sum(earned) as earned,
    sum(burned) as burned,
    sum(expired) as expired,
    count(distinct customer_id) filter (is_earn or is_burn) as active
  from entries where month_on is not null group by 1
),
members as (select customer_id, min(month_on) as month_on from entries where month_on is not null group by 1),
joined as (select month_on, count(*) as joined from members group by 1),
sales as (
  select order_id, customer_id, ordered_at, date_trunc('month', ordered_at)::date as month_on, order_amount
  from orders where is_completed and order_amount is not null
),
sold as (
  select
    sales.month_on,
    count(*) filter (members.month_on <= sales.month_on) as member_orders,
    count(*) as all_orders,
    coalesce(sum(order_amount) filter (members.month_on <= sales.month_on), 0)::decimal(18, 4) as member_revenue,
    sum(order_amount) as revenue
  from sales left join members using (customer_id) group by 1
),
burns as (
  select order_id, sum(burned) as points
  from entries where burned > 0 and order_id is not null group by 1
),
bought as (
  select
    sales.*,
    points,
    case when sales.month_on is not null then
      (sum(order_amount) filter (points is null and sales.month_on is not null) over later
        / nullif(count(*) filter (points is null and sales.month_on is not null) over later, 0))::decimal(18, 4)
    end as usual_amount
  from sales left join burns using (order_id)
  where customer_id in (select customer_id from sales semi join burns using (order_id))
  window later as (
    partition by customer_id order by ordered_at desc nulls last, order_id desc
    rows between unbounded preceding and 1 preceding
  )
),
compared as (
  select
    month_on,
    count(*) as orders,
    count(usual_amount) as compared_orders,
    sum(order_amount - usual_amount) as uplift,
    sum(points * 0.01) filter (usual_amount is not null)::decimal(18, 4) as compared_cost,
    sum((order_amount - usual_amount - points * 0.01)::decimal(38, 4)
      * (order_amount - usual_amount - points * 0.01)::decimal(38, 4))::double as squares
  from bought where points is not null group by 1
),
totals as (
  select
    month_on,
    coalesce(earned, 0)::bigint as points_earned,
    coalesce(burned, 0)::bigint as points_burned,
    coalesce(expired, 0)::bigint as points_expired,
    sum(coalesce(earned, 0)) over so_far as earned_so_far,
    sum(coalesce(burned, 0)) over so_far as burned_so_far,
    sum(coalesce(expired, 0)) over so_far as expired_so_far,
    coalesce(joined, 0) as new_member_count,
    sum(coalesce(joined, 0)) over so_far as members_so_far,
    coalesce(active, 0) as active_member_count,
    coalesce(member_orders, 0) as member_order_count,
    coalesce(all_orders - member_orders, 0) as other_order_count,
    coalesce(member_revenue, 0)::decimal(18, 4) as member_revenue,
    coalesce(revenue - member_revenue, 0)::decimal(18, 4) as other_revenue,
    coalesce(orders, 0) as burn_order_count,
    coalesce(compared_orders, 0) as compared_order_count,
    uplift::decimal(18, 4) as observed_uplift,
    compared_cost,
    squares
  from months
  left join moved using (month_on)
  left join joined using (month_on)
  left join sold using (month_on)
  left join compared using (month_on)
  window so_far as (order by month_on)
),
rated as (
  select
    *,
    compared_order_count::double as n,
    (observed_uplift - compared_cost)::double as gain,
    gain / nullif(compared_cost, 0)::double as roi,
    -- Student's quantile by the series of Abramowitz and Stegun, 26.7.5, for nine degrees of freedom and more.
    case n when 10 then 2.262157 when 11 then 2.228139
      else 1.95996398454 + 2.372271 / (n - 1) + 2.822499 / ((n - 1) * (n - 1)) + 2.55585 / ((n - 1) * (n - 1) * (n - 1))
    end * sqrt(greatest(squares - gain * gain / n, 0) / (n - 1) / n) * (n / nullif(compared_cost, 0)::double) as half
  from totals
)
select
  * exclude (earned_so_far, burned_so_far, expired_so_far, members_so_far, squares, roi, half, n, gain),
  (earned_so_far - burned_so_far - expired_so_far)::bigint as points_outstanding,
  ((earned_so_far - burned_so_far - expired_so_far)::bigint * 0.01)::decimal(18, 4) as outstanding_value,
  members_so_far::bigint as member_count,
  active_member_count::double / nullif(members_so_far, 0)::double as engagement_rate,
  burned_so_far::double / nullif(earned_so_far, 0)::double as burn_rate,
  expired_so_far::double / nullif(earned_so_far, 0)::double as breakage_rate,
  member_revenue::double / nullif(member_order_count, 0) as member_average_order_amount,
  other_revenue::double / nullif(other_order_count, 0) as other_average_order_amount,
  (points_burned * 0.01)::decimal(18, 4) as programme_cost,
  case when compared_order_count >= 10 then roi end as observed_roi,
  case when compared_order_count >= 10 then roi - half end as observed_roi_low,
  case when compared_order_count >= 10 then roi + half end as observed_roi_high,
  case when compared_order_count < 10 then 'fewer than ten orders can be compared' end as roi_reason
from rated
