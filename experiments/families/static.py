"""Static embeddings on trec6: ways to weigh rare tokens, and model2vec's own training, on every eighth training row.

    OMP_NUM_THREADS=1 PYTHONPATH=MODEL2VEC python experiments/families/static.py DATA

MODEL2VEC is a folder that holds the package model2vec (0.10.0), which is no dependency of the project: pip download --no-deps, unzip. Appends a
line for each way to static.jsonl.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from model2vec import StaticModel
from model2vec.train import StaticModelForClassification
from sklearn.metrics import accuracy_score, f1_score

from textcls.dataset import read_rows
from textcls.models import static
from textcls.models.encoders import OFFLINE_ENCODER, bare_tokenizer, load_encoder

Predict = Callable[[list[str]], Any]


def embed_every_token(model: Any, count: int) -> np.ndarray:
    """The mean of each token between the encoder's marks, not scaled: shape (count, width)."""
    found = np.empty((count, model.config.hidden_size), dtype=np.float64)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, count, 256):
            ids = torch.tensor([[101, number, 102] for number in range(start, min(start + 256, count))])
            states = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
            found[start : start + 256] = states.float().mean(dim=1).numpy()
    return found


def principal(vectors: np.ndarray, count: int = 256) -> np.ndarray:
    centred = vectors - vectors.mean(axis=0)
    _, components = np.linalg.eigh(centred.T @ centred)
    reduced: np.ndarray = centred @ components[:, ::-1][:, :count]
    return reduced


def ours(vectors: np.ndarray, weights: np.ndarray, tokenizer: Any, train: list[Any]) -> Predict:
    """Our training with its defaults, from vectors and weights of the tokens."""

    class Net(static._Net):
        def __init__(self, vectors: torch.Tensor, *, sides: int, labels: int) -> None:
            super().__init__(vectors, sides=sides, labels=labels)
            self.weights.data = torch.tensor(weights, dtype=torch.float32)

    before = static.distil, static._Net
    static.distil, static._Net = lambda *_, **__: (torch.tensor(vectors, dtype=torch.float32), tokenizer), Net
    try:
        fitted = static.StaticClassifier(seed=1).fit([row["text"] for row in train], [row["label"] for row in train])
    finally:
        static.distil, static._Net = before
    return fitted.predict


def theirs(vectors: np.ndarray, weights: np.ndarray, tokenizer: Any, train: list[Any]) -> Predict:
    """model2vec's training with its defaults."""
    base = StaticModel(vectors.astype(np.float32), tokenizer, weights=weights.astype(np.float32))
    model = StaticModelForClassification.from_static_model(model=base)
    model.fit([row["text"] for row in train], [row["label"] for row in train], device="cpu")
    return model.predict


def main(folder: Path) -> None:
    rows, test = (read_rows(folder / f"trec6/{part}.jsonl", label="label") for part in ("train", "test"))
    held, train = rows[::8], [row for number, row in enumerate(rows) if number % 8]
    model, fast = load_encoder(OFFLINE_ENCODER, max_length=4)
    tokenizer = bare_tokenizer(fast)
    raw = embed_every_token(model, tokenizer.get_vocab_size())
    inverse = 1 / np.arange(2, len(raw) + 2)
    rarity = 1e-4 / (1e-4 + inverse / inverse.sum())
    scaled, unscaled = principal(raw / np.linalg.norm(raw, axis=1, keepdims=True)), principal(raw)
    ways: dict[str, tuple[Callable[..., Predict], np.ndarray, np.ndarray]] = {
        "ours": (ours, scaled * rarity[:, np.newaxis], np.ones(len(raw))),
        "ours, weights beside the vectors": (ours, scaled, rarity),
        "ours, no weights": (ours, scaled, np.ones(len(raw))),
        "ours, weights beside the vectors, embeddings not scaled": (ours, unscaled, rarity),
        "model2vec": (theirs, unscaled, rarity),
    }
    for name, (fit, vectors, weights) in ways.items():
        started = time.process_time()
        predict = fit(vectors, weights, tokenizer, train)
        line: dict[str, Any] = {"way": name, "fit_cpu_s": round(time.process_time() - started, 1)}
        for part, measured in (("held_out", held), ("test", test)):
            true, predicted = [row["label"] for row in measured], predict([row["text"] for row in measured])
            line[part] = {
                "accuracy": round(accuracy_score(true, predicted), 4),
                "macro_f1": round(f1_score(true, predicted, average="macro"), 4),
            }
        print(line, flush=True)
        with (Path(__file__).parent / "static.jsonl").open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
