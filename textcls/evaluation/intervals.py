"""How far figures would move had other articles been drawn: bootstrap intervals over articles, by weighted sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from textcls.evaluation.areas import curve
from textcls.evaluation.bootstrap import LEVEL, RESAMPLES, Interval, interval, no_spread, replicate, unbiased_interval, unit_note
from textcls.evaluation.metrics import FIGURES, number_labels
from textcls.evaluation.sums import headline, label_f1, sum_rows
from textcls.evaluation.units import Units, bundle, find_units, resamples, row_weights

_BOUNDS = {"log_loss": (0.0, np.inf), "brier": (0.0, 2.0), "matthews": (-1.0, 1.0)}
"""What figures can be that are no shares."""

_AREA_RESAMPLES = 2_000
_AREA_UNITS = 1_000
_AREA_BINS = 100


@dataclass(frozen=True)
class Intervals:
    """Intervals of the figures of one set of predictions.

    Attributes:
        unit: what was resampled: `article`, `group` where rows are grouped by something else, or `row` where they are not grouped.
        n_units: how many there are.
        level: confidence, such as 0.95.
        resamples: how many were drawn.
        metrics: the interval of each figure; empty where there is only one unit, and without a figure in which all units agree.
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
    ids: Sequence[str] | None = None,
    *,
    grouped_by: str = "article",
    level: float = LEVEL,
    number: int = RESAMPLES,
    areas: bool = True,
    carried_only: bool = False,
    seed: int = 0,
) -> Intervals:
    """Measure the intervals of all figures of `evaluate`.

    Args:
        true: n_rows labels.
        probabilities: shape (n_rows, n_labels).
        labels: the labels of the columns.
        groups: each row's article, so that articles are resampled, or None; without any, rows are.
        ids: each row's id, where rows stand there several times, as they do with several seeds: each counts once.
        grouped_by: what `groups` are, if they are something else than articles.
        level: confidence of the intervals.
        number: resamples to draw.
        areas: whether to measure the areas of ROC and PR curves too, which takes most of the time.
        carried_only: whether macro-F1 is only over the labels that rows carry.
        seed: of the resampling.
    """
    names = [str(label) for label in labels]
    units = find_units(groups, len(true), ids, grouped_by=grouped_by)
    if units.count < 2:
        return Intervals(units.kind, units.count, level, 0, {}, {name: {} for name in names}, unit_note(units))
    rng = np.random.default_rng(seed)
    true_ids = number_labels(true, names)
    of_row, count = bundle(units, rng)
    weights = row_weights(ids, len(true))
    sums = sum_rows(true_ids, probabilities, of_row, count, weights=weights)
    drawn = replicate(sums, number, rng)
    whole = sums.total()
    observed = headline(whole, carried_only=carried_only)
    metrics = {}
    for name, values in headline(drawn, carried_only=carried_only).items():
        least, most = _BOUNDS.get(name, (0.0, 1.0))
        of_all = float(observed[name])
        if found := (
            unbiased_interval(values, of_all, units.count, level)
            if name == "ece"
            else interval(values, of_all, units.count, level, least=least, most=most)
        ):
            metrics[name] = found
    figures = {
        "precision": (_share(drawn.right, drawn.predicted), _share(whole.right, whole.predicted)),
        "recall": (_share(drawn.right, drawn.support), _share(whole.right, whole.support)),
        "f1": (label_f1(drawn), label_f1(whole)),
    }
    per_label = {
        name: {
            figure: found
            for figure, (values, of_all) in figures.items()
            if (found := interval(values[:, column], float(of_all[column]), units.count, level, least=0, most=1))
        }
        for column, name in enumerate(names)
    }
    if areas:
        of_areas = _area_intervals(true_ids, probabilities, weights, names, units, level, min(number, _AREA_RESAMPLES), rng)
        metrics |= of_areas.pop("", {})
        per_label = {name: found | of_areas[name] for name, found in per_label.items()}
    lacking = {*observed, *(["pr_area"] if areas else []), *(["roc_area"] if areas and len({*true}) > 1 else [])} - metrics.keys()
    same = [word for name, word in FIGURES.items() if name in lacking]
    notes = [unit_note(units), f"no interval of {', '.join(same)}: {no_spread(units.kind)}" if same else None]
    note = "; ".join(said for said in notes if said) or None
    return Intervals(units.kind, units.count, level, number, metrics, per_label, note)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return found


def _area_intervals(
    true: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray,
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
    of_row, count = bundle(units, rng, _AREA_UNITS)
    times = np.concatenate(list(resamples(count, number, rng)))
    found: dict[str, dict[str, Interval]] = {}
    columns: dict[str, list[np.ndarray]] = {"roc_area": [], "pr_area": []}
    whole_of: dict[str, list[float]] = {"roc_area": [], "pr_area": []}
    for column, name in enumerate(labels):
        carries, probability = true == column, probabilities[:, column]
        edges = np.unique(np.quantile(probability, np.linspace(0, 1, _AREA_BINS + 1)[1:-1]))
        bin_of = len(edges) - np.searchsorted(edges, probability, side="right")  # bin 0 holds the highest
        bins = len(edges) + 1
        cell = of_row * bins + bin_of
        histograms = [
            np.bincount(cell, weights=weights * part, minlength=count * bins).reshape(count, bins) for part in (carries, ~carries)
        ]
        exact = curve(carries, probability, weights)
        whole = _areas(*(histogram.sum(axis=0)[None] for histogram in histograms))
        resampled = _areas(*(times @ histogram for histogram in histograms))
        its: dict[str, Interval] = {}
        for area, of_all in (("roc_area", exact.roc_area), ("pr_area", exact.pr_area)):
            if of_all is not None:
                shifted = np.clip(resampled[area] + of_all - whole[area], 0, 1)
                whole_of[area].append(of_all)
                columns[area].append(shifted)
                if its_interval := interval(shifted, of_all, units.count, level, least=0, most=1):
                    its[area] = its_interval
        found[name] = its
    means = {}
    for area, drawn in columns.items():
        stacked = np.stack(drawn) if drawn else np.full((1, 1), np.nan)
        mean = _share(np.nansum(stacked, axis=0), (~np.isnan(stacked)).sum(axis=0))
        means[area] = interval(mean, float(np.mean(whole_of[area] or [0])), units.count, level, least=0, most=1)
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
