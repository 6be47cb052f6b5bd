"""How closely do the weights of words sum to what they should, and what does it cost? For an encoder's wrong predictions on the news corpus.

    textcls train configs/news-minilm.yaml --output my-model
    python experiments/statistics/attributions.py my-model

Prints, for several numbers of steps, what is missing of the log odds, and writes results-attributions.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from textcls.artifacts import load_model
from textcls.dataset import read_rows
from textcls.models import TextClassifier, attributions

HERE = Path(__file__).parent
ROWS = 30


def log_odds(classifier: TextClassifier, texts: list[Any], labels: list[str], others: list[str]) -> np.ndarray:
    logs, names = np.log(classifier.predict_proba(texts)), classifier.classes_.tolist()
    pairs = zip(labels, others, strict=True)
    return np.array([row[names.index(a)] - row[names.index(b)] for row, (a, b) in zip(logs, pairs, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", help="a model folder of kind transformer, without context")
    classifier: Any = load_model(parser.parse_args().model)
    rows = read_rows(HERE.parents[1] / "data" / "news" / "test.jsonl", label="label")[:600]
    predicted = classifier.predict(rows).tolist()
    wrong = [(row, label) for row, label in zip(rows, predicted, strict=True) if row["label"] != label][:ROWS]
    texts, labels, others = [row for row, _ in wrong], [label for _, label in wrong], [row["label"] for row, _ in wrong]
    tokens = [len(classifier.tokenizer_(row["text"])["input_ids"]) - 2 for row in texts]
    nothing = [" ".join([classifier.tokenizer_.pad_token] * count) for count in tokens]
    odds = log_odds(classifier, texts, labels, others) - log_odds(classifier, nothing, labels, others)
    found = {}
    for steps in (8, 16, 32):
        attributions._STEPS = steps
        started = time.process_time()
        explained = classifier.explain(texts, labels, others)
        seconds = time.process_time() - started
        missing = np.abs(odds - [sum(piece.weight for piece in pieces) for pieces in explained]) / np.abs(odds)
        found[steps] = {
            "missing share, median": round(float(np.median(missing)), 4),
            "missing share, 90th percentile": round(float(np.quantile(missing, 0.9)), 4),
            "seconds of one core a sentence": round(seconds / len(texts), 2),
        }
        print(steps, found[steps], flush=True)
    result = {"sentences": len(texts), "tokens, mean": round(float(np.mean(tokens)), 1), "steps": found}
    (HERE / "results-attributions.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
