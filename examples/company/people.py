"""Who the customers are: persons, their attributes, and the few who opened a second account."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from examples.company import names, places, season
from examples.company.chance import weighted
from examples.company.columns import ids, picked, timestamps
from examples.company.habits import Habits
from examples.company.records import Flags, Ints

GENDERS = ("Female", "Male", "Non-binary")
EDUCATION = ("Primary", "Secondary", "Vocational", "Bachelor", "Master", "Doctorate")
MARITAL_STATUS = ("Single", "Married", "Divorced", "Widowed")
OCCUPATIONS = (
    "Student", "Retired", "Teacher", "Nurse", "Engineer", "Sales Associate", "Manager", "Software Developer",
    "Accountant", "Electrician", "Driver", "Chef", "Designer", "Lawyer", "Physician", "Homemaker",
)  # fmt: skip
HOBBIES = (
    "Cooking", "Running", "Gardening", "Reading", "Photography", "Cycling", "Travel", "Gaming", "Music",
    "Yoga", "Hiking", "Fishing", "Painting", "Knitting", "Dancing", "Football",
)  # fmt: skip
PREFERRED_CHANNELS = ("email", "sms", "phone", "post")
MAIL_DOMAINS = ("example.com", "example.org", "example.net")

# The shop moved to its present systems at START: earlier customers registered anew within weeks.
MOVED_SHARE, MOVED_DAYS = 0.3, 45
DUPLICATE_SHARE = 0.03
TYPO_SHARE = 0.6  # of the second accounts, for each of first and last name
CHANGED_MAIL_SHARE = 0.4
CHANGED_PHONE_SHARE = 0.3

_HOBBY_PAIRS = pa.array([a if a == b else f"{a}, {b}" for a in HOBBIES for b in HOBBIES])
_INCOME_BY_EDUCATION = np.array([27e3, 36e3, 42e3, 58e3, 74e3, 92e3])
_COPIED = (
    "person", "born_on", "gender", "first_name", "last_name", "city", "zip", "street", "house",
    "mail_domain", "mail_number", "phone", "education", "marital", "children", "occupation", "hobbies",
    "income",
)  # fmt: skip


@dataclass(frozen=True)
class People:
    """One row per customer account, ordered by registration; codes point into the pools above."""

    number: Ints
    registered_at: Ints
    duplicate_of: Ints  # number of the first account, 0 if this is the first
    typo: Ints  # 0 none, 1 first name, 2 last name, 3 both
    person: Ints
    born_on: Ints  # days since 1970
    gender: Ints
    first_name: Ints
    last_name: Ints
    city: Ints
    zip: Ints
    street: Ints
    house: Ints
    mail_domain: Ints
    mail_number: Ints
    phone: Ints  # two digits of the line and four of the extension
    education: Ints
    marital: Ints
    children: Ints
    occupation: Ints
    hobbies: Ints
    income: Ints
    accepts: Ints  # bit 0 e-mail, bit 1 SMS, bit 2 telephone
    preferred: Ints


def draw(rng: np.random.Generator, customers: int) -> People:
    """Draw the persons, then turn a few accounts into second accounts of earlier persons."""
    columns = {
        "number": np.arange(1, customers + 1),
        "registered_at": _registrations(rng, customers),
        "duplicate_of": np.zeros(customers, dtype=np.int64),
        "typo": np.zeros(customers, dtype=np.int8),
        "person": np.arange(1, customers + 1),
        **_identity(rng, customers),
        **_home(rng, customers),
        **_situation(rng, customers),
        "accepts": rng.integers(0, 8, customers, dtype=np.int8),
        "preferred": weighted(rng, (0.55, 0.25, 0.12, 0.08), customers),
    }
    _duplicate(rng, columns)
    return People(**columns)


def _registrations(rng: np.random.Generator, customers: int) -> Ints:
    """Whole seconds, in order; newcomers register until the last day but one."""
    last = season.season_days(np.array([season.END - season.DAY]))[0]
    moved = rng.random(customers) < MOVED_SHARE
    days = rng.random(customers) * np.where(moved, MOVED_DAYS, last)
    return season.calendar(np.sort(days)) // season.SECOND * season.SECOND


def _identity(rng: np.random.Generator, customers: int) -> dict[str, Ints]:
    gender = weighted(rng, (0.51, 0.47, 0.02), customers)
    female = np.where(gender == 2, rng.random(customers) < 0.5, gender == 0)
    males = len(names.FIRST_NAMES) - names.FEMALE_COUNT
    first = np.where(
        female,
        rng.integers(0, names.FEMALE_COUNT, customers),
        names.FEMALE_COUNT + rng.integers(0, males, customers),
    )
    age_days = 20 * 365.25 + rng.beta(1.6, 2.6, customers) * 68 * 365.25
    return {
        "gender": gender,
        "first_name": first,
        "last_name": (len(names.SURNAMES) * rng.random(customers) ** 1.3).astype(np.int64),
        "born_on": season.END // season.DAY - age_days.astype(np.int64),
        "mail_domain": weighted(rng, (0.5, 0.3, 0.2), customers),
        "mail_number": rng.integers(1, 10_000, customers),
        "phone": rng.integers(0, 1_000_000, customers),
    }


def _home(rng: np.random.Generator, customers: int) -> dict[str, Ints]:
    city = weighted(rng, places.CITY_WEIGHTS, customers)
    within = (rng.random(customers) * places.ZIP_COUNT[city]).astype(np.int64)
    return {
        "city": city,
        "zip": places.FIRST_ZIP[city] + within,
        "street": rng.integers(0, len(names.STREETS), customers),
        "house": rng.integers(1, 2_000, customers),
    }


def _situation(rng: np.random.Generator, customers: int) -> dict[str, Ints]:
    education = weighted(rng, (0.04, 0.34, 0.16, 0.29, 0.14, 0.03), customers)
    marital = weighted(rng, (0.36, 0.47, 0.12, 0.05), customers)
    spread = np.exp(rng.normal(0, 0.45, customers))
    return {
        "education": education,
        "marital": marital,
        "children": np.minimum(rng.poisson(np.where(marital == 0, 0.3, 1.4)), 6),
        "occupation": rng.integers(0, len(OCCUPATIONS), customers),
        "hobbies": rng.integers(0, len(_HOBBY_PAIRS), customers),
        "income": (_INCOME_BY_EDUCATION[education] * spread / 100).astype(np.int64) * 100,
    }


def _duplicate(rng: np.random.Generator, columns: dict[str, Ints]) -> None:
    """Overwrite a few accounts, in place, with the person behind an earlier first account."""
    customers = len(columns["number"])
    second = rng.random(customers) < DUPLICATE_SHARE
    second[0] = False
    rows, firsts = np.flatnonzero(second), np.flatnonzero(~second)
    earlier = np.searchsorted(firsts, rows)
    source = firsts[(rng.random(len(rows)) * earlier).astype(np.int64)]
    for name in _COPIED:
        columns[name][rows] = columns[name][source]
    columns["duplicate_of"][rows] = columns["number"][source]
    columns["typo"][rows] = (rng.random((2, len(rows))) < TYPO_SHARE).T @ np.array([1, 2])
    for name, share, below in (
        ("mail_number", CHANGED_MAIL_SHARE, 10_000),
        ("phone", CHANGED_PHONE_SHARE, 1_000_000),
    ):
        changed = rows[rng.random(len(rows)) < share]
        columns[name][changed] = rng.integers(1, below, len(changed))


def number_width(customers: int) -> int:
    """Digits of a customer number: at least seven, more when the company needs them."""
    return max(7, len(str(customers)))


def age_at_end(born_on: Ints) -> Ints:
    """Completed years of life on the last day of the span."""
    born_year, born_day = _year_and_day(born_on)
    end_year, end_day = _year_and_day(np.array([season.END // season.DAY]))
    return end_year - born_year - (born_day > end_day)


def _year_and_day(days: Ints) -> tuple[Ints, Ints]:
    """Year, and a number that orders the days of any year by month and day."""
    date = days.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    year, month_of_year = np.divmod(month.astype(np.int64), 12)
    return 1970 + year, 31 * month_of_year + (date - month).astype(np.int64)


def streets(people: People) -> pa.StringArray:
    """House number and street."""
    return pc.binary_join_element_wise(
        pc.cast(pa.array(people.house), pa.string()), names.STREETS.take(pa.array(people.street)), " "
    )


def addresses(people: People) -> pa.StringArray:
    """The whole postal address on one line."""
    city = pa.array(people.city)
    parts = (
        streets(people),
        places.NAMES.take(city),
        places.STATES.take(city),
        _zips(people),
        places.COUNTRIES.take(city),
    )
    return pc.binary_join_element_wise(*parts, ", ")


def table(people: People, habits: Habits, width: int) -> pa.Table:
    """One row per customer account: the `customer` dataset."""
    return pa.table(
        {
            "customer_id": ids("C", people.number, width),
            "first_name": _misspelt(names.FIRST_NAMES, people.first_name, people.typo % 2 == 1),
            "last_name": _misspelt(names.SURNAMES, people.last_name, people.typo >= 2),
            "gender": picked(GENDERS, people.gender),
            "phone_number": _phones(people),
            "email_address": _mails(people),
            "date_of_birth": timestamps(people.born_on * season.DAY),
            "age": pa.array(age_at_end(people.born_on), pa.int32()),
            "education_level": picked(EDUCATION, people.education),
            "marital_status": picked(MARITAL_STATUS, people.marital),
            "no_of_children": pa.array(people.children, pa.int32()),
            "registration_date": timestamps(people.registered_at),
            "occupation": picked(OCCUPATIONS, people.occupation),
            "hobbies": picked(_HOBBY_PAIRS, people.hobbies),
            "annual_income": pa.array(people.income, pa.float64()),
            "degree_of_loyalty": pa.array(habits.loyalty, pa.int32()),
            "mailing_street": streets(people),
            "city": picked(places.NAMES, people.city),
            "state": picked(places.STATES, people.city),
            "country": picked(places.COUNTRIES, people.city),
            "zipcode": _zips(people),
            "state_code": picked(places.STATE_CODES, people.city),
            "is_premium": pa.array(habits.premium),
            **{
                f"accepts_{way}": pa.array(people.accepts >> bit & 1 == 1)
                for bit, way in enumerate(("email", "sms", "phone"))
            },
            "preferred_channel": picked(PREFERRED_CHANNELS, people.preferred),
        }
    )


def duplicates(people: People, width: int) -> pa.Table:
    """One row per second account: the account and the first account of the same person."""
    second = people.duplicate_of > 0
    return pa.table(
        {
            "customer_id": ids("C", people.number[second], width),
            "duplicate_of": ids("C", people.duplicate_of[second], width),
        }
    )


def _zips(people: People) -> pa.StringArray:
    return places.ZIPS.take(pa.array(people.zip))


def _phones(people: People) -> pa.StringArray:
    """A number from a range reserved for fiction, with an extension to tell customers apart."""
    prefix = places.PHONE_PREFIXES.take(pa.array(people.city))
    line, extension = np.divmod(people.phone, 10_000)
    return pc.binary_join_element_wise(prefix, ids("", line, 2), " x", ids("", extension, 4), "")


def _mails(people: People) -> pa.StringArray:
    """An address in a domain reserved for examples (RFC 2606)."""
    first = pc.ascii_lower(names.FIRST_NAMES.take(pa.array(people.first_name)))
    last = pc.ascii_lower(names.SURNAMES.take(pa.array(people.last_name)))
    number = pc.cast(pa.array(people.mail_number), pa.string())
    domain = pa.array(MAIL_DOMAINS).take(pa.array(people.mail_domain))
    return pc.binary_join_element_wise(first, ".", last, number, "@", domain, "")


def _misspelt(pool: pa.StringArray, codes: Ints, wrong: Flags) -> pa.StringArray:
    """The names, with the second and third letter swapped where wrong."""
    words, rows = pool.take(pa.array(codes)), pa.array(wrong)
    swapped = [word[0] + word[2] + word[1] + word[3:] for word in words.filter(rows).to_pylist()]
    return pc.replace_with_mask(words, rows, pa.array(swapped, pa.string()))
