"""Quality and time of the families on public data: all rows, and few labelled texts. Prints a line a fit, appended to a JSONL file.

    python experiments/families/measure.py full DATA RESULTS.jsonl [FAMILY …]
    python experiments/families/measure.py few-shot DATA RESULTS.jsonl [FAMILY …]
    python experiments/families/measure.py tune DATA RESULTS.jsonl
    python experiments/families/measure.py folds DATA RESULTS.jsonl

`folds` takes the processor seconds of ten folds of `embedding` beside those of the first, from an empty cache. `tune` compares settings on training rows alone, on draws that `few-shot` does not use. DATA is a folder with trec6/, subj/, banking77/ and news-discourse/. What RESULTS holds already is not measured again.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold

from textcls.dataset import read_rows
from textcls.models import classifier_class

Part = tuple[list[str], list[str]]
FEW_SHOT = ("trec6", "subj")


def read(file: Path) -> Part:
    rows = read_rows(file, label="label")
    return [row["text"] for row in rows], [row["label"] for row in rows]


def part(data: Part, numbers: Any) -> Part:
    return [data[0][number] for number in numbers], [data[1][number] for number in numbers]


def few(data: Part, count: int, seed: int) -> Part:
    random, labels = np.random.default_rng(seed), np.array(data[1])
    chosen = [random.choice(np.flatnonzero(labels == label), count, replace=False) for label in np.unique(labels)]
    return part(data, np.concatenate(chosen))


def splits(folder: Path) -> Iterator[tuple[str, Part, Part]]:
    """Each data set's rows to learn from and to measure on; of subj a fixed fifth, stratified."""
    yield "trec6", read(folder / "trec6/train.jsonl"), read(folder / "trec6/test.jsonl")
    subj = read(folder / "subj/all.jsonl")
    train, test = next(iter(StratifiedKFold(5, shuffle=True, random_state=0).split(*subj)))
    yield "subj", part(subj, train), part(subj, test)
    yield "banking77", read(folder / "banking77/train.jsonl"), read(folder / "banking77/test.jsonl")
    yield "news-discourse", read(folder / "news-discourse/train.jsonl"), read(folder / "news-discourse/validation.jsonl")


def setfit_defaults(train: Part, seed: int) -> Callable[[list[str]], Any]:
    """setfit as its own documentation has it: all pairs, its learning rate, its head."""
    import setfit
    from datasets import Dataset

    from textcls.models.encoders import OFFLINE_ENCODER, locate_encoder

    model = setfit.SetFitModel.from_pretrained(locate_encoder(OFFLINE_ENCODER), local_files_only=True)
    arguments = setfit.TrainingArguments(output_dir="/tmp/setfit", report_to="none", save_strategy="no", seed=seed)
    rows = Dataset.from_dict({"text": train[0], "label": train[1]})
    setfit.Trainer(model=model, args=arguments, train_dataset=rows).train()
    return lambda texts: model.predict(texts)


def measure(results: Path, data: str, family: str, train: Part, test: Part, *, shots: int, seed: int, **settings: Any) -> None:
    about = {"data": data, "family": family, "shots": shots, "seed": seed, "settings": settings}
    known = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    if any({key: json.loads(line).get(key) for key in about} == about for line in known):
        return
    started, cpu = time.monotonic(), time.process_time()
    if family == "setfit-defaults":
        predict = setfit_defaults(train, seed)
    else:
        predict = classifier_class(family)(seed=seed, **settings).fit(*train).predict
    fitted, cpu = time.monotonic(), time.process_time() - cpu
    predicted = [str(label) for label in predict(test[0])]
    took = time.monotonic() - fitted
    figures = {
        "accuracy": round(accuracy_score(test[1], predicted), 4),
        "macro_f1": round(f1_score(test[1], predicted, average="macro"), 4),
        "fit_s": round(fitted - started, 1),
        "fit_cpu_s": round(cpu, 1),
        "texts_per_s": round(len(test[0]) / took),
    }
    with results.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({**about, **figures}) + "\n")
    print(about, figures, flush=True)


def folds(results: Path, data: str, rows: Part) -> None:
    """Fit and measure `embedding` on each of ten folds in turn; only the first finds no embedding in the cache."""
    seconds, right = [], 0
    with TemporaryDirectory() as cache:
        os.environ["TEXTCLS_CACHE"] = cache
        for train, test in StratifiedKFold(10, shuffle=True, random_state=0).split(*rows):
            started = time.process_time()
            predicted = classifier_class("embedding")(seed=1).fit(*part(rows, train)).predict(part(rows, test)[0])
            seconds.append(time.process_time() - started)
            right += sum(predicted == part(rows, test)[1])
    figures = {
        "accuracy": round(float(right / len(rows[0])), 4),
        "first_fold_cpu_s": round(seconds[0], 1),
        "ten_folds_cpu_s": round(sum(seconds), 1),
        "ratio": round(sum(seconds) / seconds[0], 2),
    }
    line = {"data": data, "family": "embedding", "protocol": "10-fold", "rows": len(rows[0]), **figures}
    with results.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    print(line, flush=True)


def main(protocol: str, folder: Path, results: Path, *families: str) -> None:
    if protocol == "folds":
        folds(results, "trec6", read(folder / "trec6/train.jsonl"))
        return
    for data, train, test in splits(folder):
        if protocol == "full":
            for family in families or ("tfidf", "static", "embedding"):
                measure(results, data, family, train, test, shots=0, seed=1)
        elif protocol == "tune" and data in FEW_SHOT:
            aside = range(0, len(train[0]), len(train[0]) // 400)
            held, rest = part(train, aside), part(train, sorted(set(range(len(train[0]))) - set(aside)))
            for shots, draws, tried in ((8, 6, (6, 12)), (16, 3, (3, 6)), (64, 2, (2, 4))):
                for seed in range(11, 11 + draws):
                    for pairs in tried:
                        measure(results, data, "setfit", few(rest, shots, seed), held, shots=shots, seed=seed, pairs=pairs)
        elif protocol == "few-shot" and data in FEW_SHOT:
            test = part(test, range(0, len(test[0]), len(test[0]) // 500))  # those of subj stand in the order of their labels
            for shots in (8, 16, 64):
                for seed in range(1, 9 if (data, shots) == ("trec6", 8) else 4):  # there, draws differ most
                    for family in families or ("tfidf", "static", "embedding", "setfit", "setfit-defaults"):
                        # All pairs of 64 texts a label are 123,000 on trec6: hours.
                        if family != "setfit-defaults" or shots < 64:
                            measure(results, data, family, few(train, shots, seed), test, shots=shots, seed=seed)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
