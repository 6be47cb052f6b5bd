"""What a classifier gains by leaving its least certain rows to people: risk against coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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


def risk_coverage(true: Sequence[str], probabilities: np.ndarray, labels: Sequence[str]) -> RiskCoverage:
    """Order rows by the probability of the predicted label and count errors from the most certain row on.

    A threshold that is read off this curve is chosen on these rows; its risk on others is rather higher.

    Args:
        true: n_rows labels, one at least.
        probabilities: shape (n_rows, n_labels).
        labels: the labels of the columns.
    """
    confidence = probabilities.max(axis=1)
    predicted = np.array([str(label) for label in labels], dtype=object)[probabilities.argmax(axis=1)]
    wrong = predicted != np.array(true, dtype=object)
    order = np.argsort(-confidence, kind="stable")
    last = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)
    errors = np.cumsum(wrong[order])[last]
    return RiskCoverage((last + 1) / len(order), errors / (last + 1), confidence[order][last])
