"""What all pictures share: size, colours, letters, and how they become SVG and PNG.

    figure, axes = blank(width=WIDE, height=3.0, left=1.2)
    svg(figure); png(figure); inline(figure, "a", "what it shows")

A picture is a matplotlib Figure made without pyplot, so nothing global is touched. The same
input gives the same bytes (for PNG: with the same fonts). Imported only to draw: matplotlib
takes half a second.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qingyu import text

# Inches. The narrow one is for phones: labels stand above their rows.
WIDE, NARROW = 7.4, 3.6
POINTS = 9.0  # of letters
_PIXELS_PER_INCH = 180


class Colour(NamedTuple):
    """On a light and on a dark page. The light ones are all different, see `inline`."""

    light: str
    dark: str


PAPER = Colour("#fffffe", "#16191d")
INK = Colour("#1c2126", "#e6e9ec")
MUTED = Colour("#5c6670", "#a3adb7")
GRID = Colour("#d9dee3", "#343b43")
OTHERS = Colour("#7b8794", "#8c98a4")
GUESS = Colour("#b3261f", "#ff8a80")
# Told apart by people with any colour blindness, and by their markers besides.
RUNS = (
    Colour("#1f5fbf", "#7fb2ff"),
    Colour("#c0500c", "#ffa35e"),
    Colour("#007d68", "#4fd1b4"),
    Colour("#9b3a88", "#ec9bd8"),
    Colour("#836700", "#e3c64c"),
    Colour("#4a6885", "#a9c1da"),
    Colour("#a12c40", "#ff9aa6"),
    Colour("#3a3d40", "#d5d8db"),
)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "h")
OTHER_MARKERS = ("1", "2", "3", "4", "+", "x", "|", "*")
COLOURS = {
    "paper": PAPER,
    "ink": INK,
    "muted": MUTED,
    "grid": GRID,
    "others": OTHERS,
    "guess": GUESS,
    **{f"run-{number}": colour for number, colour in enumerate(RUNS)},
}

# Fonts with Chinese letters, by how common they are where Python is.
_CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "Microsoft YaHei",
    "SimHei",
    "DengXian",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Noto Sans CJK JP",
    "AR PL UMing CN",
    "SimSun",
)


@cache
def chinese_font() -> str | None:
    """The name of an installed font with Chinese letters, if there is one."""
    from matplotlib.font_manager import fontManager

    names = {one.name for one in fontManager.ttflist}
    return next((name for name in _CHINESE_FONTS if name in names), None)


@contextmanager
def style() -> Iterator[None]:
    """matplotlib's settings for our pictures; drawing and writing happen inside."""
    fonts = ["DejaVu Sans"]
    if font := chinese_font():
        # First the font of the language, so that its punctuation and digits fit.
        fonts = [font, *fonts] if text.language() == "zh" else [*fonts, font]
    with matplotlib.rc_context(
        {
            "font.family": fonts,
            "font.size": POINTS,
            "svg.fonttype": "none",
            "svg.hashsalt": "qingyu",
            "text.parse_math": False,  # a dollar in a model's name is a dollar
            "axes.unicode_minus": False,
            "path.simplify": False,
        }
    ):
        import logging
        import warnings

        log = logging.getLogger("matplotlib.font_manager")
        level = log.level
        log.setLevel(logging.ERROR)
        try:
            with warnings.catch_warnings():
                # A name's letter that no font has: a box in the PNG, the letter in a browser.
                warnings.filterwarnings("ignore", message="Glyph .* missing from")
                warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
                yield
        finally:
            log.setLevel(level)


def blank(
    *, width: float, height: float, left: float, bottom: float, top: float = 0.12
) -> tuple[Figure, Axes]:
    """An empty picture; all in inches, left, bottom and top being margins of the axes.

    Margins are given, not found from the letters' sizes, so that they are the same everywhere.
    """
    figure = Figure(figsize=(width, height), facecolor=PAPER.light)
    axes = figure.add_axes(
        (
            left / width,
            bottom / height,
            (width - left - 0.2) / width,
            (height - bottom - top) / height,
        ),
        facecolor=PAPER.light,
    )
    plain(axes)
    return figure, axes


def plain(axes: Axes) -> None:
    """Quiet axes: a line below, a faint grid behind."""
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(MUTED.light)
    axes.tick_params(colors=MUTED.light, labelcolor=INK.light, length=3)
    axes.xaxis.label.set_color(INK.light)
    axes.yaxis.label.set_color(INK.light)
    axes.grid(True, axis="x", color=GRID.light, linewidth=0.7)
    axes.set_axisbelow(True)


def legend(figure: Figure, handles: Sequence[Any]) -> None:
    """Below the axes: in two columns of fixed places where the labels allow it, since a
    browser's letters are not as wide as those here."""
    width = figure.get_figwidth()
    columns, room = _legend_columns(handles, width)
    rows = -(-len(handles) // columns)
    top = legend_height(handles, width) - 0.05
    for column in range(columns):
        inside = handles[column * rows : (column + 1) * rows]
        if inside:
            figure.legend(
                handles=inside,
                labels=["\n".join(_legend_lines(one, room)) for one in inside],
                loc="upper left",
                bbox_to_anchor=(column / columns, top / figure.get_figheight()),
                frameon=False,
                borderaxespad=0.0,
                handlelength=1.6,
                labelcolor=INK.light,
            )


def legend_height(handles: Sequence[Any], width: float) -> float:
    """Inches that a legend takes."""
    columns, room = _legend_columns(handles, width)
    lines = [len(_legend_lines(one, room)) for one in handles]
    rows = -(-len(handles) // columns)
    return 0.19 * max(sum(lines[:rows]), sum(lines[rows:])) + 0.18


def _legend_columns(handles: Sequence[Any], width: float) -> tuple[int, float]:
    """How many columns, and inches for a label."""
    widest = max(text_width(str(one.get_label())) for one in handles)
    columns = 2 if widest < width / 2 - 0.55 else 1
    return columns, width / columns - 0.55


def _legend_lines(handle: Any, room: float) -> list[str]:
    """A label in one line, or in two where it says so: before a run's setting."""
    label = str(handle.get_label())
    if text_width(label) > room:
        name, _, setting = label.partition(" · ")
        return [clip(part, room) for part in (name, setting) if part]
    return [label]


def text_width(words: str, points: float = POINTS) -> float:
    """About how wide letters are, in inches, in whatever font."""
    ems = sum(
        1.0
        if unicodedata.east_asian_width(one) in "WF" or one in "MWmw@%…"
        else 0.82
        if one.isupper()
        else 0.6
        for one in words
    )
    return ems * points / 72


def clip(words: str, inches: float) -> str:
    """Words cut to a width, with … for what is missing."""
    if text_width(words) <= inches:
        return words
    while words and text_width(words) > inches - 0.1:
        words = words[:-1]
    return words.rstrip() + "…"


def png(figure: Figure) -> bytes:
    """The picture's bytes, without a date."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_PIXELS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def svg(figure: Figure) -> str:
    """The picture as a file of its own, on white paper; letters stay letters."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    found = re.sub(r"<metadata>.*?</metadata>\s*", "", file.getvalue(), flags=re.DOTALL)
    found = re.sub(r"<!DOCTYPE[^>]*>\s*", "", found)
    # Which fonts this machine has is nothing to tell another.
    return re.sub(r"font-family: [^;\"]*", "font-family: sans-serif", found)


def inline(figure: Figure, prefix: str, label: str) -> str:
    """The picture as an element of a page that defines `page_colours`.

    prefix: makes its ids its own; label: what it shows, for those who cannot see it.
    """
    found = svg(figure)
    found = found[found.index("<svg") :]
    box = re.search(r'viewBox="([^"]*)"', found)
    assert box, "matplotlib writes a viewBox"
    found = (
        f'<svg viewBox="{box[1]}" role="img" aria-label={quoteattr(label)}>'
        + (found[found.index(">") + 1 :])
    )
    # Its style sheet would be the whole page's.
    found = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", found, count=1, flags=re.DOTALL)
    found = re.sub(r' style="([^"]*)"', _themed, found)
    used = set(re.findall(r'xlink:href="#([^"]*)"', found)) | set(
        re.findall(r"url\(#(.*?)\)", found)
    )
    found = re.sub(
        r' id="([^"]*)"', lambda one: f' id="{prefix}-{one[1]}"' if one[1] in used else "", found
    )
    found = re.sub(r'xlink:href="#', f'href="#{prefix}-', found)
    found = re.sub(r"url\(#", f"url(#{prefix}-", found)
    return re.sub(r"\n\s*", "\n", found)


def _themed(match: re.Match[str]) -> str:
    rules = match[1]
    for name, colour in COLOURS.items():
        rules = rules.replace(colour.light, f"var(--{name})")
    return f' style="{rules}"'


def page_colours(kind: str) -> str:
    """The colours as custom properties of a page; kind: "light" or "dark"."""
    return " ".join(f"--{name}: {getattr(one, kind)};" for name, one in COLOURS.items())


def without_chinese(draw: Callable[[], Figure]) -> Figure:
    """Draw in English, where there is no font to draw Chinese with."""
    before = text.language()
    text.use("en")
    try:
        return draw()
    finally:
        text.use(None)
        if text.language() != before:
            text.use(before)
