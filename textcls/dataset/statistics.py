"""Counts and shapes of a dataset, for its card and to hold two datasets side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from textcls.dataset.values import is_blank

# A single mark opens before a word, save for one of digits such as '90s, and closes after another mark: after a letter it is an apostrophe.
_QUOTATION_MARK = re.compile(r"[\"“”«»]|(?<!\w)[‘'](?!\d)|(?<=[^\w\s])[’'](?!\w)")
# May with a capital is a month, all but always.
_MODAL = re.compile(
    r"\b(?:(?:can|could|(?-i:may)|might|must|shall|should|will|would|ought)(?:n['’]t|not)?|(?:ca|wo|sha)n['’]t)\b", re.IGNORECASE
)

_STRETCH = 1000
"""Words of a stretch in which distinct ones are counted."""


def describe_rows(rows: Sequence[dict[str, Any]], *, group: str = "article") -> dict[str, str]:
    """Describe labelled rows by the figures that tell one sort of text from another.

    Args:
        rows: rows with `text` and `label`.
        group: the column that groups them, if they have it; what it holds are groups, unless it is called `article`.

    Returns:
        figures by name, as they are read: counts, shares in per cent, words a row, rows an article.
    """
    texts = [row["text"] for row in rows]
    lengths = np.array([len(text.split()) for text in texts])
    deciles = np.percentile(lengths, [10, 50, 90])
    labels = Counter(row["label"] for row in rows)
    described = {"rows": f"{len(rows):,}"}
    groups = Counter(row[group] for row in rows if not is_blank(row.get(group)))
    if groups:
        its = ("articles", "an article") if group == "article" else ("groups", "a group")
        described |= {its[0]: f"{len(groups):,}", f"rows {its[1]}, mean": f"{np.mean(list(groups.values())):.1f}"}
    described |= {f"label {label}": _share(count, len(rows)) for label, count in sorted(labels.items())}
    described |= {
        "words a row, mean": f"{lengths.mean():.1f}",
        "words a row, 10th, 50th, 90th percentile": ", ".join(f"{value:.0f}" for value in deciles),
        "with a quotation mark": _share(sum(bool(_QUOTATION_MARK.search(text)) for text in texts), len(rows)),
        "with a modal verb": _share(sum(bool(_MODAL.search(text)) for text in texts), len(rows)),
        "with a digit": _share(sum(bool(re.search(r"\d", text)) for text in texts), len(rows)),
        "questions": _share(sum(text.rstrip("\"”’'").endswith("?") for text in texts), len(rows)),
    }
    words = [word.casefold() for text in texts for word in re.findall(r"\w+", text)]
    return described | ({"distinct words per 1,000": f"{_variety(words):.0f}"} if len(words) >= _STRETCH else {})


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}"


def _variety(words: Sequence[str]) -> float:
    """Mean number of distinct words in stretches of a length, which does not grow with the size of the data."""
    stretches = [words[start : start + _STRETCH] for start in range(0, len(words) - _STRETCH + 1, _STRETCH)]
    return float(np.mean([len(set(stretch)) for stretch in stretches]))
