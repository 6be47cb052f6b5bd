"""A frozen encoder's sentence embeddings, computed once and cached, and a logistic regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from textcls.config import EmbeddingConfig
from textcls.models.attributions import attribute_embedding, weigh_words
from textcls.models.base import Listener, Weighed
from textcls.models.cache import EmbeddingCache
from textcls.models.configured import Lesson
from textcls.models.devices import arithmetic, uses_bf16
from textcls.models.encoders import embed, fingerprint, load_encoder, read_encoder, tokenize, warn_of_cuts
from textcls.models.heads import HeadClassifier
from textcls.models.inputs import Texts, check_texts, text_parts

_TEXTS_A_WRITE = 1000


class EmbeddingClassifier(HeadClassifier[EmbeddingConfig]):
    """A linear classifier over sentence embeddings. The parameters are those of `config.EmbeddingConfig`.

    A fit that was killed goes on from the cache, to which predictions add nothing.
    """

    kind: ClassVar[str] = "embedding"
    uses_seed: ClassVar[bool] = False

    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left; see `TextClassifier.read`."""
        self._take(*read_encoder(folder))
        sides = len(text_parts([], self.context))
        self._read_head(folder, labels, width=self.model_.config.hidden_size * sides)
        return self

    def _learn(self, lesson: Lesson) -> None:
        """Embed the texts and learn the regression."""
        settings = self.settings
        model, tokenizer = load_encoder(settings.encoder, download=settings.download, max_length=settings.max_length)
        self._take(model, tokenizer)
        tokens = tokenize(check_texts(lesson.texts), tokenizer, max_length=settings.max_length)
        warn_of_cuts([len(row) for row in tokens], settings.max_length)
        self._fit_head(self._features(lesson.texts, keep=True, listener=lesson.listener), lesson)
        self.arithmetic = arithmetic(self.model_, bf16=self.bf16_)

    def _take(self, model: Any, tokenizer: Any) -> None:
        settings = self.settings
        self.model_, self.tokenizer_ = model, tokenizer
        self.bf16_ = uses_bf16(settings.precision)
        self.cache_ = None
        if settings.cache:
            known_by = fingerprint(model, tokenizer, settings.max_length, "bf16" if self.bf16_ else "fp32")
            self.cache_ = EmbeddingCache(known_by, model.config.hidden_size)

    def _features(self, texts: Texts, *, keep: bool = False, listener: Listener | None = None) -> np.ndarray:
        """The embeddings of the texts and of each side of their context, side by side; no sentence is all zeros.

        Args:
            texts: as for `predict_proba`.
            keep: whether to add to the cache, which is looked in anyway.
            listener: told of progress.
        """
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

    def _attribute(self, sentences: Mapping[str, str], direction: np.ndarray) -> list[Weighed]:
        pieces: list[Weighed] = []
        for (part, sentence), of_part in zip(sentences.items(), np.split(direction, len(sentences)), strict=True):
            if sentence:
                length = self.settings.max_length
                tokens = attribute_embedding(sentence, self.model_, self.tokenizer_, of_part, max_length=length)
                pieces += weigh_words(sentence, tokens, part)
        return pieces
