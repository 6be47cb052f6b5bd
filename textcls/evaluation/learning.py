"""A learning curve: a figure of merit over the number of rows that were learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textcls.evaluation.bootstrap import Interval
from textcls.evaluation.drawing import BLUE, finish, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class LearningPoint:
    """What a share of the training rows came to.

    Attributes:
        share: the share of the training groups, or of the rows where there are none, in (0, 1].
        rows: how many rows that is, as a mean over the fits.
        macro_f1: over the measured rows of all fits together.
        interval: its 95 % interval over the test's articles; None where there is only one.
        spread: the standard deviation over folds and seeds; None of a single fit.
    """

    share: float
    rows: float
    macro_f1: float
    interval: Interval | None
    spread: float | None


def learning_figure(points: Sequence[LearningPoint], *, title: str) -> Figure:
    """Draw macro-F1 with its 95 % intervals over the rows learnt from, whose axis is in powers of two: each step doubles them."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    rows = [point.rows for point in points]
    axes.plot(rows, [point.macro_f1 for point in points], "o-", color=BLUE)
    for point in points:
        if point.interval is not None:
            axes.vlines(point.rows, point.interval.low, point.interval.high, color=BLUE, linewidth=2)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(rows, [f"{point.rows:,.0f}\n{point.share:.0%}" for point in points])
    axes.set_xlabel("rows learnt from")
    axes.set_ylabel("macro-F1, with 95 % intervals")
    tidy(axes, title=title)
    return finish(figure)
