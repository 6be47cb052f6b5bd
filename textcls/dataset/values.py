"""Take values out of a row that a file or the hub gave: a text, a label, a group."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from textcls.errors import DataError
from textcls.wording import did_you_mean

Names = str | Sequence[str]
"""The name of a column, or several of which the first counts that a row has."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")


def is_blank(value: Any) -> bool:
    """Whether there is no value: None, a string of white space, as CSV has it, or the NaN that pandas makes of either."""
    return value is None or (isinstance(value, float) and value != value) or (isinstance(value, str) and not value.strip())


def column_of(row: Mapping[str, Any], names: Names) -> str:
    """The first of several columns that a row has; the first of all if it has none."""
    several = (names,) if isinstance(names, str) else names
    return next((name for name in several if name in row), several[0])


def required_text(row: Mapping[str, Any], column: str, where: str) -> str:
    """Take a value as a string, as `optional_text` does, which must be there.

    Raises:
        DataError: there is no such column, or nothing in it.
    """
    if column not in row:
        raise DataError(f"{where}: no column {column!r}; {did_you_mean(column, row)}")
    value = optional_text(row, column, where)
    if value is None:
        found = "NaN" if isinstance(row[column], float) else json.dumps(row[column])
        raise DataError(f"{where}: expected a {column}, found {found}: fill it in or leave the row out")
    return value


def label_of(row: Mapping[str, Any], column: str, where: str) -> str:
    """Take a label, without the spaces around it that a spreadsheet hides.

    Raises:
        DataError: there is no such column, or nothing in it.
    """
    return required_text(row, column, where).strip()


def optional_text(row: Mapping[str, Any], column: str, where: str) -> str | None:
    """Take a value as a string; None where there is none, which CSV writes as nothing and pandas as NaN.

    A truth value is `True` or `False`, as Python and pandas write it to CSV.

    Raises:
        DataError: it is neither a string, a whole number nor a truth value; `where` says where the row stands.
    """
    value = row.get(column)
    if is_blank(value):
        return None
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise DataError(f"{where}: expected {column} in Unicode, found half of a surrogate pair: {json.dumps(value)}")
        return value
    if isinstance(value, int):  # as bool is too
        return str(value)
    found = json.dumps(value, default=str)
    raise DataError(f"{where}: expected {column} to be a string or a whole number, found {found}; write it as one of them")


def group_of(row: Mapping[str, Any], column: str | None, where: str) -> str | None:
    """Take the group of a row, as `group_column` finds it; None where there is none.

    Raises:
        DataError: it is neither a string, a whole number nor a truth value.
    """
    return optional_text(row, group_column(row, column), where)


def group_column(row: Mapping[str, Any], named: str | None) -> str:
    """The column that groups a row: the one that is named, if the row has it, else `article`."""
    return named if named is not None and named in row else "article"


def of_one_type(values: list[Any]) -> list[Any]:
    """The values of a column; as text if Arrow cannot hold them as they are, since they are of several types, say."""
    import pyarrow

    try:
        pyarrow.array(values)
    except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError):
        return [_as_text(value) for value in values]
    return values


def _as_text(value: Any) -> str | None:
    """A string or a whole number as `optional_text` takes it, all else as JSON, as is a string that UTF-8 cannot hold."""
    if value is None or (isinstance(value, str) and not _SURROGATE.search(value)):
        return value
    return str(value) if isinstance(value, int) else json.dumps(value, default=str)
