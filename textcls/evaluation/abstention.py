"""What a classifier answers, and what it gains by leaving its least certain rows to people: risk against coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textcls.evaluation.units import row_weights

NONE_ANSWERED = (
    "the model answers none of the rows that it is measured on: no label is as probable as decision.abstain_below wants; "
    "the figures are of the labels that it would give"
)
"""What to warn of where `Answered.coverage` is 0."""


@dataclass(frozen=True)
class Answered:
    """What a classifier answers that abstains where its best label is not probable enough.

    Attributes:
        abstain_below: the least probability of the best label at which a row is answered.
        coverage: share of the rows that are answered.
        risk: share of the answered rows that are wrong; None if none is answered.
    """

    abstain_below: float
    coverage: float
    risk: float | None


def is_answered(probabilities: np.ndarray, abstain_below: float | None) -> np.ndarray:
    """Whether the best label of each row is probable enough to be an answer: shape (n_rows,), truth values.

    Args:
        probabilities: shape (n_rows, n_labels).
        abstain_below: the classifier's threshold; None answers always.
    """
    sure: np.ndarray = probabilities.max(axis=1) >= (abstain_below or 0)
    return sure


def answered(true: Sequence[str], probabilities: np.ndarray, labels: Sequence[str], abstain_below: float) -> Answered:
    """Measure what is answered at a threshold; `true`, `probabilities` and `labels` are those of `risk_coverage`."""
    sure = is_answered(probabilities, abstain_below)
    wrong = _wrong(true, probabilities, labels)[sure]
    return Answered(abstain_below, float(sure.mean()), float(wrong.mean()) if sure.any() else None)


@dataclass(frozen=True)
class RiskCoverage:
    """The share of errors among the most certain rows, for every number of them.

    Attributes:
        coverage: shares of the rows that are answered, rising to 1. Rows of equal confidence are answered together.
        risk: share of the answered rows that are wrong, at each coverage.
        threshold: the confidence from which on rows are answered, at each coverage.
    """

    coverage: np.ndarray
    risk: np.ndarray
    threshold: np.ndarray

    @property
    def area(self) -> float:
        """Mean risk over all coverages (AURC of Geifman and El-Yaniv 2017): the lower, the better certainty tells errors apart."""
        return float((self.risk * np.diff(self.coverage, prepend=0)).sum())


def risk_coverage(
    true: Sequence[str], probabilities: np.ndarray, labels: Sequence[str], ids: Sequence[str] | None = None
) -> RiskCoverage:
    """Order rows by the probability of the predicted label and count errors from the most certain row on.

    A threshold that is read off this curve is chosen on these rows; its risk on others is rather higher.

    Args:
        true: n_rows labels, one at least.
        probabilities: shape (n_rows, n_labels).
        labels: the labels of the columns.
        ids: each row's id, where rows stand there several times, as they do with several seeds: each counts once.
    """
    confidence = probabilities.max(axis=1)
    wrong = _wrong(true, probabilities, labels)
    order = np.argsort(-confidence, kind="stable")
    last = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)
    weights = row_weights(ids, len(true))[order]
    rows, errors = np.cumsum(weights)[last], np.cumsum(weights * wrong[order])[last]
    return RiskCoverage(rows / rows[-1], errors / rows, confidence[order][last])


def _wrong(true: Sequence[str], probabilities: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    predicted = np.array([str(label) for label in labels], dtype=object)[probabilities.argmax(axis=1)]
    wrong: np.ndarray = predicted != np.array(true, dtype=object)
    return wrong
