"""One HTML page that loads nothing and runs nothing, so that it can be mailed, kept, and opened anywhere."""

from html import escape
from pathlib import Path

STYLE = Path(__file__).with_suffix(".css")


def document(title: str, index: str, content: str) -> str:
    """The whole page; `index` and `content` are HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Nothing may be loaded from anywhere, and nothing may run.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#content">Skip the index</a>\n'
        f'<div class="page">\n{index}\n<main id="content">\n{content}\n</main>\n</div>\n</body>\n</html>\n'
    )


def scrolling(name: str, content: str) -> str:
    """What may be wider than a phone, and is scrolled there by finger or, as it takes the focus, by keyboard."""
    return f'<div class="wide" role="region" aria-label="{escape(name)}" tabindex="0">{content}</div>'


def tiles(facts: list[tuple[str, str]]) -> str:
    """Figures, each with what it is."""
    cards = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>' for value, name in facts
    )
    return f'<div class="tiles">{cards}</div>'


def _style() -> str:
    opacities = "".join(f".o{step}{{opacity:{step * 0.05:.2f}}}" for step in range(21))
    return f"{STYLE.read_text(encoding='utf-8')}{opacities}"
