select review_id, customer_id, sku_id, reviewed_at, case when rating between 1 and 5 then rating::decimal(18, 4) end as rating
from "sources/review"
where coalesce(reviewed_at <= {as_of}, true)
