"""What is printed on a terminal: values as they are, on any terminal."""

import codecs
import sys
import unicodedata
from io import TextIOWrapper
from typing import Any

from rich.console import Console

# How signs are written where the encoding of a terminal has them not.
PLAIN = "plain"
PLAIN_SIGNS = dict(zip("✓✗■–…·█▇▆▅▄▃▂▁", "+x!-~.#7654321", strict=True))


def console(**options: Any) -> Console:
    """A console that takes no part of a text for markup, an emoji or a number to colour: it may be a value."""
    return Console(markup=False, emoji=False, highlight=False, **options)


def print_anywhere() -> None:
    """Let standard output write plain signs where its encoding lacks those it is given, as ASCII lacks most."""
    codecs.register_error(PLAIN, _plain)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors=PLAIN)


def _plain(fault: UnicodeError) -> tuple[str, int]:
    """A sign for each that cannot be written: a letter without its accent, else ?."""
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    return "".join(map(_plain_sign, fault.object[fault.start : fault.end])), fault.end


def _plain_sign(sign: str) -> str:
    return PLAIN_SIGNS.get(sign) or next((part for part in unicodedata.normalize("NFKD", sign) if part.isascii()), "?")
