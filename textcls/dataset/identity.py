"""What a dataset is called, and how it is known again by its content."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from textcls.config import DataConfig

if TYPE_CHECKING:
    from datasets import Dataset

_IDENTIFYING = ("text", "label", "group", "before", "after")  # no id: where data have none, it is the place in a file


def dataset_identity(dataset: Dataset) -> str:
    """Identify a dataset by its content: SHA-256 (64 hex digits) over all rows, whatever their order or file format."""
    columns = [dataset[column][:] for column in _IDENTIFYING]
    # Of the annotators' labels it counts how many gave which; a row without any is known as it was before there could be any.
    given = [[sorted(labels)] if labels is not None else [] for labels in dataset["annotations"][:]]
    digests = sorted(
        hashlib.sha256(json.dumps([*values, *labels], ensure_ascii=False).encode()).digest()
        for *values, labels in zip(*columns, given, strict=True)
    )
    return hashlib.sha256(b"".join(digests)).hexdigest()


def row_identities(dataset: Dataset) -> list[dict[str, str | None]]:
    """What a row is known again by, without its text.

    Returns:
        rows of `id`, `text` (16 hex digits of its SHA-256), `label`, `annotations` (its annotators' labels, sorted, as JSON), `group`
        and `split`.
    """
    columns = {name: dataset[name][:] for name in ("id", "text", "label", "annotations", "group", "split")}
    columns["annotations"] = [
        json.dumps(sorted(labels), ensure_ascii=False) if labels is not None else None for labels in columns["annotations"]
    ]
    columns["text"] = [text_digest(text) for text in columns["text"]]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def text_digest(text: str) -> str:
    """What a text is known again by: 16 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def dataset_name(config: DataConfig) -> str:
    """Name a data set: as the config says, else by the file or folder of its training rows, from wherever it is named."""
    if config.name:
        return config.name
    path = Path(os.path.abspath(config.train))  # noqa: PTH100 - resolve() would follow links, absolute() leave `..` in it
    generic = path.stem.split("*")[0] in ("", "train", "data", "dataset", "sentences", "all")
    return path.parent.name if generic and path.parent.name else path.stem
