"""Whether one system is better than another: predictions of the same rows in, differences with what chance could do out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from scipy import stats

from textcls.evaluation.bootstrap import LEVEL, RESAMPLES, Interval, interval, replicate, unit_note
from textcls.evaluation.metrics import number_labels
from textcls.evaluation.predictions import Predictions, align
from textcls.evaluation.significance import ALPHA, FoldTest, corrected_t_test, holm, least_p, mcnemar, permutation_test
from textcls.evaluation.sums import Sums, accuracy, label_f1, log_loss, macro_f1, sum_rows
from textcls.evaluation.units import Units, find_units, pool
from textcls.evaluation.verdict import word_verdict

POWER = 0.8

_FIGURES: dict[str, Callable[[Sums], np.ndarray]] = {"macro_f1": macro_f1, "accuracy": accuracy, "log_loss": log_loss}


@dataclass(frozen=True)
class Difference:
    """B's figure less A's.

    Attributes:
        a, b: the two figures.
        value: their difference.
        interval: its interval by a paired bootstrap over the units; None where there is only one.
        p: two-sided p of a permutation test over the units; None where there is only one, and for single labels.
        p_corrected: p by Holm's correction for all pairs that were compared.
    """

    a: float
    b: float
    value: float
    interval: Interval | None
    p: float | None = None
    p_corrected: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What the predictions of two systems for the same rows say of their difference.

    Attributes:
        a, b: names of the two.
        rows: number of rows.
        unit, n_units: what was resampled and swapped, `article` or `row`, and how many there are.
        metrics: the difference in `macro_f1`, `accuracy` and `log_loss`, of which less is better.
        per_label: the difference in each label's F1.
        won, lost: rows that only B, or only A, has right.
        units_won, units_lost: units in which B, or A, has more rows right.
        mcnemar_p: p of McNemar's exact test, which takes rows for independent and so says too much where articles matter.
        folds: the corrected resampled t test of macro-F1, where both have the same folds and a fold is several units.
        rows_needed: how many rows in all would show a difference in macro-F1 of this size with a power of 80 %, were they like
            these; None where there is no difference or no interval.
        disagreements: the rows that the two predict otherwise: what was won first, then what was lost, then the rest.
        note: what to know of the units; None if nothing.
        verdict: all of it in one sentence.
    """

    a: str
    b: str
    rows: int
    unit: str
    n_units: int
    metrics: dict[str, Difference]
    per_label: dict[str, Difference]
    won: int
    lost: int
    units_won: int
    units_lost: int
    mcnemar_p: float
    folds: FoldTest | None
    rows_needed: int | None
    disagreements: list[dict[str, Any]]
    note: str | None
    verdict: str = ""

    @property
    def confusions(self) -> list[tuple[str, str, str, int]]:
        """How often the two disagree in which way: true label, A's, B's, and the number of rows, the most frequent first."""
        found = Counter((row["label"], row["a"], row["b"]) for row in self.disagreements)
        return [(*way, number) for way, number in found.most_common()]

    @property
    def decided(self) -> bool:
        """Whether interval and tests agree that there is a difference in macro-F1."""
        found = self.metrics["macro_f1"]
        if found.interval is None or found.p_corrected is None:
            return False
        apart = found.interval.low > 0 or found.interval.high < 0
        return apart and found.p_corrected < ALPHA and (self.folds is None or self.folds.p < ALPHA)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return asdict(self)


def compare(several: Sequence[Predictions], *, level: float = LEVEL, number: int = RESAMPLES, seed: int = 0) -> list[Comparison]:
    """Compare predictions pair by pair, in macro-F1 with Holm's correction for all pairs.

    Args:
        several: two or more; the rows of all are put in the order of the first one's.
        level: confidence of the intervals; the verdict's words are for the usual one.
        number: resamples, and permutations, for each pair.
        seed: of the resampling.

    Raises:
        DataError: they are not of the same rows with the same labels and texts.
    """
    aligned = align(several)
    groups = next((one.groups for one in aligned if any(one.groups)), aligned[0].groups)
    units = find_units(groups, len(aligned[0]))
    rng = np.random.default_rng(seed)
    of_row, count = pool(units, rng)
    sums = [_sums(one, of_row, count) for one in aligned]
    # Every pair sees the same resamples.
    drawn = [replicate(one, number, np.random.default_rng(seed + 1)) for one in sums] if units.count > 1 else None
    pairs = list(combinations(range(len(aligned)), 2))
    found = []
    for a, b in pairs:
        resampled = (drawn[a], drawn[b]) if drawn else None
        found.append(_compare_pair(aligned[a], aligned[b], sums[a], sums[b], resampled, units, level, number, rng))
    for name in _FIGURES:
        ps = [pair.metrics[name].p for pair in found]
        corrected = holm([p for p in ps if p is not None])
        for i, p in enumerate(corrected):
            its = replace(found[i].metrics[name], p_corrected=p)
            found[i] = replace(found[i], metrics={**found[i].metrics, name: its})
    return [replace(pair, verdict=word_verdict(pair)) for pair in found]


def _compare_pair(
    a: Predictions,
    b: Predictions,
    sums_a: Sums,
    sums_b: Sums,
    drawn: tuple[Sums, Sums] | None,
    units: Units,
    level: float,
    number: int,
    rng: np.random.Generator,
) -> Comparison:
    p = permutation_test(sums_a, sums_b, _FIGURES, number=number, rng=rng) if drawn else {}
    whole_a, whole_b = sums_a.total(), sums_b.total()
    metrics = {}
    rows_needed = None
    for name, figure in _FIGURES.items():
        changes = figure(drawn[1]) - figure(drawn[0]) if drawn else None
        metrics[name] = _difference(float(figure(whole_a)), float(figure(whole_b)), changes, units, level, p.get(name))
        if name == "macro_f1" and changes is not None:
            rows_needed = needed_rows(metrics[name].value, changes, len(a), units.count)
    f1_a, f1_b = label_f1(whole_a), label_f1(whole_b)
    f1_changes = label_f1(drawn[1]) - label_f1(drawn[0]) if drawn else None
    per_label = {
        label: _difference(float(f1_a[i]), float(f1_b[i]), f1_changes[:, i] if f1_changes is not None else None, units, level)
        for i, label in enumerate(a.labels)
        if not np.isnan(f1_a[i] + f1_b[i])
    }
    true = np.array(a.true, dtype=object)
    gained = (b.predicted == true).astype(int) - (a.predicted == true).astype(int)
    by_unit = np.bincount(units.of_row, weights=gained, minlength=units.count)
    won, lost = int((gained > 0).sum()), int((gained < 0).sum())
    return Comparison(
        a=a.name,
        b=b.name,
        rows=len(a),
        unit=units.kind,
        n_units=units.count,
        metrics=metrics,
        per_label=per_label,
        won=won,
        lost=lost,
        units_won=int((by_unit > 0).sum()),
        units_lost=int((by_unit < 0).sum()),
        mcnemar_p=mcnemar(won, lost),
        folds=_fold_test(a, b, units),
        rows_needed=rows_needed,
        disagreements=_disagreements(a, b, gained),
        note=_note(units),
    )


def needed_rows(difference: float, changes: np.ndarray, rows: int, units: int) -> int | None:
    """Estimate how many rows would show a difference of this size with a power of 80 % at a level of 5 %.

    The standard error falls with the square root of the number of articles, and the difference must be 1.96 + 0.84 standard
    errors for four tests in five to show it.

    Args:
        difference: what is to be seen.
        changes: the difference in each of n_resamples resamples of the units.
        rows, units: how many rows and units there are now.
    """
    if difference == 0:
        return None
    error = float(np.nanstd(changes)) * (units / (units - 1)) ** 0.5
    wanted = float(stats.norm.ppf((1 + LEVEL) / 2) + stats.norm.ppf(POWER))
    return int(np.ceil(rows * (wanted * error / abs(difference)) ** 2))


def _sums(one: Predictions, of_row: np.ndarray, count: int) -> Sums:
    sums = sum_rows(number_labels(one.true, one.labels), one.probabilities, of_row, count)
    return Sums(sums.values[:, : 3 * sums.labels + 1], sums.labels)  # what the figures here need


def _difference(a: float, b: float, changes: np.ndarray | None, units: Units, level: float, p: float | None = None) -> Difference:
    return Difference(a, b, b - a, None if changes is None else interval(changes, b - a, units.count, level), p, p)


def _fold_test(a: Predictions, b: Predictions, units: Units) -> FoldTest | None:
    """Compare the macro-F1 of each fold; a fold that is one article tells nothing that resampling articles does not."""
    names = list(dict.fromkeys(a.folds))
    if a.folds != b.folds or None in names or len(names) < 2:
        return None
    number = {name: i for i, name in enumerate(names)}
    fold_of = np.array([number[name] for name in a.folds])
    if len({(int(unit), int(fold)) for unit, fold in zip(units.of_row, fold_of, strict=True)}) < 2 * len(names):
        return None
    scores = [macro_f1(_sums(one, fold_of, len(names))) for one in (a, b)]
    return corrected_t_test((scores[1] - scores[0]).tolist(), 1 / (len(names) - 1))


def _disagreements(a: Predictions, b: Predictions, gained: np.ndarray) -> list[dict[str, Any]]:
    said_a, said_b = a.predicted, b.predicted
    sure_a, sure_b = a.probabilities.max(axis=1), b.probabilities.max(axis=1)
    rows = np.flatnonzero(said_a != said_b)
    rank = {1: 0, -1: 1, 0: 2}
    ordered = sorted(rows.tolist(), key=lambda row: (rank[int(gained[row])], -(sure_a[row] + sure_b[row])))
    outcome = {1: "won", -1: "lost", 0: "both wrong"}
    return [
        {
            "id": a.ids[row],
            "article": a.groups[row] or b.groups[row],
            "text": a.texts[row] or b.texts[row],
            "label": a.true[row],
            "a": str(said_a[row]),
            "b": str(said_b[row]),
            "outcome": outcome[int(gained[row])],
            "score_a": round(float(sure_a[row]), 4),
            "score_b": round(float(sure_b[row]), 4),
        }
        for row in ordered
    ]


def _note(units: Units) -> str | None:
    if units.count > 1 and least_p(units.count) > ALPHA:
        return f"there are {units.count} {units.kind}s only, too few for a permutation test to show any difference"
    return unit_note(units)
