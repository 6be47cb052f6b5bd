"""How people do at the task: what a model cannot be shown to beat, since the truth that it is measured by was made of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from textcls.dataset import label_list
from textcls.evaluation.bootstrap import RESAMPLES, Interval, interval, replicate
from textcls.evaluation.sums import Sums, accuracy, label_f1, sum_rows
from textcls.evaluation.units import Units, bundle, find_units

_MOST_UNITS = 1_000


@dataclass(frozen=True)
class Ceiling:
    """What annotators reach, each label of each of them held against the row's.

    The settled label is what annotators agreed on, or one of theirs, so these figures flatter them: `agreement` is the sterner one.

    Attributes:
        rows: how many rows annotators labelled, of those measured.
        judgements: how many labels they gave.
        agreement: share of the pairs of labels of one row that are the same; None where no row has two.
        accuracy, macro_f1: as `Evaluation` has them, over the labels of the data.
        accuracy_interval, macro_f1_interval: their 95 % intervals over articles; None where there is one only.
        per_label: F1 of each label.
    """

    rows: int
    judgements: int
    agreement: float | None
    accuracy: float
    macro_f1: float
    accuracy_interval: Interval | None
    macro_f1_interval: Interval | None
    per_label: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return asdict(self)


def judgements(column: Sequence[Any]) -> list[list[str]]:
    """Read the column of annotators' labels; CSV holds lists as JSON. What is no list of labels is an empty one."""
    return [[*map(str, label_list(value) or ())] for value in column]


def measure_annotators(
    true: Sequence[str],
    judged: Sequence[Sequence[str]],
    labels: Sequence[str],
    groups: Sequence[str | None] | None = None,
    *,
    number: int = RESAMPLES,
) -> Ceiling | None:
    """Measure annotators as a model is measured; None where no row says what they labelled it.

    Args:
        true: n_rows labels, settled.
        judged: for each row the labels that annotators gave it; others than `labels`, such as `skip`, are wrong ones.
        labels: the labels of the data.
        groups: each row's article, as for `bootstrap_intervals`.
        number: resamples to draw.
    """
    if not any(judged):
        return None
    row_of = np.repeat(np.arange(len(true)), [len(its) for its in judged])
    column_of = {str(label): column for column, label in enumerate(labels)}
    said = np.array([column_of.get(label, len(column_of)) for its in judged for label in its])
    settled = np.array([column_of[label] for label in true])[row_of]
    units = find_units(groups, len(true))
    kinds, unit = np.unique(units.of_row[row_of], return_inverse=True)
    rng = np.random.default_rng(0)
    of_row, count = bundle(Units(units.kind, len(kinds), unit), rng, _MOST_UNITS)
    sums = sum_rows(settled, np.eye(len(column_of) + 1)[said], of_row, count)
    whole = sums.total()
    of_accuracy = of_macro_f1 = None
    if len(kinds) > 1:
        drawn = replicate(sums, number, rng)
        of_accuracy = interval(accuracy(drawn), float(accuracy(whole)), len(kinds), least=0, most=1)
        of_macro_f1 = interval(_macro_f1(drawn), float(_macro_f1(whole)), len(kinds), least=0, most=1)
    alike = [a == b for its in judged for a, b in combinations(its, 2)]
    return Ceiling(
        rows=len(np.unique(row_of)),
        judgements=len(row_of),
        agreement=float(np.mean(alike)) if alike else None,
        accuracy=float(accuracy(whole)),
        macro_f1=float(_macro_f1(whole)),
        accuracy_interval=of_accuracy,
        macro_f1_interval=of_macro_f1,
        per_label={label: float(f1) for label, f1 in zip(column_of, label_f1(whole)[:-1], strict=True) if not np.isnan(f1)},
    )


def _macro_f1(sums: Sums) -> np.ndarray:
    """Mean F1 of the labels of the data that occur; the last column is of all others."""
    f1 = label_f1(sums)[..., :-1]
    found: np.ndarray = np.nansum(f1, axis=-1) / np.maximum((~np.isnan(f1)).sum(axis=-1), 1)
    return found
