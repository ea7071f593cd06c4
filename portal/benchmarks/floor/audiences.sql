with baby as (
  select customer_id, recent_interest_count as interest from category_interest where category = 'Baby'
),
judged as (
  select
    features.customer_id,
    monetary_score = 5 as high_spending,
    interest >= 3 and (number_of_children = 0 or number_of_children is null) as expecting,
    frequency >= 3 and frequency_score = 5 as frequent,
    cart_count >= 5 and frequency <= 1 or abandoned_cart_count >= 3 as abandoning,
    recency_days > 180 and frequency >= 2 as winnable,
    discount_rate >= 0.5 and frequency >= 2 as discounted,
    product_view_count >= 10 and frequency = 0 as looking,
    frequency = 1 as once,
    frequency >= 2 as repeated
  from features left join baby on baby.customer_id = features.customer_id
),
listed as (
  select customer_id, 'High Spending Customers' as audience, 1 as precedence, false as is_sensitive
  from judged where high_spending
  union all select customer_id, 'Expecting Parents', 2, true from judged where expecting
  union all select customer_id, 'Frequent Buyers', 3, false from judged where frequent
  union all select customer_id, 'Frequent Cart Abandoner', 4, false from judged where abandoning
  union all select customer_id, 'Win-Back Candidates', 5, false from judged where winnable
  union all select customer_id, 'Discount Shoppers', 6, false from judged where discounted
  union all select customer_id, 'Window Shoppers', 7, false from judged where looking
  union all select customer_id, 'One-Time Buyers', 8, false from judged where once
  union all select customer_id, 'Repeat Buyers', 9, false from judged where repeated
  union all select customer_id, 'Prospects', 10, false from judged
  where not (
    coalesce(high_spending, false) or coalesce(frequent, false) or coalesce(abandoning, false)
    or coalesce(winnable, false) or coalesce(discounted, false) or coalesce(looking, false)
    or coalesce(once, false) or coalesce(repeated, false)
  )
)
select
  customer_id,
  audience,
  precedence,
  precedence = min(precedence) filter (not is_sensitive) over (partition by customer_id) as is_primary,
  is_sensitive,
  {rule_version} as rule_version
from listed
