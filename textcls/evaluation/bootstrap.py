"""Resamples of units, and the interval that they give a figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from textcls.evaluation.sums import Sums
from textcls.evaluation.units import Units, resamples

RESAMPLES = 10_000
LEVEL = 0.95
FEW_UNITS = 10
"""Below this many articles intervals are wide and still rough; see experiments/statistics."""

SAME = 1e-9
"""Figures that are no further apart are the same but for rounding."""


@dataclass(frozen=True)
class Interval:
    """The range that holds a figure's true value with the level's confidence."""

    low: float
    high: float


def replicate(sums: Sums, number: int, rng: np.random.Generator) -> Sums:
    """Draw resamples of units and sum over each: the result's leading axis is the resamples'."""
    pieces = [sums.weighted(weights).values for weights in resamples(len(sums.values), number, rng)]
    return Sums(np.concatenate(pieces), sums.labels)


def interval(
    values: np.ndarray,
    observed: float,
    units: int,
    level: float = LEVEL,
    *,
    least: float = -np.inf,
    most: float = np.inf,
    freedom: float | None = None,
) -> Interval | None:
    """Read an interval off the figures of resamples; None if no resample has the figure, or all have the same.

    It is the wider, at each end, of two. One is the expanded percentile interval of Hesterberg (2015, What Teachers Should Know
    About the Bootstrap, section 3.2), whose tails are as much smaller as Student's t is wider than the normal distribution.
    The other is the observed figure plus and minus t times the resamples' standard deviation. Plain percentiles hold the
    true value too rarely where there are few articles; experiments/statistics measures how often each does. Where all resamples
    have the same figure, since it is the same in every unit, they say nothing of how far it would move.

    Args:
        values: the figure of each of n_resamples resamples, NaN where it has none.
        observed: the figure itself.
        units: how many units were resampled, two at least.
        level: confidence of the interval.
        least, most: what the figure can be.
        freedom: degrees of freedom of Student's t, where the values vary by more than the units; one less than these if None.
    """
    known = values[~np.isnan(values)]
    if not len(known) or units < 2 or np.ptp(known) < SAME:
        return None
    expansion = float(stats.t.ppf((1 + level) / 2, freedom or units - 1)) * (units / (units - 1)) ** 0.5
    tail = float(stats.norm.cdf(-expansion))
    low, high = np.quantile(known, [tail, 1 - tail])
    half = expansion * float(known.std())
    return Interval(float(max(least, min(low, observed - half))), float(min(most, max(high, observed + half))))


def unbiased_interval(values: np.ndarray, observed: float, units: int, level: float = LEVEL) -> Interval | None:
    """Interval of a figure that chance only ever raises, as it does the calibration error: by t, around the figure less its bias.

    What resampling adds to the observed figure is what drawing rows added to the true one, to first order; percentiles would
    add it once more. Where articles are few it holds the true value 82 to 93 times in 100 only; see experiments/statistics.
    """
    if units < 2 or np.ptp(values) < SAME:
        return None
    half = float(stats.t.ppf((1 + level) / 2, units - 1)) * float(values.std()) * (units / (units - 1)) ** 0.5
    centre = 2 * observed - float(values.mean())
    return Interval(float(np.clip(min(centre - half, observed), 0, 1)), float(np.clip(max(centre + half, observed), 0, 1)))


def no_spread(unit: str) -> str:
    """Say why a figure has no interval whose resamples are all the same."""
    return f"the same whichever {unit}s are drawn, which says nothing of others"


def unit_note(units: Units) -> str | None:
    """Say what a reader of intervals should know of their units."""
    if units.kind == "row":
        one = "there is one row only, so there are no intervals" if units.count < 2 else None
        return one or "the rows name no articles or groups, so rows were resampled, as if they were independent of each other"
    if units.count < 2:
        return f"all rows are of one {units.kind}, so there are no intervals over {units.kind}s"
    few = f"there are {units.count} {units.kind}s only, so the intervals are rough" if units.count < FEW_UNITS else None
    of_all = f"{units.alone:,} of the {units.count:,} {units.kind}s are rows that name none and are taken as independent"
    return "; ".join(note for note in (few, of_all if units.alone else None) if note) or None
