"""Fine-tune a model on encoded rows by Hugging Face's Trainer, such that a run that was killed goes on where it was.

What rows are, and which model, is up to `transformer`.
"""

from __future__ import annotations

import logging
import math
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import load_file
from sklearn.metrics import f1_score
from torch.utils.data import DataLoader, Sampler
from transformers import (
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from textcls.config import TransformerConfig
from textcls.errors import ModelError
from textcls.models.base import Listener
from textcls.models.callbacks import BEST, COMPLETE, KeepBest, Save, Tell, damaged_files
from textcls.models.devices import uses_bf16
from textcls.torchrun import world_size

logger = logging.getLogger(__name__)

PREDICTION_BATCH = 64
_MEGA_BATCH = 50
_FEWEST_MEGA_BATCHES = 4


class NotFiniteError(Exception):
    """The loss became NaN or infinite."""


def fine_tune(
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    settings: TransformerConfig,
    *,
    train: Sequence[Mapping[str, Any]],
    validation: Sequence[Mapping[str, Any]] | None,
    loss: Any,
    listener: Listener,
    folder: Path,
) -> torch.nn.Module:
    """Train a model in place.

    Args:
        model: a model whose outputs have `logits`, shape (batch, n_labels).
        tokenizer: pads the rows.
        settings: how to train.
        train: encoded rows with `labels`.
        validation: encoded rows to choose the epoch by, and to stop early on.
        loss: a function of logits and labels (numbers, or shares of each), summed over the batch.
        listener: told of curves and progress.
        folder: for checkpoints; if it holds one of the same training that is not damaged, that is gone on from. Emptied at the end.

    Returns:
        the model with the weights of the epoch with the best macro-F1 on `validation`, or the last weights without it.

    Raises:
        NotFiniteError: the loss became NaN or infinite.
        ModelError: the processes under `torchrun` cannot share a batch evenly.
    """
    folder.mkdir(parents=True, exist_ok=True)
    callbacks: list[TrainerCallback] = [Tell(listener)]
    if validation is not None:
        callbacks.append(KeepBest(folder, settings.patience))
    if world_size() == 1:  # several processes would not save at the same step
        callbacks.append(Save(listener))
    trainer = _Trainer(
        model=model,
        args=_arguments(settings, folder, rows=len(train), validate=validation is not None),
        # A GPU's products are quickest with lengths in eights; a processor's, in bf16, take numbers in pairs.
        data_collator=DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8 if torch.accelerator.is_available() else 2),
        train_dataset=train,
        # By length, so that little is padded; what is measured does not depend on the order.
        eval_dataset=None if validation is None else sorted(validation, key=lambda row: len(row["input_ids"])),
        compute_loss_func=_checked(loss),
        compute_metrics=_macro_f1,
        callbacks=callbacks,
        settings=settings,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
    # Without the Trainer's wrapper, which would go on computing in bf16: predictions are made in fp32.
    trained: torch.nn.Module = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    if (folder / BEST).is_file():
        trained.load_state_dict(load_file(folder / BEST))
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return trained.eval()


class LengthBatches(Sampler[list[int]]):
    """Batches of rows of similar length, in an order that depends on the seed and the epoch only.

    Rows are shuffled, sorted by length within up to 50 batches' worth of them, and the batches shuffled again. Transformers'
    own sampler leaves the batches sorted, so that every epoch ends on the shortest texts, and forgets its order when a
    run is resumed.

    Args:
        lengths: of each row, in tokens.
        batch_size: rows a batch; one batch may hold fewer.
        seed: of the order.
        short_last: whether that one comes last. Accelerate, which deals the batches out to processes, wants it so: it leaves out those
            that it would deal out together with a short one before the last.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, *, short_last: bool = False) -> None:
        self.lengths, self.batch_size, self.seed, self.short_last = np.asarray(lengths), batch_size, seed, short_last
        self.drop_last = False  # which accelerate asks for
        self.epoch = 0

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng((self.seed, self.epoch))
        rows = random.permutation(len(self.lengths))
        # Where rows are few, sorting all of them would bring texts of one length, and often of one label, together.
        size = self.batch_size * min(_MEGA_BATCH, max(1, len(self) // _FEWEST_MEGA_BATCHES))
        batches = []
        for start in range(0, len(rows), size):
            mega = rows[start : start + size]
            mega = mega[np.argsort(self.lengths[mega], kind="stable")]
            batches += [mega[at : at + self.batch_size].tolist() for at in range(0, len(mega), self.batch_size)]
        batches = [batches[number] for number in random.permutation(len(batches))]
        return iter(sorted(batches, key=len, reverse=True) if self.short_last else batches)

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; the Trainer does."""
        self.epoch = epoch


class _Trainer(Trainer):
    """The Trainer with batches by length, and an optimizer with a learning rate a layer."""

    def __init__(self, *, settings: TransformerConfig, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.settings = settings

    def get_train_dataloader(self) -> DataLoader[Any]:
        rows: Any = self.train_dataset
        # Of several GPUs in one process, which share it too, the Trainer's own number would be that of all their texts.
        size = _share(self.settings.batch_size)
        lengths = [len(row["input_ids"]) for row in rows]
        batches = LengthBatches(lengths, size, self.args.seed, short_last=self.accelerator.num_processes > 1)
        loader = DataLoader(rows, batch_sampler=batches, collate_fn=self.data_collator)
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        groups = _parameter_groups(self.model, self.settings)
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(groups, lr=self.settings.learning_rate, fused=True)
        return self.optimizer


def _parameter_groups(model: Any, settings: TransformerConfig) -> list[dict[str, Any]]:
    """Group what is trained by learning rate, which falls by `layer_decay` from each layer to the one below, and by weight decay."""
    layers: int = model.config.num_hidden_layers
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            height = layer_of(name)
            depth = 0 if height is None else layers + 1 - height
            rate = settings.learning_rate * settings.layer_decay**depth
            # As everywhere, neither biases nor the scales of layer norms are drawn to zero.
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]


def layer_of(parameter: str) -> int | None:
    """Tell the layer of an encoder's parameter by its name: 0 for the embeddings, from 1 on for the layers, None for the head."""
    if "embeddings" in parameter:
        return 0
    found = re.search(r"\.(?:layers?|h|block)\.(\d+)\.", parameter)
    return int(found[1]) + 1 if found else None


def _arguments(settings: TransformerConfig, folder: Path, *, rows: int, validate: bool) -> TrainingArguments:
    steps = math.ceil(math.ceil(rows / settings.batch_size) / settings.gradient_accumulation * settings.epochs)
    gpu = torch.accelerator.is_available()
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=_share(settings.batch_size),
        per_device_eval_batch_size=PREDICTION_BATCH,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=int(settings.warmup * steps),
        use_cpu=not gpu,
        bf16=uses_bf16(settings.precision),
        eval_strategy="epoch" if validate else "no",
        save_strategy="no",  # callbacks.Save says when
        save_total_limit=1,
        logging_steps=max(1, steps // 50),
        logging_nan_inf_filter=False,
        dataloader_pin_memory=gpu,
        seed=settings.seed or 0,
        data_seed=settings.seed or 0,
        ddp_find_unused_parameters=False,
        report_to=[],
        disable_tqdm=True,
    )


def _share(batch_size: int) -> int:
    """How many texts of a batch each process under `torchrun` takes.

    Raises:
        ModelError: they cannot take equally many.
    """
    processes = world_size()
    if batch_size % processes:
        raise ModelError(
            f"model.batch_size is {batch_size}, which {processes} processes cannot share evenly; set it to a multiple of {processes}"
        )
    return batch_size // processes


def _checked(loss: Any) -> Any:
    """Stop at the first loss that is no number, in any process: from there on every weight would be none."""

    def checked(outputs: Any, labels: torch.Tensor, num_items_in_batch: int | None = None) -> torch.Tensor:
        # The Trainer sums up over the batches of a step and over processes, and says how many labels these hold in all; of a row
        # that is to be learnt in shares, it takes each share for a label.
        rows = len(labels) if num_items_in_batch is None else num_items_in_batch * len(labels) / labels.numel()
        value: torch.Tensor = loss(outputs["logits"].float(), labels) / rows
        finite = torch.isfinite(value).int()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            # All processes stop, or those whose own loss is a number would wait for the others for ever.
            torch.distributed.all_reduce(finite, torch.distributed.ReduceOp.MIN)
        if not finite:
            raise NotFiniteError
        return value

    return checked


def _macro_f1(evaluation: transformers.EvalPrediction) -> dict[str, float]:
    predicted = np.asarray(evaluation.predictions).argmax(axis=1)
    return {"macro_f1": float(f1_score(np.asarray(evaluation.label_ids), predicted, average="macro", zero_division=0))}


def _last_checkpoint(folder: Path) -> str | None:
    """Find the newest checkpoint that was written to its end and is whole, and remove what is not."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    whole = []
    for path in found:
        written = (path / COMPLETE).exists()
        damaged = damaged_files(path) if written else []
        if damaged:
            names = ", ".join(damaged)
            logger.warning("%s: gone or damaged: %s; the fit goes on from an earlier checkpoint or begins anew", path, names)
        if written and not damaged:
            whole.append(path)
        else:
            shutil.rmtree(path)
    return str(whole[-1]) if whole else None
