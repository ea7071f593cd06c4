"""The one kind of error a user is meant to read."""

from collections.abc import Iterable
from difflib import get_close_matches


class C360Error(Exception):
    """Something the user can mend. The message says what is wrong, where, and what to do next.

    It is shown as it is, without a stack trace, so it never holds a personal value.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """The known names most like this one, in brackets with a blank before; nothing where none is."""
    spelt = {each.lower(): each for each in known}
    found = [spelt[each] for each in get_close_matches(name.lower(), spelt)]
    return f" (nearest: {', '.join(found)})" if found else ""
