"""Communication preferences: by which channels customers agreed to be contacted, and how many can be."""

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from c360_assets.terms.texts import stripped

# Each channel with the column of consent and the one that holds the address or number it needs.
CHANNELS = {
    "email": ("accepts_email", "email_address"),
    "sms": ("accepts_sms", "phone_number"),
    "phone": ("accepts_phone", "phone_number"),
}
NO_CONSENT = "no customer's consent is known"


@dg.asset
def communication_preferences(customers: ir.Table, contacts: ir.Table) -> ir.Table:
    """One row per channel: email, sms and phone."""
    counted = _by_channel(_asked(customers, contacts))
    is_told = counted.accepted_count + counted.declined_count > 0
    return counted.select(
        "channel",
        "customer_count",
        accepted_count=is_told.ifelse(counted.accepted_count, None),
        declined_count=is_told.ifelse(counted.declined_count, None),
        unknown_count=counted.customer_count - counted.accepted_count - counted.declined_count,
        acceptance_rate=counted.accepted_count / (counted.accepted_count + counted.declined_count).nullif(0),
        reachable_count=is_told.ifelse(counted.reachable_count, None),
        preferred_count=(counted.told_count > 0).ifelse(counted.preferred_count, None),
        touch_count=(counted.contact_count > 0).ifelse(counted.touch_count, None),
        reason=is_told.ifelse(ibis.null("string"), NO_CONSENT),
    )


def _asked(customers: ir.Table, contacts: ir.Table) -> ir.Table:
    """One row of counts, those of a channel under its name."""
    preferred, used = customers.preferred_channel.lower(), stripped(contacts.traffic_channel).lower()
    of_customers = {"customer_count": customers.count(), "told_count": preferred.count()}
    of_contacts = {"contact_count": contacts.count()}
    for channel, (consent, address) in CHANNELS.items():
        accepts = customers[consent]
        of_customers |= {
            f"accepted_count_{channel}": customers.count(where=accepts),
            f"declined_count_{channel}": customers.count(where=~accepts),
            f"reachable_count_{channel}": customers.count(where=accepts & customers[address].notnull()),
            f"preferred_count_{channel}": customers.count(where=preferred == channel),
        }
        of_contacts |= {f"touch_count_{channel}": contacts.count(where=used == channel)}
    return customers.agg(**of_customers).cross_join(contacts.agg(**of_contacts))


def _by_channel(asked: ir.Table) -> ir.Table:
    rows = asked.cross_join(ibis.memtable(pa.table({"channel": list(CHANNELS)})))
    names = ("accepted_count", "declined_count", "reachable_count", "preferred_count", "touch_count")
    counts = {
        name: ibis.cases(*[(rows.channel == channel, rows[f"{name}_{channel}"]) for channel in CHANNELS])
        for name in names
    }
    return rows.select("channel", "customer_count", "told_count", "contact_count", **counts)
