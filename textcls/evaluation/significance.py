"""Tests of whether two systems differ, for predictions of the same rows and for scores of the same folds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from textcls.evaluation.bootstrap import Interval
from textcls.evaluation.sums import Sums
from textcls.evaluation.units import swaps

ALPHA = 0.05
"""The share of false alarms that tests are held to."""

FEWEST = math.ceil(1 - math.log2(ALPHA))
"""Below this many units no permutation test can show a difference."""

Figures = Mapping[str, Callable[[Sums], np.ndarray]]


@dataclass(frozen=True)
class FoldTest:
    """The corrected resampled t test of the scores of several folds or seeds.

    Attributes:
        difference: mean of the second system's scores less the first's.
        interval: its 95 % interval.
        p: two-sided probability of a t as far from 0, were there no difference.
        folds: how many scores each system has.
        assumed: whether it is only assumed how many rows a fit learnt from: all but the fold's.
    """

    difference: float
    interval: Interval
    p: float
    folds: int
    assumed: bool = False


def mcnemar(won: int, lost: int) -> float:
    """Test by McNemar's exact two-sided test whether more rows are won than lost; it takes rows for independent of each other.

    Args:
        won: rows that only the second system has right.
        lost: rows that only the first has right.
    """
    return float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0


def permutation_test(a: Sums, b: Sums, figures: Figures, *, number: int, rng: np.random.Generator) -> dict[str, float]:
    """Test whether two systems differ, by letting their predictions change places in whole articles.

    With few articles all ways are tried, otherwise `number` of them at random (Ojala and Garriga 2010 give the count of one
    that is added). For the accuracy this is McNemar's test for clustered rows.

    Args:
        a, b: sums of each unit's rows.
        figures: what to compare by, by its name.
        number: ways to try at most.
        rng: draws them.

    Returns:
        the two-sided p of each figure.
    """
    change = b.values - a.values
    total_a, total_b = a.total(), b.total()
    beyond = dict.fromkeys(figures, 0)
    tried = 0
    for swapped in swaps(len(change), number, rng):
        moved = swapped @ change
        tried += len(moved)
        here, there = Sums(total_a.values + moved, a.labels), Sums(total_b.values - moved, a.labels)
        for name, figure in figures.items():
            observed = abs(float(figure(total_b) - figure(total_a)))
            beyond[name] += int((np.abs(figure(there) - figure(here)) >= observed - 1e-12).sum())
    drawn = int(2 ** len(change) > number)  # the observed way is one of all of them already
    return {name: (count + drawn) / (tried + drawn) for name, count in beyond.items()}


def least_p(units: int) -> float:
    """The smallest p that a permutation test over this many units can give."""
    return float(min(1.0, 2.0 ** (1 - units)))


def corrected_t_test(differences: Sequence[float], test_share: float) -> FoldTest:
    """Test the differences of scores over folds whose training rows overlap (Nadeau and Bengio 2003, section 3).

    The variance of the mean of J differences is taken to be (1/J + n_test/n_train) times theirs, since folds share rows.

    Args:
        differences: the second system's score less the first's in each fold, two at least.
        test_share: n_test/n_train of a fold, such as 1/4 for five folds; 0 if nothing is shared.
    """
    values = np.array(differences)
    mean = float(values.mean())
    error = float(np.sqrt((1 / len(values) + test_share) * values.var(ddof=1)))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * error
    # Differences that are all alike have no spread: they are certain, or there are none.
    p = float(2 * stats.t.sf(abs(mean) / error, len(values) - 1)) if error > 0 else float(mean == 0)
    return FoldTest(mean, Interval(mean - half, mean + half), p, len(values))


def holm(p: Sequence[float]) -> list[float]:
    """Correct the p of several tests so that the chance of any false alarm stays what it is for one (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    corrected = np.maximum.accumulate(np.array(p)[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = np.minimum(corrected, 1)
    return [float(value) for value in found]
