"""Few-shot learning by the setfit library: an encoder tuned on pairs of texts, and a logistic regression.

Tunstall et al. (2022), Efficient Few-Shot Learning Without Prompts. How the encoder is tuned, which alone takes setfit, is in `contrast`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from textcls.config import SetFitConfig
from textcls.errors import ModelError
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
from textcls.models.configured import ConfiguredClassifier
from textcls.models.devices import arithmetic, uses_bf16
from textcls.models.encoders import (
    embed,
    load_tokenizer,
    one_at_a_time,
    read_encoder,
    tokenize,
    warn_of_cuts,
    write_encoder,
)
from textcls.models.heads import fit_head, head_probabilities, label_coefficients, read_head, write_head


class SetFitClassifier(ConfiguredClassifier[SetFitConfig]):
    """An encoder tuned on pairs of texts, and a logistic regression. The parameters are those of `config.SetFitConfig`."""

    kind: ClassVar[str] = "setfit"

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
        """Tune the encoder on pairs, then learn the regression; see `TextClassifier.fit`. Takes no validation rows.

        Raises:
            DataError: as `TextClassifier.fit`.
            ModelError: `annotations` are given; the encoder is not at hand, or reads fewer tokens than `max_length`.
        """
        try:
            from textcls.models.contrast import tune_encoder  # here, since nothing of setfit is needed to predict
        except ModuleNotFoundError as error:
            raise ModelError(
                f"kind 'setfit' needs {error.name} to be fitted; install it with: pip install 'textcls[setfit]'"
            ) from error

        settings = self.settings
        if annotations is not None:
            raise ModelError(
                "setfit learns from pairs of one label each, not from several annotators' labels; take another family"
            )
        _, classes, shares = check_training(texts, labels)
        joined = self._join(texts)
        tokenizer = load_tokenizer(settings.encoder, download=settings.download, max_length=settings.max_length)
        warn_of_cuts([len(row) for row in tokenize(joined, tokenizer, max_length=settings.max_length)], settings.max_length)
        self.model_, self.tokenizer_ = tune_encoder(settings, joined, shares.argmax(axis=1), listener or Listener()), tokenizer
        self.regression_ = fit_head(
            self._embed(joined),
            classes,
            shares * label_weights(shares, settings.class_weight),
            C=settings.C,
            max_iter=settings.max_iter,
            seed=settings.seed,
        )
        self.classes_, self.learnt = classes, np.unique(text_digests(texts))
        self.arithmetic = arithmetic(self.model_, bf16=uses_bf16(settings.precision))
        return self

    @one_at_a_time
    def predict_proba(self, texts: Texts) -> np.ndarray:
        """Estimate each label's probability; see `TextClassifier.predict_proba`."""
        self._check_fitted()
        return head_probabilities(self.regression_, self._embed(self._join(texts)))

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
            sides = {part: sentences[row] for part, sentences in parts.items() if sentences[row]}
            tokens = attribute_embedding(
                " ".join(sides.values()), self.model_, self.tokenizer_, coef[label] - coef[other], max_length=settings.max_length
            )
            pieces: list[Weighed] = []
            start = 0
            for part, sentence in sides.items():
                pieces += weigh_words(sentence, tokens, part, start=start)
                start += len(sentence) + 1
            explained.append(ranked(pieces))
        return explained

    def write(self, folder: Path) -> None:
        """Write the encoder as `model.safetensors`, its `config.json`, the tokenizer's files, and `head.safetensors`."""
        write_encoder(self.model_, self.tokenizer_, folder)
        write_head(self.regression_, folder)

    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left; see `TextClassifier.read`."""
        self.model_, self.tokenizer_ = read_encoder(folder)
        self.regression_ = read_head(folder, labels, width=self.model_.config.hidden_size)
        self.classes_ = np.array(labels)
        return self

    def _join(self, texts: Texts) -> list[str]:
        """Each text and the sentences around it as one string, the text first: of what is too long, the end is cut."""
        parts = zip(*text_parts(texts, self.context).values(), strict=True)
        return [" ".join(part for part in row if part) for row in parts]

    def _embed(self, texts: list[str]) -> np.ndarray:
        settings = self.settings
        return embed(texts, self.model_, self.tokenizer_, max_length=settings.max_length, whole_batches=False)
