"""Part a dataset once and for all into files to train, validate and test on, by group and evenly; `splits` parts the rows of one run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from textcls.dataset.sources import read_file
from textcls.dataset.values import label_of, optional_text, required_text
from textcls.dataset.write import write_rows
from textcls.errors import DataError
from textcls.files import new_folder
from textcls.wording import did_you_mean

_SWAPS = 20_000
"""How many `balanced_parts` tries."""


class Part(NamedTuple):
    """A file that `split_file` has written: its name without the suffix, and how many rows and groups it holds."""

    name: str
    rows: int
    groups: int


def split_file(
    data: str | Path,
    output: str | Path,
    *,
    validation: float = 0.15,
    test: float = 0.15,
    group: str = "article",
    balance: Sequence[str] = (),
    seed: int = 42,
    text: str = "text",
    label: str = "label",
) -> list[Part]:
    """Write the rows of a file, as they are, to `train.jsonl`, `validation.jsonl` and `test.jsonl` of a new folder, whole or not at all.

    Args:
        data: a JSONL, CSV or Parquet file of labelled rows.
        output: the folder to make.
        validation, test: shares of the groups.
        group: the column whose equal values stay together; a row without a group is on its own.
        balance: columns to balance, besides the label.
        seed: another seed parts otherwise.
        text, label: the columns that every row must have.

    Raises:
        DataError: the file is missing, broken or empty, lacks a column, a text or a label, or has fewer groups than parts.
        OutputError: something is at `output`, or it cannot be written to.
    """
    found = list(read_file(Path(data)))
    if not found:
        raise DataError(f"{data}: expected rows, found none")
    labels, groups = [], []
    for where, row in found:
        required_text(row, text, where)
        labels.append(label_of(row, label, where))
        groups.append(optional_text(row, group, where))
    known = {column for _, row in found for column in row}
    for column in (group, *balance):
        if column not in known:
            raise DataError(f"{data}: no column {column!r}; {did_you_mean(column, known)}")
    columns = [labels, *([str(row.get(column)) for _, row in found] for column in balance)]
    part_of = balanced_parts(groups, columns, [1 - validation - test, validation, test], seed=seed)
    parts = []
    with new_folder(output) as scratch:
        for number, name in enumerate(("train", "validation", "test")):
            chosen = [row for row, part in enumerate(part_of) if part == number]
            write_rows((found[row][1] for row in chosen), scratch / f"{name}.jsonl")
            units = {row if groups[row] is None else groups[row] for row in chosen}
            parts.append(Part(name, len(chosen), len(units)))
    return parts


def balanced_parts(
    groups: Sequence[str | None], columns: Sequence[Sequence[str]], shares: Sequence[float], *, seed: int
) -> list[int]:
    """Part rows by group, such that every part has about the same mix of values in every column.

    Starts from a random parting and keeps those of many random swaps of two groups that make it more even.

    Args:
        groups: each row's group; a row without one is on its own.
        columns: for each column to balance, each row's value.
        shares: the parts' shares of the groups, which sum to 1.
        seed: another seed parts otherwise.

    Returns:
        each row's part, a number from 0 on.

    Raises:
        DataError: fewer groups than parts.
    """
    # A group may itself be called "row 1".
    units = [(group, True) if group is not None else (f"row {number}", False) for number, group in enumerate(groups)]
    number_of = {unit: number for number, unit in enumerate(sorted(set(units)))}
    unit_of, n_units = np.array([number_of[unit] for unit in units]), len(number_of)
    if n_units < len(shares):
        raise DataError(f"expected {len(shares)} groups or more to part, found {n_units}")
    tables = [np.bincount(unit_of, minlength=n_units)[:, None].astype(float)]  # the number of rows counts as a column
    for column in columns:
        values, value_of = np.unique(np.array(column, dtype=object).astype(str), return_inverse=True)
        table = np.zeros((n_units, len(values)))
        np.add.at(table, (unit_of, value_of), 1)
        tables.append(table)
    counts = np.hstack(tables)
    sizes = np.maximum(1, np.round(np.array(shares) * n_units).astype(int))
    sizes[0] += max(0, n_units - sizes.sum())
    while sizes.sum() > n_units:  # no part is left without a group
        sizes[np.argmax(sizes)] -= 1

    random = np.random.default_rng(seed)
    part_of = random.permutation(np.repeat(np.arange(len(shares)), sizes))
    found = np.eye(len(shares))[part_of].T @ counts
    expected = np.array(shares)[:, None] * counts.sum(axis=0)
    for first, second in random.integers(n_units, size=(_SWAPS, 2)):
        a, b = part_of[first], part_of[second]
        if a == b:
            continue
        swapped = found.copy()
        swapped[a] += counts[second] - counts[first]
        swapped[b] += counts[first] - counts[second]
        if _unevenness(swapped, expected) < _unevenness(found, expected):
            found, part_of[first], part_of[second] = swapped, b, a
    return [int(part) for part in part_of[unit_of]]


def _unevenness(found: np.ndarray, expected: np.ndarray) -> float:
    """How far the parts' counts, shape (n_parts, n_values), are from what their shares ask for: chi-square."""
    return float(((found - expected) ** 2 / expected).sum())
