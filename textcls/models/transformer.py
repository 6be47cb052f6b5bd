"""Fine-tune a pretrained encoder with a classification head; `finetuning` has the training itself."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self

import numpy as np
import torch
import transformers
from sklearn.utils.class_weight import compute_class_weight
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

from textcls.config import LoraConfig, TransformerConfig
from textcls.errors import DataError, ModelError, did_you_mean
from textcls.models.base import Listener, TextClassifier, Texts, check_texts, check_training, neighbours
from textcls.models.dropout import replace_dropout
from textcls.models.encoders import locate_encoder, missing_encoder
from textcls.models.finetuning import PREDICTION_BATCH, NotFiniteError, computes_in_bf16, fine_tune, layer_of

logger = logging.getLogger(__name__)

_DEFAULT = TransformerConfig(kind="transformer")
_OVERLAP = 0.25
"""Share of a window that the next one reads again."""


class TransformerClassifier(TextClassifier):
    """An encoder fine-tuned as a whole or in part. The parameters are those of `config.TransformerConfig`."""

    kind: ClassVar[str] = "transformer"
    uses_validation: ClassVar[bool] = True

    def __init__(
        self,
        *,
        encoder: str = _DEFAULT.encoder,
        download: bool = _DEFAULT.download,
        max_length: int = _DEFAULT.max_length,
        long_texts: str = _DEFAULT.long_texts,
        epochs: float = _DEFAULT.epochs,
        batch_size: int = _DEFAULT.batch_size,
        gradient_accumulation: int = _DEFAULT.gradient_accumulation,
        learning_rate: float = _DEFAULT.learning_rate,
        layer_decay: float = _DEFAULT.layer_decay,
        frozen_layers: int | None = _DEFAULT.frozen_layers,
        lora: Mapping[str, Any] | None = None,
        schedule: str = _DEFAULT.schedule,
        warmup: float = _DEFAULT.warmup,
        weight_decay: float = _DEFAULT.weight_decay,
        dropout: float = _DEFAULT.dropout,
        label_smoothing: float = _DEFAULT.label_smoothing,
        class_weight: str | None = _DEFAULT.class_weight,
        patience: int = _DEFAULT.patience,
        precision: str = _DEFAULT.precision,
        context: Mapping[str, int] | None = None,
        seed: int | None = _DEFAULT.seed,
    ) -> None:
        self.encoder = encoder
        self.download = download
        self.max_length = max_length
        self.long_texts = long_texts
        self.epochs = epochs
        self.batch_size = batch_size
        self.gradient_accumulation = gradient_accumulation
        self.learning_rate = learning_rate
        self.layer_decay = layer_decay
        self.frozen_layers = frozen_layers
        self.lora = lora
        self.schedule = schedule
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.label_smoothing = label_smoothing
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
        checkpoints: Path | None = None,
    ) -> Self:
        """Fine-tune the encoder; see `TextClassifier.fit`.

        With validation rows the weights of the epoch with the best macro-F1 on them are kept, and training stops when
        `patience` epochs have brought nothing better; without, it runs for all `epochs`. A loss that is no number in bf16
        starts the training again in fp32.

        Raises:
            DataError: as `TextClassifier.fit`, or a validation label is none of the training labels.
            ModelError: the encoder is not at hand, reads fewer tokens than `max_length`, or the loss became no number.
        """
        _, classes, label_ids = check_training(texts, labels)
        held_out = None
        if validation is not None and len(validation[0]):
            held_out = validation[0], _check_validation(*validation, classes.tolist())
        with TemporaryDirectory(prefix="textcls-") if checkpoints is None else nullcontext(str(checkpoints)) as folder:
            arguments = (texts, classes, label_ids, held_out, listener or Listener(), Path(folder))
            try:
                self.model_ = self._fine_tune(self.precision, *arguments)
            except NotFiniteError:
                if self.precision != "fp32" and (self.precision == "bf16" or computes_in_bf16()):
                    logger.warning("the loss became no number in bf16; training starts again in fp32")
                    try:
                        self.model_ = self._fine_tune("fp32", *arguments)
                    except NotFiniteError:
                        raise self._no_number() from None
                else:
                    raise self._no_number() from None
        self.classes_ = classes
        return self

    def predict_proba(self, texts: Texts) -> np.ndarray:
        """Estimate each label's probability; see `TextClassifier.predict_proba`. Texts of similar length go together."""
        self._check_fitted()
        windows, text_of = self._encode(texts)
        collate = DataCollatorWithPadding(self.tokenizer_)
        order = sorted(range(len(windows)), key=lambda number: len(windows[number]["input_ids"]))
        logits = torch.empty((len(windows), len(self.classes_)), dtype=torch.float64)
        with torch.inference_mode():
            for start in range(0, len(order), PREDICTION_BATCH):
                numbers = order[start : start + PREDICTION_BATCH]
                batch = collate([windows[number] for number in numbers]).to(self.model_.device)
                logits[numbers] = self.model_(**batch).logits.double().cpu()
        of_texts = torch.zeros((len(texts), len(self.classes_)), dtype=torch.float64)
        of_texts.index_add_(0, torch.tensor(text_of, dtype=torch.int64), logits)
        windows_of = np.bincount(text_of, minlength=len(texts)).reshape(-1, 1)
        probabilities: np.ndarray = (of_texts / torch.from_numpy(windows_of)).softmax(dim=-1).numpy()
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

    # --- training ---------------------------------------------------------------------------------------------------

    def _fine_tune(
        self,
        precision: str,
        texts: Texts,
        classes: np.ndarray,
        label_ids: np.ndarray,
        held_out: tuple[Texts, Sequence[int]] | None,
        listener: Listener,
        folder: Path,
    ) -> Any:
        settings = TransformerConfig(kind="transformer", **{**self.get_params(deep=False), "precision": precision})
        transformers.set_seed(settings.seed or 0)  # the head's first weights
        model = self._load(classes)
        train = self._labelled(texts, label_ids)
        self._warn_of_cut(train, len(texts))
        weights = None
        if self.class_weight is not None:
            balanced = compute_class_weight(self.class_weight, classes=np.arange(len(classes)), y=label_ids)
            weights = torch.tensor(balanced, dtype=torch.float32)
        if settings.lora is not None:
            model = _with_adapters(model, settings.lora)
        for name, parameter in model.named_parameters():
            layer = layer_of(name)
            if settings.frozen_layers is not None and layer is not None and layer <= settings.frozen_layers:
                parameter.requires_grad_(False)
        attention = model.config._attn_implementation
        if not torch.accelerator.is_available():
            replace_dropout(model)
            # On processors PyTorch's fused attention takes twice as long as the plain one, in bf16 and with its gradient.
            model.set_attn_implementation("eager")

        def loss(logits: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
            weight = None if weights is None else weights.to(logits.device)
            return torch.nn.functional.cross_entropy(
                logits, true, weight=weight, label_smoothing=settings.label_smoothing, reduction="sum"
            )

        with _quiet():
            trained: Any = fine_tune(
                model,
                self.tokenizer_,
                settings,
                train=train,
                validation=None if held_out is None else self._labelled(*held_out),
                loss=loss,
                listener=listener,
                folder=folder,
            )
        if settings.lora is not None:
            trained = trained.merge_and_unload()
        trained.set_attn_implementation(attention)
        return trained

    def _load(self, classes: np.ndarray) -> Any:
        """Load the encoder with a new head, and its tokenizer."""
        source = locate_encoder(self.encoder, download=self.download)
        local = {"local_files_only": not self.download}
        with _quiet():
            try:
                self.tokenizer_ = AutoTokenizer.from_pretrained(source, **local)
                config = AutoConfig.from_pretrained(
                    source,
                    num_labels=len(classes),
                    id2label=dict(enumerate(map(str, classes))),
                    label2id={str(label): number for number, label in enumerate(classes)},
                    **local,
                )
                for name in ("hidden_dropout_prob", "dropout", "classifier_dropout"):
                    if hasattr(config, name):
                        setattr(config, name, self.dropout)
                for name in ("attention_probs_dropout_prob", "attention_dropout"):
                    if hasattr(config, name):
                        setattr(config, name, 0.0)
                model = AutoModelForSequenceClassification.from_pretrained(
                    source, config=config, use_safetensors=True, dtype=torch.float32, **local
                )
            except (OSError, ValueError) as error:
                raise missing_encoder(self.encoder, download=self.download) from error
        longest = getattr(config, "max_position_embeddings", None)
        if longest is not None and self.max_length > longest:
            raise ModelError(
                f"model.max_length is {self.max_length}, but encoder {self.encoder} reads at most {longest} tokens; lower it"
            )
        return model

    def _encode(self, texts: Texts) -> tuple[list[dict[str, Any]], list[int]]:
        """Turn texts into windows of token ids, one each unless `long_texts` are read in windows.

        Returns:
            the windows; the number of the text that each is of.
        """
        checked = check_texts(texts)
        if not checked:
            return [], []
        sides = neighbours(texts, self.context)
        windows = self.long_texts == "windows"
        encoded = self.tokenizer_(
            checked,
            [f" {self.tokenizer_.sep_token} ".join(around) for around in zip(*sides.values(), strict=True)] if sides else None,
            # Of a text and its neighbours the longer one is cut first.
            truncation="only_first" if windows else True,
            max_length=self.max_length,
            return_overflowing_tokens=windows,
            stride=int(self.max_length * _OVERLAP) if windows else 0,
        )
        text_of = encoded.pop("overflow_to_sample_mapping", list(range(len(checked))))
        rows = [{name: values[number] for name, values in encoded.items()} for number in range(len(text_of))]
        return rows, text_of

    def _labelled(self, texts: Texts, label_ids: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
        windows, text_of = self._encode(texts)
        return [{**window, "labels": int(label_ids[number])} for window, number in zip(windows, text_of, strict=True)]

    def _warn_of_cut(self, rows: Sequence[Mapping[str, Any]], texts: int) -> None:
        cut = sum(len(row["input_ids"]) == self.max_length for row in rows)
        if cut and self.long_texts == "truncate":
            logger.warning(
                "%d of %d training texts reach model.max_length (%d tokens); what is longer is cut", cut, texts, self.max_length
            )

    def _no_number(self) -> ModelError:
        return ModelError(
            f"the training loss became no number (NaN or infinite); lower model.learning_rate, which is {self.learning_rate:g}"
        )


def _with_adapters(model: Any, lora: LoraConfig) -> Any:
    try:
        import peft
    except ModuleNotFoundError as error:
        raise ModelError("model.lora needs peft; install it with: pip install 'textcls[lora]'") from error

    adapters = peft.LoraConfig(
        task_type=peft.TaskType.SEQ_CLS,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that is given up
        return peft.get_peft_model(model, adapters)


def _check_validation(texts: Texts, labels: Sequence[str], classes: list[str]) -> list[int]:
    check_texts(texts)
    if len(texts) != len(labels):
        raise DataError(f"expected a label for each validation text, found {len(texts)} texts and {len(labels)} labels")
    for label in labels:
        if label not in classes:
            raise DataError(f"validation label {label!r} is none of the training labels; {did_you_mean(str(label), classes)}")
    return [classes.index(label) for label in labels]


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
