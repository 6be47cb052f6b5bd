"""Figures of parts of the rows, with intervals: where a classifier is worst, and whether that could be chance."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import stats

from textcls.dataset import ANNOTATORS
from textcls.evaluation.annotators import judgements
from textcls.evaluation.bootstrap import LEVEL, RESAMPLES, Interval, interval
from textcls.evaluation.metrics import number_labels
from textcls.evaluation.predictions import OWN, Predictions
from textcls.evaluation.sums import Sums, accuracy, macro_f1, sum_rows
from textcls.evaluation.units import Units, bundle, find_units, resamples

SMALLEST = 30
"""Rows that a slice must have; of fewer, figures say little."""

MOST_VALUES = 100
"""Values that a column may have; one with more, such as an id, parts rows into slices that nobody reads."""

FEWEST_UNITS = 5
"""Articles that a slice must have for an interval. Two or three that happen to share one accuracy would have one of no width; and of
fewer than this no bootstrap or permutation test tells anything. See experiments/statistics."""

_MOST_WORST = 5

_MOST_UNITS = 250
"""Groups that the articles or rows of a slice are put into: slices are many, and the same resamples serve all that have so many."""

_LENGTHS = ("1 to 10 words", "11 to 20 words", "21 to 30 words", "over 30 words")
_QUOTES = re.compile('["“”„‟«»‹›「」『』＂]')


@dataclass(frozen=True)
class Slice:
    """The figures of the rows of one value of a column.

    Attributes:
        column, value: which rows.
        rows, units: how many there are, and of how many articles (or rows, where rows name none).
        accuracy, macro_f1: the figures, in [0, 1].
        accuracy_interval, macro_f1_interval: their 95 % intervals over the slice's articles; None of fewer than `FEWEST_UNITS`. That of the
            accuracy is no narrower than that of as many independent rows.
        rest_accuracy: the accuracy of all other rows; None if there are none.
        stands_out: whether the interval of its accuracy less that of the rest lies wholly below 0, at a level that all slices
            together keep to (Bonferroni); False where either has fewer articles than `FEWEST_UNITS`.
    """

    column: str
    value: str
    rows: int
    units: int
    accuracy: float
    macro_f1: float
    accuracy_interval: Interval | None
    macro_f1_interval: Interval | None
    rest_accuracy: float | None
    stands_out: bool


def slice_figures(
    predictions: Predictions,
    columns: Mapping[str, Sequence[Any]] | None = None,
    *,
    number: int = RESAMPLES,
) -> list[Slice]:
    """Measure the rows of each value of each column, the lowest accuracy first.

    Args:
        predictions: what to measure.
        columns: n_rows values of each; the built-in ones and the predictions' own if None. A value None is left out, and one of
            fewer rows than `SMALLEST`.
        number: resamples to draw for each slice.
    """
    if columns is None:
        columns = _all_columns(predictions)
    chosen: list[tuple[str, str, np.ndarray]] = []
    for column, values in columns.items():
        names = [None if value is None or value == "" else str(value) for value in values]
        kinds = sorted({name for name in names if name is not None})
        if 1 < len(kinds) <= MOST_VALUES:
            number_of = {kind: number for number, kind in enumerate(kinds)}
            kind_of = np.array([-1 if name is None else number_of[name] for name in names])
            rows_of = {kind: np.flatnonzero(kind_of == number) for kind, number in number_of.items()}
            chosen += [(column, kind, rows) for kind, rows in rows_of.items() if len(rows) >= SMALLEST]
    true = number_labels(predictions.true, predictions.labels)
    right = predictions.probabilities.argmax(axis=1) == true
    unit = find_units(predictions.groups, len(predictions)).of_row

    @lru_cache(maxsize=1)
    def weights(units: int) -> np.ndarray:
        return np.concatenate(list(resamples(units, number, np.random.default_rng(0))))

    found = []
    for column, value, its_rows in chosen:
        units, of_row = np.unique(unit[its_rows], return_inverse=True)
        grouped, count = bundle(Units("", len(units), of_row), np.random.default_rng(0), _MOST_UNITS)
        sums = sum_rows(true[its_rows], predictions.probabilities[its_rows], grouped, count)
        not_its = np.ones(len(true), dtype=bool)
        not_its[its_rows] = False
        rest = _Rest(right[not_its], unit[not_its]) if not_its.any() else None
        drawn = sums.weighted(weights(count)) if len(units) >= FEWEST_UNITS else None
        found.append(_measure(column, value, sums.total(), drawn, len(units), rest, len(chosen)))
    return sorted(found, key=lambda its: its.accuracy)


def parts_rows(values: Sequence[Any]) -> bool:
    """Whether a column parts rows into few enough sorts to be looked at one by one: no lists, no NaN, and not nearly
    as many values as rows."""
    try:
        kinds = {*values} - {None, ""}
    except TypeError:  # a list, which is no value
        return False
    return 1 < len(kinds) <= min(MOST_VALUES, len(values) // 2) and all(
        isinstance(kind, str | int | float) and kind == kind for kind in kinds
    )


def worst_slices(slices: Sequence[Slice]) -> list[Slice]:
    """Name five slices at most whose accuracy is below that of the other rows by more than chance would have it, the worst first."""
    return sorted((its for its in slices if its.stands_out), key=lambda its: its.accuracy)[:_MOST_WORST]


def built_in_columns(predictions: Predictions) -> dict[str, list[str | None]]:
    """Part rows by what can be told of any: label, length, place in the article, quotation marks, whether annotators agreed."""
    texts = predictions.texts
    judged = judgements(predictions.columns.get(ANNOTATORS, []))
    agreed = [None if len(its) < 2 else ("agree" if len(set(its)) == 1 else "differ") for its in judged]
    return {
        "label": list(predictions.true),
        "length": [None if text is None else _length(text) for text in texts],
        "position": _positions(predictions.groups) if predictions.grouped_by == "article" else [None] * len(predictions),
        "quotation marks": [None if text is None else ("with" if _QUOTES.search(text) else "without") for text in texts],
        "annotators": agreed or [None] * len(predictions),
    }


def _all_columns(predictions: Predictions) -> dict[str, Sequence[Any]]:
    """The built-in columns, the groups by what they are, and the data's own; of these one that is called as a built-in one says so."""
    built_in = built_in_columns(predictions)
    own: dict[str, Sequence[Any]] = {predictions.grouped_by: predictions.groups}
    own |= {name: values for name, values in predictions.columns.items() if name not in OWN and parts_rows(values)}
    return {**built_in, **{f"{name} (column)" if name in built_in else name: values for name, values in own.items()}}


@dataclass(frozen=True)
class _Rest:
    """All rows but a slice's: whether each is right, and its article's number."""

    right: np.ndarray
    unit: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())

    def low(self, level: float) -> float | None:
        """The lower end of the interval of its accuracy, by Student's t over articles; None of fewer than `FEWEST_UNITS`."""
        residuals = np.bincount(self.unit, weights=self.right - self.accuracy)  # 0 for those that are all the slice's
        units = int(np.count_nonzero(np.bincount(self.unit)))
        if units < FEWEST_UNITS:
            return None
        error = float((residuals**2).sum() * units / (units - 1)) ** 0.5 / len(self.right)
        over_articles = self.accuracy - float(stats.t.ppf((1 + level) / 2, units - 1)) * error
        return min(float(over_articles), _of_rows(int(self.right.sum()), len(self.right), level).low)


def _measure(column: str, value: str, whole: Sums, drawn: Sums | None, units: int, rest: _Rest | None, slices: int) -> Slice:
    its_accuracy, its_macro_f1 = float(accuracy(whole)), float(macro_f1(whole))
    of_accuracy = of_macro_f1 = None
    if drawn is not None:
        of_accuracy = _accuracy_interval(whole, drawn, units, LEVEL)
        of_macro_f1 = interval(macro_f1(drawn), its_macro_f1, units, least=0, most=1)
    return Slice(
        column,
        value,
        int(whole.support.sum()),
        units,
        its_accuracy,
        its_macro_f1,
        of_accuracy,
        of_macro_f1,
        rest.accuracy if rest else None,
        drawn is not None and rest is not None and _is_below(whole, drawn, units, rest, 1 - (1 - LEVEL) / slices),
    )


def _is_below(whole: Sums, drawn: Sums, units: int, rest: _Rest, level: float) -> bool:
    """Whether the slice's accuracy is below the rest's, by the interval of their difference that Zou and Donner (2008) make of those of
    the two: the rest may be a few articles, too."""
    least = rest.low(level)
    if least is None:
        return False
    its = float(accuracy(whole))
    above = _accuracy_interval(whole, drawn, units, level).high - its
    return bool(np.hypot(above, rest.accuracy - least) < rest.accuracy - its)


def _accuracy_interval(whole: Sums, drawn: Sums, units: int, level: float) -> Interval:
    """The wider, at each end, of the interval over articles and of that of as many independent rows. Articles that happen to be
    equally accurate make the first too narrow, which the many slices of a report let happen often."""
    rows = _of_rows(int(whole.right.sum()), int(whole.support.sum()), level)
    found = interval(accuracy(drawn), float(accuracy(whole)), units, level, least=0, most=1)
    return Interval(min(found.low, rows.low), max(found.high, rows.high)) if found else rows


def _of_rows(right: int, rows: int, level: float) -> Interval:
    """The exact interval of a share of independent rows (Clopper and Pearson 1934)."""
    found = stats.binomtest(right, rows).proportion_ci(level, "exact")
    return Interval(float(found.low), float(found.high))


def _length(text: str) -> str:
    return _LENGTHS[min(max(len(text.split()) - 1, 0) // 10, 3)]


def _positions(groups: Sequence[str | None]) -> list[str | None]:
    """The third of its article that each row stands in, by the order of the rows; None for rows without article."""
    thirds = ("first third", "second third", "last third")
    sizes = Counter(groups)
    seen: Counter[str | None] = Counter()
    found: list[str | None] = []
    for group in groups:
        found.append(None if group is None else thirds[3 * seen[group] // sizes[group]])
        seen[group] += 1
    return found
