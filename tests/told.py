"""What commands print, as one line to look things up in."""

import re


def plain(text: str) -> str:
    """A text on one line, without the deployment file that advised commands name."""
    return re.sub(r"(c360 \w+) --config \S+", r"\1", re.sub(r"\s+", " ", text))
