"""Measure MiniLM on public benchmarks: accuracy and macro-F1 of fine-tuned models, a line a fit, appended to results.jsonl.

    python experiments/minilm/measure.py test BENCHMARK DATA [--seeds 1 2 3] [--set key=JSON …]
    python experiments/minilm/measure.py held-out BENCHMARK DATA [--set key=JSON …]
    python experiments/minilm/measure.py table

BENCHMARK is trec6, banking77, subj (ten folds) or discourse; DATA is a folder with a folder for each. `test` measures on the test rows
(for subj on each fold), `held-out` on every tenth training row, which is what settings are chosen by. What is measured already is not
measured again; `table` prints means over seeds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold

from textcls.dataset import add_context, read_rows
from textcls.models.transformer import TransformerClassifier

RESULTS = Path(__file__).parent / "results.jsonl"
SETTINGS: dict[str, dict[str, Any]] = {
    "trec6": {"epochs": 4, "frozen_layers": 2},
    "banking77": {"epochs": 8},
    "subj": {"epochs": 2},
    "discourse": {"epochs": 2, "context": {"before": 1, "after": 0}},
}
ALL = {"batch_size": 32, "learning_rate": 1.5e-4, "class_weight": None}
Rows = list[dict[str, Any]]


def splits(benchmark: str, data: Path, context: dict[str, int] | None, *, held_out: bool) -> Iterator[tuple[str, Rows, Rows]]:
    """Yield a name, the rows to learn from, and the rows to measure on."""
    folder, test = {"discourse": ("news-discourse", "validation")}.get(benchmark, (benchmark, "test"))
    train = read(data / folder / ("all.jsonl" if benchmark == "subj" else "train.jsonl"), context)
    if held_out:
        groups = [row.get("article", number) for number, row in enumerate(train)]
        chosen = set(sorted(set(groups), key=str)[::10])
        parts: tuple[Rows, Rows] = [], []
        for row, group in zip(train, groups, strict=True):
            parts[group in chosen].append(row)
        yield "held-out", *parts
    elif benchmark == "subj":
        labels = [row["label"] for row in train]
        for number, (learnt, measured) in enumerate(StratifiedKFold(10, shuffle=True, random_state=0).split(train, labels)):
            yield f"fold {number}", [train[row] for row in learnt], [train[row] for row in measured]
    else:
        yield "test", train, read(data / folder / f"{test}.jsonl", context)


def read(file: Path, context: dict[str, int] | None) -> Rows:
    rows: Rows = read_rows(file, label="label")
    return add_context(rows, **context) if context else rows


def results() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()] if RESULTS.is_file() else []


def measure(about: dict[str, Any], settings: dict[str, Any], train: Rows, measured: Rows) -> None:
    if any({key: line[key] for key in about} == about for line in results()):
        return
    started = time.perf_counter()
    classifier = TransformerClassifier(**ALL | settings, seed=about["seed"]).fit(train, [row["label"] for row in train])
    fitted = time.perf_counter() - started
    true, found = [row["label"] for row in measured], classifier.predict(measured)
    line = about | {
        "rows": [len(train), len(measured)],
        "accuracy": round(accuracy_score(true, found), 4),
        "macro_f1": round(f1_score(true, found, average="macro"), 4),
        "fit_s": round(fitted),
    }
    print(line, flush=True)
    with RESULTS.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")


def table() -> None:
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in results():
        groups[line["benchmark"], line["part"].split()[0], json.dumps(line["settings"])].append(line)
    print("| data | measured on | settings | fits | accuracy | macro-F1 | fit (s) |\n|---|---|---|---:|---:|---:|---:|")
    for (benchmark, part, settings), lines in groups.items():
        mean = {key: np.mean([line[key] for line in lines]) for key in ("accuracy", "macro_f1")}
        seconds = [line["fit_s"] for line in lines if line["fit_s"] is not None]  # none of fits beside other work
        took = f"{np.mean(seconds):.0f}" if seconds else ""
        print(f"| {benchmark} | {part} | {settings} | {len(lines)} | {mean['accuracy']:.3f} | {mean['macro_f1']:.3f} | {took} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["test", "held-out", "table"])
    parser.add_argument("benchmark", choices=sorted(SETTINGS), nargs="?")
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--set", nargs="*", default=[])
    given = parser.parse_args()
    if given.action == "table":
        table()
        return
    changed = {key: json.loads(value) for key, _, value in (item.partition("=") for item in given.set)}
    settings = SETTINGS[given.benchmark] | changed
    for seed in given.seeds:
        for part, train, measured in splits(
            given.benchmark, given.data, settings.get("context"), held_out=given.action == "held-out"
        ):
            about = {"benchmark": given.benchmark, "part": part, "seed": seed, "settings": settings}
            measure(about, settings, train, measured)


if __name__ == "__main__":
    main()
