"""Measure what was tried on NewsDiscourse and not kept, a line a fit, appended to tried.jsonl.

    python experiments/minilm/tried.py average DATA [--held-out] [--seed 1] [--set key=JSON …]
    python experiments/minilm/tried.py fold N DATA
    python experiments/minilm/tried.py soften DATA [--seed 1] [--set key=JSON …]
    python experiments/minilm/tried.py neighbours DATA
    python experiments/minilm/tried.py finer DATA [--seed 1] [--set key=JSON …]

`average` also measures exponential moving averages of the weights over the last twentieth and tenth of the steps. `fold`, for N from 1 to
5, keeps what a model of four fifths of the training articles says of the others in fold-N.npy, and of the validation articles in
fold-N-measured.npy; `soften` learns half from the labels and half from that; `neighbours` learns from what those models say of a row
and of the rows around it; `finer` parts each label by the content type that the annotators gave, learns those, and adds up. DATA is the folder with `news-discourse`. With --held-out, every sixth training article is measured on too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from measure import ALL, SETTINGS, Rows, read
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GroupKFold
from transformers import TrainerCallback

from textcls.models import finetuning
from textcls.models.transformer import TransformerClassifier

HERE = Path(__file__).parent
SHARES = (0.05, 0.1)
BALLOTS = 40
"""Annotators that a softened label is parted among."""


class Averages(TrainerCallback):
    """Moving averages of the trained weights, as long as shares of all steps; at first as half of those so far."""

    def __init__(self) -> None:
        self.of: dict[float, dict[str, torch.Tensor]] = {}

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        for share in SHARES:
            length = max(1.0, min(share * state.max_steps, state.global_step / 2))
            trained = {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}
            kept = self.of.setdefault(share, {name: weight.clone() for name, weight in trained.items()})
            for name, weight in trained.items():
                kept[name].lerp_(weight, 1 / length)


def fit(
    rows: Rows, settings: dict[str, Any], annotations: list[list[str]] | None = None
) -> tuple[TransformerClassifier, Averages]:
    averages = Averages()

    class Averaging(finetuning._Trainer):
        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.add_callback(averages)

    plain, finetuning._Trainer = finetuning._Trainer, Averaging  # type: ignore[misc]
    try:
        classifier = TransformerClassifier(**settings).fit(rows, [row["label"] for row in rows], annotations=annotations)
    finally:
        finetuning._Trainer = plain  # type: ignore[misc]
    return classifier, averages


def measure(about: dict[str, Any], classifier: TransformerClassifier | Finer, averages: Averages, sets: dict[str, Rows]) -> None:
    weights = dict(classifier.model_.named_parameters()) if averages.of else {}
    for weights_of, average in [("the last step", {}), *((f"the last {share:g}", kept) for share, kept in averages.of.items())]:
        with torch.no_grad():
            for name, weight in average.items():
                weights[name].copy_(weight)
        line: dict[str, Any] = about | {"weights": weights_of}
        for name, rows in sets.items():
            true, found = [row["label"] for row in rows], classifier.predict(rows)
            line[name] = {
                "accuracy": round(accuracy_score(true, found), 4),
                "macro_f1": round(f1_score(true, found, average="macro"), 4),
            }
        print(line, flush=True)
        with (HERE / "tried.jsonl").open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")


def softened(rows: Rows, folds: list[tuple[np.ndarray, np.ndarray]]) -> list[list[str]]:
    """As annotators' labels: half of them the row's own, the others shared out as a model of other articles has it."""
    names = sorted({row["label"] for row in rows})
    said = np.zeros((len(rows), len(names)))
    for number, (_, others) in enumerate(folds, 1):
        said[others] = np.load(HERE / f"fold-{number}.npy")
    shares = (said + np.array([[name == row["label"] for name in names] for row in rows])) / 2 * BALLOTS
    counts = np.floor(shares).astype(int)
    for of_row, share in zip(counts, shares, strict=True):
        of_row[np.argsort(of_row - share)[: BALLOTS - of_row.sum()]] += 1
    return [[name for name, count in zip(names, of_row, strict=True) for _ in range(count)] for of_row in counts]


def around(probabilities: np.ndarray, groups: list[str], reach: int) -> np.ndarray:
    """What a model says of each row and of so many before and after it, and which of these there are not."""
    number = len(groups)
    parts = [np.log(probabilities.clip(1e-4))]
    for step in (step for step in range(-reach, reach + 1) if step):
        there = [0 <= row + step < number and groups[row] == groups[row + step] for row in range(number)]
        says = np.array([probabilities[row + step] if found else np.zeros(4) for row, found in enumerate(there)])
        parts += [says, ~np.array(there)[:, None]]
    return np.hstack(parts)


def measure_neighbours(train: Rows, validation: Rows, folds: list[tuple[np.ndarray, np.ndarray]]) -> None:
    says = np.zeros((len(train), 4))
    for number, (_, others) in enumerate(folds, 1):
        says[others] = np.load(HERE / f"fold-{number}.npy")
    labels, true = ([row["label"] for row in rows] for rows in (train, validation))
    groups, others_groups = ([row["article"] for row in rows] for rows in (train, validation))
    for reach in range(4):
        second = LogisticRegression(max_iter=2000).fit(around(says, groups, reach), labels)
        for number in range(1, len(folds) + 1):
            measured = np.load(HERE / f"fold-{number}-measured.npy")
            plain = f1_score(true, second.classes_[measured.argmax(axis=1)], average="macro")
            found = f1_score(true, second.predict(around(measured, others_groups, reach)), average="macro")
            about = {"action": "neighbours", "reach": reach, "fold": number}
            line = about | {"measured": {"macro_f1": round(found, 4), "macro_f1_alone": round(plain, 4)}}
            print(line, flush=True)
            with (HERE / "tried.jsonl").open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")


class Finer:
    """A classifier of labels parted by the rows' content types, whose probabilities it adds up."""

    def __init__(self, rows: Rows, settings: dict[str, Any]) -> None:
        parted = [{**row, "label": f"{row['label']}/{row['content_type']}"} for row in rows]
        self.classifier = TransformerClassifier(**settings).fit(parted, [row["label"] for row in parted])

    def predict(self, rows: Rows) -> list[str]:
        labels = [label.partition("/")[0] for label in self.classifier.classes_]
        sums = pd.DataFrame(self.classifier.predict_proba(rows), columns=labels).T.groupby(level=0).sum().T
        return sums.idxmax(axis=1).tolist()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["average", "fold", "soften", "neighbours", "finer"])
    parser.add_argument("number", type=int, nargs="?")
    parser.add_argument("data", type=Path)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", nargs="*", default=[])
    given = parser.parse_args()
    changed = {key: json.loads(value) for key, _, value in (item.partition("=") for item in given.set)}
    settings = ALL | SETTINGS["discourse"] | {"frozen_layers": 2} | changed
    folder = given.data / "news-discourse"
    train, validation = (read(folder / f"{name}.jsonl", settings["context"]) for name in ("train", "validation"))
    groups = [row["article"] for row in train]
    folds = list(GroupKFold(5, shuffle=True, random_state=0).split(train, groups=groups))
    sets = {"measured": validation}
    if given.action == "fold":
        learnt, others = folds[given.number - 1]
        settings |= {"seed": given.number, "schedule": "constant_with_warmup"}
        sets["other fold"] = [train[row] for row in others]
        classifier, averages = fit([train[row] for row in learnt], settings)
        measure({"action": "fold", "settings": settings}, classifier, averages, sets)
        np.save(HERE / f"fold-{given.number}.npy", classifier.predict_proba(sets["other fold"]))
        np.save(HERE / f"fold-{given.number}-measured.npy", classifier.predict_proba(validation))
        return
    if given.action == "neighbours":
        measure_neighbours(train, validation, folds)
        return
    settings |= {"seed": given.seed}
    if given.held_out:
        chosen = set(sorted(set(groups))[::6])
        sets["held out"] = [row for row in train if row["article"] in chosen]
        train = [row for row in train if row["article"] not in chosen]
    if given.action == "finer":
        measure({"action": "finer", "settings": settings}, Finer(train, settings), Averages(), sets)
        return
    annotations = softened(train, folds) if given.action == "soften" else None
    measure({"action": given.action, "settings": settings}, *fit(train, settings, annotations), sets)


if __name__ == "__main__":
    main()
