"""Figures of parts of the rows, with intervals: where a classifier is worst, and whether that could be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from textcls.evaluation.bootstrap import RESAMPLES, Interval, interval, replicate
from textcls.evaluation.metrics import number_labels
from textcls.evaluation.predictions import Predictions
from textcls.evaluation.sums import accuracy, macro_f1, sum_rows
from textcls.evaluation.units import find_units, pool

SMALLEST = 30
"""Rows that a slice must have; of fewer, figures say little."""

MOST_VALUES = 100
"""Values that a column may have; one with more, such as an id, parts rows into slices that nobody reads."""

_LENGTHS = ((10, "1 to 10 words"), (20, "11 to 20 words"), (30, "21 to 30 words"))
_QUOTES = frozenset('"“”„‟«»‹›「」『』＂')


@dataclass(frozen=True)
class Slice:
    """The figures of the rows of one value of a column.

    Attributes:
        column, value: which rows.
        rows, units: how many there are, and of how many articles (or rows, where rows name none).
        accuracy, macro_f1: the figures, in [0, 1].
        accuracy_interval, macro_f1_interval: their 95 % intervals over the slice's articles; None where there is one only.
        rest_accuracy: the accuracy of all other rows; None if there are none.
        stands_out: whether the interval lies wholly below the accuracy of the rest, at a level that all slices together
            keep to (Bonferroni).
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
    smallest: int = SMALLEST,
    number: int = RESAMPLES,
    seed: int = 0,
) -> list[Slice]:
    """Measure the rows of each value of each column, the lowest accuracy first.

    Args:
        predictions: what to measure.
        columns: n_rows values of each; the built-in ones and the predictions' own if None. A value None is left out.
        smallest: rows below which a value is left out.
        number: resamples to draw for each slice.
        seed: of the resampling.
    """
    if columns is None:
        columns = built_in_columns(predictions) | predictions.columns
    chosen: list[tuple[str, str, np.ndarray]] = []
    for column, values in columns.items():
        names = np.array([None if value is None or value == "" else str(value) for value in values], dtype=object)
        kinds = sorted({name for name in names if name is not None})
        if 1 < len(kinds) <= MOST_VALUES:
            chosen += [(column, kind, rows) for kind in kinds if len(rows := np.flatnonzero(names == kind)) >= smallest]
    found = [_measure(predictions, *one, len(chosen), number, seed) for one in chosen]
    return sorted(found, key=lambda its: its.accuracy)


def worst_slices(slices: Sequence[Slice], most: int = 5) -> list[Slice]:
    """Name the slices whose accuracy is below that of the other rows by more than chance would have it, the worst first."""
    return sorted((its for its in slices if its.stands_out), key=lambda its: its.accuracy)[:most]


def built_in_columns(predictions: Predictions) -> dict[str, list[str | None]]:
    """Part rows by what can be told of any: length, place in the article, quotation marks, and label."""
    texts = predictions.texts
    return {
        "label": list(predictions.true),
        "length": [None if text is None else _length(text) for text in texts],
        "position": _positions(predictions.groups),
        "quotation marks": [None if text is None else ("with" if _QUOTES & set(text) else "without") for text in texts],
        "article": list(predictions.groups),
    }


def _measure(predictions: Predictions, column: str, value: str, rows: np.ndarray, slices: int, number: int, seed: int) -> Slice:
    part = predictions.take(rows)
    units = find_units(part.groups, len(part))
    rng = np.random.default_rng(seed)
    of_row, count = pool(units, rng)
    sums = sum_rows(number_labels(part.true, part.labels), part.probabilities, of_row, count)
    whole = sums.total()
    right = predictions.predicted == np.array(predictions.true, dtype=object)
    rest = np.delete(right, rows)
    rest_accuracy = float(rest.mean()) if len(rest) else None
    its_accuracy = its_macro_f1 = None
    stands_out = False
    if units.count > 1:
        drawn = replicate(sums, number, rng)
        accuracies = accuracy(drawn)
        its_accuracy = interval(accuracies, float(accuracy(whole)), units.count, least=0, most=1)
        its_macro_f1 = interval(macro_f1(drawn), float(macro_f1(whole)), units.count, least=0, most=1)
        wide = interval(accuracies, float(accuracy(whole)), units.count, 1 - 0.05 / slices)
        stands_out = wide is not None and rest_accuracy is not None and wide.high < rest_accuracy
    return Slice(
        column,
        value,
        len(part),
        units.count,
        float(accuracy(whole)),
        float(macro_f1(whole)),
        its_accuracy,
        its_macro_f1,
        rest_accuracy,
        stands_out,
    )


def _length(text: str) -> str:
    words = len(text.split())
    return next((name for most, name in _LENGTHS if words <= most), f"over {_LENGTHS[-1][0]} words")


def _positions(groups: Sequence[str | None]) -> list[str | None]:
    """The third of its article that each row stands in, by the order of the rows; None for rows without article."""
    places: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        if group is not None:
            places.setdefault(group, []).append(row)
    found: list[str | None] = [None] * len(groups)
    for rows in places.values():
        for place, row in enumerate(rows):
            found[row] = ("first third", "second third", "last third")[min(3 * place // len(rows), 2)]
    return found
