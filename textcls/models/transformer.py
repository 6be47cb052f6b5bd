"""Fine-tune a pretrained encoder with a classification head, by Hugging Face's Trainer."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self

import numpy as np
import torch
import transformers
from sklearn.metrics import f1_score
from sklearn.utils.class_weight import compute_class_weight
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from textcls.config import TransformerConfig
from textcls.errors import DataError, ModelError, did_you_mean
from textcls.models.base import Listener, TextClassifier, Texts, check_texts, check_training
from textcls.models.encoders import locate_encoder, missing_encoder

logger = logging.getLogger(__name__)

_DEFAULT = TransformerConfig(kind="transformer")
_PREDICTION_BATCH = 64


class TransformerClassifier(TextClassifier):
    """An encoder fine-tuned as a whole. The parameters are those of `config.TransformerConfig`."""

    kind: ClassVar[str] = "transformer"
    uses_validation: ClassVar[bool] = True

    def __init__(
        self,
        *,
        encoder: str = _DEFAULT.encoder,
        download: bool = _DEFAULT.download,
        max_length: int = _DEFAULT.max_length,
        epochs: float = _DEFAULT.epochs,
        batch_size: int = _DEFAULT.batch_size,
        learning_rate: float = _DEFAULT.learning_rate,
        schedule: str = _DEFAULT.schedule,
        warmup: float = _DEFAULT.warmup,
        weight_decay: float = _DEFAULT.weight_decay,
        class_weight: str | None = _DEFAULT.class_weight,
        patience: int = _DEFAULT.patience,
        precision: str = _DEFAULT.precision,
        context: Mapping[str, int] | None = None,
        seed: int | None = _DEFAULT.seed,
    ) -> None:
        self.encoder = encoder
        self.download = download
        self.max_length = max_length
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.class_weight = class_weight
        self.patience = patience
        self.precision = precision
        self.context = context
        self.seed = seed

    def fit(
        self,
        texts: Texts,
        labels: Sequence[str],
        *,
        validation: tuple[Texts, Sequence[str]] | None = None,
        listener: Listener | None = None,
    ) -> Self:
        """Fine-tune the encoder; see `TextClassifier.fit`.

        With validation rows the weights of the epoch with the best macro-F1 on them are kept, and training stops when
        `patience` epochs have brought nothing better; without, it runs for all `epochs`.

        Raises:
            DataError: as `TextClassifier.fit`, or a validation label is none of the training labels.
            ModelError: the encoder is not at hand, or reads fewer tokens than `max_length`.
        """
        checked, classes, label_ids = check_training(texts, labels)
        seed = 0 if self.seed is None else self.seed
        transformers.set_seed(seed)  # the head's first weights
        source = locate_encoder(self.encoder, download=self.download)
        with _quiet():
            try:
                tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=not self.download)
                model = AutoModelForSequenceClassification.from_pretrained(
                    source,
                    num_labels=len(classes),
                    id2label=dict(enumerate(map(str, classes))),
                    label2id={str(label): number for number, label in enumerate(classes)},
                    local_files_only=not self.download,
                    use_safetensors=True,
                    dtype=torch.float32,
                )
            except (OSError, ValueError) as error:
                raise missing_encoder(self.encoder, download=self.download) from error
        longest = getattr(model.config, "max_position_embeddings", None)
        if longest is not None and self.max_length > longest:
            raise ModelError(
                f"model.max_length is {self.max_length}, but encoder {self.encoder} reads at most {longest} tokens; lower it"
            )
        self.tokenizer_ = tokenizer
        train = self._encode(checked, label_ids)
        held_out = None
        if validation is not None and len(validation[0]):
            held_out = self._encode(*_check_validation(*validation, classes.tolist()))
        cut = sum(len(row["input_ids"]) == self.max_length for row in train)
        if cut:
            logger.warning(
                "%d of %d training texts reach model.max_length (%d tokens); what is longer is cut",
                cut,
                len(train),
                self.max_length,
            )
        weights = None
        if self.class_weight is not None:
            balanced = compute_class_weight(self.class_weight, classes=np.arange(len(classes)), y=label_ids)
            weights = torch.tensor(balanced, dtype=torch.float32)
        with TemporaryDirectory(prefix="textcls-") as folder:
            trainer = Trainer(
                model=model,
                args=self._arguments(folder, seed, early=held_out is not None, rows=len(train)),
                data_collator=DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8),
                train_dataset=train,
                eval_dataset=held_out,
                compute_loss_func=_weighted_loss(weights),
                compute_metrics=_macro_f1,
                callbacks=[_Tell(listener or Listener())],
            )
            trainer.remove_callback(PrinterCallback)
            if held_out is not None:
                trainer.add_callback(EarlyStoppingCallback(early_stopping_patience=self.patience))
            with _quiet():
                trainer.train()
        # Without the Trainer's wrapper, which would go on computing in bf16: predictions are made in fp32.
        self.model_ = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
        self.classes_ = classes
        return self

    def predict_proba(self, texts: Texts) -> np.ndarray:
        """Estimate each label's probability; see `TextClassifier.predict_proba`. Texts of similar length go together."""
        self._check_fitted()
        rows = self._encode(check_texts(texts))
        collate = DataCollatorWithPadding(self.tokenizer_)
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]["input_ids"]))
        probabilities = np.empty((len(rows), len(self.classes_)))
        with torch.inference_mode():
            for start in range(0, len(order), _PREDICTION_BATCH):
                numbers = order[start : start + _PREDICTION_BATCH]
                batch = collate([rows[number] for number in numbers]).to(self.model_.device)
                probabilities[numbers] = self.model_(**batch).logits.double().softmax(dim=-1).cpu().numpy()
        return probabilities

    def write(self, folder: Path) -> None:
        """Write the encoder with its head as `model.safetensors`, its `config.json`, and the tokenizer's files."""
        with _quiet():
            self.model_.save_pretrained(folder)
        self.tokenizer_.save_pretrained(folder)

    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left; see `TextClassifier.read`."""
        with _quiet():
            self.tokenizer_ = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self.model_ = AutoModelForSequenceClassification.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            ).eval()
        found = [self.model_.config.id2label[number] for number in range(self.model_.config.num_labels)]
        if found != list(labels):
            raise ModelError(f"{folder}: expected weights for the labels {', '.join(labels)}, found {', '.join(found)}")
        self.classes_ = np.array(labels)
        return self

    def _encode(self, texts: Sequence[str], label_ids: Sequence[int] | np.ndarray | None = None) -> list[dict[str, Any]]:
        if not texts:
            return []
        encoded = self.tokenizer_(list(texts), truncation=True, max_length=self.max_length)
        rows = [{name: values[number] for name, values in encoded.items()} for number in range(len(texts))]
        if label_ids is not None:
            for row, label_id in zip(rows, label_ids, strict=True):
                row["labels"] = int(label_id)
        return rows

    def _arguments(self, folder: str, seed: int, *, early: bool, rows: int) -> TrainingArguments:
        steps = int(np.ceil(rows / self.batch_size) * self.epochs)
        return TrainingArguments(
            output_dir=folder,
            num_train_epochs=self.epochs,
            per_device_train_batch_size=self.batch_size,
            per_device_eval_batch_size=_PREDICTION_BATCH,
            train_sampling_strategy="group_by_length",
            learning_rate=self.learning_rate,
            lr_scheduler_type=self.schedule,
            warmup_steps=int(self.warmup * steps),
            weight_decay=self.weight_decay,
            use_cpu=not torch.accelerator.is_available(),
            bf16=self.precision == "bf16" or (self.precision == "auto" and computes_in_bf16()),
            eval_strategy="epoch" if early else "no",
            save_strategy="epoch" if early else "no",
            save_total_limit=1,
            save_only_model=True,
            load_best_model_at_end=early,
            metric_for_best_model="macro_f1",
            logging_steps=max(1, steps // 50),
            dataloader_pin_memory=torch.accelerator.is_available(),
            seed=seed,
            data_seed=seed,
            report_to=[],
            disable_tqdm=True,
        )


def computes_in_bf16() -> bool:
    """Whether this machine's GPU or, without one, its processor has instructions for bf16."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def _check_validation(texts: Texts, labels: Sequence[str], classes: list[str]) -> tuple[list[str], list[int]]:
    checked = check_texts(texts)
    if len(checked) != len(labels):
        raise DataError(f"expected a label for each validation text, found {len(checked)} texts and {len(labels)} labels")
    for label in labels:
        if label not in classes:
            raise DataError(f"validation label {label!r} is none of the training labels; {did_you_mean(str(label), classes)}")
    return checked, [classes.index(label) for label in labels]


def _weighted_loss(weights: torch.Tensor | None) -> Any:
    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: int | None = None) -> torch.Tensor:
        logits = outputs["logits"].float()
        weight = None if weights is None else weights.to(logits.device)
        return torch.nn.functional.cross_entropy(logits, labels, weight=weight)

    return loss


def _macro_f1(evaluation: transformers.EvalPrediction) -> dict[str, float]:
    predicted = np.asarray(evaluation.predictions).argmax(axis=1)
    return {"macro_f1": float(f1_score(evaluation.label_ids, predicted, average="macro", zero_division=0))}


class _Tell(TrainerCallback):
    """Pass the Trainer's curves and steps on to a listener."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        names = {
            "loss": "train/loss",
            "learning_rate": "train/learning_rate",
            "eval_loss": "eval/loss",
            "eval_macro_f1": "eval/macro_f1",
        }
        for name, value in (logs or {}).items():
            if name in names:
                self.listener.metric(names[name], value, state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.listener.progress(state.global_step, state.max_steps)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from reporting what is meant: a new head, a bar for every load."""
    level, bars = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)
        if bars:
            transformers.logging.enable_progress_bar()
