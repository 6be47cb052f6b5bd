"""Pictures of an evaluation, as matplotlib figures that no window shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from textcls.evaluation.drawing import BLACK, BLUE, ORANGE, PURPLE, finish, shown, tidy
from textcls.evaluation.metrics import Evaluation, worst_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LABELS = 40
"""Of more labels than that, figures show the worst only: names and numbers of all could not be read."""


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
