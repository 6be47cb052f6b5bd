"""TF-IDF weights of n-grams, those of scikit-learn's TfidfVectorizer, from each distinct piece of text taken apart once.

Texts are split at white space into pieces. What is in a piece, its words, its marks and its characters' n-grams, depends on the piece
alone, and few pieces are distinct: only those are looked at, and a matrix (texts, pieces) of counts times a matrix (pieces, n-grams) of
counts is the matrix (texts, n-grams). An n-gram is a number, by a sorted array of keys for each length; no strings are made.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
from scipy.sparse import csr_array, hstack

WORDS_AND_MARKS = re.compile(r"\w+|[^\w\s]")
"""Quotation marks, question marks and dashes tell a quote from a fact, so they are tokens."""
_MARKS = str.maketrans(dict.fromkeys("“”„«»", '"') | dict.fromkeys("‘’‚", "'") | dict.fromkeys("–—―", "--"))
_PATTERN_WORDS = 300
"""How many words a pattern keeps: about those that every text needs, such as `but`, `will`, `said`, `president`."""
_EDGE = "\n"
"""Where a text begins and ends; white space is no token."""


Unit = Literal["words", "characters", "patterns"]


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


@dataclass
class NgramWeights:
    """The vocabulary of the n-grams of one sort, and their TF-IDF weights.

    An n-gram is known by its number among those of its length. Its key is the number of what it begins with, all of it but its last
    symbol, times the number of symbols, plus that of its last symbol.

    Attributes:
        unit: n-grams of words and marks; of characters inside pieces, which get a space at either end (`char_wb`); or of patterns, in
            which a text begins and ends with an edge, and a word that is not frequent is its shape.
        span: shortest and longest n-gram.
        sublinear_tf: whether a count counts as 1 + log(count).
        symbols: the words or characters that n-grams are made of, and their numbers.
        keys: for each length from 2 on, the sorted keys; the numbers are their places.
        columns: for each length from 1 on, the column of each n-gram; -1 for one that others begin with and no more.
        idf: shape (n_columns,), the inverse document frequencies.
        frequent: the words that patterns keep, in lower case; None if they are still to be found, or it takes none.
    """

    unit: Unit
    span: tuple[int, int]
    sublinear_tf: bool
    symbols: dict[str, int] = field(default_factory=dict)
    keys: list[np.ndarray] = field(default_factory=list)
    columns: list[np.ndarray] = field(default_factory=list)
    idf: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    frequent: list[str] | None = None

    def fit_transform(self, pieces: Pieces, *, min_df: int, max_features: int | None) -> csr_array:
        """Learn the vocabulary of texts, and weigh them: shape (n_texts, n_columns), each row of length 1 or 0."""
        symbols, ids, lengths = self._sequences(pieces)
        texts_of = pieces.counts() if self.unit == "characters" else None
        ngrams = _Ngrams(ids, lengths)
        of_each_length = []
        for length in range(1, self.span[1] + 1):
            if length == 1:
                table = np.arange(len(symbols))
            else:
                table, ngrams.numbers = np.unique(ngrams.lengthen(len(self.symbols)), return_inverse=True)
            counts = _counts(*ngrams.taken(self.span[0]), shape=(len(lengths), len(table)))
            if texts_of is not None:
                counts = texts_of @ counts
            frequent = np.bincount(counts.indices, minlength=len(table)) >= min_df
            of_each_length.append(counts[:, frequent])
            # An n-gram is in no more texts than what it begins with, so what is rare need not be lengthened.
            kept = frequent if length >= self.span[0] else np.ones(len(table), dtype=bool)
            ngrams.renumber(np.where(kept, np.cumsum(kept) - 1, -1))
            self.columns.append(np.where(frequent, 0, -1)[kept])
            if length == 1:
                self.symbols = {symbols[number]: place for place, number in enumerate(np.flatnonzero(kept))}
            else:
                self.keys.append(table[kept])
        counts = hstack(of_each_length, format="csr", dtype=np.float32)
        chosen = np.ones(counts.shape[1], dtype=bool)
        if max_features is not None:
            chosen[np.argsort(-counts.sum(axis=0), kind="stable")[max_features:]] = False
            counts = counts[:, chosen]
        self._number_columns(chosen)
        n_texts = np.bincount(counts.indices, minlength=counts.shape[1])
        self.idf = (np.log((1 + counts.shape[0]) / (1 + n_texts)) + 1).astype(np.float32)
        return self._weigh(counts)

    def transform(self, pieces: Pieces) -> csr_array:
        """Weigh texts: shape (n_texts, n_columns), each row of length 1, or 0 if it has no n-gram of the vocabulary."""
        symbols, ids, lengths = self._sequences(pieces)
        numbers = np.array([self.symbols.get(symbol, -1) for symbol in symbols], dtype=np.int64)
        ngrams = _Ngrams(numbers[ids], lengths)
        rows, columns = [], []
        for length in range(1, self.span[1] + 1):
            if length > 1:
                keys, table = ngrams.lengthen(len(self.symbols)), self.keys[length - 2]
                found = np.searchsorted(table, keys)
                ngrams.numbers = np.where(np.append(table, -1)[found] == keys, found, -1)
                ngrams.drop_unknown()
            row, number = ngrams.taken(self.span[0])
            column = self.columns[length - 1][number]
            rows.append(row[column >= 0])
            columns.append(column[column >= 0])
        counts = _counts(np.concatenate(rows), np.concatenate(columns), shape=(len(lengths), len(self.idf)))
        return self._weigh(pieces.counts() @ counts if self.unit == "characters" else counts)

    def names(self) -> list[str]:
        """The n-grams in the order of their columns, as scikit-learn writes them: words, and what stands for them in patterns, with a
        space between. An edge is shown as `¶`."""
        named = [""] * len(self.idf)
        symbols = ngrams = ["¶" if symbol == _EDGE else symbol for symbol in self.symbols]
        joint = "" if self.unit == "characters" else " "
        for length, columns in enumerate(self.columns, 1):
            if length > 1:
                beginnings, lasts = np.divmod(self.keys[length - 2], len(symbols))
                ngrams = [ngrams[first] + joint + symbols[last] for first, last in zip(beginnings, lasts, strict=True)]
            for ngram, column in zip(ngrams, columns, strict=True):
                if column >= 0:
                    named[column] = ngram
        return named

    def _sequences(self, pieces: Pieces) -> _Sequences:
        if self.unit == "characters":
            return _characters(pieces)
        words = _words(pieces)
        if self.unit == "words":
            return words
        if self.frequent is None:
            self.frequent = _most_frequent(words, _PATTERN_WORDS)
        return _patterns(words, set(self.frequent))

    def _number_columns(self, chosen: np.ndarray) -> None:
        """Give those `chosen` of all n-grams that are not -1 their columns, in order, and make the others -1."""
        numbers = np.where(chosen, np.cumsum(chosen) - 1, -1)
        for columns in self.columns:
            marked = columns >= 0
            columns[marked], numbers = numbers[: marked.sum()], numbers[marked.sum() :]

    def _weigh(self, counts: csr_array) -> csr_array:
        weights = (np.log(counts.data) + 1 if self.sublinear_tf else counts.data) * self.idf[counts.indices]
        squares = csr_array((weights**2, counts.indices, counts.indptr), shape=counts.shape)
        lengths = np.sqrt(squares @ np.ones(counts.shape[1], dtype=np.float32))
        weights /= np.repeat(np.where(lengths, lengths, 1), np.diff(counts.indptr))
        return csr_array((weights, counts.indices, counts.indptr), shape=counts.shape)


class _Sequences(NamedTuple):
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


def _characters(pieces: Pieces) -> _Sequences:
    """The characters of each distinct piece."""
    text = "".join(f" {piece} " for piece in pieces.distinct)
    points, ids = np.unique(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32), return_inverse=True)
    lengths = np.array([len(piece) + 2 for piece in pieces.distinct], dtype=np.int64)
    return _Sequences([chr(point) for point in points], ids, lengths)


def _words(pieces: Pieces) -> _Sequences:
    """The words and marks of each text."""
    words = [WORDS_AND_MARKS.findall(piece) for piece in pieces.distinct]
    symbols, ids = _distinct(chain.from_iterable(words))
    sizes = np.array([len(its_words) for its_words in words], dtype=np.int64)
    begins, sizes = (np.cumsum(sizes) - sizes)[pieces.ids], sizes[pieces.ids]
    ends = np.append(0, np.cumsum(sizes))
    places = np.arange(ends[-1]) + np.repeat(begins - ends[:-1], sizes)
    return _Sequences(symbols, ids[places], np.diff(ends[pieces.bounds]))


def _patterns(words: _Sequences, frequent: AbstractSet[str]) -> _Sequences:
    """The words of each text between two edges, with shapes in place of all that are not frequent."""
    symbols, numbers = _distinct([_EDGE, *(low if (low := word.lower()) in frequent else _shape(word) for word in words.symbols)])
    ends = np.cumsum(words.lengths)
    ids = np.insert(numbers[1:][words.ids], np.concatenate([ends - words.lengths, ends]), 0)
    return _Sequences(symbols, ids, words.lengths + 2)


def _shape(word: str) -> str:
    """What is left of a word: its capitals or its last letters; marks stay. No word or mark begins with `~` and goes on."""
    if not word[0].isalnum():
        return word
    if not word[0].isalpha():
        return "~0"
    if word[0].isupper():
        return "~XX" if len(word) > 1 and word.isupper() else "~Xx"
    return f"~{word[-3:].lower()}"


def _most_frequent(words: _Sequences, count: int) -> list[str]:
    lowered, numbers = _distinct(word.lower() for word in words.symbols)
    occurrences = np.bincount(numbers[words.ids], minlength=len(lowered))
    return [lowered[number] for number in np.argsort(-occurrences, kind="stable")[:count]]


def _distinct(symbols: Iterable[str]) -> tuple[list[str], np.ndarray]:
    """The different symbols in the order they first occur, and all of them as numbers."""
    numbers: dict[str, int] = {}
    ids = [numbers.setdefault(symbol, len(numbers)) for symbol in symbols]
    return list(numbers), np.array(ids, dtype=np.int64)


class _Ngrams:
    """The n-grams of sequences of symbols, all of one length that grows.

    Attributes:
        places: where each begins, in all sequences one after another.
        numbers: the number of each among those of its length.
    """

    def __init__(self, symbols: np.ndarray, lengths: np.ndarray) -> None:
        self.length = 1
        self._symbols, self._lengths = symbols, lengths
        self._sequence = np.repeat(np.arange(len(lengths)), lengths)
        self._room = np.cumsum(lengths)[self._sequence] - np.arange(len(symbols))  # up to the end of the sequence
        self.places, self.numbers = np.arange(len(symbols)), symbols
        self.drop_unknown()

    def drop_unknown(self) -> None:
        """Drop those whose number is -1."""
        known = self.numbers >= 0
        self.places, self.numbers = self.places[known], self.numbers[known]

    def renumber(self, numbers: np.ndarray) -> None:
        """Give number n the number `numbers[n]`, and drop those that get -1."""
        if self.length == 1:
            self._symbols = numbers[self._symbols]
        self.numbers = numbers[self.numbers]
        self.drop_unknown()

    def lengthen(self, n_symbols: int) -> np.ndarray:
        """Take in the next symbol; drop those without one. The keys of the others, who are still to be numbered."""
        last = self._symbols[np.minimum(self.places + self.length, len(self._symbols) - 1)]
        self.length += 1
        possible = (self._room[self.places] >= self.length) & (last >= 0)
        self.places = self.places[possible]
        keys: np.ndarray = self.numbers[possible] * n_symbols + last[possible]
        return keys

    def taken(self, shortest: int) -> tuple[np.ndarray, np.ndarray]:
        """The sequence and the number of each that counts: a sequence too short for any n-gram is one itself."""
        sequence = self._sequence[self.places]
        if self.length >= shortest:
            return sequence, self.numbers
        whole = self._lengths[sequence] == self.length
        return sequence[whole], self.numbers[whole]


def _counts(rows: np.ndarray, columns: np.ndarray, *, shape: tuple[int, int]) -> csr_array:
    """How often each pair of row and column occurs."""
    places = (rows.astype(np.int32), columns.astype(np.int32))
    return csr_array((np.ones(len(rows), dtype=np.float32), places), shape=shape)
