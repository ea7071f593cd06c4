with staged as (
  select
    *,
    case
      when frequency = 0 then 'Prospect'
      when history_days < 90 then 'New'
      when recency_days > 365 then 'Lapsed'
      when recency_days > 180 then 'Slipping'
      when recent_order_count >= 2 and activity_change >= 0.2 then 'Growing'
      when recency_days is not null then 'Established'
    end as lifecycle_stage,
    case
      when average_unit_price >= 80 then 'Premium (80 and more)'
      when average_unit_price >= 50 then 'Upper Middle (50 to 80)'
      when average_unit_price >= 20 then 'Middle (20 to 50)'
      when average_unit_price >= 0 then 'Budget (below 20)'
    end as price_range,
    case
      when activity_change >= 0.2 then 'Rising'
      when activity_change <= -0.2 then 'Falling'
      when activity_change is not null then 'Steady'
      when recency_days is not null or visit_recency_days is not null then 'Inactive'
    end as activity_trend
  from features
)
select
  customer_id,
  case when history_days >= 365 and monetary > 5000 then 'VIP' when history_days >= 365 then 'Regular' else 'New' end
    as customer_segment,
  case
    when recency_score >= 4 and frequency_score >= 4 and monetary_score >= 4 then 'Champions'
    when recency_score <= 2 and monetary_score >= 4 then 'At Risk (High Value)'
    when recency_score >= 3 and frequency_score >= 3 then 'Loyal Customers'
    when recency_score >= 3 or recency_score is null then 'Needs Attention'
    else 'Churn Risk'
  end as engagement_level,
  case
    when monetary_score = 5 then 'High Spending Customers'
    when frequency >= 3 and frequency_score = 5 then 'Frequent Buyers'
    when cart_count >= 5 and frequency <= 1 or abandoned_cart_count >= 3 then 'Frequent Cart Abandoner'
    when recency_days > 180 and frequency >= 2 then 'Win-Back Candidates'
    when discount_rate >= 0.5 and frequency >= 2 then 'Discount Shoppers'
    when product_view_count >= 10 and frequency = 0 then 'Window Shoppers'
    when frequency = 1 then 'One-Time Buyers'
    when frequency >= 2 then 'Repeat Buyers'
    else 'Prospects'
  end as primary_segment,
  case when monetary_score >= 4 then 'High' when monetary_score = 3 then 'Medium' else 'Low' end as value_tier,
  lifecycle_stage,
  price_range,
  activity_trend,
  case
    when is_premium and (frequency >= 3 and frequency_score >= 4 or previous_purchases >= 25) then 'Premium Loyalist'
    when discount_rate >= 0.5 or price_index <= 0.7 then 'Bargain Hunter'
    when price_index >= 1.3 then 'Quality Seeker'
    when frequency >= 3 and frequency_score >= 4 or previous_purchases >= 25 then 'Loyal Regular'
    when category_count >= 3 then 'Explorer'
    when frequency >= 1 and tenure_days < 90 then 'Newcomer'
    when frequency >= 1 then 'Occasional Shopper'
    when product_view_count >= 10 then 'Window Shopper'
    else 'Prospect'
  end as persona,
  coalesce(nullif(concat_ws(
    '; ',
    case when price_index >= 1.2 then 'Quality-focused' end,
    case when price_index <= 0.8 then 'Price-conscious' end,
    case when discount_rate >= 0.5 then 'Discount-driven' end,
    case when is_premium then 'Subscription member' end,
    case when frequency >= 3 or stated_orders_per_year >= 12 then 'Regular purchaser' end,
    case when tenure_days >= 365 or previous_purchases >= 25 then 'Long-standing customer' end,
    case when category_count >= 4 then 'Wide tastes' end,
    case when recent_session_count >= 10 then 'Frequent visitor' end,
    case when abandoned_cart_count >= 3 then 'Leaves full carts' end,
    case when return_rate >= 0.25 and frequency >= 2 then 'Often sends back' end,
    case when review_count >= 1 and average_rating >= 4.5 then 'Enthusiastic reviewer' end,
    case when review_count >= 1 and average_rating <= 2.5 then 'Critical reviewer' end,
    case when nps_score >= 9 then 'Recommends us' end,
    case when nps_score <= 6 then 'Warns others' end,
    case when support_ticket_count >= 3 then 'Asks for help' end,
    case when frequency between 1 and 2 and coalesce(stated_orders_per_year, 0) < 12 then 'Occasional purchaser' end,
    case when frequency = 0 then 'Not a buyer yet' end
  ), ''), 'Nothing stands out') as persona_traits,
  nullif(concat_ws(
    '; ',
    case when lifecycle_stage is null then 'lifecycle_stage: no order has a date' end,
    case when price_range is null then 'price_range: nothing bought at a known price' end,
    case when activity_trend is null then 'activity_trend: no order and no visit has a date' end
  ), '') as unknown_because,
  is_premium,
  {rule_version} as rule_version,
  recency_days,
  frequency,
  monetary,
  recency_score,
  frequency_score,
  monetary_score,
  rfm_code
from staged
