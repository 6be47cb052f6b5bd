"""The labels that several annotators gave to a row, for classifiers that learn from how these are distributed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from textcls.errors import DataError
from textcls.wording import did_you_mean

ANNOTATORS = "annotator_labels"
"""The column of data that holds what annotators said of each row, before their differences were settled: a list of labels."""

SKIP = "skip"
"""The label of what is not a sentence: a byline, or a heading that makes no claim. No row has it."""


def label_list(value: Any) -> list[Any] | None:
    """Take a list, which CSV has as JSON; None from what is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return [*value] if isinstance(value, list | tuple) else None


def row_annotations(row: Mapping[str, Any], column: str, where: str) -> list[str]:
    """Take the annotators' labels, a list that CSV has as JSON; a label that two gave stands there twice.

    Raises:
        DataError: there is no such column, or it holds no list of labels.
    """
    if column not in row:
        raise DataError(f"{where}: no column {column!r}; {did_you_mean(column, row)}")
    given = label_list(row[column])
    labels = [str(label) if type(label) is int else label for label in given or []]
    if not labels or not all(isinstance(label, str) and label.strip() for label in labels):
        raise DataError(
            f"{where}: expected {column} to be a list of labels, one of each annotator, "
            f"found {json.dumps(row[column] if given is None else given, default=str, ensure_ascii=False)}"
        )
    return [label.strip() for label in labels]


def known_annotations(row: Mapping[str, Any], known: Collection[str]) -> list[str] | None:
    """The labels of a loaded row's annotators, less those who skipped it; if all did, its label.

    Raises:
        DataError: one gave a label that is unknown.
    """
    if row["annotations"] is None:
        return None
    labels = [label for label in row["annotations"] if label != SKIP or SKIP in known]
    for label in labels:
        if label not in known:
            raise DataError(f"{row['_where']}: an annotator's label {label!r} is unknown; {did_you_mean(label, known)}")
    return labels or [row["label"]]
