"""What all figures share: colours that the colour-blind tell apart, and text that stays text whatever the data hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

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
    """A name or a text of the data as it is shown to people: in one line, printable, and cut if it is long."""
    line = "".join(sign if sign.isprintable() else "�" for sign in " ".join(name.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def finish(figure: Figure) -> Figure:
    """Let no text be taken for a formula: a dollar sign of a label is a dollar sign."""
    from matplotlib.text import Text

    for axes in figure.axes:
        axes.get_xticklabels(), axes.get_yticklabels()  # makes the ticks
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    return figure


def tidy(axes: Axes, *, grid: Literal["both", "x", "y"] = "both", title: str = "") -> None:
    """Give axes a quiet grid behind the data and no frame at the top and the right."""
    axes.grid(axis=grid, color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if title:
        axes.set_title(title, fontsize=10)
