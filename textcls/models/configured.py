"""What every family is built on: a constructor that takes the settings of its config, and what is done around each fit and prediction.

Each setting and its default stand in the config alone.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import dataclass
from inspect import Parameter, Signature
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import numpy as np

from textcls.config import ModelSettings, check_settings, model_kinds
from textcls.errors import ConfigError
from textcls.models.base import Listener, TextClassifier
from textcls.models.inputs import Annotations, Labels, Texts, check_training, check_validation, label_weights, text_digests
from textcls.wording import did_you_mean

S = TypeVar("S", bound=ModelSettings)


@dataclass(frozen=True)
class Lesson:
    """What a family is to learn, checked.

    Attributes:
        texts: n_texts strings or rows.
        classes: shape (n_labels,), the labels in sorted order.
        shares: shape (n_texts, n_labels), the share of each label in what a text is to be learnt as.
        annotated: whether the shares are those of several annotators.
        held_out: texts to stop early on, and the number of each one's label; None if there are none, or the family does not use any.
        listener: told of curves and progress.
        checkpoints: a folder for the state of a long fit.
    """

    texts: Texts
    classes: np.ndarray
    shares: np.ndarray
    annotated: bool
    held_out: tuple[Texts, np.ndarray] | None
    listener: Listener
    checkpoints: Path | None

    def targets(self, class_weight: str | None) -> np.ndarray:
        """How much each label of each text counts: shape (n_texts, n_labels)."""
        targets: np.ndarray = self.shares * label_weights(self.shares, class_weight)
        return targets


class ConfiguredClassifier(TextClassifier, Generic[S]):
    """A classifier whose parameters are the settings that a config has under its `kind`.

    The constructor keeps them as attributes, as scikit-learn's contract has it, and checks nothing but their names;
    `settings` are the same, checked and typed, for the family to read. A family adds its `kind`, `_learn`,
    `_probabilities`, `write` and `read`, and `explain` if it can say what weighed.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if hasattr(cls, "kind"):  # a family, not what some of them share
            keyword = [Parameter(name, Parameter.KEYWORD_ONLY, default=default) for name, default in _defaults(cls.kind).items()]
            cls.__signature__ = Signature(keyword)  # what help() shows

    def __init__(self, **settings: Any) -> None:
        signature: Signature = type(self).__signature__
        for name in settings:
            if name not in signature.parameters:
                raise TypeError(f"unknown setting {name!r}; {did_you_mean(name, signature.parameters)}")
        given = signature.bind(**settings)
        given.apply_defaults()
        for name, value in given.arguments.items():
            setattr(self, name, value)

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return sorted(_defaults(cls.kind))

    @property
    def settings(self) -> S:
        """The parameters, checked.

        Raises:
            ConfigError: one is not what the config would take.
        """
        values = {"kind": self.kind, **self.get_params(deep=False)}
        section: type[Any] = model_kinds()[self.kind]
        checked: S = check_settings(section, json.loads(json.dumps(values, default=_plain)), name="model")
        return checked

    def plain_params(self) -> dict[str, Any]:
        """The parameters, checked, as values that JSON has."""
        return self.settings.model_dump(mode="json", exclude={"kind"})

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
        """Learn from texts and their labels; see `TextClassifier.fit`. What a family does with them, its class says."""
        classes, shares = check_training(texts, labels, annotations)
        held_out = None
        if self.uses_validation and validation is not None and len(validation[0]):
            held_out = validation[0], check_validation(*validation, classes)
        self._learn(Lesson(texts, classes, shares, annotations is not None, held_out, listener or Listener(), checkpoints))
        self.classes_, self.decision_ = classes, None
        self.learnt_ = np.unique(text_digests([*texts, *(held_out[0] if held_out else ())]))
        return self

    def predict_proba(self, texts: Texts) -> np.ndarray:
        """Estimate each label's probability; see `TextClassifier.predict_proba`."""
        self._check_fitted()
        found = self._probabilities(texts)
        return found if self.decision_ is None else self.decision_.apply(found)

    @abstractmethod
    def _learn(self, lesson: Lesson) -> None:
        """Learn all but what `fit` sees to: the labels and the digests of the texts."""

    @abstractmethod
    def _probabilities(self, texts: Texts) -> np.ndarray:
        """Estimate each label's probability, before the decision: shape (n_texts, n_labels).

        Raises:
            DataError: a text is not a string with content.
        """


def _defaults(kind: str) -> dict[str, Any]:
    """The settings of a family with their defaults; none for one that must be given."""
    fields = model_kinds()[kind].model_fields
    return {name: Parameter.empty if field.is_required() else field.default for name, field in fields.items() if name != "kind"}


def _plain(value: Any) -> Any:
    """A number of NumPy's, such as a grid search gives, as one of Python's, and a path as a string."""
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise ConfigError(f"expected settings that JSON has, found {value!r}")
