"""Privacy classes of columns, and what is shown in place of the values that may not be seen."""

# From least to most protected. A column without a class is internal: of the business, of no person.
INTERNAL = "internal"
CLASSIFIED = ("pseudonymous", "personal", "sensitive", "direct_identifier")
CLASSES = (INTERNAL, *CLASSIFIED)
MASKED_CLASSES = frozenset({"personal", "sensitive", "direct_identifier"})
# What is shown in place of their values.
MASK = "***"


def masked(value: str) -> str:
    """The SQL of what is shown in place of a value, given as SQL: the mask, nothing where there is none."""
    return f"CASE WHEN {value} IS NOT NULL THEN '{MASK}' END"
