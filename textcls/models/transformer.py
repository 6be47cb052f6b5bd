"""Fine-tune a pretrained encoder with a classification head; `finetuning` has the training itself."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self

import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

from textcls.config import LoraConfig, TransformerConfig
from textcls.errors import ModelError
from textcls.models.attributions import attribute_tokens, weigh_words
from textcls.models.base import Weighed, no_number, ranked
from textcls.models.configured import ConfiguredClassifier, Lesson
from textcls.models.devices import arithmetic, best_device, uses_bf16
from textcls.models.distillation import soften
from textcls.models.encoders import (
    load_tokenizer,
    loading,
    locate_encoder,
    one_at_a_time,
    quiet,
    warn_of_cuts,
    write_encoder,
)
from textcls.models.finetuning import PREDICTION_BATCH, NotFiniteError, fine_tune, layer_of
from textcls.models.inputs import Labels, Texts, check_texts, label_weights, neighbours
from textcls.models.processors import quick_training, read_first_token_alone

logger = logging.getLogger(__name__)

_OVERLAP = 0.25
"""Share of a window that the next one reads again."""


class TransformerClassifier(ConfiguredClassifier[TransformerConfig]):
    """An encoder fine-tuned as a whole or in part. The parameters are those of `config.TransformerConfig`.

    With validation rows the weights of the epoch with the best macro-F1 on them are kept, and training stops when
    `patience` epochs have brought nothing better; without, it runs for all `epochs`. A loss that is no number in bf16
    starts the training again in fp32. Under `torchrun`, processes that cannot share a batch evenly are a `ModelError`.
    """

    kind: ClassVar[str] = "transformer"
    uses_validation: ClassVar[bool] = True

    @one_at_a_time
    def explain(self, texts: Texts, labels: Labels, others: Labels) -> list[list[Weighed]] | None:
        """Attribute the log odds to words by integrated gradients; see `TextClassifier.explain` and `attributions`.

        None from the few encoders whose tokenizers do not say where a token stands.
        """
        self._check_fitted()
        if not self.tokenizer_.is_fast:
            return None
        checked = check_texts(texts)
        columns = self._column_pairs(checked, labels, others)
        windows, text_of = self._encode(texts, places=True)
        sides = neighbours(texts, self.context)
        parts = [
            self._parts(text, {side: sentences[number] for side, sentences in sides.items()})
            for number, text in enumerate(checked)
        ]
        pieces: list[list[Weighed]] = [[] for _ in columns]
        for window, number in zip(windows, text_of, strict=True):
            offsets, sequences = window.pop("offset_mapping"), window.pop("sequence_ids")
            label, other = columns[number]

            def odds(output: Any, _: torch.Tensor, label: int = label, other: int = other) -> torch.Tensor:
                difference: torch.Tensor = output.logits[:, label] - output.logits[:, other]
                return difference

            padding = self.tokenizer_.pad_token_id or 0
            weights = attribute_tokens(self.model_, window, odds, padding=padding) / text_of.count(number)
            for part, (sequence, start, text) in parts[number].items():
                of_part = [row[1:] for row in zip(sequences, offsets, weights, strict=True) if row[0] == sequence]
                pieces[number] += weigh_words(text, of_part, part, start=start)
        return [ranked(its) for its in pieces]

    def write(self, folder: Path) -> None:
        """Write the encoder with its head as `model.safetensors`, its `config.json`, and the tokenizer's files."""
        write_encoder(self.model_, self.tokenizer_, folder)

    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left; see `TextClassifier.read`."""
        with quiet():
            self.tokenizer_ = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        read_first_token_alone(model)
        self.model_ = model.eval().to(best_device())
        found = [self.model_.config.id2label[number] for number in range(self.model_.config.num_labels)]
        if found != list(labels):
            raise ModelError(f"{folder}: expected weights for the labels {', '.join(labels)}, found {', '.join(found)}")
        self.classes_ = np.array(labels)
        return self

    @one_at_a_time
    def _probabilities(self, texts: Texts) -> np.ndarray:
        # Texts of similar length go together.
        windows, text_of = self._encode(texts)
        collate = DataCollatorWithPadding(self.tokenizer_)
        order = sorted(range(len(windows)), key=lambda number: len(windows[number]["input_ids"]))
        logits = torch.empty((len(windows), len(self.classes_)), dtype=torch.float64)
        with torch.inference_mode():
            for start in range(0, len(order), PREDICTION_BATCH):
                numbers = order[start : start + PREDICTION_BATCH]
                batch = collate([windows[number] for number in numbers]).to(self.model_.device)
                logits[numbers] = self.model_(**batch).logits.cpu().double()
        of_texts = torch.zeros((len(texts), len(self.classes_)), dtype=torch.float64)
        of_texts.index_add_(0, torch.tensor(text_of, dtype=torch.int64), logits)
        windows_of = np.bincount(text_of, minlength=len(texts)).reshape(-1, 1)
        probabilities: np.ndarray = (of_texts / torch.from_numpy(windows_of)).softmax(dim=-1).numpy()
        return probabilities

    # --- training ---------------------------------------------------------------------------------------------------

    def _learn(self, lesson: Lesson) -> None:
        """Fine-tune the encoder, after its teachers if it is to have any."""
        given, distillation = lesson.checkpoints, self.settings.distillation
        with TemporaryDirectory(prefix="textcls-") if given is None else nullcontext(given) as name:
            folder = Path(name)
            teachers = folder / "teachers"
            if distillation is not None:
                seed, epochs = self.settings.seed or 0, self.settings.epochs
                lesson = soften(lesson, distillation, self._teach, seed=seed, epochs=epochs, folder=teachers)
            self._train(lesson, folder)
            shutil.rmtree(teachers, ignore_errors=True)

    def _teach(self, lesson: Lesson, texts: Texts, epochs: float, folder: Path) -> np.ndarray:
        """Let another model learn, and say what it makes of texts; see `distillation.soften`."""
        teacher = type(self)(**self.get_params() | {"distillation": None, "epochs": epochs})
        teacher._train(lesson, folder)
        teacher.classes_ = lesson.classes
        return teacher._probabilities(texts)

    def _train(self, lesson: Lesson, folder: Path) -> None:
        """Fine-tune the encoder, in fp32 where bf16 fails."""
        settings = self.settings
        attempts = ["bf16", "fp32"] if uses_bf16(settings.precision) else ["fp32"]
        for precision in attempts:
            place = folder / precision
            try:
                self.model_ = self._fine_tune(precision, lesson, place)
                break
            except NotFiniteError:
                shutil.rmtree(place)
                if precision == attempts[-1]:
                    raise no_number(settings.learning_rate) from None
                logger.warning("the loss became NaN or infinite in bf16; training starts again in fp32")
        self.arithmetic = arithmetic(self.model_, bf16=precision == "bf16")

    def _fine_tune(self, precision: str, lesson: Lesson, folder: Path) -> Any:
        settings = self.settings.model_copy(update={"precision": precision})
        transformers.set_seed(settings.seed or 0)  # the head's first weights
        model = self._load(lesson.classes)
        shares = lesson.shares
        certain = (shares.max(axis=1) == 1).all()
        train = self._labelled(lesson.texts, shares.argmax(axis=1) if certain else shares)
        if settings.long_texts == "truncate":
            warn_of_cuts([len(row["input_ids"]) for row in train], settings.max_length)
        weights = torch.tensor(label_weights(shares, settings.class_weight), dtype=torch.float32)
        if settings.lora is not None:
            model = _with_adapters(model, settings.lora)
        if (settings.frozen_layers or 0) > model.config.num_hidden_layers:
            raise ModelError(
                f"model.frozen_layers is {settings.frozen_layers}, but encoder {settings.encoder} has {model.config.num_hidden_layers} layers"
            )
        for name, parameter in model.named_parameters():
            layer = layer_of(name)
            if settings.frozen_layers is not None and layer is not None and layer <= settings.frozen_layers:
                parameter.requires_grad_(False)

        def loss(logits: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(
                logits, true, weight=weights.to(logits.device), label_smoothing=settings.label_smoothing, reduction="sum"
            )

        with quiet(), quick_training(model):
            trained: Any = fine_tune(
                model,
                self.tokenizer_,
                settings,
                train=train,
                validation=None if lesson.held_out is None else self._labelled(*lesson.held_out),
                loss=loss,
                listener=lesson.listener,
                folder=folder,
            )
        return trained.merge_and_unload() if settings.lora is not None else trained

    def _load(self, classes: np.ndarray) -> Any:
        """Load the encoder with a new head, and its tokenizer."""
        settings = self.settings
        self.tokenizer_ = load_tokenizer(settings.encoder, download=settings.download, max_length=settings.max_length)
        source = locate_encoder(settings.encoder, download=settings.download)
        local = {"local_files_only": not settings.download}
        with loading(settings.encoder, download=settings.download):
            config = AutoConfig.from_pretrained(
                source,
                num_labels=len(classes),
                id2label=dict(enumerate(map(str, classes))),
                label2id={str(label): number for number, label in enumerate(classes)},
                **local,
            )
            for name in ("hidden_dropout_prob", "dropout", "classifier_dropout"):
                if hasattr(config, name):
                    setattr(config, name, settings.dropout)
            for name in ("attention_probs_dropout_prob", "attention_dropout"):
                if hasattr(config, name):
                    setattr(config, name, 0.0)
            model = AutoModelForSequenceClassification.from_pretrained(
                source, config=config, use_safetensors=True, dtype=torch.float32, **local
            )
        read_first_token_alone(model)
        return model

    def _encode(self, texts: Texts, *, places: bool = False) -> tuple[list[dict[str, Any]], list[int]]:
        """Turn texts into windows of token ids, one each unless `long_texts` are read in windows.

        Args:
            texts: as for `predict_proba`.
            places: whether to say of each token as well where it stands (`offset_mapping`), whether in the text, its neighbours, or
                neither (`sequence_ids`), and whether it parts texts and means nothing (`special_tokens_mask`).

        Returns:
            the windows; the number of the text that each is of.
        """
        settings = self.settings
        checked = check_texts(texts)
        if not checked:
            return [], []
        sides = neighbours(texts, self.context)
        around = [self._joint.join(sentences) for sentences in zip(*sides.values(), strict=True)] if sides else None
        windows = settings.long_texts == "windows"
        room = settings.max_length - self.tokenizer_.num_special_tokens_to_add(pair=around is not None)
        if windows and around is not None:  # every window is read with the neighbours, so these leave half of it
            around = self._cut(around, room // 2)
            room -= room // 2
        encoded = self.tokenizer_(
            checked,
            around,
            # Of a text and its neighbours the longer one is cut first.
            truncation="only_first" if windows else True,
            max_length=settings.max_length,
            return_overflowing_tokens=windows,
            stride=min(int(settings.max_length * _OVERLAP), room - 1) if windows else 0,
            return_offsets_mapping=places,
        )
        text_of = encoded.pop("overflow_to_sample_mapping", list(range(len(checked))))
        rows = [{name: values[number] for name, values in encoded.items()} for number in range(len(text_of))]
        for number, row in enumerate(rows if places else []):
            row["sequence_ids"] = encoded.sequence_ids(number)
            # What stands between two neighbours is written in a text, but means no more than what the tokenizer adds.
            parting = zip(row["sequence_ids"], row["input_ids"], strict=True)
            row["special_tokens_mask"] = [int(its is None or id == self.tokenizer_.sep_token_id) for its, id in parting]
        return rows, text_of

    def _cut(self, texts: list[str], length: int) -> list[str]:
        """Leave of each text no more than its first tokens."""
        encoded = self.tokenizer_(
            texts, add_special_tokens=False, truncation=True, max_length=length, return_offsets_mapping=True
        )
        return [text[: its[-1][1]] if its else "" for text, its in zip(texts, encoded["offset_mapping"], strict=True)]

    @property
    def _joint(self) -> str:
        """What stands between two neighbouring sentences."""
        return f" {self.tokenizer_.sep_token} "

    def _parts(self, text: str, around: Mapping[str, str]) -> dict[str, tuple[int, int, str]]:
        """What is read with a text: for each part the number of its sequence, where it begins in it, and its text."""
        parts, start = {"words": (0, 0, text)}, 0
        for side, sentence in around.items():
            parts[f"{side}.words"] = (1, start, sentence)
            start += len(sentence) + len(self._joint)
        return parts

    def _labelled(self, texts: Texts, labels: np.ndarray) -> list[dict[str, Any]]:
        """Windows of texts with their labels: a number each, or a share for each label."""
        windows, text_of = self._encode(texts)
        plain = labels.tolist()
        return [{**window, "labels": plain[number]} for window, number in zip(windows, text_of, strict=True)]


def _with_adapters(model: Any, lora: LoraConfig) -> Any:
    try:
        import peft
    except ModuleNotFoundError as error:
        raise ModelError("model.lora needs peft; install it with: pip install 'textcls[lora]'") from error

    head = [name for name, its in model.named_modules() if isinstance(its, torch.nn.Linear) and not _in_encoder(model, name)]
    adapters = peft.LoraConfig(
        task_type=peft.TaskType.SEQ_CLS,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        exclude_modules=head,  # which is trained as a whole
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that is given up
        return peft.get_peft_model(model, adapters)


def _in_encoder(model: Any, module: str) -> bool:
    return module.startswith(f"{model.base_model_prefix}.")
