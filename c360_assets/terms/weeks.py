"""Weeks: those of the shop's clock, Monday to Sunday, that are over."""

from datetime import date, timedelta

from c360_assets.terms.time import Clock

# Four years: a year to learn each of three seasons beside, and a mistyped order of 1970 makes no rows.
MOST_WEEKS = 208
# A date alone as the moment asked for means the end of its day, which is a moment before midnight.
TICK = timedelta(seconds=1)


def last_week(shop: Clock) -> date | None:
    """The Monday of the last week that is over; None where nothing is dated."""
    if shop.moment is None or shop.date is None:
        return None
    tomorrow = Clock(shop.moment + TICK, shop.timezone).date or shop.date
    return tomorrow - timedelta(days=tomorrow.weekday() + 7)
