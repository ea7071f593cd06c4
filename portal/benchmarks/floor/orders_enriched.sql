select
  order_lines.*,
  is_completed,
  is_anonymous,
  delivered_at,
  payment_method,
  sales_channel,
  season,
  shipping_type,
  shipping_country,
  shipping_state,
  has_discount,
  has_promo_code,
  promo_code,
  gender,
  age,
  state,
  country,
  customers.is_premium,
  customer_segment,
  engagement_level,
  primary_segment,
  value_tier,
  persona,
  product_name,
  product_category,
  product_subcategory,
  product_colour,
  product_size,
  brand_name,
  parent_company,
  brand_type,
  list_price
from order_lines
left join orders on orders.order_id = order_lines.order_id
left join customers on customers.customer_id = order_lines.customer_id
left join customer_segments on customer_segments.customer_id = order_lines.customer_id
left join products on products.sku_id = order_lines.sku_id
