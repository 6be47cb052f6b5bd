"""Texts that stand in the data more than once, to the letter or nearly, and labels that contradict each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

_PERMUTATIONS = 128
_BANDS = 32


def normalize_text(text: str) -> str:
    """Fold case, punctuation and white space, so that texts that read the same are equal; without words, white space only."""
    return " ".join(re.findall(r"\w+", text.casefold()) or text.split())


def _shingles(text: str) -> set[str]:
    """The runs of five characters of a normalised text; a shorter text is its own."""
    return {text[i : i + 5] for i in range(max(1, len(text) - 4))}


def similar_pairs(texts: Sequence[str], *, threshold: float = 0.8) -> list[tuple[int, int, float]]:
    """Find the pairs of texts that say nearly the same.

    Candidates come from MinHash with locality-sensitive hashing (Broder 1997; 128 permutations, 32 bands), and each
    is verified by the exact Jaccard similarity of its runs of five normalised characters.

    Returns:
        `(first, second, similarity)` with first < second and similarity >= threshold, the most similar first.
    """
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS, num_bands=_BANDS)
    shingles: list[set[str]] = []
    first_of: dict[str, int] = {}
    pairs = []
    for number, text in enumerate(map(normalize_text, texts)):
        if text in first_of:  # equal texts need no sketch, and may be many
            shingles.append(set())
            pairs.append((first_of[text], number, 1.0))
            continue
        first_of[text] = number
        shingles.append(_shingles(text))
        sketch = RMinHash(num_perm=_PERMUTATIONS, seed=1)
        sketch.update(list(shingles[-1]))
        for candidate in index.query(sketch):
            similarity = len(shingles[candidate] & shingles[number]) / len(shingles[candidate] | shingles[number])
            if similarity >= threshold:
                pairs.append((candidate, number, similarity))
        index.insert(number, sketch)
    return sorted(pairs, key=lambda pair: (-pair[2], pair[:2]))


def near_duplicates(texts: Sequence[str]) -> np.ndarray:
    """Give texts that say nearly the same one number, by `similar_pairs` and what these connect.

    Returns:
        shape (n_texts,), integers: equal where two texts are near-duplicates.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    pairs = similar_pairs(texts)
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    graph = coo_matrix((np.ones(len(pairs), dtype=bool), (first, second)), shape=(len(texts), len(texts)))
    clusters: np.ndarray = connected_components(graph, directed=False)[1]
    return clusters


def conflicts(texts: Sequence[str], labels: Sequence[str]) -> dict[str, Counter[str]]:
    """Find the texts that stand in the data with different labels, and how often each; those that read the same are the same."""
    found: dict[str, Counter[str]] = {}
    normalized = list(map(normalize_text, texts))
    for text, label in zip(normalized, labels, strict=True):
        found.setdefault(text, Counter())[label] += 1
    return {text: found[same] for text, same in zip(texts, normalized, strict=True) if len(found[same]) > 1}
