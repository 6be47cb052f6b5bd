"""What weighed in a prediction, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textcls.models import Weighed

_MOST = 8


def strongest(pieces: Sequence[Weighed]) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Choose what has the most weight, by names that a reader can tell apart: what spoke for the prediction, and what against it."""
    sums: dict[str, float] = {}
    for piece in pieces:
        name = _named(piece)
        sums[name] = sums.get(name, 0.0) + piece.weight
    chosen = sorted(sums.items(), key=lambda its: -abs(its[1]))[:_MOST]
    return [its for its in chosen if its[1] > 0], [its for its in chosen if its[1] < 0]


def word_weighed(pieces: Sequence[Weighed]) -> str:
    """Word what has the most weight in a line, such as `worst +1.20, said -0.31`."""
    return ", ".join(f"{name} {weight:+.2f}" for side in strongest(pieces) for name, weight in side)


def _named(piece: Weighed) -> str:
    """Characters stand between `‹` and `›`, for their spaces count; patterns with a shape or an edge in brackets; what else is of
    a neighbouring sentence after its side."""
    side, _, sort = piece.part.rpartition(".")
    name = piece.piece
    if sort == "characters":
        name = f"‹{name}›"
    elif sort == "patterns" and ("~" in name or "¶" in name):
        name = f"[{name}]"
    return f"{side}: {name}" if side else name
