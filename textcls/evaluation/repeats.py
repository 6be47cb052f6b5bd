"""Predictions of the same rows by several seeds: each row counted once, and how far other seeds would move a figure.

A figure is that of all seeds' predictions together. Resampling articles, each with the predictions of all its seeds, tells how it
would move had other articles been drawn; that a training with other seeds gives other models is added to that. So articles and seeds
are both taken for draws, as in the multi-bootstrap of Sellam et al. (2022, The MultiBERTs), but what seeds add is drawn on its own:
from the figures of the seeds on all rows, one less than there are (Rao and Wu 1988), so that a few seeds are not taken for steadier
than they are. experiments/statistics measures what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from textcls.evaluation.metrics import number_labels
from textcls.evaluation.predictions import Predictions
from textcls.evaluation.sums import Sums, sum_rows
from textcls.evaluation.units import Units


@dataclass(frozen=True)
class Repeats:
    """How the aligned predictions of one system spread over rows and seeds.

    Attributes:
        of_row: the number of each prediction's row, from 0.
        seeds: the seeds; a single None where they are not known.
        votes: the share of each row's seeds that predict each label, shape (n_rows, n_labels).
        mean: the mean of their probabilities, of the same shape.
        of_seed: the sums of each seed, where there are several and all are measured on every row; otherwise None.
    """

    of_row: np.ndarray
    seeds: list[str | None]
    votes: np.ndarray
    mean: np.ndarray
    of_seed: Sums | None

    @property
    def usual(self) -> np.ndarray:
        """n_rows numbers of labels: what most seeds predict; of labels with as many, the more probable one."""
        found: np.ndarray = (self.votes + 1e-6 * self.mean).argmax(axis=1)
        return found


def find_repeats(one: Predictions) -> Repeats:
    """Find the rows and seeds of aligned predictions, where a row's stand together."""
    place = {id: number for number, id in enumerate(dict.fromkeys(one.ids))}
    of_row = np.array([place[id] for id in one.ids], dtype=int)
    seed_number = {name: number for number, name in enumerate(dict.fromkeys(one.seeds))}
    votes = np.zeros((len(place), len(one.labels)))
    np.add.at(votes, (of_row, one.probabilities.argmax(axis=1)), 1)
    times = votes.sum(axis=1, keepdims=True)
    of_seed = None
    if len(seed_number) > 1 and (times == len(seed_number)).all():
        numbers = np.array([seed_number[name] for name in one.seeds])
        of_seed = sum_rows(number_labels(one.true, one.labels), one.probabilities, numbers, len(seed_number))
    mean = np.zeros_like(votes)
    np.add.at(mean, of_row, one.probabilities)
    return Repeats(of_row, list(seed_number), votes / times, mean / times, of_seed)


def unit_sums(one: Predictions, repeats: Repeats, of_row: np.ndarray, units: int) -> Sums:
    """Sum over the rows of each unit, every seed of them with its share."""
    true = number_labels(one.true, one.labels)
    return sum_rows(true, one.probabilities, of_row[repeats.of_row], units, weight=1 / len(repeats.seeds))


def draw_seeds(repeats: Repeats, number: int, rng: np.random.Generator) -> np.ndarray | None:
    """Draw seeds for each of `number` resamples, shape (number, n_seeds - 1); None where their figures cannot be told apart."""
    if repeats.of_seed is None:
        return None
    return rng.integers(0, len(repeats.seeds), (number, len(repeats.seeds) - 1))


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
    parts = [(float(np.nanvar(changes)) * units.count / (units.count - 1), units.count - 1)]
    lone = any(len(repeats.seeds) == 1 for repeats, _ in both)
    for (repeats, drawn), sign in zip(both, (-1, 1), strict=True):
        if repeats.of_seed is not None and drawn is not None:
            scores = np.nan_to_num(figure(repeats.of_seed))
            count, deviations, variance = len(scores), scores - scores.mean(), float(scores.var(ddof=1))
            changes = changes + sign * deviations[drawn].mean(axis=1)
            parts.append((variance * (1 / count + lone), count - 1))
            if lone:  # drawn for the resample before, which has nothing to do with what is drawn for this one
                changes = changes - sign * np.roll(deviations[drawn[:, 0]], 1) * (count / (count - 1)) ** 0.5
    whole = sum(variance for variance, _ in parts)
    square = sum(variance**2 / freedom for variance, freedom in parts)
    freedom = whole**2 / square if square > 0 else float(units.count - 1)
    return Spread(changes, sum(variance for variance, _ in parts[1:]) ** 0.5, whole**0.5, freedom)
