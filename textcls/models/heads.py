"""What families share that are an encoder and a logistic regression on its embeddings."""

from __future__ import annotations

import logging
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from textcls.config import EmbeddingConfig, SetFitConfig
from textcls.errors import ModelError
from textcls.models.base import Weighed, ranked
from textcls.models.configured import ConfiguredClassifier, Lesson
from textcls.models.encoders import one_at_a_time, write_encoder
from textcls.models.inputs import Labels, Texts, text_parts

logger = logging.getLogger(__name__)

_FILE = "head.safetensors"

H = TypeVar("H", EmbeddingConfig, SetFitConfig)


class HeadClassifier(ConfiguredClassifier[H]):
    """An encoder, `model_` and `tokenizer_`, and a logistic regression, `regression_`, on what the family takes for features."""

    model_: Any
    tokenizer_: Any
    regression_: LogisticRegression

    @one_at_a_time
    def explain(self, texts: Texts, labels: Labels, others: Labels) -> list[list[Weighed]] | None:
        """Attribute the log odds to words by integrated gradients; see `TextClassifier.explain` and `attributions`.

        None from the few encoders whose tokenizers do not say where a token stands.
        """
        self._check_fitted()
        if not self.tokenizer_.is_fast:
            return None
        coef: np.ndarray = self.regression_.coef_
        coef = coef if len(coef) > 1 else np.vstack([np.zeros_like(coef), coef])  # of two labels the first has none
        parts = text_parts(texts, self.context)
        explained = []
        for row, (label, other) in enumerate(self._column_pairs(texts, labels, others)):
            sentences = {part: of_part[row] for part, of_part in parts.items()}
            explained.append(ranked(self._attribute(sentences, coef[label] - coef[other])))
        return explained

    def write(self, folder: Path) -> None:
        """Write the encoder as `model.safetensors`, its `config.json`, the tokenizer's files, and `head.safetensors`."""
        write_encoder(self.model_, self.tokenizer_, folder)
        save_file({"coef": self.regression_.coef_, "intercept": self.regression_.intercept_}, folder / _FILE)

    @abstractmethod
    def _features(self, texts: Texts) -> np.ndarray:
        """The embeddings that the regression reads: shape (n_texts, n_features)."""

    @abstractmethod
    def _attribute(self, sentences: Mapping[str, str], direction: np.ndarray) -> list[Weighed]:
        """Attribute the product of a text's features with a vector of their width to words.

        Args:
            sentences: the text and the sentences around it by part, as `text_parts` has them; "" where there is none.
            direction: shape (n_features,).
        """

    @one_at_a_time
    def _probabilities(self, texts: Texts) -> np.ndarray:
        features = self._features(texts)
        if not len(features):
            return np.empty((0, len(self.classes_)))
        probabilities: np.ndarray = self.regression_.predict_proba(features.astype(np.float64))
        return probabilities

    def _fit_head(self, features: np.ndarray, lesson: Lesson) -> None:
        """Fit the regression; the log says if it did not converge. A text of several labels stands there once for each."""
        settings = self.settings
        regression = LogisticRegression(C=settings.C, max_iter=settings.max_iter)
        targets = lesson.targets(settings.class_weight)
        rows, columns = np.nonzero(targets)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.fit(features[rows].astype(np.float64), lesson.classes[columns], sample_weight=targets[rows, columns])
        # The solver leaves them by columns, or as parts of one array: safetensors would write them so, and sums of another order round
        # differently.
        regression.coef_ = np.ascontiguousarray(regression.coef_)
        regression.intercept_ = np.ascontiguousarray(regression.intercept_)
        if max(regression.n_iter_) >= settings.max_iter:
            logger.warning("the regression stopped at model.max_iter (%d) before it had converged", settings.max_iter)
        self.regression_ = regression

    def _read_head(self, folder: Path, labels: Sequence[str], *, width: int) -> None:
        """Read what `write` left of the regression.

        Raises:
            ModelError: the weights are for other labels or for features of another width.
        """
        arrays = load_file(folder / _FILE)
        regression = LogisticRegression()
        rows = 1 if len(labels) == 2 else len(labels)
        found = arrays["coef"].shape if "coef" in arrays else None
        if found != (rows, width) or arrays.get("intercept", np.empty(0)).shape != (rows,):
            raise ModelError(f"{folder}: expected weights of shape {(rows, width)}, found {found}")
        regression.coef_, regression.intercept_ = arrays["coef"], arrays["intercept"]
        regression.classes_ = np.array(labels)
        self.regression_, self.classes_ = regression, np.array(labels)
