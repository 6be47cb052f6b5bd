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
    from textcls.config import Config as Config
    from textcls.config import load_config as load_config
    from textcls.errors import TextclsError as TextclsError
    from textcls.prediction import load as load
    from textcls.prediction import predict_article as predict_article
    from textcls.training import RunResult as RunResult
    from textcls.training import train as train

_HOME = {
    "Article": "textcls.articles",
    "Config": "textcls.config",
    "RunResult": "textcls.training",
    "TextclsError": "textcls.errors",
    "load": "textcls.prediction",
    "load_config": "textcls.config",
    "predict_article": "textcls.prediction",
    "read_article": "textcls.articles",
    "train": "textcls.training",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing textcls loads nothing heavy."""
    if name == "__version__":
        return version("textcls")
    if name not in _HOME:
        raise AttributeError(f"module 'textcls' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, *globals()]
