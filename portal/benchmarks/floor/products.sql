select
  sku_id,
  coalesce(product_id, sku_id) as product_id,
  nullif(trim(product_name, E' \t\n\r'), '') as product_name,
  nullif(trim(product_description, E' \t\n\r'), '') as product_description,
  nullif(trim(product_category, E' \t\n\r'), '') as product_category,
  nullif(trim(product_subcategory, E' \t\n\r'), '') as product_subcategory,
  product.brand_id,
  brand_name,
  parent_company,
  brand_type,
  product_colour,
  product_size,
  list_price::decimal(18, 4) as list_price,
  sale_price::decimal(18, 4) as sale_price,
  launched_ts as launched_at
from "sources/product" product
left join "sources/brand" brand on brand.brand_id = product.brand_id
where coalesce(launched_ts <= {as_of}, true)
