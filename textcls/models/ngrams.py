"""TF-IDF weights of n-grams, equal to those of scikit-learn's TfidfVectorizer, from each distinct piece of text taken apart once.

A text is split at white space. What a piece holds, its words and marks and its characters' n-grams, depends on the piece alone, and a
corpus has a tenth as many distinct pieces as pieces, so only those are looked at: a matrix (texts, pieces) of counts times a
matrix (pieces, n-grams) of counts is the matrix of the texts' n-grams. All else is NumPy over arrays of whole numbers.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal, Self

import numpy as np
from scipy.sparse import csr_array, hstack

_WORDS_AND_MARKS = re.compile(r"\w+|[^\w\s]")
"""Quotation marks, question marks and dashes tell a quote from a fact, so they are tokens."""


@dataclass(frozen=True)
class Pieces:
    """Texts, split at white space.

    Attributes:
        distinct: each different piece once.
        ids: shape (n_pieces,), the pieces of all texts in their order, as numbers into `distinct`.
        lengths: shape (n_texts,), how many of them each text has.
    """

    distinct: list[str]
    ids: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, texts: Iterable[str], *, lowercase: bool) -> Pieces:
        """Split texts."""
        numbers: dict[str, int] = {}
        ids, lengths = array("i"), array("i")
        for text in texts:
            pieces = (text.lower() if lowercase else text).split()
            ids.extend([numbers.setdefault(piece, len(numbers)) for piece in pieces])
            lengths.append(len(pieces))
        return cls(list(numbers), np.array(ids, dtype=np.int32), np.array(lengths, dtype=np.int32))

    def counts(self) -> csr_array:
        """How often each text has each piece: shape (n_texts, n_distinct)."""
        return _counts(np.repeat(np.arange(len(self.lengths)), self.lengths), self.ids, len(self.lengths), len(self.distinct))


@dataclass(frozen=True)
class _Sequences:
    """What n-grams are taken of: the words of each text, or the characters of each distinct piece.

    Attributes:
        symbols: the different words or characters.
        ids: shape (n_symbols_in_all,), the symbols of all sequences, as numbers into `symbols`.
        lengths: shape (n_sequences,).
        spread: shape (n_texts, n_sequences), how often each text has each sequence; None if they are the texts.
    """

    symbols: list[str]
    ids: np.ndarray
    lengths: np.ndarray
    spread: csr_array | None


@dataclass
class NgramWeights:
    """The vocabulary of the n-grams of one sort, and their TF-IDF weights.

    An n-gram is known by its number among all those of its length, and that by a key: the number of the n-gram without its last symbol,
    times the number of symbols, plus the last symbol's. So it takes a sorted array of keys for every length, and no strings.

    Attributes:
        unit: n-grams of words and marks, or of characters inside pieces with a space at either end (`char_wb`).
        span: shortest and longest n-gram.
        alphabet: the words or characters that n-grams are made of.
        keys: for each length from 2 on, the sorted keys.
        columns: for each length from 1 on, the column of each n-gram; -1 for one that is only the beginning of others.
        idf: shape (n_ngrams,), the inverse document frequencies.
    """

    unit: Literal["words", "characters"]
    span: tuple[int, int]
    sublinear_tf: bool
    alphabet: list[str] = field(default_factory=list)
    keys: list[np.ndarray] = field(default_factory=list)
    columns: list[np.ndarray] = field(default_factory=list)
    idf: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.float32))

    def fit_transform(self, pieces: Pieces, *, min_df: int, max_features: int | None) -> csr_array:
        """Learn the vocabulary of texts, and weigh them: shape (n_texts, n_ngrams), each row of length 1 or 0."""
        sequences = self._sequences(pieces)
        at, room, row = _places(sequences.lengths)
        symbols = ngram = sequences.ids
        found = []
        for length in range(1, self.span[1] + 1):
            if length > 1:
                at, keys = _extend(at, ngram, symbols, room, length, len(self.alphabet))
                table, ngram = np.unique(keys, return_inverse=True)
            else:
                table = np.arange(len(sequences.symbols))
            taken = _taken(at, room, row, sequences.lengths, length, self.span[0])
            counts = _counts(row[at[taken]], ngram[taken], len(sequences.lengths), len(table))
            if sequences.spread is not None:
                counts = sequences.spread @ counts
            frequent = np.bincount(counts.indices, minlength=len(table)) >= min_df
            # An n-gram is never in more texts than its beginning, so what is rare need not be extended.
            kept = frequent if length >= self.span[0] else np.ones(len(table), dtype=bool)
            number = np.where(kept, np.cumsum(kept) - 1, -1)
            ngram = number[ngram]
            at, ngram = at[ngram >= 0], ngram[ngram >= 0]
            if length == 1:
                self.alphabet = [sequences.symbols[symbol] for symbol in np.flatnonzero(kept)]
                symbols = number[sequences.ids]
            else:
                self.keys.append(table[kept])
            found.append(counts if frequent.all() else counts[:, frequent])
            self.columns.append(np.where(frequent, 1, -1)[kept])
        counts = hstack(found, format="csr", dtype=np.float32)
        chosen = np.ones(counts.shape[1], dtype=bool)
        if max_features is not None and max_features < counts.shape[1]:
            chosen = np.zeros(counts.shape[1], dtype=bool)
            chosen[np.argsort(-counts.sum(axis=0), kind="stable")[:max_features]] = True
            counts = counts[:, chosen]
        self._number_columns(chosen)
        documents = np.bincount(counts.indices, minlength=counts.shape[1])
        self.idf = (np.log((1 + counts.shape[0]) / (1 + documents)) + 1).astype(np.float32)
        return self._weigh(counts)

    def transform(self, pieces: Pieces) -> csr_array:
        """Weigh texts: shape (n_texts, n_ngrams), each row of length 1, or 0 if it has no n-gram of the vocabulary."""
        sequences = self._sequences(pieces)
        numbers = {symbol: number for number, symbol in enumerate(self.alphabet)}
        symbols = np.array([numbers.get(symbol, -1) for symbol in sequences.symbols], dtype=np.int64)[sequences.ids]
        at, room, row = _places(sequences.lengths)
        at = at[symbols >= 0]
        ngram = symbols[at]
        rows, columns = [], []
        for length in range(1, self.span[1] + 1):
            if length > 1:
                at, keys = _extend(at, ngram, symbols, room, length, len(self.alphabet))
                table = self.keys[length - 2]
                ngram = np.searchsorted(table, keys)
                known = np.append(table, -1)[ngram] == keys
                at, ngram = at[known], ngram[known]
            column = self.columns[length - 1][ngram]
            taken = (column >= 0) & _taken(at, room, row, sequences.lengths, length, self.span[0])
            rows.append(row[at[taken]])
            columns.append(column[taken])
        counts = _counts(np.concatenate(rows), np.concatenate(columns), len(sequences.lengths), len(self.idf))
        return self._weigh(sequences.spread @ counts if sequences.spread is not None else counts)

    def names(self) -> list[str]:
        """The n-grams in the order of their columns, as scikit-learn writes them: words with a space between."""
        joint = " " if self.unit == "words" else ""
        named = [""] * len(self.idf)
        ngrams = self.alphabet
        for length, columns in enumerate(self.columns, 1):
            if length > 1:
                beginnings, symbols = np.divmod(self.keys[length - 2], len(self.alphabet))
                ngrams = [ngrams[b] + joint + self.alphabet[s] for b, s in zip(beginnings, symbols, strict=True)]
            for ngram, column in zip(ngrams, columns, strict=True):
                if column >= 0:
                    named[column] = ngram
        return named

    def _sequences(self, pieces: Pieces) -> _Sequences:
        if self.unit == "characters":
            text = "".join(f" {piece} " for piece in pieces.distinct)
            points, ids = np.unique(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32), return_inverse=True)
            lengths = np.fromiter(map(len, pieces.distinct), dtype=np.int64, count=len(pieces.distinct)) + 2
            return _Sequences([chr(point) for point in points], ids, lengths, pieces.counts())
        tokens = [_WORDS_AND_MARKS.findall(piece) for piece in pieces.distinct]
        numbers: dict[str, int] = {}
        ids = np.array([numbers.setdefault(token, len(numbers)) for token in chain.from_iterable(tokens)], dtype=np.int64)
        sizes = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
        ids = ids[_runs(np.cumsum(sizes) - sizes, sizes, pieces.ids)]
        lengths = np.add.reduceat(np.append(sizes[pieces.ids], 0), np.cumsum(pieces.lengths) - pieces.lengths)
        return _Sequences(list(numbers), ids, np.where(pieces.lengths, lengths, 0), None)

    def _number_columns(self, chosen: np.ndarray) -> None:
        """Number the n-grams that are `chosen`, of those that are marked, in order."""
        number = np.where(chosen, np.cumsum(chosen) - 1, -1)
        start = 0
        for columns in self.columns:
            marked = np.flatnonzero(columns >= 0)
            columns[marked] = number[start : start + len(marked)]
            start += len(marked)

    def _weigh(self, counts: csr_array) -> csr_array:
        weights = np.log(counts.data) + 1 if self.sublinear_tf else counts.data
        weights *= self.idf[counts.indices]
        squares = csr_array((weights**2, counts.indices, counts.indptr), shape=counts.shape)
        lengths = np.sqrt(squares @ np.ones(counts.shape[1], dtype=np.float32))
        weights /= np.repeat(np.where(lengths, lengths, 1), np.diff(counts.indptr))
        return csr_array((weights, counts.indices, counts.indptr), shape=counts.shape)


def _counts(rows: np.ndarray, columns: np.ndarray, n_rows: int, n_columns: int) -> csr_array:
    """Count how often each pair of row and column occurs."""
    return csr_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(n_rows, n_columns))


def _places(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each symbol of all sequences: its place, how many symbols its sequence has from there on, and its sequence."""
    at = np.arange(lengths.sum())
    row = np.repeat(np.arange(len(lengths)), lengths)
    return at, np.cumsum(lengths)[row] - at, row


def _extend(at, ngram, symbols, room, length, n_symbols):
    """Lengthen the n-grams at some places by one symbol: the places where that can be, and the keys there."""
    last = symbols[np.minimum(at + length - 1, len(symbols) - 1)]
    can = (room[at] >= length) & (last >= 0)
    return at[can], ngram[can] * n_symbols + last[can]


def _taken(at, room, row, lengths, length, shortest):
    """Which n-grams of this length count: all from the shortest on; a sequence that is shorter is one n-gram as a whole."""
    if length >= shortest:
        return np.ones(len(at), dtype=bool)
    return lengths[row[at]] == length

def _runs(starts, sizes, ids):
    """The places of runs of different sizes, one after another: for each of `ids` its run."""
    sizes = sizes[ids]
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts[ids] - ends + sizes, sizes)
