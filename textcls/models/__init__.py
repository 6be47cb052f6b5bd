"""The model families: scikit-learn classifiers over texts, chosen by a short kind and imported when they are asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from textcls.errors import ConfigError, ModelError
from textcls.models.base import Listener, TextClassifier, Weighed
from textcls.models.decision import Decision, abstaining, check_enough, learn_decision
from textcls.models.inputs import text_digests
from textcls.wording import did_you_mean

__all__ = [
    "FAMILIES",
    "Decision",
    "Listener",
    "TextClassifier",
    "Weighed",
    "abstaining",
    "check_enough",
    "classifier_class",
    "learn_decision",
    "make_classifier",
    "text_digests",
]

FAMILIES = {
    "tfidf": "textcls.models.tfidf:TfidfClassifier",
    "transformer": "textcls.models.transformer:TransformerClassifier",
    "embedding": "textcls.models.embedding:EmbeddingClassifier",
    "setfit": "textcls.models.setfit:SetFitClassifier",
    "static": "textcls.models.static:StaticClassifier",
    "ensemble": "textcls.models.ensemble:EnsembleClassifier",
}


def classifier_class(kind: str) -> type[TextClassifier]:
    """Import the class of a model family.

    Raises:
        ModelError: no such family, or the libraries it needs are not installed.
    """
    if kind not in FAMILIES:
        raise ModelError(f"unknown kind {kind!r}; {did_you_mean(kind, FAMILIES)}")
    module, _, name = FAMILIES[kind].partition(":")
    try:
        family: type[TextClassifier] = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ModelError(f"kind {kind!r} needs {error.name}; install it with: pip install 'textcls[{kind}]'") from error
    return family


def make_classifier(kind: str, **settings: Any) -> TextClassifier:
    """Make an unfitted classifier.

    Args:
        kind: the model family, such as `tfidf`.
        settings: what a config may say under `model`, such as `C=3`; `textcls config --init KIND` prints all of a kind.

    Raises:
        ModelError: no such family, or the libraries it needs are not installed.
        ConfigError: a setting is unknown, missing or not what it may be.
    """
    family = classifier_class(kind)
    try:
        classifier = family(**settings)
    except TypeError as error:
        raise ConfigError(f"model: {error}") from error
    classifier.plain_params()  # which are checked, as the constructor does not
    return classifier
