"""The one kind of error a user is meant to read."""


class C360Error(Exception):
    """Something the user can mend. The message says what is wrong, where, and what to do next.

    It is shown as it is, without a stack trace, so it never holds a personal value.
    """
