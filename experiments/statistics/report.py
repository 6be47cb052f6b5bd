"""Measure how long it takes to evaluate predictions with all that a run keeps of them: figures, intervals, slices, pictures, report.

    python experiments/statistics/report.py

Prints the seconds of one core of each stage and writes results-report.json beside this file.
"""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from simulate import draw

from textcls.config import make_config
from textcls.evaluation import evaluate
from textcls.splits import Split
from textcls.tracking import NullRun
from textcls.tracking.run import split_json
from textcls.training.fitting import Measurement, Outcome
from textcls.training.mistakes import look_at_mistakes, neighbours
from textcls.training.planning import Fit
from textcls.training.pooling import pool
from textcls.training.record import log_results

HERE = Path(__file__).parent
CONFIG = make_config({"data": {"train": "drawn.jsonl"}, "model": {"kind": "tfidf"}})
WORDS = [
    "the",
    "council",
    "said",
    "that",
    "ferries",
    "may",
    "resume",
    "in",
    "May",
    "because",
    "nobody",
    "had",
    "paid",
    "for",
    "coal",
]
SIZES = ((5_000, True), (100_000, True), (100_000, False))


class MemoryRun(NullRun):
    """A run that makes all that a tracked run writes and keeps its size alone."""

    id = "measured"
    size = 0

    def text(self, text: str, file: str) -> None:
        self.size += len(text.encode())

    def table(self, rows: Any, file: str) -> None:
        self.text(split_json(rows), file)

    def figure(self, figure: Any, name: str) -> bytes:
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=150)
        self.size += len(picture.getvalue())
        return picture.getvalue()


def measured(rows: int, *, articles: bool) -> tuple[Dataset, Outcome]:
    """Draw rows like those of the news corpus, with columns to slice by and the labels of two annotators, and one model's answers."""
    rng = np.random.default_rng(7)
    article, true, (probabilities,) = draw(rng, rows // 15, skills=(3.5,), own=(0.5,))
    article, true, probabilities = article[:rows], true[:rows], probabilities[:rows]
    labels = [f"label {number}" for number in range(probabilities.shape[1])]
    others = np.where(rng.random((rows, 2)) < 0.03, rng.integers(0, len(labels), (rows, 2)), true[:, None])
    lengths = rng.integers(4, 45, rows)
    dataset = Dataset.from_dict(
        {
            "id": [str(number) for number in range(rows)],
            "text": [" ".join(rng.choice(WORDS, length)) for length in lengths],
            "label": [labels[number] for number in true],
            "group": [f"article {number}" if articles else None for number in article],
            "before": [None] * rows,
            "after": [None] * rows,
            "split": ["test"] * rows,
            **({"article": [f"article {number}" for number in article]} if articles else {}),
            "desk": [f"desk {number % 15}" for number in article],
            "form": [f"form {number % 15}" for number in rng.permutation(article)],
            "annotator_labels": [[labels[number] for number in pair] for pair in others],
        }
    )
    nothing = np.array([], dtype=int)
    fit = Fit("given", 42, Split("given", train=nothing, validation=nothing, calibration=nothing, test=np.arange(rows)))
    return dataset, Outcome(fit, Measurement({}, labels, probabilities), None)


def main() -> None:
    log_results(
        MemoryRun(), CONFIG, *_of(*measured(500, articles=True)), title="warm", about={"measured": "once, for the imports"}
    )
    found = {}
    for rows, articles in SIZES:
        dataset, outcome = measured(rows, articles=articles)
        run = MemoryRun()
        times = [time.process_time()]
        evaluate(dataset["label"][:], outcome.measured.probabilities, outcome.measured.labels)
        times.append(time.process_time())
        pooled = pool(dataset, [outcome])
        times.append(time.process_time())
        wrong = look_at_mistakes(pooled[2], [outcome], neighbours(dataset), dataset)
        times.append(time.process_time())
        log_results(run, CONFIG, *pooled, wrong, [], title="measured", about={"measured": "on drawn rows"})
        times.append(time.process_time())
        stages = [
            "figures alone",
            "figures, intervals and rows of predictions",
            "wrong ones with neighbours",
            "slices, pictures, report, tables",
        ]
        seconds = dict(zip(stages, (round(float(s), 2) for s in np.diff(times)), strict=True))
        seconds["in all"] = round(times[-1] - times[1], 2)
        found[f"{rows:,} rows, {len(set(dataset['group'])):,} articles" if articles else f"{rows:,} rows, no articles"] = {
            **seconds,
            "MB": round(run.size / 1e6, 1),
        }
    print(json.dumps(found, indent=1))
    (HERE / "results-report.json").write_text(json.dumps({"seconds of one core": found}, indent=1) + "\n")


def _of(dataset: Dataset, outcome: Outcome) -> tuple[Any, ...]:
    pooled = pool(dataset, [outcome])
    return *pooled, look_at_mistakes(pooled[2], [outcome], neighbours(dataset), dataset), []


if __name__ == "__main__":
    main()
