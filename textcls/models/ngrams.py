"""TF-IDF weights of n-grams, those of scikit-learn's TfidfVectorizer, counted in the distinct pieces of texts.

A matrix (texts, pieces) of counts times a matrix (pieces, n-grams) of counts is the matrix (texts, n-grams). An n-gram is a number, by a
sorted array of keys for each length; no strings are made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.sparse import csr_array, hstack

from textcls.models.pieces import EDGE, Pieces, Sequences, characters, frequent_words, patterns, words_and_marks

Sort = Literal["words", "characters", "patterns"]


@dataclass
class NgramWeights:
    """The vocabulary of the n-grams of one sort, and their TF-IDF weights.

    An n-gram is known by its number among those of its length. Its key is the number of what it begins with, all of it but its last
    symbol, times the number of symbols, plus that of its last symbol.

    Attributes:
        sort: n-grams of words and marks; of characters inside pieces, which get a space at either end (`char_wb`); or of patterns, in
            which a text begins and ends with an edge, and a word that is not frequent is its shape.
        span: shortest and longest n-gram.
        sublinear_tf: whether a count counts as 1 + log(count).
        symbols: the words or characters that n-grams are made of, and their numbers.
        keys: for each length from 2 on, the sorted keys; the numbers are their places.
        columns: for each length from 1 on, the column of each n-gram; -1 for one that others begin with and no more.
        idf: shape (n_columns,), the inverse document frequencies.
        frequent: the words that patterns keep, in lower case; None if they are still to be found, or it takes none.
    """

    sort: Sort
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
        texts_of = pieces.counts() if self.sort == "characters" else None
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
        return self._weigh(pieces.counts() @ counts if self.sort == "characters" else counts)

    def names(self, columns: np.ndarray) -> dict[int, str]:
        """Spell the n-grams of some columns, which are few of hundreds of thousands, by column.

        They are as scikit-learn writes them: words, and what stands for them in patterns, with a space between. An edge is shown as `¶`.
        """
        symbols = np.array(["¶" if symbol == EDGE else symbol for symbol in self.symbols], dtype=object)
        joint = "" if self.sort == "characters" else " "
        named: dict[int, str] = {}
        for length, of_length in enumerate(self.columns, 1):
            numbers = np.flatnonzero(np.isin(of_length, columns) & (of_length >= 0))
            chosen, spelt = of_length[numbers].tolist(), []
            for shorter in range(length - 1, 0, -1):
                numbers, last = np.divmod(self.keys[shorter - 1][numbers], len(symbols))
                spelt.append(symbols[last])
            named |= zip(chosen, map(joint.join, zip(symbols[numbers], *reversed(spelt), strict=True)), strict=True)
        return named

    def _sequences(self, pieces: Pieces) -> Sequences:
        if self.sort == "characters":
            return characters(pieces)
        words = words_and_marks(pieces)
        if self.sort == "words":
            return words
        if self.frequent is None:
            self.frequent = frequent_words(words)
        return patterns(words, set(self.frequent))

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
