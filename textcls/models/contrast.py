"""Tune an encoder on pairs of texts by the setfit library, such that texts of one label come to lie close together.

Tunstall et al. (2022): texts of one label are drawn together and others apart, by the cosine of their embeddings. setfit lists all pairs
there are, whose number grows with the rows' square. Here each text is paired a few times with one of its label, and all texts of a batch are
held against each other: a text that is embedded once tells of fifteen pairs rather than of one. What that and the loss bring is measured in
experiments/families.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import numpy as np
import torch
from transformers import PrinterCallback, ProgressCallback

from textcls.config import SetFitConfig
from textcls.models.base import Listener, no_number
from textcls.models.callbacks import Tell
from textcls.models.devices import uses_bf16
from textcls.models.encoders import locate_encoder, quiet
from textcls.models.processors import quick_training

with warnings.catch_warnings():  # setfit changes the filters when it is imported
    import setfit
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from setfit.model_card import ModelCardCallback

_TEMPERATURE = 0.1
"""What cosines are divided by; Khosla et al. (2020) found 0.1 to be best."""

_FEWEST_PAIRS, _MOST_PAIRS = 8, 64
_TEXTS_A_PAIR = 12
"""A batch has a pair for every twelve texts, within bounds: where there are many, larger batches teach more (experiments/families)."""


def tune_encoder(settings: SetFitConfig, texts: list[str], label_ids: np.ndarray, listener: Listener) -> Any:
    """Train a copy of the settings' encoder on pairs.

    Args:
        settings: the encoder, and how to train.
        texts: what to learn from.
        label_ids: shape (n_texts,), the numbers of their labels.
        listener: told of curves and progress.

    Returns:
        the copy, in fp32.

    Raises:
        ModelError: the loss became NaN or infinite.
    """
    seed = settings.seed or 0
    source = locate_encoder(settings.encoder, download=settings.download)
    with _quiet(), TemporaryDirectory(prefix="textcls-") as folder:
        reader = Transformer(source, max_seq_length=settings.max_length, **_local(settings.download))
        body = SentenceTransformer(modules=[reader, Pooling(reader.get_embedding_dimension()), Normalize()])
        first, second = draw_pairs(label_ids, settings.pairs, seed=seed)
        batch_size = settings.batch_size or min(_MOST_PAIRS, max(_FEWEST_PAIRS, len(texts) // _TEXTS_A_PAIR))
        trainer = _Trainer(
            model=setfit.SetFitModel(model_body=body),
            args=setfit.TrainingArguments(
                output_dir=folder,
                batch_size=batch_size,
                num_epochs=settings.epochs,
                body_learning_rate=settings.learning_rate,
                seed=seed,
                report_to="none",
                save_strategy="no",
                logging_first_step=False,
                logging_steps=max(1, len(first) * settings.epochs // batch_size // 50),
                show_progress_bar=False,
            ),
            callbacks=[Tell(listener)],
        )
        trainer.pairs = datasets.Dataset.from_dict(
            {
                "sentence_1": [texts[number] for number in first],
                "sentence_2": [texts[number] for number in second],
                "label": label_ids[first],
            }
        )
        trainer.remove_callback(ProgressCallback)
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ModelCardCallback)
        trainer.st_trainer.args.dataloader_pin_memory = torch.accelerator.is_available()
        trainer.loss = _SupervisedContrast(body, bf16=uses_bf16(settings.precision), learning_rate=settings.learning_rate)
        with quick_training(reader.auto_model):
            trainer.train_embeddings(texts, label_ids.tolist())
    return reader.auto_model.eval()


def draw_pairs(label_ids: np.ndarray, count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pair each text `count` times with another of its label, or with itself if there is none.

    Args:
        label_ids: shape (n_texts,).
        count: pairs to draw for each text.
        seed: of the choice.

    Returns:
        the first and the second text's numbers: shape (n_texts * count,) each.
    """
    random = np.random.default_rng(seed)
    first = np.tile(np.arange(len(label_ids)), count)
    second = np.empty_like(first)
    for label in np.unique(label_ids):
        members, here = np.flatnonzero(label_ids == label), np.flatnonzero(label_ids[first] == label)
        further = random.integers(1, max(2, len(members)), size=len(here))
        second[here] = members[(np.searchsorted(members, first[here]) + further) % len(members)]
    return first, second


class _SupervisedContrast(torch.nn.Module):
    """The supervised contrastive loss (Khosla et al. 2020, L_out): of all others in a batch, texts of one label are to be the nearest."""

    def __init__(self, body: SentenceTransformer, *, bf16: bool, learning_rate: float) -> None:
        super().__init__()
        self.body, self.bf16, self.learning_rate = body, bf16, learning_rate

    def forward(self, sides: Sequence[dict[str, torch.Tensor]], label_ids: torch.Tensor) -> torch.Tensor:
        """Take the first and the second texts of pairs, tokenised, and the label of each pair."""
        # Around this step alone: until it is left, autocast goes on with the weights that it saw first.
        with torch.autocast(self.body.device.type, torch.bfloat16, enabled=self.bf16):
            embeddings = torch.cat([self.body(side)["sentence_embedding"].float() for side in sides])
        of_text = label_ids.repeat(len(sides))
        itself = torch.eye(len(of_text), dtype=torch.bool, device=of_text.device)
        alike = (of_text[:, None] == of_text) & ~itself
        nearness = (embeddings @ embeddings.T / _TEMPERATURE).masked_fill(itself, -torch.inf).log_softmax(dim=1)
        loss = -(nearness.masked_fill(~alike, 0).sum(dim=1) / alike.sum(dim=1)).mean()
        if not torch.isfinite(loss):
            raise no_number(self.learning_rate)
        return loss


class _Trainer(setfit.Trainer):
    """setfit's Trainer on pairs that are drawn already."""

    pairs: datasets.Dataset
    loss: torch.nn.Module

    def get_dataset(self, *texts_and_labels: Any, **options: Any) -> tuple[datasets.Dataset, torch.nn.Module]:
        return self.pairs, self.loss


def _local(download: bool) -> dict[str, Any]:
    """What keeps sentence-transformers from asking the hub."""
    options = {"local_files_only": not download}
    return {"model_kwargs": {**options, "use_safetensors": True}, "processor_kwargs": options, "config_kwargs": options}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep setfit, datasets and transformers from reporting, and give back their settings."""
    level = setfit.logging.get_verbosity()
    bars = datasets.are_progress_bars_disabled()
    setfit.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        with quiet():
            yield
    finally:
        setfit.logging.set_verbosity(level)
        if not bars:
            datasets.enable_progress_bars()
