"""The parts of a measurement, its folds and seeds: the score of each, and the test of whether one system is better over them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from textcls.evaluation.metrics import number_labels
from textcls.evaluation.predictions import Predictions
from textcls.evaluation.significance import FoldTest, corrected_t_test
from textcls.evaluation.sums import carried_macro_f1, sum_rows
from textcls.evaluation.units import Units

Part = tuple[str | None, str | None]
"""A seed and a fold."""


def part_scores(one: Predictions) -> dict[Part, float]:
    """Measure the macro-F1 of each fold with each seed, over the labels that its rows carry."""
    parts = _parts(one)
    numbers = {part: number for number, part in enumerate(dict.fromkeys(parts))}
    part_of = np.array([numbers[part] for part in parts])
    scores = carried_macro_f1(sum_rows(number_labels(one.true, one.labels), one.probabilities, part_of, len(numbers)))
    return dict(zip(numbers, map(float, scores), strict=True))


def name_parts(a: Mapping[Part, float], b: Mapping[Part, float]) -> dict[str, tuple[float | None, float | None]]:
    """Put the scores of two systems side by side under names for people; nothing where both have one part only."""
    both = sorted({*a, *b}, key=lambda part: [_naturally(name or "") for name in part])
    if len(a) < 2 and len(b) < 2:
        return {}
    seeds, folds = (len({part[place] for part in both}) > 1 for place in (0, 1))
    return {
        ", ".join([f"seed {seed}"] * seeds + [str(fold)] * folds): (a.get((seed, fold)), b.get((seed, fold)))
        for seed, fold in both
    }


def fold_test(
    a: Predictions, b: Predictions, scores: tuple[Mapping[Part, float], Mapping[Part, float]], of_row: np.ndarray, units: Units
) -> FoldTest | None:
    """Compare the macro-F1 of each fold and seed by the corrected resampled t test; None where that has nothing to say.

    With several seeds it is the test of repeated cross-validation (Bouckaert and Frank 2004), or of random subsampling for a hash
    split. It has nothing to say where the two do not have the same parts; where a part is all rows, as with several seeds on given
    splits, which all learn from the same rows; where a part is one article, which tells nothing that resampling articles does not; and
    where it is not known how many rows a fit learnt from, and the parts test some rows more often than others, as those of hash splits do.
    Where they do not, a fit is then taken to have learnt from all rows but the fold's.

    Args:
        a, b: aligned predictions.
        scores: what `part_scores` gives of them.
        of_row: the number of the row of each prediction.
        units: the articles of the rows.
    """
    parts, rows = _parts(a), len(units.of_row)
    numbers = {part: number for number, part in enumerate(dict.fromkeys(parts))}
    if parts != _parts(b) or len(numbers) < 2 or (None, None) in numbers:
        return None
    part_of = np.array([numbers[part] for part in parts])
    articles = len({(int(unit), int(part)) for unit, part in zip(units.of_row[of_row], part_of, strict=True)})
    if np.bincount(part_of).max() == rows or articles < 2 * len(numbers):
        return None
    tested = len(parts) / len(numbers)
    n_train = min((one.n_train for one in (a, b) if one.n_train), default=None)
    if n_train is None and len(np.unique(np.bincount(of_row))) > 1:  # no folds, which leave none out
        return None
    differences = [scores[1][part] - scores[0][part] for part in numbers]
    found = corrected_t_test(differences, tested / (n_train or rows - tested))
    return replace(found, assumed=n_train is None)


def _naturally(name: str) -> list[tuple[int, str]]:
    """Order fold 2 before fold 10."""
    return [(int(piece) if piece.isdecimal() else 0, piece) for piece in re.split(r"(\d+)", name)]


def _parts(one: Predictions) -> list[Part]:
    return list(zip(one.seeds, one.folds, strict=True))
