"""Customers: cleaned master data of everyone any system knows."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.as_of import SOURCE, moment, until
from governance.reference import us_states

YOUNGEST, OLDEST = 13, 115
GENDERS = {
    "female": ("female", "f", "woman", "w"),
    "male": ("male", "m", "man"),
    "other": ("other", "non-binary", "nonbinary", "diverse", "x"),
}


@dg.asset(ins={"customer": SOURCE, "orders": SOURCE, "web_analytics": SOURCE})
def customers(customer: ir.Table, orders: ir.Table, web_analytics: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per customer known to any system; whoever only orders or browses is kept, unregistered."""
    registered = until(customer, "registration_date", as_of)
    ordering = until(orders, "ordered_at", as_of).select("customer_id")
    browsing = until(web_analytics, "activity_ts", as_of).select(customer_id="entity_id")
    seen = ibis.union(ordering, browsing, registered.select("customer_id"), distinct=True)
    known = seen.filter(seen.customer_id.notnull()).rename(known_id="customer_id")
    joined = known.left_join(registered, known.known_id == registered.customer_id)
    return joined.select(
        customer_id=joined.known_id,
        first_name=_clean(joined.first_name),
        last_name=_clean(joined.last_name),
        gender=_gender(joined.gender),
        phone_number=joined.phone_number.re_replace("[^0-9+]", "").nullif(""),
        email_address=_clean(joined.email_address).lower(),
        date_of_birth=joined.date_of_birth.date(),
        age=_plausible(_age(joined.date_of_birth, moment(as_of))).fill_null(_plausible(joined.age)),
        education_level=_clean(joined.education_level),
        marital_status=_clean(joined.marital_status),
        number_of_children=joined.no_of_children,
        registered_at=joined.registration_date,
        occupation=_clean(joined.occupation),
        hobbies=_clean(joined.hobbies),
        annual_income=joined.annual_income,
        degree_of_loyalty=joined.degree_of_loyalty,
        mailing_street=_clean(joined.mailing_street),
        city=_clean(joined.city),
        state_code=_clean(joined.state_code).upper().fill_null(_code_of(_clean(joined.state))),
        state=_clean(joined.state).fill_null(_name_of(_clean(joined.state_code).upper())),
        country=_clean(joined.country),
        zipcode=_clean(joined.zipcode),
        is_premium=joined.is_premium,
        accepts_email=joined.accepts_email,
        accepts_sms=joined.accepts_sms,
        accepts_phone=joined.accepts_phone,
        preferred_channel=_clean(joined.preferred_channel),
        previous_purchases=joined.previous_purchases,
        purchase_frequency=_clean(joined.purchase_frequency),
        is_registered=joined.customer_id.notnull(),
    )


def _clean(text: ir.StringColumn) -> ir.StringColumn:
    return text.strip().nullif("")


def _gender(text: ir.StringColumn) -> ir.StringColumn:
    spelt = text.strip().lower()
    return ibis.cases(*[(spelt.isin(spellings), gender) for gender, spellings in GENDERS.items()])


def _age(born: ir.TimestampColumn, at: ir.TimestampValue) -> ir.IntegerColumn:
    """Whole years, as birthdays count them."""
    birthday_to_come = (at.month() * 100 + at.day()) < (born.month() * 100 + born.day())
    return (at.year() - born.year() - birthday_to_come.cast("int32")).cast("int32")


def _plausible(age: ir.IntegerColumn) -> ir.IntegerColumn:
    return age.between(YOUNGEST, OLDEST).ifelse(age, ibis.null("int32"))


def _name_of(code: ir.StringColumn) -> ir.StringColumn:
    return code.cases(*us_states.names_by_code().items())


def _code_of(name: ir.StringColumn) -> ir.StringColumn:
    return name.cases(*[(state, code) for code, state in us_states.names_by_code().items()])
