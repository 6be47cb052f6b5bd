"""How far figures would move had other articles been drawn: bootstrap intervals over articles, by weighted sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from textcls.evaluation.areas import curve
from textcls.evaluation.metrics import number_labels
from textcls.evaluation.sums import Sums, headline, label_f1, sum_rows
from textcls.evaluation.units import Units, find_units, pool, resamples

RESAMPLES = 10_000
LEVEL = 0.95
FEW_UNITS = 10
"""Below this many articles intervals were measured to be too narrow still; see experiments/statistics."""

_AREA_RESAMPLES = 2_000
_AREA_UNITS = 1_000
_AREA_BINS = 100


@dataclass(frozen=True)
class Interval:
    """The range that holds a figure's true value with the level's confidence."""

    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """Intervals of the figures of one set of predictions.

    Attributes:
        unit: what was resampled: `article`, or `row` where rows name no article.
        n_units: how many there are.
        level: confidence, such as 0.95.
        resamples: how many were drawn.
        metrics: the interval of each figure; empty where there is only one unit.
        per_label: the intervals of each label's figures: `precision`, `recall`, `f1`, `roc_area`, `pr_area`; a figure that
            the label does not have is left out.
        note: what to know of the intervals; None if nothing.
    """

    unit: str
    n_units: int
    level: float
    resamples: int
    metrics: dict[str, Interval]
    per_label: dict[str, dict[str, Interval]]
    note: str | None

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return asdict(self)


def bootstrap_intervals(
    true: Sequence[str],
    probabilities: np.ndarray,
    labels: Sequence[str],
    groups: Sequence[str | None] | None = None,
    *,
    level: float = LEVEL,
    number: int = RESAMPLES,
    areas: bool = True,
    seed: int = 0,
) -> Intervals:
    """Measure the intervals of all figures of `evaluate`.

    Args:
        true: n_rows labels.
        probabilities: shape (n_rows, n_labels).
        labels: the labels of the columns.
        groups: each row's article, so that articles are resampled, or None; without any, rows are.
        level: confidence of the intervals.
        number: resamples to draw.
        areas: whether to measure the areas of ROC and PR curves too, which takes most of the time.
        seed: of the resampling.
    """
    names = [str(label) for label in labels]
    units = find_units(groups, len(true))
    if units.count < 2:
        return Intervals(units.kind, units.count, level, 0, {}, {name: {} for name in names}, unit_note(units))
    rng = np.random.default_rng(seed)
    true_ids = number_labels(true, names)
    of_row, count = pool(units, rng)
    sums = sum_rows(true_ids, probabilities, of_row, count)
    drawn = replicate(sums, number, rng)
    metrics = {name: found for name, values in headline(drawn).items() if (found := interval(values, units.count, level))}
    figures = {
        "precision": _share(drawn.right, drawn.predicted),
        "recall": _share(drawn.right, drawn.support),
        "f1": label_f1(drawn),
    }
    per_label = {
        name: {figure: found for figure, values in figures.items() if (found := interval(values[:, column], units.count, level))}
        for column, name in enumerate(names)
    }
    if areas:
        of_areas = _area_intervals(true_ids, probabilities, names, units, level, min(number, _AREA_RESAMPLES), rng)
        metrics |= of_areas.pop("", {})
        per_label = {name: found | of_areas[name] for name, found in per_label.items()}
    return Intervals(units.kind, units.count, level, number, metrics, per_label, unit_note(units))


def replicate(sums: Sums, number: int, rng: np.random.Generator) -> Sums:
    """Draw resamples of units and sum over each: the result's leading axis is the resamples'."""
    pieces = [sums.weighted(weights).values for weights in resamples(len(sums.values), number, rng)]
    return Sums(np.concatenate(pieces), sums.labels)


def interval(values: np.ndarray, units: int, level: float = LEVEL) -> Interval | None:
    """Read an interval off the figures of resamples; None if no resample has the figure.

    The percentiles are those of Hesterberg (2015, What Teachers Should Know About the Bootstrap, section 3.2): wider than the
    plain ones as Student's t is wider than the normal distribution, and by √(n / (n - 1)), without which intervals from few
    articles hold the true value too rarely; experiments/statistics measures by how much.
    """
    known = values[~np.isnan(values)]
    if not len(known) or units < 2:
        return None
    tail = tail_share(units, level)
    low, high = np.quantile(known, [tail, 1 - tail])
    return Interval(float(low), float(high))


def tail_share(units: int, level: float) -> float:
    """The share of resamples that each tail of an expanded percentile interval leaves out."""
    t = stats.t.ppf((1 + level) / 2, units - 1)
    return float(stats.norm.cdf(-t * np.sqrt(units / (units - 1))))


def unit_note(units: Units) -> str | None:
    """Say what a reader of intervals should know of their units."""
    if units.kind == "row":
        one = "there is one row only, so there are no intervals" if units.count < 2 else None
        return one or "the rows name no articles, so rows were resampled, as if they were independent of each other"
    if units.count < 2:
        return "all rows are of one article, so there are no intervals over articles"
    if units.count < FEW_UNITS:
        return f"there are {units.count} articles only, so the intervals are rough"
    return None


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return found


def _area_intervals(
    true: np.ndarray,
    probabilities: np.ndarray,
    labels: Sequence[str],
    units: Units,
    level: float,
    number: int,
    rng: np.random.Generator,
) -> dict[str, dict[str, Interval]]:
    """Intervals of the areas of each label, and of their means under the empty name.

    Probabilities are ranked in a hundred bins of equally many rows, so that a resample is a weighted sum of histograms; what
    the bins cost is known from the figure of all rows, and the resamples are shifted by it.
    """
    of_row, count = pool(units, rng)
    of_row, count = of_row % _AREA_UNITS, min(count, _AREA_UNITS)
    weights = np.concatenate(list(resamples(count, number, rng)))
    found: dict[str, dict[str, Interval]] = {}
    columns: dict[str, list[np.ndarray]] = {"roc_area": [], "pr_area": []}
    for column, name in enumerate(labels):
        carries, probability = true == column, probabilities[:, column]
        edges = np.unique(np.quantile(probability, np.linspace(0, 1, _AREA_BINS + 1)[1:-1]))
        bin_of = len(edges) - np.searchsorted(edges, probability, side="right")  # bin 0 holds the highest
        bins = len(edges) + 1
        cell = of_row * bins + bin_of
        histograms = [
            np.bincount(cell, weights=part, minlength=count * bins).reshape(count, bins) for part in (carries, ~carries)
        ]
        exact = curve(carries, probability)
        whole = _areas(*(histogram.sum(axis=0)[None] for histogram in histograms))
        resampled = _areas(*(weights @ histogram for histogram in histograms))
        its: dict[str, Interval] = {}
        for area, of_all in (("roc_area", exact.roc_area), ("pr_area", exact.pr_area)):
            if of_all is not None:
                shifted = np.clip(resampled[area] + of_all - whole[area], 0, 1)
                columns[area].append(shifted)
                if its_interval := interval(shifted, units.count, level):
                    its[area] = its_interval
        found[name] = its
    means = {}
    for area, drawn in columns.items():
        stacked = np.stack(drawn) if drawn else np.full((1, 1), np.nan)
        means[area] = interval(_share(np.nansum(stacked, axis=0), (~np.isnan(stacked)).sum(axis=0)), units.count, level)
    found[""] = {area: mean for area, mean in means.items() if mean}
    return found


def _areas(carrying: np.ndarray, others: np.ndarray) -> dict[str, np.ndarray]:
    """ROC area and average precision of histograms of a label's rows and of the others, shape (n, n_bins), best bin first."""
    found, false = carrying.cumsum(axis=1), others.cumsum(axis=1)
    roc = (others * (found - carrying / 2)).sum(axis=1)
    precision = np.divide(found, found + false, out=np.zeros(found.shape), where=found + false > 0)
    return {
        "roc_area": _share(roc, found[:, -1] * false[:, -1]),
        "pr_area": _share((carrying * precision).sum(axis=1), found[:, -1]),
    }
