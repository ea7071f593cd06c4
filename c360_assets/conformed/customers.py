"""Customers: cleaned master data of everyone any system knows."""

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from c360_assets.terms.inputs import HOURLY_SOURCE, SOURCE
from c360_assets.terms.texts import stripped
from c360_assets.terms.time import clock, until
from governance.reference import us_states

YOUNGEST, OLDEST = 13, 115
# What follows a telephone number and is dialled later.
EXTENSION = r"(?i)[\s,;/]*(ext(ension)?|x|#|durchwahl|poste|anexo)[\s.:]*[0-9]+\s*$"
GENDERS = {
    "female": ("female", "f", "woman", "w"),
    "male": ("male", "m", "man"),
    "other": ("other", "non-binary", "nonbinary", "diverse", "x"),
}


@dg.asset(ins={"customer": SOURCE, "orders": SOURCE, "web_analytics": HOURLY_SOURCE})
def customers(customer: ir.Table, orders: ir.Table, web_analytics: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per customer known to any system; whoever only orders or browses is kept, unregistered."""
    ordering = until(orders, "ordered_at", as_of).select("customer_id")
    browsing = until(web_analytics, "activity_ts", as_of).select(customer_id="entity_id")
    registered = until(customer, "registration_date", as_of).select("customer_id")
    seen = ibis.union(ordering, browsing, registered, distinct=True)
    known = seen.filter(seen.customer_id.notnull()).rename(known_id="customer_id")
    # Whoever ordered is known by then, whatever the date of registration says.
    joined = _with_states(known.left_join(customer, known.known_id == customer.customer_id))
    now = clock(as_of)
    return joined.select(
        customer_id=joined.known_id,
        first_name=_clean(joined.first_name),
        last_name=_clean(joined.last_name),
        gender=_gender(joined.gender),
        phone_number=_phone(joined.phone_number),
        email_address=_clean(joined.email_address).lower(),
        date_of_birth=joined.date_of_birth.date(),
        age=_plausible(_age(joined.date_of_birth, now.today)).fill_null(_plausible(joined.age)),
        age_band=_clean(joined.age_band),
        education_level=_clean(joined.education_level),
        marital_status=_clean(joined.marital_status),
        number_of_children=joined.no_of_children,
        household_size=joined.household_size,
        household_composition=_clean(joined.household_composition),
        registered_at=(joined.registration_date <= now.now).ifelse(joined.registration_date, None),
        occupation=_clean(joined.occupation),
        hobbies=_clean(joined.hobbies),
        annual_income=joined.annual_income,
        income_band=_clean(joined.income_band),
        degree_of_loyalty=joined.degree_of_loyalty,
        mailing_street=_clean(joined.mailing_street),
        city=_clean(joined.city),
        state_code=joined.written_code.fill_null(joined.code_of_name),
        state=joined.written_name.fill_null(joined.name_of_code),
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


def _with_states(people: ir.Table) -> ir.Table:
    """What is written of the state, and what the code says of the name and the name of the code."""
    names = us_states.names_by_code()
    states = ibis.memtable(pa.table({"code": list(names), "name": list(names.values())}))
    written = people.mutate(written_code=_clean(people.state_code).upper(), written_name=_clean(people.state))
    by_code = states.select(known_code="code", name_of_code="name")
    by_name = states.select(known_name="name", code_of_name="code")
    coded = written.left_join(by_code, written.written_code == by_code.known_code)
    return coded.left_join(by_name, coded.written_name == by_name.known_name)


def _clean(text: ir.StringColumn) -> ir.StringColumn:
    return stripped(text).nullif("")


def _phone(text: ir.StringColumn) -> ir.StringColumn:
    plus = text.re_search(r"^[^0-9]*\+").ifelse("+", "")
    return plus + text.re_replace(EXTENSION, "").re_replace("[^0-9]", "").nullif("")


def _gender(text: ir.StringColumn) -> ir.StringColumn:
    spelt = stripped(text).lower()
    return ibis.cases(*[(spelt.isin(spellings), gender) for gender, spellings in GENDERS.items()])


def _age(born: ir.TimestampColumn, at: ir.TimestampValue) -> ir.IntegerColumn:
    """Whole years, as birthdays count them."""
    birthday_to_come = (at.month() * 100 + at.day()) < (born.month() * 100 + born.day())
    return (at.year() - born.year() - birthday_to_come.cast("int32")).cast("int32")


def _plausible(age: ir.IntegerColumn) -> ir.IntegerColumn:
    return age.between(YOUNGEST, OLDEST).ifelse(age, ibis.null("int32"))
