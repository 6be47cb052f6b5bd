"""Predictions boiled down to sums that resampling can weigh: all figures of any number of resamples come of one product.

Accuracy, F1, Matthews' coefficient, log loss, the Brier score and the calibration error are functions of a few sums over rows. So a
resample of articles needs no rows: it is a weighted sum of the articles' sums, and 10,000 of them are a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

BINS = 10
"""Equal bins of confidence, for the calibration error."""


@dataclass(frozen=True)
class Sums:
    """Sums over the rows of each of any number of sets of rows.

    Attributes:
        values: shape (..., 3 * n_labels + 2 + 3 * BINS): for each label the rows that are right, that carry it and that are
            predicted so; then the log losses and Brier scores; then for each bin of confidence its rows, the right ones and
            their confidences.
        labels: number of labels.
    """

    values: np.ndarray
    labels: int

    @property
    def right(self) -> np.ndarray:
        """Rows of each label that are predicted right, shape (..., n_labels)."""
        return self.values[..., : self.labels]

    @property
    def support(self) -> np.ndarray:
        """Rows that carry each label, shape (..., n_labels)."""
        return self.values[..., self.labels : 2 * self.labels]

    @property
    def predicted(self) -> np.ndarray:
        """Rows that are predicted as each label, shape (..., n_labels)."""
        return self.values[..., 2 * self.labels : 3 * self.labels]

    def weighted(self, weights: np.ndarray) -> Sums:
        """Weigh the sets, of which there is one axis, by each row of `weights`, shape (n_resamples, n_sets)."""
        return replace(self, values=weights @ self.values)

    def total(self) -> Sums:
        """Put all sets together."""
        return replace(self, values=self.values.sum(axis=0))


def sum_rows(
    true: np.ndarray, probabilities: np.ndarray, unit: np.ndarray, units: int, *, weights: np.ndarray | None = None
) -> Sums:
    """Sum over the rows of each unit.

    Args:
        true: n_rows numbers of labels.
        probabilities: shape (n_rows, n_labels).
        unit: n_rows numbers of units, such as articles, from 0.
        units: how many there are.
        weights: n_rows weights, such as those of `row_weights` where rows stand there several times; all count 1 if None.
    """
    rows, labels = probabilities.shape
    predicted = probabilities.argmax(axis=1)
    right = predicted == true
    of_truth = probabilities[np.arange(rows), true]
    # The sum over labels of (p - y)², without an array of the size of p for y.
    brier = (probabilities**2).sum(axis=1) - 2 * of_truth + 1
    confidence = probabilities[np.arange(rows), predicted]
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)

    def count(column: np.ndarray, columns: int, values: np.ndarray | None = None) -> np.ndarray:
        weighed = values if weights is None else weights if values is None else values * weights
        counted = np.bincount(unit * columns + column, weights=weighed, minlength=units * columns)
        return counted.reshape(units, columns).astype(float)

    one = np.zeros(rows, dtype=int)
    values = [
        count(true, labels, right),
        count(true, labels),
        count(predicted, labels),
        count(one, 1, -np.log(np.clip(of_truth, 1e-15, 1))),
        count(one, 1, brier),
        count(bin_of, BINS),
        count(bin_of, BINS, right),
        count(bin_of, BINS, confidence),
    ]
    return Sums(np.concatenate(values, axis=1), labels)


def label_f1(sums: Sums) -> np.ndarray:
    """F1 of each label, shape (..., n_labels): NaN where it is neither carried nor predicted."""
    occurring = sums.support + sums.predicted
    found: np.ndarray = np.divide(2 * sums.right, occurring, out=np.full(occurring.shape, np.nan), where=occurring > 0)
    return found


def macro_f1(sums: Sums) -> np.ndarray:
    """Mean F1 of the labels that occur among the true or the predicted ones, shape (...), as scikit-learn has it."""
    return _mean_f1(label_f1(sums))


def carried_macro_f1(sums: Sums) -> np.ndarray:
    """Mean F1 of the labels that some row carries, shape (...), which is what two systems are compared by.

    To predict a label that no row carries costs recall of the labels that they do carry, but does not make the mean one of more labels:
    else one stray label would outweigh all that a system has right, and two systems would be averaged over different labels.
    """
    return _mean_f1(np.where(sums.support > 1e-9, label_f1(sums), np.nan))


def _mean_f1(f1: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.nansum(f1, axis=-1) / np.maximum((~np.isnan(f1)).sum(axis=-1), 1)
    return found


def accuracy(sums: Sums) -> np.ndarray:
    """Share of the rows that are right, shape (...)."""
    found: np.ndarray = sums.right.sum(axis=-1) / np.maximum(sums.support.sum(axis=-1), 1e-300)
    return found


def log_loss(sums: Sums) -> np.ndarray:
    """Mean negative log-likelihood of the true labels in nats, shape (...)."""
    found: np.ndarray = sums.values[..., 3 * sums.labels] / np.maximum(sums.support.sum(axis=-1), 1e-300)
    return found


def headline(sums: Sums, *, carried_only: bool = False) -> dict[str, np.ndarray]:
    """The figures that are one number for all labels, each of shape (...), the primary one first.

    Macro-F1 is over all labels that occur, or only those that rows carry.
    """
    k = sums.labels
    support, predicted = sums.support, sums.predicted
    rows = np.maximum(support.sum(axis=-1), 1e-300)  # a resample may have drawn nothing but empty articles
    brier = sums.values[..., 3 * k + 1]
    _, right, confidence = np.split(sums.values[..., 3 * k + 2 :], 3, axis=-1)
    f1 = label_f1(sums)
    return {
        "macro_f1": carried_macro_f1(sums) if carried_only else macro_f1(sums),
        "accuracy": accuracy(sums),
        "log_loss": log_loss(sums),
        "ece": np.abs(right - confidence).sum(axis=-1) / rows,
        "micro_f1": accuracy(sums),
        "weighted_f1": np.nansum(f1 * support, axis=-1) / rows,
        "matthews": _matthews(sums.right.sum(axis=-1), support, predicted),
        "brier": brier / rows,
    }


def _matthews(right: np.ndarray, support: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Matthews' coefficient for any number of labels (Gorodkin 2004, equation 8); 0 where it is undefined."""
    rows = support.sum(axis=-1)
    covariance = right * rows - (support * predicted).sum(axis=-1)
    spread = (rows**2 - (support**2).sum(axis=-1)) * (rows**2 - (predicted**2).sum(axis=-1))
    root = np.sqrt(np.maximum(spread, 0))
    found: np.ndarray = np.divide(covariance, root, out=np.zeros(root.shape), where=root > 0)
    return found
