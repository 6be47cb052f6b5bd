"""Static embeddings: a vector a token, distilled from an encoder, tuned with a linear head on the texts' means.

The distillation is Model2Vec's (Tulkens & van Dongen 2024): every token of the vocabulary goes through the encoder by itself,
the vectors are reduced to their principal components, and rare tokens weigh more. Its own package asks for an older transformers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import f1_score
from tokenizers import Tokenizer

from textcls.config import StaticConfig
from textcls.errors import ModelError
from textcls.models.attributions import weigh_words
from textcls.models.base import Weighed, no_number, ranked
from textcls.models.cache import EmbeddingCache
from textcls.models.configured import ConfiguredClassifier, Lesson
from textcls.models.devices import computes_in_bf16
from textcls.models.encoders import bare_tokenizer, embed_tokens, fingerprint, load_encoder, warn_of_cuts
from textcls.models.inputs import Labels, Texts, text_parts

logger = logging.getLogger(__name__)

_BATCH = 1024
_RARITY = 1e-4
"""The constant of smooth inverse frequency (Arora et al. 2017), where a token's rank stands for its frequency."""

Tokens = tuple[torch.Tensor, torch.Tensor]
"""Token ids of several texts in a row, and where each text begins: shapes (n_tokens,), (n_texts,)."""


class StaticClassifier(ConfiguredClassifier[StaticConfig]):
    """A linear classifier over the means of token vectors. The parameters are those of `config.StaticConfig`.

    With validation rows the weights of the epoch with the best macro-F1 on them are kept, and training stops when
    `patience` epochs have brought nothing better; without, it runs for all `epochs`.
    """

    kind: ClassVar[str] = "static"
    uses_validation: ClassVar[bool] = True

    def explain(self, texts: Texts, labels: Labels, others: Labels) -> list[list[Weighed]]:
        """Part the log odds among tokens, whose vectors the head takes the sum of, exactly; see `TextClassifier.explain`."""
        self._check_fitted()
        parts = text_parts(texts, self.context)
        head = self.net_.head.weight.detach()
        vectors = self.net_.vectors.weight.detach() * self.net_.weights.detach()[:, None]
        encoded = {part: self.tokenizer_.encode_batch(sentences, add_special_tokens=False) for part, sentences in parts.items()}
        explained = []
        for row, (label, other) in enumerate(self._column_pairs(parts["words"], labels, others)):
            pieces: list[Weighed] = []
            directions = (head[label] - head[other]).chunk(len(parts))
            for (part, rows), direction in zip(encoded.items(), directions, strict=True):
                tokens = vectors[rows[row].ids[: self.settings.max_length]]
                weights = tokens @ direction / tokens.sum(dim=0).norm().clamp(min=1e-12)
                pieces += weigh_words(parts[part][row], zip(rows[row].offsets, weights.tolist(), strict=False), part)
            explained.append(ranked(pieces))
        return explained

    def write(self, folder: Path) -> None:
        """Write `model.safetensors`, the vectors and the head, and `tokenizer.json`."""
        save_file({name: tensor.contiguous() for name, tensor in self.net_.state_dict().items()}, folder / "model.safetensors")
        self.tokenizer_.save(str(folder / "tokenizer.json"))

    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left; see `TextClassifier.read`."""
        weights = load_file(folder / "model.safetensors")
        sides = len(text_parts([], self.context))
        try:
            vectors = weights["vectors.weight"]
            expected, found = (len(labels), vectors.shape[1] * sides), tuple(weights["head.weight"].shape)
        except KeyError as error:
            raise ModelError(f"{folder}: expected weights named {error}, found {', '.join(sorted(weights))}") from error
        if expected != found:
            raise ModelError(f"{folder}: expected weights of shape {expected}, found {found}")
        net = _Net(vectors, sides=sides, labels=len(labels))
        net.load_state_dict(weights)
        self.tokenizer_ = Tokenizer.from_file(str(folder / "tokenizer.json"))
        if self.tokenizer_.get_vocab_size() > len(vectors):
            raise ModelError(
                f"{folder}: expected a vector for each of {self.tokenizer_.get_vocab_size()} tokens, found {len(vectors)}"
            )
        self.net_ = net.eval()
        self.classes_ = np.array(labels)
        return self

    def _learn(self, lesson: Lesson) -> None:
        """Distil the encoder, unless the cache has it, and tune the vectors with the head."""
        settings = self.settings
        vectors, self.tokenizer_ = distil(settings.encoder, download=settings.download, dimensions=settings.dimensions)
        parts = self._encode(lesson.texts)
        warn_of_cuts([len(row) for row in parts[0]], settings.max_length)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed or 0)
            net = _Net(vectors, sides=len(parts), labels=len(lesson.classes))
        self._train(net, parts, lesson)
        self.net_ = net.eval()

    def _probabilities(self, texts: Texts) -> np.ndarray:
        return _predict(self.net_, self._encode(texts), len(self.classes_))

    def _train(self, net: _Net, parts: list[list[list[int]]], lesson: Lesson) -> None:
        settings, listener, held_out = self.settings, lesson.listener, lesson.held_out
        random = np.random.default_rng(settings.seed or 0)
        targets = torch.tensor(lesson.targets(settings.class_weight), dtype=torch.float32)
        # Only the vectors of a batch's tokens are touched, whatever the vocabulary.
        optimizers: list[torch.optim.Optimizer] = [
            torch.optim.SparseAdam(net.vectors.parameters(), lr=settings.learning_rate),
            torch.optim.Adam([net.weights, *net.head.parameters()], lr=settings.learning_rate),
        ]
        aside = (self._encode(held_out[0]), held_out[1]) if held_out is not None else None
        batches = -(-len(targets) // settings.batch_size)
        best, best_weights, since, step = -1.0, None, 0, 0
        for _ in range(settings.epochs):
            order, losses = random.permutation(len(targets)), []
            for start in range(0, len(order), settings.batch_size):
                numbers = order[start : start + settings.batch_size]
                sides = [_row([_thin(part[number], settings.dropout, random) for number in numbers]) for part in parts]
                wanted = targets[torch.from_numpy(numbers)]
                loss = -(wanted * net(sides).log_softmax(dim=-1)).sum() / wanted.sum()
                net.zero_grad()
                loss.backward()
                for optimizer in optimizers:
                    optimizer.step()
                losses.append(loss.item())
                step += 1
                listener.progress(step, settings.epochs * batches)
            listener.metric("train/loss", float(np.mean(losses)), step)
            if not np.isfinite(losses).all():
                raise no_number(settings.learning_rate)
            if aside is not None:
                predicted = _predict(net, aside[0], targets.shape[1]).argmax(axis=1)
                score = float(f1_score(aside[1], predicted, average="macro", zero_division=0))
                listener.metric("eval/macro_f1", score, step)
                since = 0 if score > best else since + 1
                if score > best:
                    best, best_weights = score, {name: tensor.clone() for name, tensor in net.state_dict().items()}
                if since >= settings.patience:
                    break
        if best_weights is not None:
            net.load_state_dict(best_weights)

    def _encode(self, texts: Texts) -> list[list[list[int]]]:
        """The token ids of each text, and of each side of its context."""
        settings = self.settings
        parts = list(text_parts(texts, self.context).values())
        encoded = [self.tokenizer_.encode_batch_fast(part, add_special_tokens=False) for part in parts]
        return [[row.ids[: settings.max_length] for row in rows] for rows in encoded]


class _Net(torch.nn.Module):
    """Token vectors with a weight each, their mean scaled to length 1, and a linear head over the sides."""

    def __init__(self, vectors: torch.Tensor, *, sides: int, labels: int) -> None:
        super().__init__()
        self.vectors = torch.nn.EmbeddingBag.from_pretrained(vectors.clone(), freeze=False, mode="sum", sparse=True)
        self.weights = torch.nn.Parameter(torch.ones(len(vectors)))
        self.head = torch.nn.Linear(sides * vectors.shape[1], labels)

    def forward(self, sides: Sequence[Tokens]) -> torch.Tensor:
        means = [
            torch.nn.functional.normalize(self.vectors(ids, starts, per_sample_weights=self.weights[ids]))
            for ids, starts in sides
        ]
        logits: torch.Tensor = self.head(torch.hstack(means))
        return logits


def distil(encoder: str, *, download: bool, dimensions: int) -> tuple[torch.Tensor, Tokenizer]:
    """Turn an encoder into a vector a token: shape (n_tokens, dimensions). The encoder's answers are cached.

    Raises:
        ModelError: the encoder is not at hand, or its embeddings have fewer dimensions than asked for.
    """
    model, fast = load_encoder(encoder, download=download, max_length=4)
    if dimensions > model.config.hidden_size:
        raise ModelError(
            f"model.dimensions is {dimensions}, but encoder {encoder} gives embeddings of {model.config.hidden_size}; lower it"
        )
    tokenizer = bare_tokenizer(fast)
    tokens = [tokenizer.id_to_token(number) or "" for number in range(tokenizer.get_vocab_size())]
    bf16 = computes_in_bf16()
    cache = EmbeddingCache(fingerprint(model, fast, "tokens", bf16), model.config.hidden_size)
    known = cache.get(tokens)
    missing = [number for number, token in enumerate(tokens) if token not in known]
    if missing:
        around = [[part] if part is not None else [] for part in (fast.cls_token_id, fast.sep_token_id)]
        ids = [[*around[0], number, *around[1]] for number in missing]
        found = embed_tokens(ids, model, padding=fast.pad_token_id or 0, bf16=bf16)
        cache.put([tokens[number] for number in missing], found)
        known |= {tokens[number]: row for number, row in zip(missing, found, strict=True)}
    embeddings = np.array([known[token] for token in tokens], dtype=np.float64)
    embeddings -= embeddings.mean(axis=0)
    _, components = np.linalg.eigh(embeddings.T @ embeddings)
    rank = np.arange(2, len(tokens) + 2)
    rarity = _RARITY / (_RARITY + 1 / (rank * np.log(len(tokens))))
    vectors = (embeddings @ components[:, ::-1][:, :dimensions]) * rarity[:, np.newaxis]
    return torch.tensor(vectors, dtype=torch.float32), tokenizer


def _row(texts: Sequence[Sequence[int]]) -> Tokens:
    starts = np.cumsum([0, *(len(text) for text in texts[:-1])])
    ids = np.fromiter((token for text in texts for token in text), dtype=np.int64)
    return torch.from_numpy(ids), torch.from_numpy(starts.astype(np.int64))


def _thin(text: list[int], share: float, random: np.random.Generator) -> list[int]:
    """Leave a share of a text's tokens out, but never all."""
    kept = [token for token, draw in zip(text, random.random(len(text)), strict=True) if draw >= share]
    return kept or text


def _predict(net: _Net, parts: list[list[list[int]]], labels: int) -> np.ndarray:
    count = len(parts[0])
    probabilities = np.empty((count, labels))
    with torch.inference_mode():
        for start in range(0, count, _BATCH):
            sides = [_row(part[start : start + _BATCH]) for part in parts]
            probabilities[start : start + _BATCH] = net(sides).double().softmax(dim=-1).numpy()
    return probabilities
