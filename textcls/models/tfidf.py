"""The baseline: TF-IDF over n-grams of words, punctuation marks, characters and patterns, and a logistic regression."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array, hstack

from textcls.config import TfidfConfig
from textcls.errors import DataError, ModelError
from textcls.models.base import Weighed, ranked
from textcls.models.configured import ConfiguredClassifier, Lesson
from textcls.models.inputs import Labels, Texts, check_texts, neighbours
from textcls.models.ngrams import NgramWeights, Sort
from textcls.models.pieces import Pieces, fold_marks
from textcls.models.softmax import Regression, fit_regression

logger = logging.getLogger(__name__)

_NEIGHBOUR_WEIGHT = np.float32(0.4)
"""Length of a neighbour's rows beside the text's own, as in FeatureUnion's `transformer_weights`: at 1 they drown it."""


class TfidfClassifier(ConfiguredClassifier[TfidfConfig]):
    """A linear classifier over TF-IDF weights. The parameters are those of `config.TfidfConfig`.

    Each sort of n-grams is a part with a vocabulary of its own and rows of length 1, as in scikit-learn's FeatureUnion. A neighbouring
    sentence's n-grams are other features than the text's own.
    """

    kind: ClassVar[str] = "tfidf"
    uses_seed: ClassVar[bool] = False

    def features(self, texts: Texts) -> csr_array:
        """The weights of the texts' n-grams: shape (n_texts, n_features), the columns of one part after those of another.

        Raises:
            DataError: as `predict_proba`.
        """
        self._check_fitted()
        pieces = self._pieces(texts)
        return hstack([_weight(name) * part.transform(pieces[name]) for name, part in self.parts_.items()], format="csr")

    def explain(self, texts: Texts, labels: Labels, others: Labels) -> list[list[Weighed]]:
        """Weigh each n-gram by its feature times the difference of the labels' coefficients, exactly; see `TextClassifier.explain`."""
        features, coef = self.features(texts), self.regression_.coef
        columns_of = self._column_pairs(texts, labels, others)
        names: dict[int, Weighed] = {}
        before = 0  # columns of earlier parts
        for name, part in self.parts_.items():
            ngrams = part.names(np.unique(features.indices) - before)
            names |= {before + column: Weighed(ngram, 0.0, name) for column, ngram in ngrams.items()}
            before += len(part.idf)
        explained = []
        for row, (label, other) in enumerate(columns_of):
            span = slice(*features.indptr[row : row + 2])
            columns = features.indices[span]
            weights = features.data[span].astype(float) * (coef[label, columns].astype(float) - coef[other, columns])
            explained.append(ranked(names[c]._replace(weight=float(w)) for c, w in zip(columns, weights, strict=True)))
        return explained

    def write(self, folder: Path) -> None:
        """Write `vocabulary.json`, the symbols that each part's n-grams are made of, and all else as `weights.safetensors`."""
        vocabulary, arrays = {}, {"coef": self.regression_.coef, "intercept": self.regression_.intercept}
        for name, part in self.parts_.items():
            vocabulary[name] = list(part.symbols)
            if part.frequent is not None:
                vocabulary[f"{name}.frequent"] = part.frequent
            arrays[f"{name}.idf"] = part.idf
            arrays |= {f"{name}.columns.{length}": columns for length, columns in enumerate(part.columns, 1)}
            arrays |= {f"{name}.keys.{length}": keys for length, keys in enumerate(part.keys, 2)}
        (folder / "vocabulary.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / "weights.safetensors")

    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left; see `TextClassifier.read`."""
        vocabulary = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        arrays = load_file(folder / "weights.safetensors")
        parts = self._new_parts()
        try:
            for name, part in parts.items():
                part.symbols = {symbol: number for number, symbol in enumerate(vocabulary[name])}
                part.frequent = vocabulary.get(f"{name}.frequent")
                part.idf = arrays[f"{name}.idf"]
                part.columns = [arrays[f"{name}.columns.{length}"] for length in range(1, part.span[1] + 1)]
                part.keys = [arrays[f"{name}.keys.{length}"] for length in range(2, part.span[1] + 1)]
                sizes = [len(part.symbols), *map(len, part.keys)]
                if sizes != [*map(len, part.columns)]:
                    raise ValueError(f"{sizes} n-grams of {name} by length, columns for {[*map(len, part.columns)]}")
            regression = Regression(arrays["coef"], arrays["intercept"], converged=True)
        except (KeyError, ValueError) as error:
            raise ModelError(f"{folder}: the vocabulary and the weights do not fit together: {error}") from error
        expected = (len(labels), sum(len(part.idf) for part in parts.values()))
        if regression.coef.shape != expected:
            raise ModelError(f"{folder}: expected weights of shape {expected}, found {regression.coef.shape}")
        self.parts_, self.regression_, self.classes_ = parts, regression, np.array(labels)
        return self

    def _learn(self, lesson: Lesson) -> None:
        """Learn the vocabulary, its weights and the regression."""
        settings = self.settings
        parts, pieces = self._new_parts(), self._pieces(lesson.texts)
        features = hstack(
            [
                _weight(name) * part.fit_transform(pieces[name], min_df=settings.min_df, max_features=settings.max_features)
                for name, part in parts.items()
            ],
            format="csr",
        )
        if not features.shape[1]:
            raise DataError(
                f"no n-gram occurs in {settings.min_df} of the {len(lesson.texts)} training texts; lower model.min_df or give more texts"
            )
        targets = lesson.targets(settings.class_weight)
        regression = fit_regression(features, targets, C=settings.C, max_iter=settings.max_iter)
        if not regression.converged:
            logger.warning("the regression stopped at model.max_iter (%d) before it had converged", settings.max_iter)
        self.parts_, self.regression_ = parts, regression

    def _probabilities(self, texts: Texts) -> np.ndarray:
        return self.regression_.probabilities(self.features(texts))

    def _new_parts(self) -> dict[str, NgramWeights]:
        """The parts that the settings name, before they have learnt."""
        settings = self.settings
        spans: dict[Sort, tuple[int, int] | None] = {
            "words": settings.word_ngrams,
            "characters": settings.char_ngrams,
            "patterns": settings.pattern_ngrams,
        }
        return {
            f"{side}{sort}": NgramWeights(sort, (span[0], span[1]), settings.sublinear_tf)
            for side in ["", *(f"{side}." for side in neighbours([], self.context))]
            for sort, span in spans.items()
            if span is not None and not (side and sort == "characters")
        }

    def _pieces(self, texts: Texts) -> dict[str, Pieces]:
        """What each part reads: the texts or their neighbours, split; with their capitals, or not."""
        settings = self.settings
        read = {}
        for side, sentences in {"": check_texts(texts), **neighbours(texts, self.context)}.items():
            prefix = f"{side}." if side else ""
            pieces = Pieces.of(sentences)
            pieces = pieces.changed(fold_marks) if settings.fold_marks else pieces
            read[f"{prefix}patterns"] = pieces
            pieces = pieces.changed(str.lower) if settings.lowercase else pieces
            read[f"{prefix}words"] = read[f"{prefix}characters"] = pieces
        return read


def _weight(part: str) -> np.float32:
    return _NEIGHBOUR_WEIGHT if "." in part else np.float32(1)
