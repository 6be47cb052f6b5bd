"""One label against all others, over every threshold: the curves of ROC and of precision and recall, and their areas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Curve:
    """What every threshold of one label's probability gives, from the strictest on.

    Attributes:
        found: rows of the label at or above each threshold; where rows are weighed, their weights.
        false: other rows at or above it.
        thresholds: the probabilities themselves, falling.
    """

    found: np.ndarray
    false: np.ndarray
    thresholds: np.ndarray

    @property
    def precision(self) -> np.ndarray:
        """Share of the rows at or above each threshold that are of the label."""
        share: np.ndarray = self.found / (self.found + self.false)
        return share

    @property
    def recall(self) -> np.ndarray:
        """Share of the label's rows that are at or above each threshold."""
        share: np.ndarray = self.found / self.found[-1]
        return share

    @property
    def roc_area(self) -> float | None:
        """Area under the ROC curve; None where there are only rows of the label, or none."""
        if not self.found[-1] or not self.false[-1]:
            return None
        heights = np.append(0, self.found)
        area = (np.diff(self.false, prepend=0) * (heights[1:] + heights[:-1])).sum() / 2
        return float(area / (self.found[-1] * self.false[-1]))

    @property
    def pr_area(self) -> float | None:
        """Average precision, which is the area under the steps of precision over recall; None without rows of the label."""
        if not self.found[-1]:
            return None
        return float((np.diff(self.found, prepend=0) * self.precision).sum() / self.found[-1])


def curve(carries: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None) -> Curve:
    """Order the rows by one label's probability.

    Args:
        carries: whether each of n_rows carries the label; one row at least.
        probability: n_rows probabilities of the label. Rows of equal probability share a threshold.
        weights: n_rows weights; all count 1 if None.
    """
    order = np.argsort(-probability, kind="stable")
    ordered = probability[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    counted = np.ones(len(order)) if weights is None else weights[order]
    found, false = (np.cumsum(counted * its)[last] for its in (carries[order], ~carries[order]))
    return Curve(found, false, ordered[last])
