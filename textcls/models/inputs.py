"""What a classifier is given: texts, their labels and annotators' labels, checked and put into arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from textcls.errors import DataError
from textcls.wording import did_you_mean

Texts = Sequence[str] | Sequence[Mapping[str, Any]]
"""Texts as strings, or as rows with a `text` and, for models that read context, the sentences around it as `before` and `after`."""

Labels = Sequence[str] | Sequence[int]
"""Labels as strings, or as whole numbers or truth values, which scikit-learn makes of them in `cross_val_predict` and in its own ensembles."""

Annotations = Sequence[Labels]
"""For each text the labels that its annotators gave it; a label that two gave stands there twice."""


def check_texts(texts: Texts) -> list[str]:
    """Turn texts or rows with a `text` into a list of strings.

    Raises:
        DataError: `texts` is a single string or row, a table, or one of them is not a string with content.
    """
    if isinstance(texts, str):
        raise DataError("expected a sequence of texts, found one string; pass [text]")
    if isinstance(texts, Mapping):  # over whose keys a loop would go, as over the names of a table's columns
        raise DataError("expected a sequence of texts, found a dict; pass a list of rows, for one row [row]")
    if hasattr(texts, "columns"):
        raise DataError(
            'expected a sequence of texts, found a table; pass a column of it, such as frame["text"], or rows: frame.to_dict("records")'
        )
    checked = []
    for number, item in enumerate(texts):
        text = item.get("text") if isinstance(item, Mapping) else item
        if isinstance(item, Mapping) and "text" not in item:
            raise DataError(
                f"text {number}: expected a row with a 'text', found one with {', '.join(map(str, item)) or 'nothing'}"
            )
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"text {number}: expected a string with content, found {text!r}")
        checked.append(_unicode(text, f"text {number}: expected Unicode"))
    return checked


def neighbours(texts: Texts, context: Mapping[str, int] | None) -> dict[str, list[str]]:
    """Give the sentences around each text, for each side that a model's `context` names: `before`, `after`, both, or none.

    A string, and a row at the edge of its article, has none, which is the empty string; None and NaN, as pandas has it, are that too.

    Raises:
        DataError: one of them is not a string.
    """
    sides = [side for side in ("before", "after") if (context or {}).get(side)]
    return {side: [_neighbour(item, side, number) for number, item in enumerate(texts)] for side in sides}


def _neighbour(item: Any, side: str, number: int) -> str:
    given = item.get(side) if isinstance(item, Mapping) else None
    if given is None or (isinstance(given, float) and given != given):
        return ""
    if not isinstance(given, str):
        raise DataError(f"text {number}: expected {side} to be a string, found {given!r}")
    return _unicode(given, f"text {number}: expected {side} in Unicode")


def _unicode(text: str, expected: str) -> str:
    """A string, of whatever kind, as a plain one that can be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{expected}, found half of a surrogate pair: {text[:80]!a}") from error
    return str(text)


def text_parts(texts: Texts, context: Mapping[str, int] | None) -> dict[str, list[str]]:
    """All that is read of each text by the names that `Weighed` gives it: `words`, and for each side of the context `before.words` …"""
    return {"words": check_texts(texts)} | {f"{side}.words": around for side, around in neighbours(texts, context).items()}


def text_digests(texts: Texts) -> np.ndarray:
    """What texts are known again by, whatever is read with them: the first 64 bits of each one's SHA-256, shape (n_texts,)."""
    digests = (hashlib.sha256(text.encode()).digest() for text in check_texts(texts))
    return np.array([int.from_bytes(digest[:8], "big") for digest in digests], dtype=np.uint64)


def check_training(texts: Texts, labels: Labels, annotations: Annotations | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Check what a classifier is to learn from.

    Returns:
        the labels in sorted order, shape (n_labels,); the share of each label in what a text is to be learnt as, shape
        (n_texts, n_labels): all of it its label's, or parted as its annotators are.

    Raises:
        DataError: as `TextClassifier.fit`.
    """
    checked = check_texts(texts)
    if not checked:
        raise DataError("expected texts to learn from, found none")
    if len(checked) != len(labels):
        raise DataError(f"expected a label for each text, found {len(checked)} texts and {len(labels)} labels")
    kind = str if isinstance(next(iter(labels)), str) else (Integral, np.bool_)
    for number, label in enumerate(labels):
        if not isinstance(label, kind):
            expected = "a string, as the first is" if kind is str else "a string or a whole number, and all alike"
            raise DataError(f"label {number}: expected {expected}, found {label!r}")
    given: Any = [[label] for label in labels] if annotations is None else annotations
    if len(given) != len(checked):
        raise DataError(f"expected annotators' labels for each text, found {len(checked)} texts and labels for {len(given)}")
    for number, of_text in enumerate(given):
        if isinstance(of_text, str) or not len(of_text) or not all(isinstance(label, kind) for label in of_text):
            raise DataError(f"annotators of text {number}: expected a label or more, like those of the texts, found {of_text!r}")
    classes = np.array(sorted({label for of_text in given for label in of_text}))
    if len(classes) < 2:
        raise DataError(f"expected two labels or more, found only {str(classes[0])!r}")
    counts = [len(of_text) for of_text in given]
    rows, columns = (
        np.repeat(np.arange(len(given)), counts),
        np.searchsorted(classes, [label for each in given for label in each]),
    )
    shares = np.zeros((len(checked), len(classes)))
    np.add.at(shares, (rows, columns), 1.0)
    shares /= np.array(counts)[:, np.newaxis]
    return classes, shares


def label_weights(shares: np.ndarray, class_weight: str | None) -> np.ndarray:
    """How much each label counts: shape (n_labels,). `balanced` is scikit-learn's, in which a label's part of a text counts as that part."""
    if class_weight is None:
        return np.ones(shares.shape[1])
    balanced: np.ndarray = len(shares) / (shares.shape[1] * shares.sum(axis=0))
    return balanced


def check_validation(texts: Texts, labels: Labels, classes: np.ndarray) -> np.ndarray:
    """Check the rows that a fit is to stop early on: each label as its number in `classes`, shape (n_texts,).

    Raises:
        DataError: as `TextClassifier.fit`, or a label is none of `classes`.
    """
    check_texts(texts)
    if len(texts) != len(labels):
        raise DataError(f"expected a label for each validation text, found {len(texts)} texts and {len(labels)} labels")
    return label_columns(labels, classes, what="validation label", known="the training labels")


def label_columns(labels: Labels, classes: Labels | np.ndarray, *, what: str = "label", known: str) -> np.ndarray:
    """The column of each given label, shape (n_given,), whatever order the `classes` have.

    Args:
        labels: the labels.
        classes: the labels of the columns.
        what: what an error calls a label.
        known: whose an error says that `classes` are.

    Raises:
        DataError: a label is none of `classes`.
    """
    column_of = {label: column for column, label in enumerate(classes)}
    for label in labels:
        if label not in column_of:
            raise DataError(f"{what} {label!r} is none of {known}; {did_you_mean(str(label), map(str, column_of))}")
    return np.array([column_of[label] for label in labels], dtype=int)
