"""Texts as sequences of words and marks, of characters or of patterns, from each distinct piece of text taken apart once.

Texts are split at white space into pieces. What is in a piece, its words, its marks and its characters, depends on the piece alone, and
few pieces are distinct: only those are looked at. What is counted of the sequences is up to `ngrams`.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

WORDS_AND_MARKS = re.compile(r"\w+|[^\w\s]")
"""Quotation marks, question marks and dashes tell a quote from a fact, so they are tokens."""
_MARKS = str.maketrans(dict.fromkeys("“”„«»", '"') | dict.fromkeys("‘’‚", "'") | dict.fromkeys("–—―", "--"))
_PATTERN_WORDS = 300
"""How many words a pattern keeps: about those that every text needs, such as `but`, `will`, `said`, `president`."""
EDGE = "\n"
"""Where a text begins and ends; white space is no token."""


@dataclass(frozen=True)
class Pieces:
    """Texts, split at white space.

    Attributes:
        distinct: each different piece once.
        ids: the pieces of all texts, one text after another, as numbers into `distinct`; 32 bits, as all that becomes a matrix, since
            SciPy would keep 64, which take twice as long to read.
        bounds: shape (n_texts + 1,), where each text begins in `ids`, and where the last one ends.
    """

    distinct: list[str]
    ids: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, texts: Iterable[str]) -> Pieces:
        """Split texts."""
        numbers: dict[str, int] = {}
        ids, bounds = array("i"), array("i", [0])
        for text in texts:
            ids.extend([numbers.setdefault(piece, len(numbers)) for piece in text.split()])
            bounds.append(len(ids))
        return cls(list(numbers), np.array(ids, dtype=np.int32), np.array(bounds, dtype=np.int32))

    def changed(self, change: Callable[[str], str]) -> Pieces:
        """Change every piece; those that become alike become one."""
        distinct, numbers = _distinct(map(change, self.distinct))
        return Pieces(distinct, numbers[self.ids].astype(np.int32), self.bounds)

    def counts(self) -> csr_array:
        """How often each text has each piece: shape (n_texts, n_distinct)."""
        ones = np.ones(len(self.ids), dtype=np.float32)
        shape = (len(self.bounds) - 1, len(self.distinct))
        counts = csr_array((ones, self.ids, self.bounds), shape=shape, copy=True)
        counts.sum_duplicates()  # in place
        return counts


class Sequences(NamedTuple):
    """What n-grams are taken of.

    Attributes:
        symbols: the different words or characters.
        ids: all sequences, one after another, as numbers of symbols.
        lengths: how many symbols each has.
    """

    symbols: list[str]
    ids: np.ndarray
    lengths: np.ndarray


def fold_marks(text: str) -> str:
    """Write quotation marks and dashes one way."""
    return text.translate(_MARKS).replace("''", '"').replace("``", '"')


def characters(pieces: Pieces) -> Sequences:
    """The characters of each distinct piece."""
    text = "".join(f" {piece} " for piece in pieces.distinct)
    points, ids = np.unique(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32), return_inverse=True)
    lengths = np.array([len(piece) + 2 for piece in pieces.distinct], dtype=np.int64)
    return Sequences([chr(point) for point in points], ids, lengths)


def words_and_marks(pieces: Pieces) -> Sequences:
    """The words and marks of each text."""
    words = [WORDS_AND_MARKS.findall(piece) for piece in pieces.distinct]
    symbols, ids = _distinct(chain.from_iterable(words))
    sizes = np.array([len(its_words) for its_words in words], dtype=np.int64)
    begins, sizes = (np.cumsum(sizes) - sizes)[pieces.ids], sizes[pieces.ids]
    ends = np.append(0, np.cumsum(sizes))
    places = np.arange(ends[-1]) + np.repeat(begins - ends[:-1], sizes)
    return Sequences(symbols, ids[places], np.diff(ends[pieces.bounds]))


def patterns(words: Sequences, frequent: AbstractSet[str]) -> Sequences:
    """The words of each text between two edges, with shapes in place of all that are not frequent."""
    symbols, numbers = _distinct([EDGE, *(low if (low := word.lower()) in frequent else _shape(word) for word in words.symbols)])
    ends = np.cumsum(words.lengths)
    ids = np.insert(numbers[1:][words.ids], np.concatenate([ends - words.lengths, ends]), 0)
    return Sequences(symbols, ids, words.lengths + 2)


def _shape(word: str) -> str:
    """What is left of a word: its capitals or its last letters; marks stay. No word or mark begins with `~` and goes on."""
    if not word[0].isalnum():
        return word
    if not word[0].isalpha():
        return "~0"
    if word[0].isupper():
        return "~XX" if len(word) > 1 and word.isupper() else "~Xx"
    return f"~{word[-3:].lower()}"


def frequent_words(words: Sequences) -> list[str]:
    """The words that patterns keep, in lower case, the most frequent first."""
    lowered, numbers = _distinct(word.lower() for word in words.symbols)
    occurrences = np.bincount(numbers[words.ids], minlength=len(lowered))
    return [lowered[number] for number in np.argsort(-occurrences, kind="stable")[:_PATTERN_WORDS]]


def _distinct(symbols: Iterable[str]) -> tuple[list[str], np.ndarray]:
    """The different symbols in the order they first occur, and all of them as numbers."""
    numbers: dict[str, int] = {}
    ids = [numbers.setdefault(symbol, len(numbers)) for symbol in symbols]
    return list(numbers), np.array(ids, dtype=np.int64)
