"""The baseline: TF-IDF over n-grams of words, punctuation marks and characters, and a logistic regression."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion

from textcls.config import TfidfConfig
from textcls.errors import DataError, ModelError
from textcls.models.base import Listener, TextClassifier, Texts, check_texts, check_training

logger = logging.getLogger(__name__)

_DEFAULT = TfidfConfig(kind="tfidf")
_WORDS_AND_MARKS = r"\w+|[^\w\s]"
"""Quotation marks, question marks and dashes tell a quote from a fact, so they are tokens."""


class TfidfClassifier(TextClassifier):
    """A linear classifier over TF-IDF weights. The parameters are those of `config.TfidfConfig`."""

    kind: ClassVar[str] = "tfidf"

    def __init__(
        self,
        *,
        lowercase: bool = _DEFAULT.lowercase,
        word_ngrams: tuple[int, int] | None = _DEFAULT.word_ngrams,
        char_ngrams: tuple[int, int] | None = _DEFAULT.char_ngrams,
        min_df: int = _DEFAULT.min_df,
        max_features: int | None = _DEFAULT.max_features,
        sublinear_tf: bool = _DEFAULT.sublinear_tf,
        C: float = _DEFAULT.C,
        class_weight: str | None = _DEFAULT.class_weight,
        max_iter: int = _DEFAULT.max_iter,
        context: Mapping[str, int] | None = None,
        seed: int | None = _DEFAULT.seed,
    ) -> None:
        self.lowercase = lowercase
        self.word_ngrams = word_ngrams
        self.char_ngrams = char_ngrams
        self.min_df = min_df
        self.max_features = max_features
        self.sublinear_tf = sublinear_tf
        self.C = C
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.context = context
        self.seed = seed

    def fit(
        self,
        texts: Texts,
        labels: Sequence[str],
        *,
        validation: tuple[Texts, Sequence[str]] | None = None,
        listener: Listener | None = None,
        checkpoints: Path | None = None,
    ) -> Self:
        """Learn the vocabulary, its weights and the regression; see `TextClassifier.fit`. Takes no validation rows."""
        checked, classes, _ = check_training(texts, labels)
        features = FeatureUnion(list(self._vectorizers()))
        try:
            weights = features.fit_transform(checked)
        except ValueError as error:
            raise DataError(
                f"no n-gram occurs in {self.min_df} of the {len(checked)} training texts; lower model.min_df or give more texts"
            ) from error
        regression = LogisticRegression(C=self.C, class_weight=self.class_weight, max_iter=self.max_iter, random_state=self.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.regression_ = regression.fit(weights, labels)
        if max(self.regression_.n_iter_) >= self.max_iter:
            logger.warning("the regression stopped at model.max_iter (%d) before it had converged", self.max_iter)
        self.features_, self.classes_ = features, classes
        return self

    def predict_proba(self, texts: Texts) -> np.ndarray:
        """Estimate each label's probability; see `TextClassifier.predict_proba`."""
        self._check_fitted()
        checked = check_texts(texts)
        if not checked:
            return np.empty((0, len(self.classes_)))
        probabilities: np.ndarray = self.regression_.predict_proba(self.features_.transform(checked))
        return probabilities

    def write(self, folder: Path) -> None:
        """Write `vocabulary.json`, each vectorizer's n-grams in the order of its weights, and `weights.safetensors`."""
        vocabularies = {name: sorted(part.vocabulary_, key=part.vocabulary_.get) for name, part in self._parts()}
        (folder / "vocabulary.json").write_text(json.dumps(vocabularies, ensure_ascii=False), encoding="utf-8")
        arrays = {f"idf.{name}": part.idf_ for name, part in self._parts()}
        arrays |= {"coef": self.regression_.coef_, "intercept": self.regression_.intercept_}
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / "weights.safetensors")

    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left; see `TextClassifier.read`."""
        vocabularies = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        arrays = load_file(folder / "weights.safetensors")
        self.features_ = FeatureUnion(list(self._vectorizers()))
        n_features = 0
        try:
            for name, part in self._parts():
                part.vocabulary_ = {ngram: number for number, ngram in enumerate(vocabularies[name])}
                if len(part.vocabulary_) != len(arrays[f"idf.{name}"]):
                    raise ValueError(f"{len(part.vocabulary_)} {name}, {len(arrays[f'idf.{name}'])} weights of them")
                part.idf_ = arrays[f"idf.{name}"]
                n_features += len(part.vocabulary_)
            self.regression_ = LogisticRegression(C=self.C, class_weight=self.class_weight)
            self.regression_.coef_, self.regression_.intercept_ = arrays["coef"], arrays["intercept"]
        except (KeyError, ValueError) as error:
            raise ModelError(f"{folder}: the vocabulary and the weights do not fit together: {error}") from error
        rows = 1 if len(labels) == 2 else len(labels)
        if self.regression_.coef_.shape != (rows, n_features):
            raise ModelError(f"{folder}: expected weights of shape {(rows, n_features)}, found {self.regression_.coef_.shape}")
        self.classes_ = self.regression_.classes_ = np.array(labels)
        return self

    def _vectorizers(self) -> Iterator[tuple[str, TfidfVectorizer]]:
        shared = {
            "lowercase": self.lowercase,
            "min_df": self.min_df,
            "max_features": self.max_features,
            "sublinear_tf": self.sublinear_tf,
        }
        if self.word_ngrams is not None:
            span = tuple(self.word_ngrams)
            yield "words", TfidfVectorizer(ngram_range=span, token_pattern=_WORDS_AND_MARKS, **shared)
        if self.char_ngrams is not None:
            yield "characters", TfidfVectorizer(ngram_range=tuple(self.char_ngrams), analyzer="char_wb", **shared)

    def _parts(self) -> list[tuple[str, TfidfVectorizer]]:
        parts: list[tuple[str, TfidfVectorizer]] = self.features_.transformer_list
        return parts
