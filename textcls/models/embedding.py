"""A frozen encoder's sentence embeddings, computed once and cached, and a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from textcls.config import EmbeddingConfig
from textcls.models.attributions import attribute_embedding, weigh_words
from textcls.models.base import (
    Annotations,
    Labels,
    Listener,
    Texts,
    Weighed,
    check_training,
    label_weights,
    ranked,
    text_digests,
    text_parts,
)
from textcls.models.cache import EmbeddingCache
from textcls.models.configured import ConfiguredClassifier
from textcls.models.devices import arithmetic, uses_bf16
from textcls.models.encoders import (
    embed,
    fingerprint,
    load_encoder,
    one_at_a_time,
    read_encoder,
    tokenize,
    warn_of_cuts,
    write_encoder,
)
from textcls.models.heads import fit_head, head_probabilities, label_coefficients, read_head, write_head

_TEXTS_A_WRITE = 1000


class EmbeddingClassifier(ConfiguredClassifier[EmbeddingConfig]):
    """A linear classifier over sentence embeddings. The parameters are those of `config.EmbeddingConfig`."""

    kind: ClassVar[str] = "embedding"
    uses_seed: ClassVar[bool] = False

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
        """Embed the texts and learn the regression; see `TextClassifier.fit`. Takes no validation rows; a
        fit that was killed goes on from the cache.

        Raises:
            DataError: as `TextClassifier.fit`.
            ModelError: the encoder is not at hand, or reads fewer tokens than `max_length`.
        """
        settings = self.settings
        checked, classes, shares = check_training(texts, labels, annotations)
        model, tokenizer = load_encoder(settings.encoder, download=settings.download, max_length=settings.max_length)
        self._take(model, tokenizer)
        warn_of_cuts([len(row) for row in tokenize(checked, tokenizer, max_length=settings.max_length)], settings.max_length)
        features = self._features(texts, keep=True, listener=listener or Listener())
        targets = shares * label_weights(shares, settings.class_weight)
        self.regression_ = fit_head(features, classes, targets, C=settings.C, max_iter=settings.max_iter, seed=settings.seed)
        self.classes_, self.learnt = classes, np.unique(text_digests(texts))
        self.arithmetic = arithmetic(self.model_, bf16=self.bf16_)
        return self

    @one_at_a_time
    def predict_proba(self, texts: Texts) -> np.ndarray:
        """Estimate each label's probability; see `TextClassifier.predict_proba`. Looks in the cache, but adds nothing to it."""
        self._check_fitted()
        return head_probabilities(self.regression_, self._features(texts))

    @one_at_a_time
    def explain(self, texts: Texts, labels: Labels, others: Labels) -> list[list[Weighed]] | None:
        """Attribute the log odds to words by integrated gradients; see `TextClassifier.explain` and `attributions`.

        None from the few encoders whose tokenizers do not say where a token stands.
        """
        self._check_fitted()
        if not self.tokenizer_.is_fast:
            return None
        settings, coef = self.settings, label_coefficients(self.regression_)
        parts = text_parts(texts, self.context)
        explained = []
        for row, (label, other) in enumerate(self._column_pairs(parts["words"], labels, others)):
            directions = np.split(coef[label] - coef[other], len(parts))
            pieces: list[Weighed] = []
            for (part, sentences), direction in zip(parts.items(), directions, strict=True):
                if sentence := sentences[row]:
                    tokens = attribute_embedding(
                        sentence, self.model_, self.tokenizer_, direction, max_length=settings.max_length
                    )
                    pieces += weigh_words(sentence, tokens, part)
            explained.append(ranked(pieces))
        return explained

    def write(self, folder: Path) -> None:
        """Write the encoder as `model.safetensors`, its `config.json`, the tokenizer's files, and `head.safetensors`."""
        write_encoder(self.model_, self.tokenizer_, folder)
        write_head(self.regression_, folder)

    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left; see `TextClassifier.read`."""
        self._take(*read_encoder(folder))
        sides = len(text_parts([], self.context))
        self.regression_ = read_head(folder, labels, width=self.model_.config.hidden_size * sides)
        self.classes_ = np.array(labels)
        return self

    def _take(self, model: Any, tokenizer: Any) -> None:
        settings = self.settings
        self.model_, self.tokenizer_ = model, tokenizer
        self.bf16_ = uses_bf16(settings.precision)
        self.cache_ = None
        if settings.cache:
            known_by = fingerprint(model, tokenizer, settings.max_length, "bf16" if self.bf16_ else "fp32")
            self.cache_ = EmbeddingCache(known_by, model.config.hidden_size)

    def _features(self, texts: Texts, *, keep: bool = False, listener: Listener | None = None) -> np.ndarray:
        """The embeddings of the texts and of each side of their context, side by side; no sentence is all zeros."""
        settings = self.settings
        parts = list(text_parts(texts, self.context).values())
        distinct = list(dict.fromkeys(text for part in parts for text in part if text))
        known = self.cache_.get(distinct) if self.cache_ is not None else {}
        missing = sorted((text for text in distinct if text not in known), key=len)  # so that batches fill up
        for start in range(0, len(missing), _TEXTS_A_WRITE):
            some = missing[start : start + _TEXTS_A_WRITE]
            # In bf16 a text's company would show in its embedding, and what is kept must not depend on it at all.
            embeddings = embed(
                some,
                self.model_,
                self.tokenizer_,
                max_length=settings.max_length,
                bf16=self.bf16_,
                whole_batches=keep or self.bf16_,
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
