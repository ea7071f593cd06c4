with words (feature, topic, high, low, unit) as (
  values
    ('is_registered', 'registration', 'more often registered', 'less often registered', '%'),
    ('is_premium', 'premium', 'more often premium', 'less often premium', '%'),
    ('age', 'age', 'older', 'younger', ' years'),
    ('annual_income', 'income', 'higher income', 'lower income', ''),
    ('number_of_children', 'family', 'more children', 'fewer children', ''),
    ('degree_of_loyalty', 'loyalty', 'rated more loyal', 'rated less loyal', ''),
    ('points_balance', 'loyalty', 'holds more loyalty points', 'holds fewer loyalty points', ''),
    ('tenure_days', 'tenure', 'with us for longer', 'with us for a shorter time', ' days'),
    ('history_days', 'tenure', 'buying for longer', 'buying for a shorter time', ' days'),
    ('recency_days', 'recency', 'last order longer ago', 'last order more recent', ' days'),
    ('frequency', 'buying', 'more orders', 'fewer orders', ''),
    ('item_count', 'buying', 'buys more pieces', 'buys fewer pieces', ''),
    ('previous_purchases', 'buying', 'more purchases in the past', 'fewer purchases in the past', ''),
    ('stated_orders_per_year', 'buying', 'states more orders a year', 'states fewer orders a year', ''),
    ('activity_change', 'trend', 'better activity trend', 'worse activity trend', '%'),
    ('recent_order_count', 'trend', 'more orders in the last 90 days', 'fewer orders in the last 90 days', ''),
    ('recent_session_count', 'trend', 'more visits in the last 90 days', 'fewer visits in the last 90 days', ''),
    ('former_order_count', 'trend', 'more orders 90 to 180 days ago', 'fewer orders 90 to 180 days ago', ''),
    ('former_session_count', 'trend', 'more visits 90 to 180 days ago', 'fewer visits 90 to 180 days ago', ''),
    ('monetary', 'spending', 'spends more', 'spends less', ''),
    ('historical_value', 'spending', 'is worth more', 'is worth less', ''),
    ('average_order_amount', 'order size', 'larger orders', 'smaller orders', ''),
    ('price_index', 'prices', 'pays more for like goods', 'pays less for like goods', ''),
    ('average_unit_price', 'prices', 'buys dearer pieces', 'buys cheaper pieces', ''),
    ('category_count', 'variety', 'buys from more categories', 'buys from fewer categories', ''),
    ('product_count', 'variety', 'buys more different products', 'buys fewer different products', ''),
    ('order_interval_days', 'rhythm', 'longer between orders', 'less time between orders', ' days'),
    ('return_rate', 'returns', 'sends back more', 'sends back less', '%'),
    ('discount_rate', 'discounts', 'buys more at a discount', 'buys less at a discount', '%'),
    ('session_count', 'visits', 'more visits', 'fewer visits', ''),
    ('engagement_minutes', 'visits', 'stays longer on the site', 'stays less long on the site', ' minutes'),
    ('product_view_count', 'visits', 'looks at more products', 'looks at fewer products', ''),
    ('visit_recency_days', 'last visit', 'last visit longer ago', 'last visit more recent', ' days'),
    ('favorite_count', 'favourites', 'more favourites', 'fewer favourites', ''),
    ('cart_count', 'carts', 'puts more into carts', 'puts less into carts', ''),
    ('abandoned_cart_count', 'carts', 'leaves more carts behind', 'leaves fewer carts behind', ''),
    ('review_count', 'reviews', 'writes more reviews', 'writes fewer reviews', ''),
    ('average_rating', 'ratings', 'gives better ratings', 'gives worse ratings', ''),
    ('support_ticket_count', 'support', 'asks for help more often', 'asks for help less often', ''),
    ('nps_score', 'satisfaction', 'recommends us more', 'recommends us less', ''),
    ('csat_score', 'satisfaction', 'more satisfied', 'less satisfied', ''),
    ('ces_score', 'effort', 'higher effort score', 'lower effort score', '')
),
measured as (
  select
    customer_id,
    try_cast(columns(* exclude (
      customer_id, gender, country, recency_score, frequency_score, monetary_score, rfm_code, value_share_above,
      gross_monetary, order_count, open_order_count, returned_amount, orders_span_days, activity_span_days
    )) as decimal(16, 4))
  from features
),
placed as (
  select
    customer_segments.customer_id,
    customer_segment,
    engagement_level,
    value_tier,
    lifecycle_stage,
    price_range,
    activity_trend,
    persona,
    case when is_premium then 'Premium' end as premium,
    cluster_name
  from customer_segments left join clusters on clusters.customer_id = customer_segments.customer_id
),
whole as (
  select
    case
      when customer_segment is not null then 'customer_segment'
      when engagement_level is not null then 'engagement_level'
      when value_tier is not null then 'value_tier'
      when lifecycle_stage is not null then 'lifecycle_stage'
      when price_range is not null then 'price_range'
      when activity_trend is not null then 'activity_trend'
      when persona is not null then 'persona'
      when premium is not null then 'premium'
      else 'cluster'
    end as segmentation,
    coalesce(
      customer_segment, engagement_level, value_tier, lifecycle_stage, price_range, activity_trend, persona, premium,
      cluster_name
    ) as segment,
    false as is_sensitive,
    count(*) as customers,
    {'total': sum(columns(measured.* exclude (customer_id))), 'n': count(columns(measured.* exclude (customer_id)))}
  from measured join placed on placed.customer_id = measured.customer_id
  group by grouping sets (
    (customer_segment), (engagement_level), (value_tier), (lifecycle_stage), (price_range), (activity_trend), (persona),
    (premium), (cluster_name)
  )
),
overlapping as (
  select
    'audience' as segmentation,
    audience as segment,
    is_sensitive,
    count(*) as customers,
    {'total': sum(columns(measured.* exclude (customer_id))), 'n': count(columns(measured.* exclude (customer_id)))}
  from measured join audiences on audiences.customer_id = measured.customer_id
  group by all
),
segments as (
  select segmentation, segment, is_sensitive, customers, feature, summed.total, summed.n
  from (
    unpivot (from whole where segment is not null union all by name from overlapping)
    on columns(* exclude (segmentation, segment, is_sensitive, customers)) into name feature value summed
  )
),
everyone as (
  select
    feature,
    summed.n::double / nullif((select count(*) from features), 0) as known_share,
    summed.total::double / nullif(summed.n, 0) as mean,
    summed.squares::double / nullif(summed.n, 0) as mean_square
  from (
    unpivot (
      select {
        'total': sum(columns(* exclude (customer_id))),
        'n': count(columns(* exclude (customer_id))),
        'squares': sum(columns(* exclude (customer_id))::decimal(28, 4) * columns(* exclude (customer_id)))
      }
      from measured
    )
    on columns(*) into name feature value summed
  )
  where feature not in ('age', 'annual_income', 'number_of_children') or summed.n >= 10
),
compared as (
  select
    segmentation,
    segment,
    is_sensitive,
    segments.feature,
    customers,
    n,
    n::double / customers >= 0.5 * known_share as is_usual,
    case when segments.feature not in ('age', 'annual_income', 'number_of_children') or n >= 10
      then total::double / nullif(n, 0) end as mean,
    everyone.mean as population_mean,
    case
      when mean_square is null then null
      when mean_square - everyone.mean * everyone.mean > 1e-9 * mean_square
        then sqrt(mean_square - everyone.mean * everyone.mean)
      else 0
    end as population_deviation
  from segments left join everyone on everyone.feature = segments.feature
),
judged as (
  select
    compared.*,
    words.* exclude (feature),
    (mean - population_mean) / nullif(population_deviation, 0) as difference,
    case when unit = '%' then 100.0::double else 1.0::double end as scale,
    greatest(abs(mean), abs(population_mean)) * scale * case when unit = '' then 1 else 10 end as size,
    case when size >= 100 then '{:,.0f}' when size >= 10 then '{:,.1f}' else '{:,.2f}' end as template
  from compared join words on words.feature = compared.feature
)
select
  segmentation,
  segment,
  feature,
  is_sensitive,
  topic,
  customers as customer_count,
  n as known_count,
  mean,
  population_mean,
  population_deviation,
  difference as standardised_difference,
  case when difference is not null then row_number() over (
    partition by segmentation, segment order by round(abs(difference), 6) desc nulls last, feature
  ) end::integer as rank,
  case when abs(difference) >= 0.2 and difference * difference * n >= 9 and is_usual and n >= 10 then
    case when difference > 0 then high else low end || ': '
    || regexp_replace(format(template, mean * scale), '^-?0(\.0+)?$', '0') || unit || ' against '
    || regexp_replace(format(template, population_mean * scale), '^-?0(\.0+)?$', '0')
    || case when unit = '%' then '%' else '' end
  end as trait
from judged
