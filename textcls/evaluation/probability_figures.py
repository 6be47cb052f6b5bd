"""Pictures of what probabilities are worth, as matplotlib figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from textcls.evaluation.abstention import RiskCoverage
from textcls.evaluation.areas import curve
from textcls.evaluation.bootstrap import interval
from textcls.evaluation.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, finish, shown, tidy
from textcls.evaluation.metrics import number_labels
from textcls.evaluation.sums import BINS
from textcls.evaluation.units import Units, bundle, find_units, resamples, row_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES = [
    *((colour, "-") for colour in (BLUE, ORANGE, GREEN, RED, SKY, PURPLE, BLACK)),
    *((colour, "--") for colour in (BLUE, ORANGE, GREEN, RED, SKY)),
]

_RESAMPLES = 2_000
_MOST_UNITS = 1_000


def pr_figure(
    true: Sequence[str], probabilities: np.ndarray, labels: Sequence[str], ids: Sequence[str] | None = None, *, title: str
) -> Figure:
    """Draw precision over recall for each label, a dozen of the most frequent ones if there are more; with `ids` rows of several
    seeds are counted once."""
    from matplotlib.figure import Figure

    names = [str(label) for label in labels]
    numbers = number_labels(true, names)
    once = numbers if ids is None else np.array([*dict(zip(ids, numbers, strict=True)).values()])
    counts = np.bincount(once, minlength=len(names))
    weights = row_weights(ids, len(numbers))
    chosen = [int(i) for i in np.argsort(-counts, kind="stable")[: len(_STYLES)] if counts[i]]
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    for column, (colour, line) in zip(chosen, _STYLES, strict=False):
        its = curve(numbers == column, probabilities[:, column], weights)
        label = f"{shown(names[column], 28)}: {its.pr_area or 0:.2f} ({counts[column]:,})"
        axes.step(np.append(0, its.recall), np.append(its.precision[0], its.precision), line, color=colour, label=label)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("recall: share of the label's rows that are found")
    axes.set_ylabel("precision: share of the found rows that are right")
    tidy(axes, title=title)
    legend = "label: average precision (rows)" if len(chosen) == (counts > 0).sum() else f"the {len(chosen)} most frequent labels"
    figure.legend(loc="outside right upper", frameon=False, title=legend, fontsize=9)
    return finish(figure)


def reliability_figure(
    true: Sequence[str],
    probabilities: np.ndarray,
    labels: Sequence[str],
    groups: Sequence[str | None] | None = None,
    ids: Sequence[str] | None = None,
    *,
    title: str,
) -> Figure:
    """Draw how often predictions of a confidence are right, which should be as often as it says, and how many there are.

    Args:
        true, probabilities, labels, groups, ids: as for `bootstrap_intervals`; a row of several seeds counts once.
        title: what to write above.
    """
    from matplotlib.figure import Figure

    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == number_labels(true, [str(label) for label in labels])
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    weights = row_weights(ids, len(true))
    counts = np.bincount(bin_of, weights=weights, minlength=BINS)
    some = np.flatnonzero(counts)
    shares = np.bincount(bin_of, weights=right * weights, minlength=BINS)[some] / counts[some]
    means = np.bincount(bin_of, weights=confidence * weights, minlength=BINS)[some] / counts[some]
    low, high = _share_intervals(right, weights, bin_of, find_units(groups, len(true), ids))
    figure = Figure(figsize=(5.5, 6), layout="constrained")
    top, bottom = figure.subplots(2, height_ratios=(3, 1), sharex=True)
    top.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="as often as it says")
    top.errorbar(
        means, shares, yerr=(shares - low, high - shares), fmt="o-", color=BLUE, capsize=3, label="found, with 95 % intervals"
    )
    top.set_ylabel("share that is right")
    top.set_xlim(-0.02, 1.02)
    top.set_ylim(-0.02, 1.02)
    bottom.bar((np.arange(BINS) + 0.5) / BINS, counts, width=0.9 / BINS, color=SKY)
    bottom.set_ylabel("rows")
    bottom.set_xlabel("confidence: probability of the predicted label")
    tidy(top, title=title)
    tidy(bottom, grid="y")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)  # points may lie anywhere within
    return finish(figure)


def risk_coverage_figure(curves: Mapping[str, RiskCoverage], *, title: str) -> Figure:
    """Draw the errors among the rows that are answered over the share that is, for one classifier or several."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4.5), layout="constrained")
    axes = figure.subplots()
    for (name, its), (colour, line) in zip(curves.items(), _STYLES, strict=False):
        label = f"{shown(name)}: mean risk {100 * its.area:.1f} %"
        axes.plot(100 * its.coverage, 100 * its.risk, line, color=colour, label=label, drawstyle="steps-pre")
    axes.set_xlim(0, 101)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("coverage: % of the rows that are answered, the most certain first")
    axes.set_ylabel("risk: % of the answered rows that are wrong")
    tidy(axes, title=title)
    axes.legend(loc="upper left", frameon=False)
    return finish(figure)


def _share_intervals(right: np.ndarray, weights: np.ndarray, bin_of: np.ndarray, units: Units) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the 95 % interval of the share that is right in each bin that has rows.

    The wider, at each end, of that over articles and that of as many independent rows: where all of a bin are right, resampling
    cannot tell how rarely one may be wrong.
    """
    rng = np.random.default_rng(0)
    of_row, count = bundle(units, rng, _MOST_UNITS)
    cell = of_row * BINS + bin_of
    rows, found = (
        np.bincount(cell, weights=its, minlength=count * BINS).reshape(count, BINS) for its in (weights, weights * right)
    )
    some = np.flatnonzero(rows.sum(axis=0))
    shares = found.sum(axis=0)[some] / rows.sum(axis=0)[some]
    low, high = _wilson(shares, rows.sum(axis=0)[some])
    drawn = np.concatenate(list(resamples(count, _RESAMPLES, rng)))
    for place, column in enumerate(some):
        number = len(np.unique(units.of_row[bin_of == column]))
        sizes = drawn @ rows[:, column]
        values = np.divide(drawn @ found[:, column], sizes, out=np.full(len(sizes), np.nan), where=sizes > 0)
        if its := interval(values, float(shares[place]), number, least=0, most=1):
            low[place], high[place] = min(low[place], its.low), max(high[place], its.high)
    return low, high


def _wilson(shares: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's (1927) 95 % interval of a share; the share itself always lies in it."""
    z = 1.96
    centre = (shares + z**2 / (2 * counts)) / (1 + z**2 / counts)
    half = z / (1 + z**2 / counts) * np.sqrt(shares * (1 - shares) / counts + z**2 / (4 * counts**2))
    return np.minimum(np.maximum(centre - half, 0), shares), np.maximum(np.minimum(centre + half, 1), shares)
