select
  ticket_id,
  customer_id,
  opened_at,
  case when coalesce(ticket.resolved_at <= {as_of}, true) then ticket.resolved_at end as resolved_at,
  contact_channel,
  case when ticket.resolved_at between opened_at and {as_of}
    then date_diff('second', opened_at, ticket.resolved_at) end as resolution_seconds
from "sources/support_ticket" ticket
where coalesce(opened_at <= {as_of}, true)
