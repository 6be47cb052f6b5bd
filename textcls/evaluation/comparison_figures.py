"""Pictures of a comparison, as matplotlib figures that no window shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from textcls.evaluation.drawing import BLUE, GREY, ORANGE, RED, finish, shown, tidy
from textcls.evaluation.figures import MOST_LABELS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from textcls.evaluation.comparison import Comparison, Difference

_MOST_PARTS = 40


def difference_figure(pairs: Sequence[Comparison]) -> Figure:
    """Draw differences with 95 % intervals: of one pair in every figure and label, of several in macro-F1."""
    from matplotlib.figure import Figure

    lines: list[tuple[str, Difference]]
    if len(pairs) == 1:
        (pair,) = pairs
        lines = [("macro-F1", pair.metrics["macro_f1"]), ("accuracy", pair.metrics["accuracy"])]
        far = {*sorted(pair.per_label, key=lambda label: -abs(pair.per_label[label].value))[:MOST_LABELS]}
        lines += [(f"F1 of {shown(label, 30)}", found) for label, found in pair.per_label.items() if label in far]
        title = f"{shown(pair.b)} less {shown(pair.a)}"
        if len(far) < len(pair.per_label):
            title += f"\nthe {len(far)} labels that differ most, of {len(pair.per_label):,}"
        axis = f"right of 0 {shown(pair.b)} is better"
    else:
        lines = [(f"{shown(pair.b, 28)} less {shown(pair.a, 28)}", pair.metrics["macro_f1"]) for pair in pairs]
        title, axis = "macro-F1", "right of 0 the first named is better"
    height = float(np.clip(1.5 + 0.34 * len(lines), 2.4, 20))
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=1)
    for place, (_, found) in enumerate(lines):
        its = found.interval
        colour, marker = (GREY, "o")
        if its and (its.low > 0 or its.high < 0):
            colour, marker = (BLUE, ">") if its.low > 0 else (RED, "<")
        if its:
            axes.hlines(place, 100 * its.low, 100 * its.high, color=colour, linewidth=2)
        axes.plot(100 * found.value, place, marker, color=colour, markersize=7)
    axes.set_yticks(range(len(lines)), [name for name, _ in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    figure.supxlabel(f"difference in points, with 95 % intervals\n{axis}", fontsize=10)
    tidy(axes, grid="x", title=title)
    return finish(figure)


def parts_figure(pair: Comparison) -> Figure:
    """Draw the macro-F1 of two systems in each fold and seed, those of the same one joined."""
    from matplotlib.figure import Figure

    parts = list(pair.parts.items())[:_MOST_PARTS]
    figure = Figure(figsize=(8, float(np.clip(1.5 + 0.3 * len(parts), 2.6, 16))), layout="constrained")
    axes = figure.subplots()
    for place, (_, (a, b)) in enumerate(parts):
        if a is not None and b is not None:
            axes.hlines(place, min(a, b), max(a, b), color=GREY, linewidth=1)
    for name, colour, marker, which in ((pair.a, BLUE, "o", 0), (pair.b, ORANGE, "s", 1)):
        found = [(both[which], place) for place, (_, both) in enumerate(parts) if both[which] is not None]
        scores, places = np.array(found, dtype=float).reshape(-1, 2).T  # of none, where a system has no part that is shown
        axes.plot(scores, places, marker, color=colour, label=shown(name), markersize=6)
    axes.set_yticks(range(len(parts)), [shown(name) for name, _ in parts])
    axes.set_ylim(len(parts) - 0.4, -0.6)
    figure.supxlabel("macro-F1", fontsize=10)
    tidy(axes, grid="x")
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    return finish(figure)
