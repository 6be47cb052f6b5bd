"""Predictions of the same rows by several seeds: each row counted once, and how far other seeds would move a figure.

A figure is that of all seeds' predictions together, each row of which counts once, however many seeds predict it. Resampling articles,
each with the predictions of all its seeds, tells how it would move had other articles been drawn; that a training with other seeds gives
other models is added to that. So articles and seeds are both taken for draws, as in the multi-bootstrap of Sellam et al. (2022, The
MultiBERTs), but what seeds add is drawn on its own: from the figures of the seeds, one less than there are (Rao and Wu 1988), so that a
few seeds are not taken for steadier than they are. experiments/statistics measures what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from textcls.evaluation.metrics import number_labels
from textcls.evaluation.predictions import Predictions
from textcls.evaluation.sums import Sums, sum_rows
from textcls.evaluation.units import Units, row_weights

_LEAST_SHARED = 0.05
"""Seeds that are told apart less than this, where 1 is seeds that all predict all rows, are not told apart."""


@dataclass(frozen=True)
class Seeds:
    """What tells the seeds of one system apart: the figure of each, less that of all of them on the rows that it predicts.

    Where all predict all rows, as on given splits or in cross-validation, these are the figures' deviations from their mean. Where each
    holds out rows of its own, as with hash splits, each is held against the others on the rows that they share: on a row that it alone
    predicts it is no different from itself. Were a seed's luck the same on every row, the deviations would be linear in it, which says how
    much of its variance is in theirs, and how much of it is left in the figure of all.

    Attributes:
        own: the sums of each seed on its rows.
        all: those of all seeds on the same rows, each row counted once.
        contrast: the expected sum of the squared deviations, in variances of a single seed; for n seeds on all rows n - 1.
        freedom: degrees of freedom of that sum (Satterthwaite 1946); likewise n - 1.
        share: the variance of the figure of all seeds, in those of a single one; likewise 1/n.
    """

    own: Sums
    all: Sums
    contrast: float
    freedom: float
    share: float

    def luck(self, figure: Callable[[Sums], np.ndarray]) -> np.ndarray:
        """Deviations of the seeds in a figure, such that their sample variance is that of a single seed."""
        apart = np.nan_to_num(figure(self.own)) - np.nan_to_num(figure(self.all))
        found: np.ndarray = (apart - apart.mean()) * ((len(apart) - 1) / self.contrast) ** 0.5
        return found


@dataclass(frozen=True)
class Repeats:
    """How the aligned predictions of one system spread over rows and seeds.

    Attributes:
        of_row: the number of each prediction's row, from 0.
        weights: the weight of each prediction, such that each row counts once.
        names: the seeds; a single None where they are not known.
        votes: the share of each row's seeds that predict each label, shape (n_rows, n_labels).
        mean: the mean of their probabilities, of the same shape.
        seeds: what tells them apart; None where there is one, or where they predict too few rows in common.
    """

    of_row: np.ndarray
    weights: np.ndarray
    names: list[str | None]
    votes: np.ndarray
    mean: np.ndarray
    seeds: Seeds | None

    @property
    def usual(self) -> np.ndarray:
        """n_rows numbers of labels: what most seeds predict; of labels with as many, the more probable one."""
        found: np.ndarray = (self.votes + 1e-6 * self.mean).argmax(axis=1)
        return found

    @property
    def seeds_unknown(self) -> bool:
        """Whether there are several seeds of which it cannot be told how far others would move a figure."""
        return len(self.names) > 1 and self.seeds is None


def find_repeats(one: Predictions) -> Repeats:
    """Find the rows and seeds of aligned predictions, where a row's stand together."""
    place = {id: number for number, id in enumerate(dict.fromkeys(one.ids))}
    of_row = np.array([place[id] for id in one.ids], dtype=int)
    seed_number = {name: number for number, name in enumerate(dict.fromkeys(one.seeds))}
    weights = row_weights(one.ids, len(one))
    votes, mean = np.zeros((2, len(place), len(one.labels)))
    np.add.at(votes, (of_row, one.probabilities.argmax(axis=1)), 1)
    np.add.at(mean, of_row, one.probabilities)
    times = votes.sum(axis=1, keepdims=True)
    seeds = None
    if len(seed_number) > 1:
        seeds = _tell_apart(one, of_row, weights, np.array([seed_number[name] for name in one.seeds]))
    return Repeats(of_row, weights, list(seed_number), votes / times, mean / times, seeds)


def _tell_apart(one: Predictions, of_row: np.ndarray, weights: np.ndarray, seed: np.ndarray) -> Seeds | None:
    rows, count = int(of_row.max()) + 1, int(seed.max()) + 1
    predicts = np.zeros((rows, count))
    predicts[of_row, seed] = 1
    shares = predicts / predicts.sum(axis=1, keepdims=True)
    # Of the luck of each seed (columns) in the figure of all on the rows of each (rows); and of each less that, and less their mean.
    mixed = (predicts / predicts.sum(axis=0)).T @ shares
    apart = np.eye(count) - mixed
    apart -= apart.mean(axis=0)
    square = apart.T @ apart
    contrast = float(np.trace(square))
    if contrast < _LEAST_SHARED * (count - 1):
        return None
    true = number_labels(one.true, one.labels)
    own = sum_rows(true, one.probabilities, seed, count)
    of_all = []
    for number in range(count):
        its = np.flatnonzero(predicts[of_row, number])
        of_all.append(
            sum_rows(true[its], one.probabilities[its], np.zeros(len(its), dtype=int), 1, weights=weights[its]).values[0]
        )
    share = float((shares.mean(axis=0) ** 2).sum())
    return Seeds(own, Sums(np.array(of_all), own.labels), contrast, contrast**2 / float((square**2).sum()), share)


def unit_sums(one: Predictions, repeats: Repeats, of_row: np.ndarray, units: int) -> Sums:
    """Sum over the rows of each unit, each row counted once."""
    true = number_labels(one.true, one.labels)
    return sum_rows(true, one.probabilities, of_row[repeats.of_row], units, weights=repeats.weights)


def draw_seeds(repeats: Repeats, number: int, rng: np.random.Generator) -> np.ndarray | None:
    """Draw seeds for each of `number` resamples, shape (number, n_seeds - 1); None where their figures cannot be told apart."""
    if repeats.seeds is None:
        return None
    return rng.integers(0, len(repeats.names), (number, len(repeats.names) - 1))


@dataclass(frozen=True)
class Spread:
    """How a difference of two systems moves in resamples.

    Attributes:
        changes: it in each resample of articles and seeds; where it is undefined, NaN.
        seed_error: the standard error that the seeds alone give it; 0 for one seed.
        error: the standard error of articles and seeds.
        freedom: degrees of freedom of `error`, by Welch (1947) and Satterthwaite (1946).
    """

    changes: np.ndarray
    seed_error: float
    error: float
    freedom: float

    @property
    def seed_share(self) -> float:
        """The share of the seeds in the variance."""
        return (self.seed_error / self.error) ** 2 if self.error > 0 else 0.0


def spread(
    changes: np.ndarray,
    both: Sequence[tuple[Repeats, np.ndarray | None]],
    figure: Callable[[Sums], np.ndarray],
    units: Units,
) -> Spread:
    """Add to the difference in resamples of articles what other seeds would.

    Seeds of one system have nothing to do with those of the other. (Where they have, since the same seed parted the rows for both,
    the spread is rather too large.) A system with a single seed is taken to depend on it as much as the other does on its own.

    Args:
        changes: the second system's figure less the first's in each resample of articles.
        both: each system's repeats, with the seeds drawn for each resample.
        figure: the figure.
        units: the articles.
    """
    parts = [(float(np.nanvar(changes)) * units.count / (units.count - 1), float(units.count - 1))]
    lone = any(len(repeats.names) == 1 for repeats, _ in both)
    for (repeats, drawn), sign in zip(both, (-1, 1), strict=True):
        if repeats.seeds is not None and drawn is not None:
            its = repeats.seeds
            luck = its.luck(figure)
            count = len(luck)
            changes = changes + sign * (its.share * count) ** 0.5 * luck[drawn].mean(axis=1)
            parts.append((float(luck.var(ddof=1)) * (its.share + lone), its.freedom))
            if lone:  # drawn for the resample before, which has nothing to do with what is drawn for this one
                changes = changes - sign * np.roll(luck[drawn[:, 0]], 1) * (count / (count - 1)) ** 0.5
    whole = sum(variance for variance, _ in parts)
    square = sum(variance**2 / freedom for variance, freedom in parts)
    freedom = whole**2 / square if square > 0 else float(units.count - 1)
    return Spread(changes, sum(variance for variance, _ in parts[1:]) ** 0.5, whole**0.5, freedom)
