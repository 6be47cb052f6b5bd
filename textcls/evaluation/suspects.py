"""Labels that are probably wrong, by confident learning over predictions for rows that the model had not seen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from textcls.evaluation.metrics import number_labels


def rank_suspects(rows: Sequence[Mapping[str, Any]], probabilities: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Find rows whose label a classifier doubts (Northcutt, Jiang and Chuang 2021, Confident Learning; by cleanlab).

    Args:
        rows: rows with `id`, `text`, `label`, `before` and `after`, and the article as `article` or else as `group`.
        probabilities: shape (n_rows, n_labels), each row's by a classifier that has not learnt from it, but knows its label.
        labels: the labels of the columns.

    Returns:
        the suspects, the most doubtful first: `id`, `text`, `label`, `suggestion`, `score` (the probability of the
        given label), `article`, `before`, `after`, and `time`, when they were suspected.
    """
    from cleanlab.filter import find_label_issues

    if not rows:  # which cleanlab does not take
        return []
    label_ids = number_labels([row["label"] for row in rows], labels)
    with warnings.catch_warnings():  # of a label with one row, or none, cleanlab says that it may miss errors
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        ranked = find_label_issues(label_ids, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    now = datetime.now(UTC).isoformat()
    return [
        {
            "id": rows[number]["id"],
            "text": rows[number]["text"],
            "label": rows[number]["label"],
            "suggestion": str(labels[int(probabilities[number].argmax())]),
            "score": round(float(probabilities[number, label_ids[number]]), 4),
            "article": str(article) if (article := rows[number].get("article") or rows[number]["group"]) else None,
            "before": rows[number]["before"],
            "after": rows[number]["after"],
            "time": now,
        }
        for number in map(int, ranked)
    ]
