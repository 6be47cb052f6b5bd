"""Few-shot learning by the setfit library: an encoder tuned on pairs of texts, and a logistic regression.

Tunstall et al. (2022), Efficient Few-Shot Learning Without Prompts. How the encoder is tuned, which alone takes setfit, is in `contrast`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from textcls.config import SetFitConfig
from textcls.errors import ModelError
from textcls.models.attributions import attribute_embedding, weigh_words
from textcls.models.base import Weighed
from textcls.models.configured import Lesson
from textcls.models.devices import arithmetic, uses_bf16
from textcls.models.encoders import embed, load_tokenizer, read_encoder, tokenize, warn_of_cuts
from textcls.models.heads import HeadClassifier
from textcls.models.inputs import Texts, text_parts


class SetFitClassifier(HeadClassifier[SetFitConfig]):
    """An encoder tuned on pairs of texts, and a logistic regression. The parameters are those of `config.SetFitConfig`."""

    kind: ClassVar[str] = "setfit"

    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left; see `TextClassifier.read`."""
        self.model_, self.tokenizer_ = read_encoder(folder)
        self._read_head(folder, labels, width=self.model_.config.hidden_size)
        return self

    def _learn(self, lesson: Lesson) -> None:
        """Tune the encoder on pairs, then learn the regression."""
        try:
            from textcls.models.contrast import tune_encoder  # here, since nothing of setfit is needed to predict
        except ModuleNotFoundError as error:
            raise ModelError(
                f"kind 'setfit' needs {error.name} to be fitted; install it with: pip install 'textcls[setfit]'"
            ) from error

        settings = self.settings
        if lesson.annotated:
            raise ModelError(
                "setfit learns from pairs of one label each, not from several annotators' labels; take another family"
            )
        joined = self._join(lesson.texts)
        tokenizer = load_tokenizer(settings.encoder, download=settings.download, max_length=settings.max_length)
        warn_of_cuts([len(row) for row in tokenize(joined, tokenizer, max_length=settings.max_length)], settings.max_length)
        self.model_ = tune_encoder(settings, joined, lesson.shares.argmax(axis=1), lesson.listener)
        self.tokenizer_ = tokenizer
        self._fit_head(self._features(lesson.texts), lesson)
        self.arithmetic = arithmetic(self.model_, bf16=uses_bf16(settings.precision))

    def _join(self, texts: Texts) -> list[str]:
        """Each text and the sentences around it as one string, the text first: of what is too long, the end is cut."""
        parts = zip(*text_parts(texts, self.context).values(), strict=True)
        return [" ".join(part for part in row if part) for row in parts]

    def _features(self, texts: Texts) -> np.ndarray:
        """The embeddings of the joined texts."""
        length = self.settings.max_length
        return embed(self._join(texts), self.model_, self.tokenizer_, max_length=length, whole_batches=False)

    def _attribute(self, sentences: Mapping[str, str], direction: np.ndarray) -> list[Weighed]:
        read = {part: sentence for part, sentence in sentences.items() if sentence}
        length = self.settings.max_length
        tokens = attribute_embedding(" ".join(read.values()), self.model_, self.tokenizer_, direction, max_length=length)
        pieces: list[Weighed] = []
        start = 0
        for part, sentence in read.items():
            pieces += weigh_words(sentence, tokens, part, start=start)
            start += len(sentence) + 1
        return pieces
