"""The rows that two systems predict otherwise: who is right, what each said, and what stands around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from textcls.evaluation.metrics import number_labels
from textcls.evaluation.predictions import Predictions
from textcls.evaluation.repeats import Repeats

_OUTCOMES = {1: "won", -1: "lost", 0: "both wrong"}


def list_disagreements(
    a: Predictions, repeats_a: Repeats, b: Predictions, repeats_b: Repeats
) -> tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """Say for each row who has it right, and list those that the two predict otherwise.

    Args:
        a, b: aligned predictions.
        repeats_a, repeats_b: their rows and seeds.

    Returns:
        the shares of the seeds by which A and B have each row right, n_rows each, so 1 or 0 with a single seed; and for
        each row on which votes differ its `id`, `article`, `text`, the texts `before` and `after` it in its article as far as
        they are known, its `label`, what `a` and `b` predict (with several seeds, most often), `outcome` (`won`, `lost` or
        `both wrong`), the probabilities `score_a` and `score_b` of what they predict, None where it predicts labels only; and with several seeds the shares `right_a`
        and `right_b` of them that have it right. What B won comes first, then what it lost, each by how sure the two are.
    """
    first = np.flatnonzero(np.diff(repeats_a.of_row, prepend=-1))  # of each row the first prediction
    rows_a, rows_b = a.take(first), b.take(np.flatnonzero(np.diff(repeats_b.of_row, prepend=-1)))
    true = number_labels(rows_a.true, a.labels)
    rows = np.arange(len(true))
    right_a, right_b = repeats_a.votes[rows, true], repeats_b.votes[rows, true]
    gained = right_b - right_a
    said_a, said_b = repeats_a.usual, repeats_b.usual
    sure_a, sure_b = repeats_a.mean[rows, said_a], repeats_b.mean[rows, said_b]
    texts = [x or y for x, y in zip(rows_a.texts, rows_b.texts, strict=True)]
    own = [[value or None for value in rows_a.columns.get(side, [None] * len(rows))] for side in ("before", "after")]
    near = _neighbours(rows_a.groups if a.grouped_by == "article" else [None] * len(rows), texts)
    around = [(before or its[0], after or its[1]) for before, after, its in zip(*own, near, strict=True)]
    several = len(repeats_a.names) > 1 or len(repeats_b.names) > 1
    differing = np.flatnonzero((repeats_a.votes != repeats_b.votes).any(axis=1))
    rank = {1: 0, -1: 1, 0: 2}
    order = sorted(differing.tolist(), key=lambda row: (rank[int(np.sign(gained[row]))], -(sure_a[row] + sure_b[row])))
    listed = [
        {
            "id": rows_a.ids[row],
            "article": rows_a.groups[row],
            "text": texts[row],
            "before": around[row][0],
            "after": around[row][1],
            "label": rows_a.true[row],
            "a": a.labels[said_a[row]],
            "b": b.labels[said_b[row]],
            "outcome": _OUTCOMES[int(np.sign(gained[row]))],
            "score_a": None if a.labels_only else round(float(sure_a[row]), 4),
            "score_b": None if b.labels_only else round(float(sure_b[row]), 4),
        }
        | ({"right_a": round(float(right_a[row]), 4), "right_b": round(float(right_b[row]), 4)} if several else {})
        for row in order
    ]
    return right_a, right_b, listed


def _neighbours(articles: Sequence[str | None], texts: Sequence[str | None]) -> list[tuple[str | None, str | None]]:
    """The texts of the rows before and after each one in its article."""
    found: list[tuple[str | None, str | None]] = []
    for row, article in enumerate(articles):
        before, after = (
            texts[near] if article is not None and 0 <= near < len(texts) and articles[near] == article else None
            for near in (row - 1, row + 1)
        )
        found.append((before, after))
    return found
