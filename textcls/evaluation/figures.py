"""Pictures of an evaluation, as matplotlib figures that no window shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from textcls.evaluation.drawing import BLACK, BLUE, ORANGE, PURPLE, RED, finish, shown, tidy
from textcls.evaluation.metrics import Evaluation, worst_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from textcls.evaluation.slices import Slice

MOST_LABELS = 40
"""Of more labels than that, figures show the worst only: names and numbers of all could not be read."""

_MOST_SLICES = 40


def confusion_figure(evaluation: Evaluation, *, title: str) -> Figure:
    """Draw the confusion matrix: a cell's colour is its share of the true label's rows, its number their count (of predictions, where
    several seeds predict each row)."""
    from matplotlib.figure import Figure

    counts = np.array(evaluation.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    chosen = np.sort(np.argsort(-errors, kind="stable")[:MOST_LABELS])
    counts, shares, n = counts[np.ix_(chosen, chosen)], shares[np.ix_(chosen, chosen)], len(chosen)
    if n < len(errors):
        title += f"\nthe {n} labels that are confused most, of {len(errors):,}"
    side = float(np.clip(2.2 + 0.75 * n, 4.5, 20))
    names = [shown(label, 28) for label in np.array(evaluation.labels, dtype=object)[chosen]]
    upright = n > 6 or max(map(len, names)) > 12  # or names would run into each other
    room = 0.085 * max(map(len, names))  # inches, at the default size of letters
    figure = Figure(figsize=(side + 0.8 + room, side + (room if upright else 0)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(n), names, rotation=90 if upright else 0)
    axes.set_yticks(range(n), names)
    axes.set_xlabel("predicted label")
    axes.set_ylabel("true label")
    if evaluation.predictions != evaluation.rows:
        title += f"\nnumbers are predictions: {evaluation.predictions:,} for {evaluation.rows:,} rows, of several seeds"
    axes.set_title(title, fontsize=10)
    axes.spines[:].set_visible(False)
    for row, column in np.ndindex(n, n):
        colour = "white" if shares[row, column] > 0.55 else "#1a1a1a"
        text = f"{counts[row, column]:,}\n{shares[row, column]:.0%}"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9 if n <= 12 else 6)
    figure.colorbar(image, ax=axes, label="share of the true label's rows", fraction=0.046)
    return finish(figure)


def per_label_figure(evaluation: Evaluation, *, title: str, ceiling: Mapping[str, float] | None = None) -> Figure:
    """Draw precision, recall and F1 of each label, the best F1 on top, with the number of its rows; and the annotators' F1, if known."""
    from matplotlib.figure import Figure

    names = sorted(worst_labels(evaluation, MOST_LABELS), key=lambda name: evaluation.per_label[name].f1)
    if len(names) < len(evaluation.per_label):
        title += f"\nthe {len(names)} labels of the lowest F1, of {len(evaluation.per_label):,}"
    height = float(np.clip(1.6 + 0.38 * len(names), 2.4, 30))
    figure = Figure(figsize=(7, height), layout="constrained")
    axes = figure.subplots()
    for metric, colour, marker in (("precision", ORANGE, "<"), ("recall", BLUE, ">"), ("f1", BLACK, "o")):
        values = [getattr(evaluation.per_label[name], metric) for name in names]
        axes.plot(values, range(len(names)), marker, color=colour, label="F1" if metric == "f1" else metric, markersize=7)
    if ceiling:
        known = [place for place, name in enumerate(names) if name in ceiling]
        values = [ceiling[names[place]] for place in known]
        axes.plot(values, known, "|", color=PURPLE, label="annotators' F1", markersize=16, markeredgewidth=2.5, zorder=1)
    axes.set_yticks(range(len(names)), [f"{shown(name)} ({evaluation.per_label[name].support:,})" for name in names])
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.6, len(names) - 0.4)
    tidy(axes, grid="x", title=title)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4, frameon=False)
    return finish(figure)


def slices_figure(slices: Sequence[Slice], *, title: str) -> Figure:
    """Draw the accuracy of parts of the rows with 95 % intervals, the worst on top; those that stand out are marked."""
    from matplotlib.figure import Figure

    chosen = sorted(slices, key=lambda its: its.accuracy)[:_MOST_SLICES]
    if len(chosen) < len(slices):
        title += f"\nthe {len(chosen)} parts of the lowest accuracy, of {len(slices):,}"
    figure = Figure(figsize=(8, float(np.clip(1.4 + 0.3 * len(chosen), 2.4, 16))), layout="constrained")
    axes = figure.subplots()
    for place, its in enumerate(chosen):
        colour, marker = (RED, "D") if its.stands_out else (BLUE, "o")
        if its.accuracy_interval:
            axes.hlines(place, its.accuracy_interval.low, its.accuracy_interval.high, color=colour, linewidth=2)
        axes.plot(its.accuracy, place, marker, color=colour, markersize=6)
    axes.set_yticks(range(len(chosen)), [f"{shown(s.column, 20)}: {shown(s.value, 30)} ({s.rows:,})" for s in chosen])
    axes.set_ylim(len(chosen) - 0.4, -0.6)
    figure.supxlabel("accuracy, with 95 % intervals\nred diamonds: below the other rows by more than chance", fontsize=10)
    tidy(axes, grid="x", title=title)
    return finish(figure)
