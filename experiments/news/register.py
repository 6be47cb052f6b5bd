"""Ask how written news differs from real news: a word-counting model tells the corpus's training sentences from those of real articles.

    python experiments/news/register.py ../shared/data/news-discourse/train.jsonl

Marks and figures are written one way first, and folds part articles. Into register.json goes the area under its ROC curve for the rounds
of writing up to five together and for each later one, against all real sentences; printed are the n-grams that tell most.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

HERE = Path(__file__).parent
NEWS = HERE.parents[1] / "data" / "news"
ROUNDS = {"one to five": [1, 2, 3, 4, 5], "six": [6], "seven": [7], "eight": [8], "nine": [9], "ten": [10]}
"""Rounds of writing; those from six on were asked for the register of real news."""
SHOWN = 60


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def plain(text: str) -> str:
    return re.sub(r"\d", "0", re.sub(r"``|''|[“”]", '"', text.replace("’", "'").replace("—", "--")))


def tell(written: list[dict[str, Any]], real: list[dict[str, Any]]) -> float:
    """The area under the ROC curve by models of other articles; prints the n-grams that tell most."""
    both = written + real
    counts = CountVectorizer(ngram_range=(1, 2), min_df=30, binary=True, token_pattern=r"\w+|[^\w\s]")
    found = counts.fit_transform(plain(row["text"]) for row in both)
    is_real = np.arange(len(both)) >= len(written)
    model = LogisticRegression(C=0.05, max_iter=500)
    articles = [row["article"] for row in both]
    likely = cross_val_predict(model, found, is_real, groups=articles, cv=GroupKFold(3), method="predict_proba")[:, 1]
    shares = [np.asarray(found[of].mean(axis=0)).ravel() for of in (~is_real, is_real)]
    weight = (shares[1] - shares[0]) ** 2 / (shares[0] + shares[1])
    names = counts.get_feature_names_out()
    for which, sign in (("more in real news", 1), ("more in written news", -1)):
        telling = [n for n in np.argsort(-weight) if sign * (shares[1] - shares[0])[n] > 0][:SHOWN]
        print(f"{which}, in so many of 1,000 sentences, written and real:")
        print("  " + " · ".join(f"{names[n]} {1000 * shares[0][n]:.0f} {1000 * shares[1][n]:.0f}" for n in telling))
    return float(roc_auc_score(is_real, likely))


def main() -> None:
    written, real = rows(NEWS / "train.jsonl"), rows(Path(sys.argv[1]))
    result = {}
    for name, rounds in ROUNDS.items():
        of_rounds = [row for row in written if row["round"] in rounds]
        print(f"rounds {name}")
        result[name] = {"rows": len(of_rounds), "area": round(tell(of_rounds, real), 3)}
    (HERE / "register.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
