"""The contract of every model family: scikit-learn's classifier over a sequence of texts, with labels that are strings or whole numbers.

Families know nothing of configs' files, of MLflow, or of where a model folder lies.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from textcls.errors import DataError, ModelError
from textcls.wording import did_you_mean

if TYPE_CHECKING:
    from textcls.models.decision import Decision

Texts = Sequence[str] | Sequence[Mapping[str, Any]]
"""Texts as strings, or as rows with a `text` and, for models that read context, the sentences around it as `before` and `after`."""

Labels = Sequence[str] | Sequence[int]
"""Labels as strings, or as whole numbers or truth values, which scikit-learn makes of them in `cross_val_predict` and in its own ensembles."""

Annotations = Sequence[Labels]
"""For each text the labels that its annotators gave it; a label that two gave stands there twice."""


class Weighed(NamedTuple):
    """A piece of what a classifier read, and how much it spoke for one label rather than another.

    Attributes:
        piece: an n-gram or a word.
        weight: what it adds to the log odds of the one label over the other, in nats.
        part: what sort of piece it is: `words`, `characters` or `patterns`; of a neighbouring sentence, `before.words` and so on.
    """

    piece: str
    weight: float
    part: str


class Listener:
    """What a fit tells the outside world; this one listens to nothing. Override what is of interest."""

    def metric(self, name: str, value: float, step: int) -> None:
        """Take a point of a curve, such as `train/loss` at step 20."""

    def progress(self, done: int, total: int) -> None:
        """Take note that so many steps of so many are done."""

    def saved(self) -> None:
        """Take note that the fit, should it be killed, will go on from here."""


class TextClassifier(ClassifierMixin, BaseEstimator, ABC):
    """Base of the model families.

    The constructor stores its settings, `fit` learns and returns the classifier, and what was learnt ends in `_`.

    Attributes:
        classes_: shape (n_labels,), the labels in sorted order; the columns of `predict_proba`.
    """

    kind: ClassVar[str]
    """The name that configs and model folders use."""
    uses_validation: ClassVar[bool] = False
    """Whether `fit` makes use of validation rows."""

    uses_seed: ClassVar[bool] = True
    """Whether another seed gives another classifier."""

    context: Mapping[str, int] | None = None
    """How many sentences `before` and `after` each text the model reads; None reads the text alone."""
    group: str | None = None
    """The column whose equal values belong together in the data that it learnt from, such as `customer`; None: `article`, if any."""
    columns: Mapping[str, str] = {"text": "text", "label": "label"}
    """The columns of the text and of the label in the data that it learnt from, which are looked for first in other data."""
    learnt_: np.ndarray | None = None
    """Digests of the texts that `fit` learnt from or chose by, as `text_digests` has them, sorted; None where that is not known."""
    arithmetic: Mapping[str, str] | None = None
    """The `precision` and the `device` that `fit` computed with; None from a family that has one of each, or where `fit` was not called."""
    decision_: Decision | None = None
    """How probabilities are weighed and calibrated, and when to abstain; `fit` leaves none, for it is learnt afterwards, on other rows."""

    classes_: np.ndarray

    @abstractmethod
    def fit(
        self,
        texts: Texts,
        labels: Labels,
        *,
        validation: tuple[Texts, Labels] | None = None,
        annotations: Annotations | None = None,
        listener: Listener | None = None,
        checkpoints: Path | None = None,
    ) -> Self:
        """Learn from texts and their labels.

        Args:
            texts: n_texts strings, or rows with a `text`.
            labels: n_texts strings or whole numbers, of two kinds or more. A classifier that learnt numbers cannot be written.
            validation: texts and labels to stop early on; families without `uses_validation` ignore it.
            annotations: for each text the labels that several annotators gave it, one each. The classifier is fitted to the share of
                annotators that gave each label, not to `labels`, on which it is measured (Peterson et al. 2019, Human Uncertainty Makes
                Classification More Robust; Uma et al. 2021, Learning from Disagreement, find it the most reliable way).
            listener: told of curves and progress.
            checkpoints: a folder for the state of a long fit. A fit that is given the folder that another of the same settings
                and texts left when it was killed goes on from there, to the very same classifier; families whose fits are short begin anew.

        Raises:
            DataError: no texts, another number of labels or annotations, only one label, a text that is not a string with content, a
                neighbour that is no string, or a validation label that is none of the others.
            ModelError: the family cannot learn from annotations, its encoder is not at hand or reads fewer tokens than it is to, or the
                loss became NaN or infinite.
        """

    @property
    def abstain_below(self) -> float | None:
        """The least probability of the best label at which it is an answer; None answers always."""
        return None if self.decision_ is None else self.decision_.abstain_below

    def plain_params(self) -> dict[str, Any]:
        """The parameters as values that JSON has, by which a model folder's reader makes the same classifier."""
        found: dict[str, Any] = self.get_params(deep=False)
        return found

    @abstractmethod
    def predict_proba(self, texts: Texts) -> np.ndarray:
        """Estimate each label's probability, weighed and calibrated by `decision_`: shape (n_texts, n_labels), columns as `classes_`.

        Raises:
            DataError: a text is not a string with content, or a neighbour is not a string.
        """

    def predict(self, texts: Texts) -> np.ndarray:
        """Predict the most probable label of each text, also where the policy is to abstain (`abstain_below`): shape (n_texts,)."""
        best = self.predict_proba(texts).argmax(axis=1)  # first, for it says so if nothing was learnt yet
        labels: np.ndarray = self.classes_[best]
        return labels

    def explain(self, texts: Texts, labels: Labels, others: Labels) -> list[list[Weighed]] | None:
        """Say what in each text spoke for one label rather than another; None from a family that cannot say so.

        The weights of a text sum to the log odds of the label over the other, less what they are for a text that says nothing;
        exactly for linear families, closely for encoders. What a decision policy makes of the odds is left out.

        Args:
            texts: as for `predict_proba`.
            labels: for each text the label to explain, most often the predicted one.
            others: for each text the label to set against it, such as the true one.

        Returns:
            each text's pieces, those with the most weight, for or against, first; every piece once.

        Raises:
            DataError: as `predict_proba`, there are not as many labels or others, or a label is none of the classifier's.
            ModelError: a library that is needed for it is not installed.
        """
        return None

    @abstractmethod
    def write(self, folder: Path) -> None:
        """Write what was learnt into an existing folder, as JSON and safetensors."""

    @abstractmethod
    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left in a folder; `labels` become `classes_`.

        Raises:
            ModelError: the files do not fit together.
        """

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_")

    def _check_fitted(self) -> None:
        check_is_fitted(self)

    def _column_pairs(self, texts: Texts, labels: Labels, others: Labels) -> list[tuple[int, int]]:
        """For each text that `explain` is given, the columns of its label and of the other one."""
        if not len(texts) == len(labels) == len(others):
            raise DataError(
                f"expected a label and another for each text, found {len(texts)} texts, {len(labels)} labels and {len(others)} others"
            )
        return list(zip(self._columns(labels).tolist(), self._columns(others).tolist(), strict=True))

    def _columns(self, labels: Labels) -> np.ndarray:
        return label_columns(labels, self.classes_, known="the classifier's")


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


def ranked(pieces: Iterable[Weighed]) -> list[Weighed]:
    """Put pieces that are the same together, and those with the most weight first; those without any are left out."""
    sums: dict[tuple[str, str], float] = {}
    for piece, weight, part in pieces:
        sums[piece, part] = sums.get((piece, part), 0.0) + weight
    found = [Weighed(piece, weight, part) for (piece, part), weight in sums.items() if weight]
    return sorted(found, key=lambda its: -abs(its.weight))


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


def no_number(learning_rate: float) -> ModelError:
    """Word the error for a training loss that became NaN or infinite."""
    return ModelError(f"the training loss became NaN or infinite; lower model.learning_rate, which is {learning_rate:g}")
