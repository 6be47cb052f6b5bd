"""Families whose constructor takes the settings of their config: each setting and its default stand in the config alone."""

from __future__ import annotations

import json
from inspect import Parameter, Signature
from os import PathLike, fspath
from typing import Any, Generic, TypeVar

import numpy as np

from textcls.config import ModelSettings, check_settings, model_kinds
from textcls.errors import ConfigError
from textcls.models.base import TextClassifier
from textcls.wording import did_you_mean

S = TypeVar("S", bound=ModelSettings)


class ConfiguredClassifier(TextClassifier, Generic[S]):
    """A classifier whose parameters are the settings that a config has under its `kind`.

    The constructor keeps them as attributes, as scikit-learn's contract has it, and checks nothing but their names;
    `settings` are the same, checked and typed, for the family to read.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
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
