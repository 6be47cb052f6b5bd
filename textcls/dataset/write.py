"""Write rows to a file, whole or not at all: those of a dataset, or what became of them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textcls.dataset.sources import SUFFIXES, Row, holds_rows
from textcls.dataset.values import of_one_type
from textcls.errors import OutputError
from textcls.files import check_new, new_file


def write_rows(rows: Iterable[Row], path: str | Path) -> int:
    """Write rows to a JSONL, CSV or Parquet file, whole or not at all, and count them.

    In CSV and Parquet, probabilities have a column each, such as `probability_fact`. In CSV, a list or an object is JSON.
    JSONL is written row by row; CSV and Parquet, whose columns and types are known with the last row, hold all rows in memory first.

    Raises:
        OutputError: the file exists, has another suffix, cannot be written, or is no JSONL and would hold half of a surrogate pair.
    """
    path = check_new_rows(path)
    writers = {".jsonl": _write_jsonl, ".csv": _write_csv, ".parquet": _write_parquet}
    with new_file(path) as scratch:
        try:
            return writers[path.suffix.lower()](rows, scratch)
        except UnicodeEncodeError as error:
            raise OutputError(
                f"{path}: expected Unicode, found half of a surrogate pair: {error.object[:80]!a}; only a .jsonl file can hold it"
            ) from error


def json_line(value: Row | list[Any]) -> str:
    """Write a row, or what a cell of it holds, as one line of JSON.

    In it, what JSON does not know, such as a date, is a string, and a number that is none, as pandas makes of what is missing, is null.
    Half of a surrogate pair, which no file in UTF-8 can hold, is escaped.
    """
    try:
        line = json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        line = json.dumps(_finite(value), ensure_ascii=False, default=str)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(json.loads(line))
    return line


def _finite(value: Any) -> Any:
    """A value with None in place of NaN and infinities, at any depth."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_new_rows(path: str | Path) -> Path:
    """Check that rows can be written to a path, before work is spent on them.

    Raises:
        OutputError: something is there, its name has another suffix, or the folder that it would lie in cannot be written to.
    """
    path = check_new(path)
    if not holds_rows(path):
        raise OutputError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}, found {path.suffix or 'no suffix'}")
    return path


def _write_jsonl(rows: Iterable[Row], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as out:
        for count, row in enumerate(rows, 1):  # noqa: B007 - the count is what is returned
            out.write(json_line(row) + "\n")
    return count


def _write_csv(rows: Iterable[Row], path: Path) -> int:
    flat, columns = _flatten_all(rows)
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns)
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in flat)
    return len(flat)


def _write_parquet(rows: Iterable[Row], path: Path) -> int:
    import pyarrow
    import pyarrow.parquet

    flat, columns = _flatten_all(rows)
    # Left to itself, pyarrow would take the first row's columns for those of all.
    table = pyarrow.table({column: of_one_type([row.get(column) for row in flat]) for column in columns})
    pyarrow.parquet.write_table(table, path)
    return len(flat)


def _flatten_all(rows: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """Flatten rows, which may come of inputs with other columns, and name the columns of all of them."""
    flat = [_flatten(row) for row in rows]
    return flat, list(dict.fromkeys(column for row in flat for column in row))


def _flatten(row: Row) -> Row:
    probabilities = row.get("probabilities", {})
    plain = {key: value for key, value in row.items() if key != "probabilities"}
    return plain | {f"probability_{label}": value for label, value in probabilities.items()}


def _cell(value: Any) -> Any:
    return json_line(value) if isinstance(value, list | dict) else _finite(value)
