"""Figures of a classifier's predictions, and the summary of several folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support


@dataclass(frozen=True)
class LabelScores:
    """Precision, recall and F1 of one label, in [0, 1], and the number of rows that carry it."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Evaluation:
    """Figures of one set of predictions.

    Attributes:
        rows: number of predictions.
        accuracy, macro_f1: in [0, 1]; macro-F1 is the mean F1 of the labels that occur among the true or the predicted ones.
        log_loss: mean negative log-likelihood of the true labels, in nats.
        ece: expected calibration error of the predicted labels over ten equal bins (Guo et al. 2017), in [0, 1].
        per_label: each label's scores.
        labels: the order of the confusion matrix.
        confusion: rows are true labels, columns predicted ones.
    """

    rows: int
    accuracy: float
    macro_f1: float
    log_loss: float
    ece: float
    per_label: dict[str, LabelScores]
    labels: list[str]
    confusion: list[list[int]]

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that runs are compared by, the primary one first."""
        return {"macro_f1": self.macro_f1, "accuracy": self.accuracy, "log_loss": self.log_loss, "ece": self.ece}

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return asdict(self)


def evaluate(true: Sequence[str], probabilities: np.ndarray, labels: Sequence[str]) -> Evaluation:
    """Compare predictions with the truth.

    Args:
        true: n_rows labels.
        probabilities: shape (n_rows, n_labels).
        labels: the labels of the columns; `true` may hold no others.
    """
    names = [str(label) for label in labels]
    predicted = np.array(names)[probabilities.argmax(axis=1)]
    precision, recall, f1, support = precision_recall_fscore_support(true, predicted, labels=names, zero_division=0.0)
    confusion = confusion_matrix(true, predicted, labels=names)
    column_of = {name: number for number, name in enumerate(names)}
    of_truth = probabilities[np.arange(len(true)), [column_of[label] for label in true]]
    occurring = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    return Evaluation(
        rows=len(true),
        accuracy=float(accuracy_score(true, predicted)),
        macro_f1=float(f1[occurring].mean()),
        log_loss=float(-np.log(np.clip(of_truth, 1e-15, 1)).mean()),
        ece=_calibration_error(true, predicted, probabilities.max(axis=1)),
        per_label={
            name: LabelScores(float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
            for i, name in enumerate(names)
        },
        labels=names,
        confusion=confusion.tolist(),
    )


def summarize(values: Sequence[float], *, highest: float = 1.0) -> dict[str, float]:
    """Summarise a metric over folds.

    Args:
        values: the metric of each fold, 0 or more.
        highest: the most that the metric can be.

    Returns:
        the mean under the empty name; from two folds on `_std`, the sample's standard deviation; from three on `_low`
        and `_high`, the 95 % interval of the mean by Student's t, which takes folds for independent.
    """
    summary = {"": float(np.mean(values))}
    if len(values) > 1:
        summary["_std"] = float(np.std(values, ddof=1))
    if len(values) > 2:
        half = float(stats.t.ppf(0.975, len(values) - 1)) * summary["_std"] / len(values) ** 0.5
        summary |= {"_low": max(0.0, summary[""] - half), "_high": min(highest, summary[""] + half)}
    return summary


def wrong_predictions(
    rows: Sequence[Mapping[str, Any]], probabilities: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """List the rows that were predicted wrong, the most confident first.

    Args:
        rows: rows with `text` and `label`; `id` and `group`, or else `article`, come along.
        probabilities: shape (n_rows, n_labels).
        labels: the labels of the columns.
    """
    best = probabilities.argmax(axis=1)
    wrong = [number for number, row in enumerate(rows) if row["label"] != labels[best[number]]]
    wrong.sort(key=lambda number: -probabilities[number, best[number]])
    return [
        {
            "text": rows[number]["text"],
            "prediction": str(labels[best[number]]),
            "label": rows[number]["label"],
            "score": round(float(probabilities[number, best[number]]), 4),
            "id": rows[number].get("id"),
            "article": rows[number].get("group", rows[number].get("article")),
        }
        for number in wrong
    ]


def _calibration_error(true: Sequence[str], predicted: np.ndarray, confidence: np.ndarray, bins: int = 10) -> float:
    right = np.array(true, dtype=object) == predicted
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(right[bin_of == b].mean() - confidence[bin_of == b].mean()) * (bin_of == b).mean() for b in np.unique(bin_of)]
    return float(sum(gaps))
