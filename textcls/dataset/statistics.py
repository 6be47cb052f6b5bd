"""Counts and shapes of a dataset, for its card and to hold two datasets side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

_QUOTATION_MARK = re.compile(r"[\"“”«»]|(?<!\w)[‘']|[’'](?!\w)")
_MODAL = re.compile(r"\b(?:can|could|may|might|must|shall|should|will|would|ought)\b|\b(?:ca|wo)n['’]t\b", re.IGNORECASE)


def describe_rows(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Describe labelled rows by the figures that tell one sort of text from another.

    Args:
        rows: rows with `text` and `label`; `article` where there is one.

    Returns:
        figures by name, as they are read: counts, shares in per cent, words a row, rows an article.
    """
    texts = [row["text"] for row in rows]
    words = np.array([len(text.split()) for text in texts])
    deciles = np.percentile(words, [10, 50, 90])
    labels = Counter(row["label"] for row in rows)
    described = {"rows": f"{len(rows):,}"}
    articles = Counter(row["article"] for row in rows if row.get("article"))
    if articles:
        described |= {"articles": f"{len(articles):,}", "rows an article, mean": f"{np.mean(list(articles.values())):.1f}"}
    described |= {f"label {label}": _share(count, len(rows)) for label, count in sorted(labels.items())}
    described |= {
        "words a row, mean": f"{words.mean():.1f}",
        "words a row, 10th, 50th, 90th percentile": ", ".join(f"{value:.0f}" for value in deciles),
        "with a quotation mark": _share(sum(bool(_QUOTATION_MARK.search(text)) for text in texts), len(rows)),
        "with a modal verb": _share(sum(bool(_MODAL.search(text)) for text in texts), len(rows)),
        "with a digit": _share(sum(bool(re.search(r"\d", text)) for text in texts), len(rows)),
        "questions": _share(sum(text.rstrip("\"”’'").endswith("?") for text in texts), len(rows)),
        "different words a 1,000 words": f"{_variety(texts):.0f}",
    }
    return described


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}"


def _variety(texts: Sequence[str], window: int = 1000) -> float:
    """Mean number of different words in stretches of a length, which does not grow with the size of the data."""
    words = [word.casefold() for text in texts for word in re.findall(r"\w+", text)]
    stretches = [words[start : start + window] for start in range(0, max(1, len(words) - window + 1), window)]
    return float(np.mean([len(set(stretch)) for stretch in stretches]))
