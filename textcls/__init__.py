"""Train, track and use sentence classifiers: from articles and people's labels to a model that can be trusted.

import textcls

result = textcls.train("configs/tfidf.yaml")
classifier = textcls.load(result.run_id)
classifier.predict(["The minister said that ferries would resume in May."])
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textcls.articles import Article as Article
    from textcls.articles import read_article as read_article
    from textcls.artifacts import save_model
    from textcls.config import Config as Config
    from textcls.config import load_config as load_config
    from textcls.errors import ConfigError as ConfigError
    from textcls.errors import DataError as DataError
    from textcls.errors import ModelError as ModelError
    from textcls.errors import OutputError as OutputError
    from textcls.errors import TextclsError as TextclsError
    from textcls.errors import TrackingError as TrackingError
    from textcls.models import TextClassifier as TextClassifier
    from textcls.models import make_classifier as make_classifier
    from textcls.prediction import evaluate_file as evaluate_file
    from textcls.prediction import load as load
    from textcls.prediction import predict_article as predict_article
    from textcls.prediction import predict_inputs as predict_inputs
    from textcls.training import RunResult as RunResult
    from textcls.training import train as train

    save = save_model

_HOME = {
    "Article": "textcls.articles",
    "Config": "textcls.config",
    "ConfigError": "textcls.errors",
    "DataError": "textcls.errors",
    "ModelError": "textcls.errors",
    "OutputError": "textcls.errors",
    "RunResult": "textcls.training",
    "TextClassifier": "textcls.models",
    "TextclsError": "textcls.errors",
    "TrackingError": "textcls.errors",
    "evaluate_file": "textcls.prediction",
    "load": "textcls.prediction",
    "load_config": "textcls.config",
    "make_classifier": "textcls.models",
    "predict_article": "textcls.prediction",
    "predict_inputs": "textcls.prediction",
    "read_article": "textcls.articles",
    "save": "textcls.artifacts:save_model",
    "train": "textcls.training",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing textcls loads nothing heavy."""
    if name == "__version__":
        return version("textcls")
    if name not in _HOME:
        raise AttributeError(f"module 'textcls' has no attribute {name!r}")
    module, _, named_there = _HOME[name].partition(":")
    return getattr(import_module(module), named_there or name)


def __dir__() -> list[str]:
    return [*__all__, *globals()]
