"""Whether one system is better than another: predictions of the same rows in, differences with what chance could do out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from scipy import stats

from textcls.evaluation.bootstrap import LEVEL, RESAMPLES, SAME, Interval, interval, no_spread, replicate, unit_note
from textcls.evaluation.caveats import find_caveats
from textcls.evaluation.disagreements import list_disagreements
from textcls.evaluation.metrics import OF_PROBABILITIES
from textcls.evaluation.parts import fold_test, name_parts, part_scores
from textcls.evaluation.predictions import Predictions, align
from textcls.evaluation.repeats import Repeats, Spread, draw_seeds, find_repeats, spread, unit_sums
from textcls.evaluation.significance import ALPHA, FoldTest, holm, least_p, mcnemar, permutation_test
from textcls.evaluation.sums import Sums, accuracy, carried_macro_f1, label_f1, log_loss
from textcls.evaluation.units import Units, bundle, find_units
from textcls.evaluation.verdict import word_verdict

POWER = 0.8

_ONE_SEED = "so what another seed would change is not in the interval"

_FIGURES: dict[str, Callable[[Sums], np.ndarray]] = {"macro_f1": carried_macro_f1, "accuracy": accuracy, "log_loss": log_loss}


@dataclass(frozen=True)
class Difference:
    """B's figure less A's.

    Attributes:
        a, b: the two figures.
        value: their difference.
        interval: its interval by a paired bootstrap over the units, and the seeds where there are several; None where there is
            only one unit, or where the difference is the same whichever units are drawn.
        p: two-sided p of a permutation test over the units, or that of Student's t over units and seeds if it is larger; None
            where there is only one unit, and for single labels.
        p_corrected: p by Holm's correction for all pairs that were compared.
    """

    a: float
    b: float
    value: float
    interval: Interval | None
    p: float | None = None
    p_corrected: float | None = None

    @property
    def apart(self) -> bool:
        """Whether its interval is without 0; where all of several units agree, so that there is none, whether it is not 0 itself."""
        if self.interval is None:
            return self.p is not None and abs(self.value) > SAME
        return self.interval.low > 0 or self.interval.high < 0


@dataclass(frozen=True)
class Comparison:
    """What the predictions of two systems for the same rows say of their difference.

    Attributes:
        a, b: names of the two.
        rows: number of rows.
        unit, n_units: what was resampled and swapped, `article`, `group` or `row`, and how many there are.
        seeds: with how many seeds each of the two predicts the rows.
        seeds_unknown: those of the two that have several seeds which predict too few rows in common to tell what other seeds would
            change, so that it is not in their intervals and tests over units.
        metrics: the difference in `macro_f1`, `accuracy` and `log_loss`, of which less is better, and which is left out where one
            of the two predicts labels only. Macro-F1 is over the labels that rows carry, the same for both.
        per_label: the difference in each label's F1.
        won, lost: rows that only B, or only A, has right; with several seeds, of any one of B's and any one of A's on average.
        units_won, units_lost: units in which B, or A, has more rows right.
        mcnemar_p: p of McNemar's exact test, which takes rows for independent and so says too much where articles matter; None where
            a row has several predictions.
        parts: the macro-F1 of A and B in each fold and seed; None where one of them does not have it.
        folds: the corrected resampled t test of macro-F1, where both have the same folds (or hash splits) and each is several units.
        seed_error: the standard error that the seeds alone give the difference in macro-F1; None where that is not known of both.
        seed_share: the share of the seeds in the variance of that difference, the rest being that of the units; None likewise.
        rows_needed: how many rows in all would show a difference in macro-F1 of this size with a power of 80 %, were they like
            these; None where there is no difference or no interval, or where the seeds leave it too uncertain for any number.
        disagreements: the rows that the two predict otherwise: what was won first, then what was lost, then the rest.
        notes: what to know of the units and seeds.
        caveats: in what the two differ besides their predictions: the data learnt from, the labels and articles known.
        verdict: all of it in one sentence.
    """

    a: str
    b: str
    rows: int
    unit: str
    n_units: int
    seeds: tuple[int, int]
    seeds_unknown: list[str]
    metrics: dict[str, Difference]
    per_label: dict[str, Difference]
    won: int
    lost: int
    units_won: int
    units_lost: int
    mcnemar_p: float | None
    parts: dict[str, tuple[float | None, float | None]]
    folds: FoldTest | None
    seed_error: float | None
    seed_share: float | None
    rows_needed: int | None
    disagreements: list[dict[str, Any]]
    notes: list[str]
    caveats: list[str]
    verdict: str = ""

    @property
    def row(self) -> str:
        """What a row is called: a `sentence` of an article, or a `row` of anything else."""
        return "sentence" if self.unit == "article" else "row"

    @property
    def confusions(self) -> list[tuple[str, str, str, int]]:
        """How often the two disagree in which way: true label, A's, B's, and the number of rows, the most frequent first."""
        found = Counter((row["label"], row["a"], row["b"]) for row in self.disagreements if row["a"] != row["b"])
        return [(*way, number) for way, number in found.most_common()]

    @property
    def decided(self) -> bool:
        """Whether interval and tests agree that there is a difference in macro-F1, and one of them heeds the seeds, if there are several."""
        found = self.metrics["macro_f1"]
        if not found.apart or found.p_corrected is None or found.p_corrected >= ALPHA:
            return False
        return not self.seeds_unknown if self.folds is None else self.folds.p < ALPHA

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _System:
    """What is compared, with its sums over each unit, these in each resample, and the seeds drawn for it."""

    predictions: Predictions
    repeats: Repeats
    sums: Sums
    drawn: Sums | None
    seeds: np.ndarray | None


def compare(several: Sequence[Predictions], *, level: float = LEVEL, number: int = RESAMPLES, seed: int = 0) -> list[Comparison]:
    """Compare predictions pair by pair, in macro-F1 with Holm's correction for all pairs.

    Where a system has predictions of several seeds, its figures are those of all of them together, an article carries those of all
    seeds, and what other seeds would change is part of the intervals and tests (see `repeats` and `parts`).

    Args:
        several: two or more; the rows of all are put in the order of the first one's.
        level: confidence of the intervals; the verdict's words are for the usual one.
        number: resamples, and permutations, for each pair.
        seed: of the resampling.

    Raises:
        DataError: they are not of the same rows with the same labels and texts.
    """
    aligned = align(several)
    groups = list(dict(zip(aligned[0].ids, aligned[0].groups, strict=True)).values())
    units = find_units(groups, len(groups), grouped_by=aligned[0].grouped_by)
    rng = np.random.default_rng(seed)
    of_row, count = bundle(units, rng)
    systems = []
    for one in aligned:
        repeats = find_repeats(one)
        sums = _needed(unit_sums(one, repeats, of_row, count))
        # Every pair sees the same resamples of units; and seeds are drawn for each system on its own.
        drawn = replicate(sums, number, np.random.default_rng(seed + 1)) if units.count > 1 else None
        systems.append(_System(one, repeats, sums, drawn, draw_seeds(repeats, number, rng)))
    found = [_compare_pair(a, b, units, level, number, rng) for a, b in combinations(systems, 2)]
    grouped = next((one for one in several if any(one.groups)), several[0])  # as `align` has it
    alike = all(len(system.repeats.names) == 1 for system in systems)
    notes = [[*_notes(a, b, units, pair, alike)] for pair, (a, b) in zip(found, combinations(systems, 2), strict=True)]
    caveats = [find_caveats(a, b, grouped) for a, b in combinations(several, 2)]
    found = [replace(pair, notes=its, caveats=more) for pair, its, more in zip(found, notes, caveats, strict=True)]
    for name in _FIGURES:
        ps = {i: pair.metrics[name].p for i, pair in enumerate(found) if name in pair.metrics}
        known = {i: p for i, p in ps.items() if p is not None}
        for i, p in zip(known, holm([*known.values()]), strict=True):
            its = replace(found[i].metrics[name], p_corrected=p)
            found[i] = replace(found[i], metrics={**found[i].metrics, name: its})
    return [replace(pair, verdict=word_verdict(pair)) for pair in found]


def _compare_pair(a: _System, b: _System, units: Units, level: float, number: int, rng: np.random.Generator) -> Comparison:
    labels_only = a.predictions.labels_only or b.predictions.labels_only
    figures = {name: figure for name, figure in _FIGURES.items() if not (labels_only and name in OF_PROBABILITIES)}
    p = permutation_test(a.sums, b.sums, figures, number=number, rng=rng) if a.drawn else {}
    metrics, spreads = {}, {}
    for name, figure in figures.items():
        spreads[name] = _spread(a, b, figure, units)
        metrics[name] = _difference(a, b, figure, spreads[name], units, level, p.get(name))
    per_label = {}
    for i, label in enumerate(a.predictions.labels):
        figure = partial(_of_label, label=i)
        if not np.isnan(figure(a.sums.total()) + figure(b.sums.total())):
            per_label[label] = _difference(a, b, figure, _spread(a, b, figure, units), units, level)
    right_a, right_b, disagreements = list_disagreements(a.predictions, a.repeats, b.predictions, b.repeats)
    by_unit = np.bincount(units.of_row, weights=right_b - right_a, minlength=units.count).round(6)
    won, lost = (round(float((right * (1 - other)).sum())) for right, other in ((right_b, right_a), (right_a, right_b)))
    scores = part_scores(a.predictions), part_scores(b.predictions)
    of_macro_f1 = spreads["macro_f1"]
    unknown = [one.predictions.name for one in (a, b) if one.repeats.seeds_unknown]
    seeds_known = of_macro_f1 is not None and not unknown and (a.seeds is not None or b.seeds is not None)
    rows = len(units.of_row)
    once = len(a.predictions) == len(b.predictions) == rows
    return Comparison(
        a=a.predictions.name,
        b=b.predictions.name,
        rows=rows,
        unit=units.kind,
        n_units=units.count,
        seeds=(len(a.repeats.names), len(b.repeats.names)),
        seeds_unknown=unknown,
        metrics=metrics,
        per_label=per_label,
        won=won,
        lost=lost,
        units_won=int((by_unit > 0).sum()),
        units_lost=int((by_unit < 0).sum()),
        mcnemar_p=mcnemar(won, lost) if once else None,
        parts=name_parts(*scores),
        folds=fold_test(a.predictions, b.predictions, scores, a.repeats.of_row, units),
        seed_error=of_macro_f1.seed_error if of_macro_f1 and seeds_known else None,
        seed_share=of_macro_f1.seed_share if of_macro_f1 and seeds_known else None,
        rows_needed=needed_rows(metrics["macro_f1"].value, of_macro_f1, rows) if of_macro_f1 else None,
        disagreements=disagreements,
        notes=[],
        caveats=[],
    )


def needed_rows(difference: float, its: Spread, rows: int) -> int | None:
    """Estimate how many rows would show a difference of this size with a power of 80 % at a level of 5 %.

    The standard error falls with the square root of the number of articles, but for what the seeds add to it, and the difference
    must be 1.96 + 0.84 standard errors for four tests in five to show it.

    Args:
        difference: what is to be seen.
        its: how it moves in resamples.
        rows: how many rows there are now.
    """
    if abs(difference) < SAME:
        return None
    wanted = float(stats.norm.ppf((1 + LEVEL) / 2) + stats.norm.ppf(POWER))
    left = (difference / wanted) ** 2 - its.seed_error**2
    return int(np.ceil(rows * (its.error**2 - its.seed_error**2) / left)) if left > 0 else None


def _needed(sums: Sums) -> Sums:
    return Sums(sums.values[:, : 3 * sums.labels + 1], sums.labels)  # what the figures here need


def _of_label(sums: Sums, label: int) -> np.ndarray:
    """F1 of one label."""
    columns = [label, sums.labels + label, 2 * sums.labels + label]
    found: np.ndarray = label_f1(Sums(sums.values[..., columns], 1))[..., 0]
    return found


def _spread(a: _System, b: _System, figure: Callable[[Sums], np.ndarray], units: Units) -> Spread | None:
    if a.drawn is None or b.drawn is None:
        return None
    changes = figure(b.drawn) - figure(a.drawn)
    return spread(changes, [(a.repeats, a.seeds), (b.repeats, b.seeds)], figure, units)


def _difference(
    a: _System,
    b: _System,
    figure: Callable[[Sums], np.ndarray],
    its: Spread | None,
    units: Units,
    level: float,
    p: float | None = None,
) -> Difference:
    of_a, of_b = float(figure(a.sums.total())), float(figure(b.sums.total()))
    if its is None:
        return Difference(of_a, of_b, of_b - of_a, None)
    if p is not None and its.seed_error > 0:
        # Both must be rare: what articles do by chance alone, and what articles and seeds do together.
        p = max(p, float(2 * stats.t.sf(abs(of_b - of_a) / its.error, its.freedom)))
    most = np.inf if figure is log_loss else 1.0  # all others are shares
    ends = interval(its.changes, of_b - of_a, units.count, level, least=-most, most=most, freedom=its.freedom)
    return Difference(of_a, of_b, of_b - of_a, ends, p, p)


def _notes(a: _System, b: _System, units: Units, pair: Comparison, alike: bool) -> Iterator[str]:
    if units.count > 1 and least_p(units.count) > ALPHA:
        yield f"there are {units.count} {units.kind}s only, too few for a permutation test to show any difference"
    elif note := unit_note(units):
        yield note
    if units.count < 2:
        return
    if pair.metrics["macro_f1"].interval is None and pair.disagreements:
        yield f"no interval of the difference in macro-F1: {no_spread(units.kind)}"
    if pair.seeds == (1, 1):
        yield f"{'each has one seed' if alike else f'{pair.a} and {pair.b} have one seed each'}, {_ONE_SEED}"
    for lone, other in ((a, b), (b, a)):
        if other.repeats.seeds_unknown:
            yield (
                f"the seeds of {other.predictions.name} predict too few rows in common to tell what other seeds would change, so that is "
                "not in the interval"
            )
        if len(lone.repeats.names) == 1 and other.repeats.seeds is not None:
            yield f"{lone.predictions.name} has one seed only, which is taken to matter as much as those of {other.predictions.name} do"
        elif len(lone.repeats.names) == 1 and other.repeats.seeds_unknown:
            yield f"{lone.predictions.name} has one seed only, {_ONE_SEED}"
