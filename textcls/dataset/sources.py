"""Read rows as they are from JSONL, CSV and Parquet files, folders of them, and the hub; each with where it stands, for messages."""

from __future__ import annotations

import csv
import glob
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

from textcls.errors import DataError
from textcls.wording import looked_for_in, one_line

SUFFIXES = (".jsonl", ".csv", ".parquet")

Row = dict[str, Any]
"""What a row holds, by the names of its columns."""

_PARQUET_ROWS = 1024
"""Rows of a Parquet file that are made at a time."""


def holds_rows(path: str | Path) -> bool:
    """Whether a path, by its suffix, is that of a file of rows."""
    return Path(path).suffix.lower() in SUFFIXES


def read_source(source: str, split: str, download: bool) -> Iterator[tuple[str, Row]]:
    """Yield where each row stands, for messages, and the row.

    Args:
        source: a file, a folder of them, a glob, or a dataset of the hub, `owner/name` or `owner/name:split`.
        split: the setting of `data` that names it, which also is the hub's split unless it names another.
        download: whether the hub may be asked.

    Raises:
        DataError: there is no such file or dataset, or it is broken.
    """
    path = Path(source)
    if path.is_file():
        yield from read_file(path)
    elif path.is_dir():
        files = sorted(file for file in path.iterdir() if holds_rows(file))
        if not files:
            raise DataError(f"data.{split}: {source}: expected a {_or(SUFFIXES)} file in the folder, found none")
        for file in files:
            yield from read_file(file)
    elif any(sign in source for sign in "*?["):
        files = sorted(map(Path, glob.glob(source, recursive=True)))
        if not files:
            raise DataError(f"data.{split}: {source}: no file matches{looked_for_in(source)}")
        for file in files:
            yield from read_file(file)
    elif holds_rows(path) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?(:[\w.-]+)?", source):
        raise DataError(f"data.{split}: {source}: no such file or folder{looked_for_in(source)}")
    else:
        yield from _read_hub(source, split, download)


def _read_hub(name: str, split: str, download: bool) -> Iterator[tuple[str, Row]]:
    """Read a dataset of the hub, `owner/name` or `owner/name:split`, with its class numbers turned into names."""
    import datasets

    repository, _, wanted = name.partition(":")
    try:
        with nullcontext() if download else _offline():
            dataset = datasets.load_dataset(repository, split=wanted or split)
    except (ConnectionError, FileNotFoundError) as error:
        remedy = "check the name and the network" if download else "set data.download=true to fetch it from the hub"
        raise DataError(f"data.{split}: {name}: no such file, and no dataset of that name at hand; {remedy}") from error
    except Exception as error:  # datasets and its hub raise from a dozen trees
        raise DataError(f"data.{split}: {name}: datasets cannot load it: {one_line(str(error), 300)}") from error
    names = {column: feature.names for column, feature in dataset.features.items() if isinstance(feature, datasets.ClassLabel)}
    for number, row in enumerate(dataset, 1):
        yield f"{name}, row {number}", {c: names[c][v] if c in names and v is not None else v for c, v in row.items()}


@contextmanager
def _offline() -> Iterator[None]:
    """Keep datasets from asking the hub, as its own environment variable would."""
    import datasets
    import huggingface_hub

    before = datasets.config.HF_HUB_OFFLINE, huggingface_hub.constants.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = huggingface_hub.constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, huggingface_hub.constants.HF_HUB_OFFLINE = before


def read_file(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield where each row of a file stands, and the row.

    Raises:
        DataError: the file is missing, broken, or none of `SUFFIXES`.
    """
    readers = {".jsonl": _read_jsonl, ".csv": _read_csv, ".parquet": _read_parquet}
    read = readers.get(path.suffix.lower())
    if read is None:
        raise DataError(f"{path}: expected a {_or(SUFFIXES)} file, found {path.suffix or 'no suffix'}")
    try:
        yield from read(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        perhaps = "UTF-16" if error.start == 0 and byte in (0xFF, 0xFE) else "Latin-1 or Windows-1252"
        raise DataError(
            f"{path}: expected UTF-8, found byte 0x{byte:02x}, so it is perhaps {perhaps}; save it as UTF-8 (a spreadsheet: as CSV UTF-8)"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _read_jsonl(path: Path) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8-sig") as lines:
        yield from parse_jsonl(lines, str(path))


def parse_jsonl(lines: Iterable[str], name: str, *, first: int = 1) -> Iterator[tuple[str, Row]]:
    """Yield where each row of JSON Lines stands, and the row; `name` is what their file is called, `first` the number of the first line.

    Raises:
        DataError: a line is not a JSON object.
    """
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{name}, line {number}: not valid JSON: {error.msg} at column {error.colno}") from error
        except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists in lists
            raise DataError(f"{name}, line {number}: not JSON that can be read: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{name}, line {number}: expected a JSON object, found {type(row).__name__}")
        yield f"{name}, line {number}", row


def _read_csv(path: Path) -> Iterator[tuple[str, Row]]:
    csv.field_size_limit(2**31 - 1)  # Python's own 131,072 characters would refuse a long article; a C long holds this anywhere
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        begins = 1  # the line of a row is the one at which it begins
        try:
            header = next(reader, [])
            twice = [column for column, count in Counter(header).items() if column and count > 1]
            if twice:
                raise DataError(f"{path}: column {twice[0]!r} stands twice in the header; rename one")
            if len(header) == 1 and (other := re.search("[;\t]", header[0])):
                mark = "tabs" if other[0] == "\t" else repr(other[0])
                raise DataError(f"{path}: expected columns separated by commas, it seems to have {mark}; save it with commas")
            begins = reader.line_num + 1
            for row in reader:
                if row and len(row) != len(header):
                    raise DataError(f"{path}, line {begins}: expected {len(header)} cells; quote cells that hold commas")
                if row:  # an empty line is none
                    yield f"{path}, line {begins}", dict(zip(header, row, strict=True))
                begins = reader.line_num + 1
        except csv.Error as error:
            raise DataError(f"{path}, line {begins}: not valid CSV: {error}") from error


def _read_parquet(path: Path) -> Iterator[tuple[str, Row]]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            batches = file.iter_batches(_PARQUET_ROWS)
            for number, row in enumerate(chain.from_iterable(batch.to_pylist() for batch in batches), 1):
                yield f"{path}, row {number}", row
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"{path}: not valid Parquet: {str(error).splitlines()[0]}") from error


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
