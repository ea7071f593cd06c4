"""The segments of one segmentation as a picture of one page: size beside worth, who they are, what to do."""

from pathlib import Path
from typing import TYPE_CHECKING

from governance.errors import C360Error
from portal.reports.segments import Segment, Segmentation, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Lengths are in pixels of a page 900 wide, drawn twice as fine for the screens that show it.
WIDTH, MARGIN = 900, 32
PIXELS_PER_INCH, FINENESS = 100, 2
POINTS = 72 / PIXELS_PER_INCH
WHO, DO = 288, 512
BAR_LENGTH, BAR_HEIGHT = 168, 11
CHIP_WIDTH, CHIP_HEIGHT = 54, 16
LINE, OUTLINED = 16, 0.98
TRAITS, ACTIONS = 3, 3
HEADLINE, NAME, BODY, SMALL = 20, 15, 12, 11
PAPER, INK, FAINT, RULE, TRACK = "#fcfbf8", "#1d2733", "#66727e", "#e3e1da", "#efede6"
SIZE, WORTH = "#93a4b3", "#0f766e"
CHIPS = {"High": ("#fbe1dc", "#9b2613"), "Medium": ("#fbedc8", "#85500a"), "Low": ("#e8ebee", "#4a5663")}
FONT = "DejaVu Sans"
KINDS = (".png", ".svg")


def write(shown: Segmentation, target: Path) -> None:
    """Draw the segmentation into `target`, a PNG or SVG file by its suffix; the same rows give the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    kind = target.suffix.lower()
    if kind not in KINDS:
        raise C360Error(f"A picture is a file ending in {' or '.join(KINDS)}, not {target.name}.")
    if not shown.peopled:
        raise C360Error(f"Nobody is in a segment of {shown.name}, so there is nothing to draw.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": "c360", "font.family": FONT, "text.parse_math": False}):
        figure = Figure(dpi=PIXELS_PER_INCH)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        height = _drawn(_Page(axes), shown)
        axes.set(xlim=(0, WIDTH), ylim=(height, 0))
        figure.set_size_inches(WIDTH / PIXELS_PER_INCH, height / PIXELS_PER_INCH)
        # What tells the program, its version or the time stays out of the file.
        metadata = {"Software": None} if kind == ".png" else {"Date": None, "Creator": None}
        figure.savefig(target, format=kind[1:], dpi=PIXELS_PER_INCH * FINENESS, metadata=metadata, facecolor=PAPER)


class _Page:
    """Text and boxes, placed from the upper left in pixels."""

    def __init__(self, axes: "Axes") -> None:
        self.axes = axes

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = BODY,
        colour: str = INK,
        bold: bool = False,
        width: float = WIDTH,
        align: str = "left",
    ) -> float:
        """Lines of text no wider than `width`, the middle of the first at `y`; the place of the next line."""
        weight = "bold" if bold else "normal"
        for line in _lines(text, size, weight, width):
            self.axes.text(x, y, line, size=size * POINTS, color=colour, weight=weight, ha=align, va="center_baseline")
            y += LINE * size / BODY
        return y

    def box(self, x: float, y: float, width: float, height: float, colour: str, round_by: float = 0) -> None:
        """A filled box, its corners rounded."""
        from matplotlib.patches import FancyBboxPatch

        style = f"round,pad=0,rounding_size={min(round_by, width / 2)}" if round_by else "square,pad=0"
        self.axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=colour, linewidth=0))


def _drawn(page: _Page, shown: Segmentation) -> float:
    """The whole page; its height."""
    y = page.text(MARGIN, 38, _headline(shown), HEADLINE, bold=True, width=WIDTH - 2 * MARGIN)
    y = page.text(MARGIN, y + 4, _subtitle(shown), BODY, FAINT, width=WIDTH - 2 * MARGIN) + 20
    _headings(page, y)
    y += LINE
    widest = max(max(segment.customer_share, segment.value_share or 0.0) for segment in shown.peopled)
    for segment in shown.peopled:
        page.box(MARGIN, y, WIDTH - 2 * MARGIN, 1, RULE)
        below = (_sizes(page, segment, y + 22, widest), _traits(page, segment, y + 22), _actions(page, segment, y + 22))
        y = max(below)
    page.box(MARGIN, y, WIDTH - 2 * MARGIN, 1, RULE)
    return page.text(MARGIN, y + 20, _footnote(shown), SMALL, FAINT, width=WIDTH - 2 * MARGIN) + 8


def _headings(page: _Page, y: float) -> None:
    page.box(MARGIN, y - 5, 10, 10, SIZE, round_by=2)
    page.text(MARGIN + 16, y, "customers", SMALL, FAINT)
    page.box(MARGIN + 98, y - 5, 10, 10, WORTH, round_by=2)
    page.text(MARGIN + 114, y, "their value", SMALL, FAINT)
    page.text(WHO, y, "Who they are", SMALL, FAINT)
    page.text(DO, y, "What to do", SMALL, FAINT)


def _sizes(page: _Page, segment: Segment, y: float, widest: float) -> float:
    y = page.text(MARGIN, y, segment.name, NAME, bold=True, width=WHO - MARGIN - 24)
    y = page.text(MARGIN, y, f"{segment.customer_count:,} customers", SMALL, FAINT) + 6
    for share, colour in ((segment.customer_share, SIZE), (segment.value_share, WORTH)):
        if share is not None:
            page.box(MARGIN, y - BAR_HEIGHT / 2, BAR_LENGTH, BAR_HEIGHT, TRACK, round_by=3)
            if share > 0:
                page.box(
                    MARGIN, y - BAR_HEIGHT / 2, max(2.0, BAR_LENGTH * share / widest), BAR_HEIGHT, colour, round_by=3
                )
            page.text(MARGIN + BAR_LENGTH + 10, y, percent(share), BODY, bold=colour == WORTH)
            y += BAR_HEIGHT + 7
    return y + 6


def _traits(page: _Page, segment: Segment, y: float) -> float:
    for trait in segment.traits[:TRAITS]:
        words, _, numbers = trait.partition(": ")
        y = page.text(WHO, y, words[0].upper() + words[1:], width=DO - WHO - 24)
        y = page.text(WHO, y, numbers, SMALL, FAINT, width=DO - WHO - 24) + 5
    return y if segment.traits else page.text(WHO, y, "Much like all customers", BODY, FAINT)


def _actions(page: _Page, segment: Segment, y: float) -> float:
    for priority, action in segment.actions[:ACTIONS]:
        ground, ink = CHIPS[priority]
        page.box(DO, y - CHIP_HEIGHT / 2, CHIP_WIDTH, CHIP_HEIGHT, ground, round_by=4)
        page.text(DO + CHIP_WIDTH / 2, y, priority, SMALL - 1, ink, bold=True, align="center")
        y = page.text(DO + CHIP_WIDTH + 10, y, action, width=WIDTH - MARGIN - DO - CHIP_WIDTH - 10) + 6
    return y


def _headline(shown: Segmentation) -> str:
    """What is most striking: the segment that is worth most."""
    valued = [segment for segment in shown.peopled if segment.value_share is not None]
    if not valued:
        largest = max(shown.peopled, key=lambda segment: segment.customer_count)
        return f"{largest.name}: {percent(largest.customer_share)} of the customers"
    best = max(valued, key=lambda segment: segment.value_share or 0.0)
    return (
        f"{best.name}: {percent(best.customer_share)} of the customers,"
        f" {percent(best.value_share or 0.0)} of their value"
    )


def _subtitle(shown: Segmentation) -> str:
    moment = f", as of {shown.as_of.day} {shown.as_of:%B %Y}" if shown.as_of else ""
    return f"{shown.title} of the customers of {shown.company}{moment}. Figures: the segment against all customers."


def _footnote(shown: Segmentation) -> str:
    nobody = ", ".join(segment.name for segment in shown.empty)
    unused = f"Nobody is in {nobody}. " if nobody else ""
    return f"{unused}Value is that of completed orders less refunds. {shown.version.capitalize()}."


def _lines(text: str, size: float, weight: str, width: float) -> list[str]:
    """The text broken between words so that no line is wider than `width`, unless a word is.

    Letters are a little wider when drawn on whole pixels than by their outlines.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=FONT, size=size * POINTS, weight=weight)
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        fits = text_to_path.get_text_width_height_descent(longer, font, False)[0] / POINTS <= width * OUTLINED
        lines = [*lines[:-1], longer] if fits or not lines else [*lines, word]
    return lines
