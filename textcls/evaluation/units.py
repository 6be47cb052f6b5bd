"""What is drawn again when rows are resampled: articles, since sentences of one article are alike; rows where there are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

MOST_UNITS = 5_000
"""Past this many, units are put together at random into this many groups: their sums spread as those of single units do,
and the time no longer grows with the rows."""

_CHUNK = 4_000_000


@dataclass(frozen=True)
class Units:
    """The independent units of rows.

    Attributes:
        kind: `article`; `group`, where rows are grouped by something else, such as customers; or `row`.
        count: how many there are.
        of_row: the number of each row's unit, from 0.
        alone: how many of the units are rows that name no article, where others do.
    """

    kind: str
    count: int
    of_row: np.ndarray
    alone: int = 0


def find_units(
    groups: Sequence[str | None] | None, rows: int, ids: Sequence[str] | None = None, *, grouped_by: str = "article"
) -> Units:
    """Take the articles for units, and a row without article for a unit of its own; without any article, the rows.

    Args:
        groups: each row's article; None where it has none, or where no row has.
        rows: how many there are.
        ids: each row's id, by which a row that stands there once for each of several seeds is one.
        grouped_by: what `groups` are, as `Predictions` has it.
    """
    if groups is None or all(group is None for group in groups):
        if ids is None:
            return Units("row", rows, np.arange(rows))
        groups, kind = [None] * rows, "row"
    else:
        kind = "article" if grouped_by == "article" else "group"
    number: dict[object, int] = {}
    lone = range(rows) if ids is None else [(id,) for id in ids]  # no article is called as a pair or a number
    of_row = [
        number.setdefault(own if group is None else str(group), len(number)) for own, group in zip(lone, groups, strict=True)
    ]
    alone = len({own for own, group in zip(lone, groups, strict=True) if group is None}) if kind != "row" else 0
    return Units(kind, len(number), np.array(of_row, dtype=int), alone)


def row_weights(ids: Sequence[str] | None, rows: int) -> np.ndarray:
    """Weigh predictions such that each row counts once, however often it stands there.

    Args:
        ids: each prediction's row, or None where each is of a row of its own.
        rows: how many predictions there are.

    Returns:
        for each prediction 1 over how many its row has.
    """
    if ids is None:
        return np.ones(rows)
    times = Counter(ids)
    return np.array([1 / times[id] for id in ids])


def bundle(units: Units, rng: np.random.Generator, most: int = MOST_UNITS) -> tuple[np.ndarray, int]:
    """Number the units to resample: themselves, or random groups of them where there are too many."""
    if units.count <= most:
        return units.of_row, units.count
    group_of = rng.permutation(units.count) % most
    return group_of[units.of_row], most


def resamples(units: int, number: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Draw resamples with replacement.

    Yields:
        how often each unit was drawn, shape (some of `number`, units), in pieces that fit into memory.
    """
    for piece in _pieces(units, number):
        drawn = rng.integers(0, units, (piece, units), dtype=np.int64)
        drawn += np.arange(piece)[:, None] * units
        yield np.bincount(drawn.ravel(), minlength=piece * units).reshape(piece, units).astype(float)


def swaps(units: int, number: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Draw for each unit whether two systems' predictions change places: all ways if there are no more than `number`.

    Yields:
        zeros and ones, shape (some of them, units).
    """
    if 2**units <= number:
        yield ((np.arange(2**units)[:, None] >> np.arange(units)) & 1).astype(float)
        return
    for piece in _pieces(units, number):
        yield rng.integers(0, 2, (piece, units), dtype=np.int8).astype(float)


def _pieces(units: int, number: int) -> Iterator[int]:
    size = max(1, _CHUNK // units)
    for start in range(0, number, size):
        yield min(size, number - start)
