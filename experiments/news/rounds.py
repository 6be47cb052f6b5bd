"""Choose settings of TF-IDF by rounds of writing that are left out in turn, since real news is no round that a model has learnt either.

    python experiments/news/rounds.py

Each of five groups of rounds is measured on by a model of the others; nothing but the training articles is read. Appends to rounds.jsonl.
"""

from __future__ import annotations

import json

import numpy as np
from register import HERE, NEWS, grouped, rows
from sklearn.metrics import f1_score
from sklearn.model_selection import LeaveOneGroupOut

from textcls.models import make_classifier

GROUPED = {
    "two": "two and three",
    "three": "two and three",
    "four": "four and five",
    "five": "four and five",
    "seven": "seven and eight",
    "eight": "seven and eight",
}
SETTINGS = [
    {"word_ngrams": words, "char_ngrams": characters, "C": strength}
    for words, characters, strengths in [
        ((1, 3), None, [0.5, 1, 2, 4, 8, 16]),
        ((1, 2), None, [4]),
        ((1, 3), (2, 5), [4]),
    ]
    for strength in strengths
]
RESULTS = HERE / "rounds.jsonl"


def main() -> None:
    train = rows(NEWS / "train.jsonl")
    texts, labels = (np.array([row[key] for row in train], dtype=object) for key in ("text", "label"))
    groups = np.array([grouped(row, GROUPED) for row in train])
    done = [json.loads(line)["settings"] for line in RESULTS.read_text().splitlines()] if RESULTS.is_file() else []
    for settings in SETTINGS:
        if json.loads(json.dumps(settings)) in done:
            continue
        found = {}
        for learnt, left_out in LeaveOneGroupOut().split(texts, groups=groups):
            classifier = make_classifier("tfidf", **settings).fit(texts[learnt].tolist(), labels[learnt].tolist())
            predicted = classifier.predict(texts[left_out].tolist())
            score = f1_score(labels[left_out].tolist(), predicted, average="macro")
            found[groups[left_out[0]].item()] = round(score, 4)
        line = {"settings": settings, "macro_f1": found, "mean": round(sum(found.values()) / len(found), 4)}
        with RESULTS.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        print(line, flush=True)


if __name__ == "__main__":
    main()
