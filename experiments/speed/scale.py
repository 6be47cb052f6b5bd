"""How a family's cost grows with the rows: processor seconds to fit and to predict, and peak memory, of 1,000 to 100,000 sentences.

    OMP_NUM_THREADS=1 python experiments/speed/scale.py DISCOURSE [--families tfidf …] [--rows 1000 10000 100000] [--steps 500]

DISCOURSE is the folder of NewsDiscourse's train.jsonl. A row is the first half of one of its sentences and the second half of another, so
that n-grams are new while words repeat. Each measurement is a process of its own, with an empty cache of embeddings. Families have their own
settings, but a transformer learns for one epoch, or for `--steps` steps where that is less. Appends a line for each to results-scale.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from textcls.config import StaticConfig, TransformerConfig
from textcls.dataset import read_rows
from textcls.models import Listener, classifier_class

FAMILIES = ("tfidf", "static", "embedding", "transformer")
UNSEEN = 1000
"""Further rows to predict, which no cache has."""


class Clock(Listener):
    """Notes at which processor second each step ended."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    def progress(self, done: int, total: int) -> None:
        self.at[done] = time.process_time()


def make_rows(folder: Path, count: int) -> tuple[list[str], list[str]]:
    rows = read_rows(folder / "train.jsonl", label="label")
    texts, labels = [], []
    for first, second in np.random.default_rng(0).integers(len(rows), size=(count, 2)):
        one, other = rows[first]["text"].split(), rows[second]["text"].split()
        texts.append(" ".join([*one[: len(one) // 2 + 1], *other[len(other) // 2 + 1 :]]))
        labels.append(rows[first]["label"])
    return texts, labels


def peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def once(folder: Path, family: str, count: int, steps: int) -> dict[str, Any]:
    """Measure one family on so many rows, in this process."""
    texts, labels = make_rows(folder, count + UNSEEN)
    settings: dict[str, Any] = {"seed": 1}
    figures: dict[str, Any] = {}
    if family == "transformer":
        batch = TransformerConfig(kind="transformer").batch_size
        settings["epochs"] = min(1.0, steps * batch / count)
    if family == "static":  # the encoder is distilled once for all fits
        from textcls.models.static import distil

        plain = StaticConfig(kind="static")
        started = time.process_time()
        distil(plain.encoder, download=False, dimensions=plain.dimensions)
        figures["distil_cpu_s"] = round(time.process_time() - started, 1)
    before, clock, started = peak_mb(), Clock(), time.process_time()
    classifier = classifier_class(family)(**settings).fit(texts[:count], labels[:count], listener=clock)
    fitted = time.process_time()
    classifier.predict_proba(texts[count:])
    predicted = time.process_time()
    figures |= {
        "fit_cpu_s": round(fitted - started, 2),
        "fit_cpu_ms_a_row": round(1000 * (fitted - started) / count, 3),
        "predict_rows_a_cpu_s": round(UNSEEN / (predicted - fitted)),
        "peak_mb": peak_mb(),
        "peak_before_mb": before,
    }
    if family == "transformer":
        first, last = min(clock.at), max(clock.at)
        figures |= {"steps": last, "learnt_rows_a_cpu_s": round(batch * (last - first) / (clock.at[last] - clock.at[first]), 1)}
    return {"family": family, "rows": count, "settings": settings, **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        line = once(given.data, given.families[0], given.rows[0], given.steps)
        line |= {"date": str(date.today()), "machine": platform.machine(), "threads": os.environ.get("OMP_NUM_THREADS")}
        print(json.dumps(line), flush=True)
        with (Path(__file__).parent / "results-scale.jsonl").open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        return
    for family in given.families:
        for count in given.rows:
            with TemporaryDirectory() as cache:
                command = [sys.executable, __file__, str(given.data), "--once", "--families", family, "--rows", str(count)]
                command += ["--steps", str(given.steps)]
                subprocess.run(command, check=True, env={**os.environ, "TEXTCLS_CACHE": cache})


if __name__ == "__main__":
    main()
