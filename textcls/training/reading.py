"""The rows of a run, and what they are known again by; trials of a sweep share them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.artifacts import DataSummary
from textcls.config import DataConfig
from textcls.dataset import dataset_identity, dataset_name, load_dataset, near_duplicates, row_identities

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class RunData:
    """Rows, as they are read for any model.

    Attributes:
        settings: what they were read by.
        rows: all of them.
        summary: the data set's name, its identity and the number of rows.
        row_identities: what each row is known again by.
        identity_in_order: the identity of these, in their order.
    """

    settings: DataConfig
    rows: Dataset
    summary: DataSummary
    row_identities: list[dict[str, Any]]
    identity_in_order: str

    @cached_property
    def clusters(self) -> np.ndarray:
        """Which texts say nearly the same, as `near_duplicates` gives it, which takes longer than reading them."""
        return near_duplicates(self.rows["text"][:])


def read_data(settings: DataConfig) -> RunData:
    """Read the rows that a config names.

    Raises:
        DataError: they cannot be used.
    """
    rows = load_dataset(settings)
    identities = row_identities(rows)
    summary = DataSummary(dataset_name(settings), dataset_identity(rows), len(rows))
    return RunData(settings, rows, summary, identities, _identity_in_order(identities))


def _identity_in_order(rows: Sequence[Mapping[str, Any]]) -> str:
    """Identify a dataset's rows, as `row_identities` gives them, with their ids and splits and in their order."""
    # Folds are parted by ids, and what was measured is kept by the rows' places.
    return sha256(json.dumps(rows).encode()).hexdigest()
