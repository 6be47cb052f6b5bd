"""Predictions as runs and files keep them, checked, and those of several models put side by side row by row."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from textcls.dataset import is_blank, label_of, optional_text, required_text
from textcls.errors import DataError
from textcls.wording import counted, quoted

logger = logging.getLogger(__name__)

_COLUMN = "probability_"
_TIE = 1e-6
"""What rounding to as few as six digits takes from a probability, or adds to it."""
OWN = ("id", "label", "probabilities", "article", "text", "fold", "seed", "prediction", "score")
"""What rows of predictions hold themselves, whatever else of the data they carry."""


@dataclass(frozen=True)
class Predictions:
    """What one model predicted for labelled rows.

    Attributes:
        name: what to call the model.
        ids: n_rows ids, no two alike but for predictions of several seeds.
        true: n_rows labels.
        probabilities: shape (n_rows, n_labels).
        labels: the labels of the columns, sorted.
        groups, texts, folds: each row's article, text and fold, None where they are not known.
        columns: whatever else the rows hold, by its name.
        data: identity of the data that the model was trained and measured on, if it is known.
        seeds: each prediction's seed, None where it is not known.
        n_train: how many rows a fit learnt from, on average, if it is known.
        grouped_by: what `groups` are; texts of any but `article`, such as customers', need not follow one another.
        labels_only: whether only labels were predicted: each then has probability 1, which is no probability to be measured by.
    """

    name: str
    ids: list[str]
    true: list[str]
    probabilities: np.ndarray
    labels: list[str]
    groups: list[str | None]
    texts: list[str | None]
    folds: list[str | None]
    columns: dict[str, list[Any]] = field(default_factory=dict)
    data: str | None = None
    seeds: list[str | None] = field(default_factory=list)
    n_train: float | None = None
    grouped_by: str = "article"
    labels_only: bool = False

    def __post_init__(self) -> None:
        if not self.seeds:
            object.__setattr__(self, "seeds", [None] * len(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def predicted(self) -> np.ndarray:
        """n_rows labels, the most probable of each row."""
        found: np.ndarray = np.array(self.labels, dtype=object)[self.probabilities.argmax(axis=1)]
        return found

    def take(self, rows: np.ndarray) -> Predictions:
        """Keep the rows of these numbers, in their order."""
        names = ("ids", "true", "groups", "texts", "folds", "seeds")
        chosen: dict[str, Any] = {name: [values[row] for row in rows] for name in names for values in (getattr(self, name),)}
        columns = {name: [values[row] for row in rows] for name, values in self.columns.items()}
        return replace(self, probabilities=self.probabilities[rows], columns=columns, **chosen)


def make_predictions(
    rows: Sequence[Mapping[str, Any]],
    *,
    name: str,
    data: str | None = None,
    n_train: float | None = None,
    grouped_by: str = "article",
) -> Predictions:
    """Check rows of predictions and put them into columns.

    Args:
        rows: each with `id`, `label` (the true one) and `probabilities`, by label; in place of these, as CSV and Parquet
            have it, columns such as `probability_fact`; where no row has any, `prediction` is enough. Beside probabilities it
            is the most probable label, and says which of two it is that rounding has made equal; a row without it is measured by
            the most probable one, of which it warns. `article`, `text`, `fold` and `seed` are taken if they are there; an id may
            stand once for each seed. Values are read as those of a dataset: a blank is none, and labels have no spaces around them.
        name: what to call the model.
        data: identity of the data, if it is known.
        n_train: how many rows a fit learnt from, if it is known.
        grouped_by: what `article` holds, if it is something else, such as customers, whose texts need not follow one another.

    Raises:
        DataError: there are no rows, or one lacks something, is there twice, has probabilities that are none, another label than
            with another seed, or a prediction that is not its most probable label; or no row has a label that was predicted.
    """
    if not rows:
        raise DataError(f"{name}: expected predictions, found none")
    labels_only = not any(map(_has_probabilities, rows)) and any("prediction" in row for row in rows)
    places = [f"{name}, row {number}" for number in range(1, len(rows) + 1)]
    said = [_said(row, where, needed=labels_only) for row, where in zip(rows, places, strict=True)]
    maps = [
        _probabilities(row, where) if not labels_only else {str(label): 1.0}
        for row, where, label in zip(rows, places, said, strict=True)
    ]
    true = [_required(row, "label", where) for row, where in zip(rows, places, strict=True)]
    ids = [_required(row, "id", where) for row, where in zip(rows, places, strict=True)]
    known = {label for of_row in maps for label in of_row}
    labels = sorted(known | set(true))
    probabilities = np.array([[of_row.get(label, 0.0) for label in labels] for of_row in maps])
    seeds = _column(rows, "seed", places)
    _check_ids(name, ids, seeds, true)
    _check_probabilities(probabilities, labels, places)
    if not known & set(true) and len(rows) > 1:
        x, y = (quoted(min(names), 40) for names in (known, set(true)))
        raise DataError(
            f"{name}: no row has a label that was predicted: labels such as {y}, predictions such as {x}; write both alike"
        )
    if not labels_only:
        _follow(probabilities, said, labels, places)
        if abstained := sum("prediction" in row and label is None for row, label in zip(rows, said, strict=True)):
            which = f"{abstained:,} of {counted(len(rows), 'row')}"
            logger.warning("%s: %s without a prediction, measured by the most probable label", name, which)
    best = [labels[column] for column in probabilities.argmax(axis=1)]
    if not any(said) and true == best and len(rows) > 1:
        raise DataError(
            f"{name}: every label is the most probable one, as in rows that `textcls predict` writes, whose label is the model's; "
            "expected the true label in `label` (and, if the model is right everywhere, its own in `prediction`)"
        )
    others = dict.fromkeys(key for row in rows for key in row if key not in OWN and not key.startswith(_COLUMN))
    return Predictions(
        name,
        ids,
        true,
        probabilities,
        labels,
        groups=_column(rows, "article", places),
        texts=_column(rows, "text", places),
        folds=_column(rows, "fold", places),
        columns={key: [row.get(key) for row in rows] for key in others},
        data=data,
        seeds=seeds,
        n_train=n_train,
        grouped_by=grouped_by,
        labels_only=labels_only,
    )


def as_kept(probabilities: Mapping[str, float]) -> dict[str, float]:
    """Round probabilities as files keep them: to nine significant digits, all that a model in single precision has.

    Digits after the point would make nothing of a small probability of the true label, which the log loss is mostly made of.
    """
    return {label: float(f"{probability:.9g}") for label, probability in probabilities.items()}


def align(several: Sequence[Predictions]) -> list[Predictions]:
    """Put the rows of all in the order of the first one's, those of several seeds together; and all labels in one order.

    What one of them knows of the rows' articles all know then: the groups are those of the first that has any.

    Raises:
        DataError: they are not of the same rows with the same labels and texts.
    """
    first, *others = several
    labels = sorted({label for one in several for label in one.labels})
    grouped = next((one for one in several if any(one.groups)), first)
    group_of = dict(zip(grouped.ids, grouped.groups, strict=True))
    aligned = []
    for ordered in [
        _ordered_as(first, one) for one in several
    ]:  # all are found to be of the same rows before groups are looked up
        probabilities = np.zeros((len(ordered), len(labels)))
        probabilities[:, np.searchsorted(labels, ordered.labels)] = ordered.probabilities
        groups = [group_of[id] for id in ordered.ids]
        aligned.append(replace(ordered, probabilities=probabilities, labels=labels, groups=groups, grouped_by=grouped.grouped_by))
    for other in others:
        _check_data(first, other)
    return aligned


def _ordered_as(first: Predictions, other: Predictions) -> Predictions:
    place = {id: number for number, id in enumerate(dict.fromkeys(first.ids))}
    here, there = place.keys(), set(other.ids)
    if here != there:
        lone = ", ".join(_only(one, ids) for one, ids in ((first, here - there), (other, there - here)) if ids)
        raise DataError(
            f"{first.name} and {other.name} were measured on different rows: {lone}; compare predictions for the same rows, or name "
            "rows for both with --data"
        )
    for what in ("true", "texts") if other is not first else ():
        a, b = (dict(zip(one.ids, getattr(one, what), strict=True)) for one in (first, other))
        differing = [id for id in place if a[id] != b[id] and a[id] is not None and b[id] is not None]
        if differing:
            x, y = (quoted(values[differing[0]], 40) for values in (a, b))
            raise DataError(
                f"{first.name} and {other.name} were measured on different data: {counted(len(differing), 'row')} with another "
                f"{'label' if what == 'true' else 'text'}, such as {differing[0]!r}: {x} and {y}; train "
                "the one again with the data of the other, or name rows that are new to both with --data"
            )
    # Those of one row in the order of their seeds and folds, in which two systems' match.
    keys = [(place[id], seed or "", fold or "") for id, seed, fold in zip(other.ids, other.seeds, other.folds, strict=True)]
    order = sorted(range(len(other)), key=keys.__getitem__)
    return other if order == list(range(len(other))) else other.take(np.array(order))


def _check_ids(name: str, ids: Sequence[str], seeds: Sequence[str | None], true: Sequence[str]) -> None:
    ((twice, seed), times), *_ = Counter(zip(ids, seeds, strict=True)).most_common(1)
    if times > 1:
        every = "id" if seed is None else "id and seed"
        raise DataError(f"{name}: expected a row for each {every}, found {times:,} of {twice!r}{f' and {seed}' if seed else ''}")
    label_of: dict[str, str] = {}
    for id, label in zip(ids, true, strict=True):
        if label_of.setdefault(id, label) != label:
            raise DataError(f"{name}: expected one label for each id, found {label_of[id]!r} and {label!r} for {id!r}")


def _check_data(first: Predictions, other: Predictions) -> None:
    """Where texts can be compared, equal rows are proof enough, and models may have learnt from other data."""
    texts_known = None not in first.texts and None not in other.texts
    if not texts_known and first.data and other.data and first.data != other.data:
        raise DataError(
            f"{first.name} and {other.name} are of different data (identities {first.data[:12]} and {other.data[:12]}), and their "
            "predictions hold no texts to compare row by row; run them again"
        )


def _only(one: Predictions, ids: set[str]) -> str:
    return f"{len(ids):,} only in {one.name} (such as {min(ids)!r})"


def _check_probabilities(probabilities: np.ndarray, labels: Sequence[str], places: Sequence[str]) -> None:
    sums = probabilities.sum(axis=1)
    wrong = np.flatnonzero(~(np.isfinite(sums) & (np.abs(sums - 1) < 0.01) & (probabilities >= 0).all(axis=1)))
    if not len(wrong):
        return
    of_row = probabilities[wrong[0]]
    outside = np.flatnonzero(~((of_row >= 0) & (of_row <= 1.01)))
    found = f"{of_row[outside[0]]:.3g} for {quoted(labels[outside[0]], 40)}" if len(outside) else f"a sum of {sums[wrong[0]]:.3g}"
    raise DataError(f"{places[wrong[0]]}: expected probabilities in [0, 1] that sum to 1, found {found}")


def _follow(probabilities: np.ndarray, said: Sequence[str | None], labels: Sequence[str], places: Sequence[str]) -> None:
    """Make the label that was predicted the most probable one where rounding has made another one equal.

    Raises:
        DataError: it is another one by more than that; `places` say where each row stands.
    """
    column_of = {label: column for column, label in enumerate(labels)}
    for of_row, label, where in zip(probabilities, said, places, strict=True):
        if label is None or column_of.get(label) == (best := int(of_row.argmax())):
            continue
        if label not in column_of or of_row[column_of[label]] < of_row[best] - _TIE:
            its = f"{of_row[column_of[label]]:.6g}" if label in column_of else "no probability"
            raise DataError(
                f"{where}: expected the most probable label in 'prediction', found {quoted(label, 40)} ({its}) beside "
                f"{quoted(labels[best], 40)} ({of_row[best]:.6g}); leave the probabilities out to measure the predictions, or "
                "'prediction' to measure the most probable labels"
            )
        of_row[column_of[label]] = np.nextafter(of_row[best], 2)


def _column(rows: Sequence[Mapping[str, Any]], key: str, places: Sequence[str]) -> list[str | None]:
    return [optional_text(row, key, where) for row, where in zip(rows, places, strict=True)]


def _required(row: Mapping[str, Any], key: str, where: str) -> str:
    if key not in row:
        raise _lacking(row, where)
    return required_text(row, key, where) if key == "id" else label_of(row, key, where)


def _said(row: Mapping[str, Any], where: str, *, needed: bool) -> str | None:
    """What was predicted; None where the row says nothing of it, if it need not."""
    if not is_blank(row.get("prediction")):
        return label_of(row, "prediction", where)
    if needed and "prediction" in row:
        raise DataError(
            f"{where}: expected a prediction, found none; leave the row out of all that are compared, or give it a label of its own, "
            "such as 'none'"
        )
    if needed:
        raise _lacking(row, where)
    return None


def _lacking(row: Mapping[str, Any], where: str) -> DataError:
    return DataError(
        f"{where}: expected 'id', 'label' (the true one) and 'probabilities', or a column "
        f"'{_COLUMN}LABEL' for each label, or only 'prediction'; found the columns {', '.join(sorted(map(str, row))) or 'none'}"
    )


def _has_probabilities(row: Mapping[str, Any]) -> bool:
    return row.get("probabilities") is not None or any(key.startswith(_COLUMN) for key in row)


def _probabilities(row: Mapping[str, Any], where: str) -> dict[str, float]:
    given = row.get("probabilities")
    if given is None:
        given = {key.removeprefix(_COLUMN): value for key, value in row.items() if key.startswith(_COLUMN)}
        if not given:
            raise _lacking(row, where)
    message = f"{where}: expected 'probabilities', a number for each label, found {quoted(given, 40)}"
    if not isinstance(given, Mapping) or not given:
        raise DataError(message)
    try:
        read = [(str(label).strip(), float(value)) for label, value in given.items() if value is not None and value != ""]
    except (TypeError, ValueError) as error:
        raise DataError(message) from error
    found = dict(read)
    if len(found) < len(read):
        raise DataError(f"{where}: expected each label once in 'probabilities', found two that differ in spaces alone")
    return found
