"""Measure the tfidf family: its speed beside scikit-learn's own pipeline, and what its settings bring.

    export OMP_NUM_THREADS=1
    python experiments/tfidf/measure.py speed DISCOURSE [--repeats 5]
    python experiments/tfidf/measure.py tune DISCOURSE [--folds 5] [--set NAME=VALUE …]…
    python experiments/tfidf/measure.py quality DISCOURSE --real REAL

DISCOURSE is the folder of NewsDiscourse's train.jsonl and validation.jsonl, REAL a file of labelled sentences of real news. Every action
prints, and appends a line for each measurement to results.jsonl. `tune` reads train.jsonl alone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import yaml
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import FeatureUnion, Pipeline

from textcls.config import load_config
from textcls.dataset import add_context, read_rows
from textcls.models import make_classifier

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results.jsonl"
PLAIN = {"fold_marks": False, "pattern_ngrams": None, "C": 1.0}
"""The settings whose features a plain scikit-learn pipeline has."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["speed", "tune", "quality"])
    parser.add_argument("discourse", type=Path)
    parser.add_argument("--real", type=Path, help="labelled sentences of real news; used to measure only")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--set", nargs="*", action="append", default=[], help="settings to compare, once for each set of them")
    options = parser.parse_args()
    if options.action == "tune":
        for settings in options.set or [[]]:
            tune(options.discourse, options.folds, {k: yaml.safe_load(v) for k, v in (s.split("=", 1) for s in settings)})
    elif options.action == "speed":
        speed(options.discourse, options.repeats)
    else:
        quality(options.discourse, options.real)


def keep(**line: Any) -> None:
    """Print a result and append it to the file."""
    print(json.dumps(line), flush=True)
    with RESULTS.open("a") as out:
        out.write(json.dumps(line) + "\n")


def make(**settings: Any) -> Any:
    return make_classifier("tfidf", **settings)


def in_context(rows: list[dict[str, Any]], context: dict[str, int] | None) -> list[dict[str, Any]]:
    return add_context(rows, before=context.get("before", 0), after=context.get("after", 0)) if context else rows


def labels_of(rows: list[dict[str, Any]]) -> list[str]:
    return [row["label"] for row in rows]


def macro_f1(rows: list[dict[str, Any]], predicted: Any) -> float:
    return round(float(f1_score(labels_of(rows), predicted, average="macro")), 4)


# --- speed ----------------------------------------------------------------------------------------------------------


def speed(folder: Path, repeats: int) -> None:
    """Fit and predict by turns with scikit-learn's pipeline and with ours, of the same features and the same regularisation."""
    train, validation = (read_rows(folder / f"{split}.jsonl", label="label") for split in ("train", "validation"))
    texts, labels = [row["text"] for row in train], labels_of(train)
    unseen = [row["text"] for row in validation]
    taken: dict[str, dict[str, list[tuple[float, float]]]] = {}
    scores = {}
    for _ in range(repeats):
        for name, new in {"scikit-learn": plain_pipeline, "textcls": lambda: make(**PLAIN)}.items():
            times = taken.setdefault(name, {"fit": [], "predict": []})
            classifier = new()
            times["fit"].append(clocked(lambda c=classifier: c.fit(texts, labels)))
            times["predict"].append(clocked(lambda c=classifier: c.predict_proba(unseen)))
            scores[name] = macro_f1(validation, classifier.predict(unseen))
    for action in ("fit", "predict"):
        wall, cpu = ({name: median(t[clock] for t in times[action]) for name, times in taken.items()} for clock in (0, 1))
        keep(
            action=f"speed {action}",
            rows=len(texts if action == "fit" else unseen),
            repeats=repeats,
            wall_s={name: round(seconds, 3) for name, seconds in wall.items()},
            cpu_s={name: round(seconds, 3) for name, seconds in cpu.items()},
            ratio={
                "wall": round(wall["scikit-learn"] / wall["textcls"], 2),
                "cpu": round(cpu["scikit-learn"] / cpu["textcls"], 2),
            },
            macro_f1=scores,
        )


def plain_pipeline() -> Pipeline:
    shared = {"min_df": 2, "sublinear_tf": True}
    parts = [
        ("words", TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", **shared)),
        ("characters", TfidfVectorizer(ngram_range=(2, 5), analyzer="char_wb", **shared)),
    ]
    return Pipeline(
        [("features", FeatureUnion(parts)), ("regression", LogisticRegression(class_weight="balanced", max_iter=1000))]
    )


def clocked(call: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock and of the processor; the second hardly depends on who else computes."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


# --- quality --------------------------------------------------------------------------------------------------------


def tune(folder: Path, n_folds: int, settings: dict[str, Any]) -> None:
    """Cross-validate on train.jsonl: by article, and by leaving out each publisher once."""
    rows = in_context(read_rows(folder / "train.jsonl", label="label"), settings.get("context"))
    labels = np.array(labels_of(rows))
    articles, publishers = zip(*((row["article"], row["article"].split("_")[0]) for row in rows), strict=True)
    by_article = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0).split(labels, labels, articles)
    by_publisher = [np.flatnonzero(np.array(publishers) == publisher) for publisher in sorted(set(publishers))]
    everything = np.arange(len(rows))
    protocols = {
        "by article": list(by_article),
        "by publisher": [(np.setdiff1d(everything, held_out), held_out) for held_out in by_publisher],
    }
    for protocol, splits in protocols.items():
        predicted = labels.copy()
        for train, test in splits:
            classifier = make(**settings).fit([rows[i] for i in train], labels[train].tolist())
            predicted[test] = classifier.predict([rows[i] for i in test])
        keep(action="tune", protocol=protocol, settings=settings, macro_f1=macro_f1(rows, predicted))


def quality(folder: Path, real: Path | None) -> None:
    """Fit the shipped configs, and measure them on rows that they do not learn from."""
    news = ROOT / "data/news"
    sets = {
        "discourse-tfidf": (folder / "train.jsonl", {"validation": folder / "validation.jsonl"}),
        "news-tfidf": (
            news / "train.jsonl",
            {
                "validation": news / "validation.jsonl",
                "test": news / "test.jsonl",
                "seeds": ROOT / "data/seeds/sentences.jsonl",
                **({"real": real} if real else {}),
            },
        ),
    }
    for name, (train_file, measured_on) in sets.items():
        files = [f"data.train={train_file}", *(f"data.{s}={f}" for s, f in measured_on.items() if s == "validation")]
        settings = load_config(ROOT / "configs" / f"{name}.yaml", files).model
        context = settings.context.model_dump() if settings.context else None
        train = in_context(read_rows(train_file, label="label"), context)
        classifier = make_classifier(**settings.model_dump()).fit(train, labels_of(train))
        found = {}
        for split, file in measured_on.items():
            rows = in_context(read_rows(file, label="label"), context)
            found[split] = macro_f1(rows, classifier.predict(rows))
        keep(action="quality", config=name, macro_f1=found)


if __name__ == "__main__":
    main()
