"""Sentences a second of fine-tuning MiniLM: transformers' own example settings, dynamic padding in fp32, and textcls.

    python experiments/speed/measure.py train.jsonl --rounds 3

The last also with the two lowest layers frozen, as `configs/discourse-minilm.yaml` has them, and with three. All take turns within each round, on the same rows; medians over the rounds. Loading and tokenising are not counted,
nor is the first step. Appends a line to results.jsonl.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments

from textcls.models import Listener
from textcls.models.encoders import OFFLINE_ENCODER, locate_encoder
from textcls.models.transformer import TransformerClassifier

BATCH = 32


class Clock(Listener):
    """Notes when the first and the last step ended."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    def progress(self, done: int, total: int) -> None:
        self.at[done] = time.perf_counter()

    def rate(self, rows: int) -> float:
        first, last = min(self.at), max(self.at)
        return rows * (last - first) / last / (self.at[last] - self.at[first])


class _Steps(transformers.TrainerCallback):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.clock.progress(state.global_step, state.max_steps)


def plain(rows: list[dict[str, str]], *, pad_to_128: bool) -> float:
    """The settings of transformers' run_classification.py: fp32, random order, padded to 128 tokens or to the longest of a batch."""
    labels = sorted({row["label"] for row in rows})
    source = locate_encoder(OFFLINE_ENCODER)
    tokenizer = AutoTokenizer.from_pretrained(source)
    encoded = tokenizer(
        [row["text"] for row in rows], truncation=True, max_length=128, padding="max_length" if pad_to_128 else False
    )
    data = [
        {name: values[number] for name, values in encoded.items()} | {"labels": labels.index(row["label"])}
        for number, row in enumerate(rows)
    ]
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            learning_rate=2e-5,
            save_strategy="no",
            use_cpu=True,
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=len(labels))
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=data,
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[_Steps(clock)],
        )
        trainer.train()
    return clock.rate(len(rows))


def ours(rows: list[dict[str, str]], *, frozen_layers: int | None = None) -> float:
    """The shipped settings."""
    clock = Clock()
    TransformerClassifier(epochs=1, batch_size=BATCH, class_weight=None, frozen_layers=frozen_layers, seed=1).fit(
        rows, [row["label"] for row in rows], listener=clock
    )
    return clock.rate(len(rows))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--rows", type=int, default=640)
    given = arguments.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    rows = [json.loads(line) for line in given.data.read_text(encoding="utf-8").splitlines()]
    rows = random.Random(1).sample(rows, given.rows)
    ways = {
        "padded to 128, fp32": lambda: plain(rows[: len(rows) // 4], pad_to_128=True),
        "dynamic padding, fp32": lambda: plain(rows[: len(rows) // 2], pad_to_128=False),
        "textcls": lambda: ours(rows),
        "textcls, two layers frozen": lambda: ours(rows, frozen_layers=2),
        "textcls, three layers frozen": lambda: ours(rows, frozen_layers=3),
    }
    plain_ways = [name for name in ways if not name.startswith("textcls")]
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(given.rounds):
        for name, way in ways.items():
            rates[name].append(way())
            print(f"round {number + 1}  {name:29}{rates[name][-1]:8.1f} sentences/s", flush=True)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    result = {
        "date": str(date.today()),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "rows": given.rows,
        "rates": {name: [round(value, 1) for value in values] for name, values in rates.items()},
        "ratios": {
            name: {other: round(medians[name] / medians[other], 2) for other in plain_ways}
            for name in ways
            if name not in plain_ways
        },
    }
    print(json.dumps(result["ratios"]))
    with (Path(__file__).parent / "results.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
