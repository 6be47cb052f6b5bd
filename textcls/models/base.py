"""The contract of every model family: scikit-learn's classifier over a sequence of texts, with labels that are strings or whole numbers.

Families know nothing of configs' files, of MLflow, or of where a model folder lies.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from textcls.errors import DataError, ModelError
from textcls.models.inputs import Annotations, Labels, Texts, label_columns

if TYPE_CHECKING:
    from textcls.models.decision import Decision


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


def ranked(pieces: Iterable[Weighed]) -> list[Weighed]:
    """Put pieces that are the same together, and those with the most weight first; those without any are left out."""
    sums: dict[tuple[str, str], float] = {}
    for piece, weight, part in pieces:
        sums[piece, part] = sums.get((piece, part), 0.0) + weight
    found = [Weighed(piece, weight, part) for (piece, part), weight in sums.items() if weight]
    return sorted(found, key=lambda its: -abs(its.weight))


def no_number(learning_rate: float) -> ModelError:
    """Word the error for a training loss that became NaN or infinite."""
    return ModelError(f"the training loss became NaN or infinite; lower model.learning_rate, which is {learning_rate:g}")
