"""What all figures share: colours that the colour-blind tell apart, and text that stays text whatever the data hold."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Literal

from textcls.wording import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, SKY, PURPLE, YELLOW, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#F0E442",
    "#000000",
)
"""Okabe and Ito's colours (2008, Color Universal Design)."""

GREY = "#767676"

_LONGEST = 40


def shown(name: str, longest: int = _LONGEST) -> str:
    """A name of the data as a figure shows it: in one line, of signs that can be drawn, and cut if it is long."""
    return _drawable(one_line(name, longest))


def finish(figure: Figure) -> Figure:
    """Let every text be drawn as it is: a dollar sign begins no formula, and fonts are taken that have the signs of a label."""
    from matplotlib.text import Text

    for axes in figure.axes:
        axes.get_xticklabels(), axes.get_yticklabels()  # makes the ticks
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        if not text.get_text().isascii():
            text.set_text(_drawable(text.get_text()))
            families = dict.fromkeys(_family_of(sign) for sign in text.get_text())
            text.set_fontfamily([*text.get_fontfamily(), *filter(None, families)])
    return figure


def as_png(figure: Figure) -> bytes:
    """A figure as a picture."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    return picture.getvalue()


def _drawable(text: str) -> str:
    return "".join(sign if sign == "\n" or (sign.isprintable() and _family_of(sign) is not None) else "�" for sign in text)


@cache
def _family_of(sign: str) -> str | None:
    """The installed font that has a sign, nothing if it is matplotlib's usual one; None where no font has it."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

    # A font of last resort has a box for every sign.
    others = [(font.fname, font.name) for font in fontManager.ttflist if "last resort" not in font.name.lower()]
    for path, family in [(findfont(FontProperties()), ""), *others]:
        with suppress(OSError, RuntimeError):  # a file that is gone, or no font
            font = get_font(path)
            if sign.isascii() or (font.scalable and font.get_char_index(ord(sign))):
                return family
    return None


def tidy(axes: Axes, *, grid: Literal["both", "x", "y"] = "both", title: str = "") -> None:
    """Give axes a quiet grid behind the data and no frame at the top and the right."""
    axes.grid(axis=grid, color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if title:
        axes.set_title(title, fontsize=10)
