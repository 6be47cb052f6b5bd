"""A frozen encoder's sentence embeddings, computed once and cached, and a logistic regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from textcls.config import EmbeddingConfig
from textcls.models.base import Listener, TextClassifier, Texts, check_texts, check_training, neighbours
from textcls.models.cache import EmbeddingCache
from textcls.models.encoders import (
    computes_in_bf16,
    embed,
    fingerprint,
    load_encoder,
    quiet,
    read_encoder,
    tokenize,
    warn_of_cuts,
)
from textcls.models.heads import fit_head, head_probabilities, read_head, write_head

_DEFAULT = EmbeddingConfig(kind="embedding")
_TEXTS_A_WRITE = 1000


class EmbeddingClassifier(TextClassifier):
    """A linear classifier over sentence embeddings. The parameters are those of `config.EmbeddingConfig`."""

    kind: ClassVar[str] = "embedding"

    def __init__(
        self,
        *,
        encoder: str = _DEFAULT.encoder,
        download: bool = _DEFAULT.download,
        max_length: int = _DEFAULT.max_length,
        C: float = _DEFAULT.C,
        class_weight: str | None = _DEFAULT.class_weight,
        max_iter: int = _DEFAULT.max_iter,
        precision: str = _DEFAULT.precision,
        cache: bool = _DEFAULT.cache,
        context: Mapping[str, int] | None = None,
        seed: int | None = _DEFAULT.seed,
    ) -> None:
        self.encoder = encoder
        self.download = download
        self.max_length = max_length
        self.C = C
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.precision = precision
        self.cache = cache
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
        """Embed the texts and learn the regression; see `TextClassifier.fit`. Takes no validation rows; a
        fit that was killed goes on from the cache.

        Raises:
            DataError: as `TextClassifier.fit`.
            ModelError: the encoder is not at hand, or reads fewer tokens than `max_length`.
        """
        checked, classes, _ = check_training(texts, labels)
        model, tokenizer = load_encoder(self.encoder, download=self.download, max_length=self.max_length)
        self._take(model, tokenizer)
        warn_of_cuts([len(row) for row in tokenize(checked, tokenizer, max_length=self.max_length)], self.max_length)
        features = self._features(texts, keep=True, listener=listener or Listener())
        self.regression_ = fit_head(
            features, labels, C=self.C, class_weight=self.class_weight, max_iter=self.max_iter, seed=self.seed
        )
        self.classes_ = classes
        return self

    def predict_proba(self, texts: Texts) -> np.ndarray:
        """Estimate each label's probability; see `TextClassifier.predict_proba`. Looks in the cache, but adds nothing to it."""
        self._check_fitted()
        return head_probabilities(self.regression_, self._features(texts))

    def write(self, folder: Path) -> None:
        """Write the encoder as `model.safetensors`, its `config.json`, the tokenizer's files, and `head.safetensors`."""
        with quiet():
            self.model_.save_pretrained(folder)
        self.tokenizer_.save_pretrained(folder)
        write_head(self.regression_, folder)

    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left; see `TextClassifier.read`."""
        self._take(*read_encoder(folder))
        sides = 1 + sum(bool(count) for count in (self.context or {}).values())
        self.regression_ = read_head(folder, labels, width=self.model_.config.hidden_size * sides)
        self.classes_ = np.array(labels)
        return self

    def _take(self, model: Any, tokenizer: Any) -> None:
        self.model_, self.tokenizer_ = model, tokenizer
        self.bf16_ = self.precision == "bf16" or (self.precision == "auto" and computes_in_bf16())
        settings = (self.max_length, "bf16" if self.bf16_ else "fp32")
        width = model.config.hidden_size
        self.cache_ = EmbeddingCache(fingerprint(model, tokenizer, *settings), width) if self.cache else None

    def _features(self, texts: Texts, *, keep: bool = False, listener: Listener | None = None) -> np.ndarray:
        """The embeddings of the texts and of each side of their context, side by side; no sentence is all zeros."""
        parts = [check_texts(texts), *neighbours(texts, self.context).values()]
        distinct = list(dict.fromkeys(text for part in parts for text in part if text))
        known = self.cache_.get(distinct) if self.cache_ is not None else {}
        missing = sorted((text for text in distinct if text not in known), key=len)  # so that batches fill up
        for start in range(0, len(missing), _TEXTS_A_WRITE):
            some = missing[start : start + _TEXTS_A_WRITE]
            # In bf16 a text's company would show in its embedding, and what is kept must not depend on it at all.
            embeddings = embed(
                some, self.model_, self.tokenizer_, max_length=self.max_length, bf16=self.bf16_, whole_batches=keep or self.bf16_
            )
            known |= dict(zip(some, embeddings, strict=True))
            if keep and self.cache_ is not None:
                self.cache_.put(some, embeddings)
            if listener is not None:
                listener.progress(start + len(some), len(missing))
        width = self.model_.config.hidden_size
        known[""] = np.zeros(width, dtype=np.float32)
        columns = [np.array([known[text] for text in part], dtype=np.float32).reshape(len(part), width) for part in parts]
        return np.hstack(columns)
