select touchpoint_id, customer_id, touched_at, traffic_channel, campaign, cost::decimal(18, 4) as cost
from "sources/marketing_touchpoint"
where coalesce(touched_at <= {as_of}, true)
