with staged as (
  select
    *,
    case
      when order_count = 0 then 'Prospect'
      when returned_amount > 0 and monetary <= 0 then 'Returned everything'
      when frequency = 0 and open_order_count = 0 then 'Cancelled only'
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
      when not (tenure_days >= 180 and activity_span_days >= 180) or tenure_days is null then null
      when activity_change >= 0.2 then 'Rising'
      when activity_change <= -0.2 then 'Falling'
      when activity_change is not null then 'Steady'
      when recency_days is not null or visit_recency_days is not null then 'Inactive'
    end as activity_trend,
    case
      when orders_span_days < 720 or orders_span_days is null then null
      when history_days >= 365 and monetary > 5000 then 'VIP'
      when history_days >= 365 then 'Regular'
      when history_days < 365 then 'New'
    end as customer_segment,
    case
      when frequency_score is null or monetary_score is null then null
      when recency_score >= 4 and frequency_score >= 4 and monetary_score >= 4 then 'Champions'
      when recency_score <= 2 and monetary_score >= 4 then 'At Risk (High Value)'
      when recency_score >= 3 and frequency_score >= 3 then 'Loyal Customers'
      when recency_score >= 3 or recency_days is null and orders_span_days >= 56 then 'Needs Attention'
      when recency_score <= 2 then 'Churn Risk'
    end as engagement_level,
    case
      when monetary_score is null then null
      when value_share_above < 0.8 then 'High'
      when value_share_above < 0.95 then 'Medium'
      when frequency >= 1 then 'Low'
    end as value_tier
  from features
)
select
  customer_id,
  customer_segment,
  engagement_level,
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
  value_tier,
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
    case when customer_segment is null then 'customer_segment: ' || case
      when frequency = 0 then 'no completed order'
      when orders_span_days is null or orders_span_days >= 720 then 'no order has a date'
      else 'orders of less than two years are held' end end,
    case when engagement_level is null then 'engagement_level: ' || case
      when frequency = 0 then 'no completed order'
      when orders_span_days is null then 'no order has a date'
      when orders_span_days < 56 then 'orders of less than eight weeks are held'
      else 'buyers are too much alike to be scored' end end,
    case when value_tier is null then 'value_tier: ' || case
      when frequency = 0 then 'no completed order' else 'buyers are too much alike to be scored' end end,
    case when lifecycle_stage is null then 'lifecycle_stage: ' || case
      when frequency = 0 then 'orders are pending or of unknown status' else 'no order has a date' end end,
    case when price_range is null then 'price_range: nothing bought at a known price' end,
    case when activity_trend is null then 'activity_trend: ' || case
      when activity_span_days is null then 'no order and no visit has a date'
      when activity_span_days < 180 then 'orders and visits of less than 180 days are held'
      when tenure_days < 180 then 'too new to tell'
      else 'neither an order nor a visit is known' end end
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
