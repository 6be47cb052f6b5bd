"""Texts that stand in the data more than once, to the letter or nearly, and labels that contradict each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rensa import RMinHash, RMinHashLSH

SAME_FROM = 0.8
"""The similarity from which on two texts say nearly the same."""

_PERMUTATIONS = 128
_BANDS = 32


def normalize_text(text: str) -> str:
    """Fold case, punctuation and white space, so that texts that read the same are equal; without words, white space only."""
    return " ".join(re.findall(r"\w+", text.casefold()) or text.split())


@lru_cache(maxsize=10_000)  # those of all texts would take up a hundred times what the texts do
def _shingles(text: str) -> frozenset[str]:
    """The runs of five characters of a normalised text; a shorter text is its own."""
    return frozenset(text[i : i + 5] for i in range(max(1, len(text) - 4)))


def _new_index() -> RMinHashLSH:
    from rensa import RMinHashLSH

    return RMinHashLSH(threshold=SAME_FROM, num_perm=_PERMUTATIONS, num_bands=_BANDS)


def _sketch(shingles: frozenset[str]) -> RMinHash:
    from rensa import RMinHash

    sketch = RMinHash(num_perm=_PERMUTATIONS, seed=1)
    sketch.update(list(shingles))
    return sketch


def _similarity(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second)


def similar_pairs(
    texts: Sequence[str], others: Sequence[str], *, threshold: float = SAME_FROM
) -> Iterator[tuple[int, int, float]]:
    """Find what of some texts says nearly the same as one of others.

    Candidates come from MinHash with locality-sensitive hashing (Broder 1997; 128 permutations, 32 bands), and each
    is verified by the exact Jaccard similarity of its runs of five normalised characters.

    Yields:
        `(text, other, similarity)`, two numbers and a similarity >= threshold, text by text; of others that read the same, the first.
    """
    index = _new_index()
    first_of: dict[str, int] = {}
    for number, text in enumerate(map(normalize_text, others)):
        if first_of.setdefault(text, number) == number:
            index.insert(number, _sketch(_shingles(text)))
    read = {number: text for text, number in first_of.items()}
    for number, text in enumerate(map(normalize_text, texts)):
        shingles = _shingles(text)
        for other in index.query(_sketch(shingles)):
            similarity = _similarity(shingles, _shingles(read[other]))
            if similarity >= threshold:
                yield number, other, similarity
    _shingles.cache_clear()


def near_duplicates(texts: Sequence[str]) -> np.ndarray:
    """Give texts that say nearly the same one number: those that `similar_pairs` would pair, and what these connect.

    Pairs that change nothing are not looked at, for where texts are made from a template nearly all of them are similar.

    Returns:
        shape (n_texts,), integers: equal where two texts are near-duplicates.
    """
    number_of: dict[str, int] = {}  # equal texts need no sketch, and may be many
    numbers = np.array([number_of.setdefault(text, len(number_of)) for text in map(normalize_text, texts)], dtype=int)
    different, index, cluster = list(number_of), _new_index(), np.arange(len(number_of))
    for number, text in enumerate(different):
        shingles = _shingles(text)
        sketch = _sketch(shingles)
        candidates = np.array(index.query(sketch), dtype=int)
        while len(candidates):
            if _similarity(shingles, _shingles(different[candidates[0]])) < SAME_FROM:
                candidates = candidates[1:]
                continue
            joined = cluster[candidates[0]]
            if cluster[number] == number:  # alone so far
                cluster[number] = joined
            else:
                cluster[cluster == joined] = cluster[number]
            candidates = candidates[cluster[candidates] != cluster[number]]
        index.insert(number, sketch)
    _shingles.cache_clear()
    found: np.ndarray = cluster[numbers]
    return found


def conflicts(texts: Sequence[str], labels: Sequence[str]) -> dict[str, Counter[str]]:
    """Find the texts that stand in the data with different labels, and how often each; those that read the same are the same."""
    found: dict[str, Counter[str]] = {}
    normalized = list(map(normalize_text, texts))
    for text, label in zip(normalized, labels, strict=True):
        found.setdefault(text, Counter())[label] += 1
    return {text: found[same] for text, same in zip(texts, normalized, strict=True) if len(found[same]) > 1}
