"""What is printed on a terminal: values as they are, on any terminal."""

import codecs
import sys
import textwrap
import unicodedata
from collections.abc import Callable
from io import TextIOWrapper
from itertools import chain
from typing import Any

from rich.console import Console
from rich.text import Text

# How signs are written where the encoding of a terminal has them not.
PLAIN = "plain"
PLAIN_SIGNS = dict(zip("✓✗■–…·█▇▆▅▄▃▂▁", "+x!-~.#7654321", strict=True))


class Screen(Console):
    """A console that takes no part of a text for markup, an emoji or a number to colour: it may be a value.

    What it is given as text goes through `hint`, which may complete the commands that the text advises, and is broken
    between words only, so that a path can be copied.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        self.hint: Callable[[str], str] = str

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as Rich does."""
        if len(objects) == 1 and isinstance(objects[0], str):
            text = self.hint(objects[0])
            objects = (text if options.get("soft_wrap") else _between_words(text, self.width),)
            options["soft_wrap"] = True
        super().print(*objects, **options)

    def error(self, message: str) -> None:
        """Print what went wrong."""
        text = Text(_between_words(f"Error: {self.hint(message)}", self.width))
        text.stylize("bold red", 0, len("Error:"))
        super().print(text, soft_wrap=True)


def _between_words(text: str, width: int) -> str:
    lines = (
        textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) if len(line) > width else [line]
        for line in text.split("\n")
    )
    return "\n".join(chain.from_iterable(lines))


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
