"""Choose settings of TF-IDF by rounds of writing that are left out in turn, since real news is no round that a model has learnt either.

    python experiments/news/rounds.py

Each of five groups of rounds is measured on by a model of the others; nothing but the training articles is read. Appends to rounds.jsonl.
"""

from __future__ import annotations

import json

from register import HERE, LATER, NEWS, rows
from sklearn.metrics import f1_score

from textcls.models import make_classifier

EARLIER = {"one": "abcdef", "two and three": "ghijklmnop"}
SETTINGS = [
    {"word_ngrams": words, "char_ngrams": characters, "C": strength}
    for words, characters, strengths in [
        ((1, 3), None, [0.5, 1, 2, 4, 8, 16]),
        ((1, 2), None, [4, 8]),
        ((1, 3), (2, 5), [0.5, 4]),
    ]
    for strength in strengths
]

RESULTS = HERE / "rounds.jsonl"


def round_of(writer: str) -> str:
    name = writer.removeprefix("writer-")
    later = next((which for which, writers in LATER.items() if writer in writers), None)
    if later is not None:
        return "six" if later == "six" else "seven and eight"
    return next((which for which, letters in EARLIER.items() if name in letters), "four and five")


def main() -> None:
    train = rows(NEWS / "train.jsonl")
    groups = [round_of(row["writer"]) for row in train]
    done = [json.loads(line)["settings"] for line in RESULTS.read_text().splitlines()] if RESULTS.is_file() else []
    for settings in SETTINGS:
        if json.loads(json.dumps(settings)) in done:
            continue
        found = {}
        for left_out in sorted(set(groups)):
            learnt, others = (
                [row for row, its in zip(train, groups, strict=True) if (its == left_out) is out] for out in (False, True)
            )
            texts, labels, unseen, true = ([row[key] for row in of] for of in (learnt, others) for key in ("text", "label"))
            predicted = make_classifier("tfidf", **settings).fit(texts, labels).predict(unseen)
            found[left_out] = round(f1_score(true, predicted, average="macro"), 4)
        line = {"settings": settings, "macro_f1": found, "mean": round(sum(found.values()) / len(found), 4)}
        with RESULTS.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        print(line, flush=True)


if __name__ == "__main__":
    main()
