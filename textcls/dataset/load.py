"""Read labelled rows from files or the hub into one `datasets.Dataset`, and check them.

Every source ends in the same columns: `id`, `text`, `label`, `group`, `before`, `after`, `annotations` and `split`; what else the
data hold is kept beside them. Who learns from which row is decided in `splits`.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from textcls.config import DataConfig
from textcls.dataset.annotations import known_annotations, row_annotations
from textcls.dataset.context import only_sentences
from textcls.dataset.sources import Row, parse_jsonl, read_file, read_source
from textcls.dataset.values import Names, column_of, group_of, is_blank, label_of, of_one_type, optional_text, required_text
from textcls.errors import DataError
from textcls.wording import did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

COLUMNS = ("id", "text", "label", "group", "before", "after", "annotations", "split")
"""What every row has."""


def load_dataset(config: DataConfig, *, faults: list[str] | None = None) -> Dataset:
    """Load every file that the config names into one checked dataset.

    It warns of a column of the data whose name one of the dataset's own columns takes, and of one called `before` or `after` that holds
    something else than sentences.

    Args:
        config: the files and their columns.
        faults: a list to which a line is added for every row that cannot be used and is left out; without it the first one is raised.

    Returns:
        a dataset with the columns `id`, `text`, `label`, `group`, `before`, `after` (strings; the last three may be
        None), `annotations` (a list of strings for training rows where the config names their column, else None), `split`
        (`train`, `validation` or `test`: the setting that named the row's file), and the data's others.

    Raises:
        DataError: a file is missing or broken, a column is missing, a row has no text, no usable label or not those of
            annotators that it should have, an id occurs twice, there is only one label, or there are no rows.
    """
    from datasets import Dataset

    repeated: Counter[str] = Counter()
    taken = _taken_names(config)
    seen: dict[str, str] = {}
    rows = []
    for split in ("train", "validation", "test"):
        for raw, row in _load_split(config, split, repeated, faults):
            rows.append(row)
            for column in taken:
                if not is_blank(raw.get(column)):
                    seen.setdefault(column, getattr(config, split))
    for column, source in seen.items():
        logger.warning("%s has a column %r, %s", source, column, taken[column])
    rows = only_sentences(rows, lambda row: str(getattr(config, row["split"])))
    rows = _usable(rows, config, faults)
    _check_labels(rows, config)
    extra = sorted({column for row in rows for column in row} - {*COLUMNS, "_where"})
    columns = {column: [row.get(column) for row in rows] for column in (*COLUMNS, *extra)}
    return Dataset.from_dict(columns | {column: of_one_type(columns[column]) for column in extra})


def read_rows(path: str | Path, *, text: Names = "text", label: Names | None = None) -> list[Row]:
    """Read the rows of one JSONL, CSV or Parquet file, in which every row must have a text.

    Args:
        path: the file.
        text: the column of the text, or several of which the first counts that a row has; the rows come back with it as `text`.
        label: the same of the label, if there must be one; the rows come back with it as `label`.

    Raises:
        DataError: the file is missing, broken, empty, or lacks a column, a text or a label.
    """
    return list(stream_rows(path, text=text, label=label))


def stream_rows(path: str | Path, *, text: Names = "text", label: Names | None = None) -> Iterator[Row]:
    """Yield the rows of a file one by one, for what need not hold all of them; see `read_rows`."""
    row = None
    for where, raw in read_file(Path(path)):
        row = {**raw, "text": required_text(raw, column_of(raw, text), where)}
        if label is not None:
            row["label"] = label_of(raw, column_of(raw, label), where)
        yield row
    if row is None:
        raise DataError(f"{path}: expected rows, found none")


def read_table(path: str | Path) -> list[Row]:
    """Read the rows of one JSONL, CSV or Parquet file as they are.

    Raises:
        DataError: the file is missing or broken.
    """
    return [row for _, row in read_file(Path(path))]


def parse_rows(lines: Iterable[str], *, name: str, first: int = 1, text: Names = "text") -> Iterator[Row]:
    """Yield rows of JSON Lines that do not lie in a file; an error calls them by `name` and a number from `first` on. See `read_rows`."""
    for where, raw in parse_jsonl(lines, name, first=first):
        yield {**raw, "text": required_text(raw, column_of(raw, text), where)}


def read_columns(path: str | Path, *, key: str) -> dict[str, Row]:
    """Read a file of rows that describe something else, such as articles, by the column that names it.

    Raises:
        DataError: the file is missing or broken, or a row has no key or one that stands already.
    """
    found: dict[str, Row] = {}
    for where, raw in read_file(Path(path)):
        name = required_text(raw, key, where)
        if name in found:
            raise DataError(f"{where}: the {key} {name!r} stands there already")
        found[name] = {column: value for column, value in raw.items() if column != key}
    return found


# --- rows -------------------------------------------------------------------------------------------------------------


def _load_split(config: DataConfig, split: str, repeated: Counter[str], faults: list[str] | None) -> Iterator[tuple[Row, Row]]:
    """Yield what the data say, and the row that it becomes."""
    source = getattr(config, split)
    if source is None:
        return
    found = missed = 0
    for where, raw in read_source(source, split, config.download):
        try:
            row = _make_row(raw, config, split, where)
        except DataError as error:
            if faults is None:
                raise
            faults.append(str(error))
            missed += 1
            continue
        found += 1
        if row["id"] is None:
            # Of the text, so that the row is the same one wherever its file lies and whatever is added to it.
            digest = hashlib.sha256(row["text"].encode()).hexdigest()[:16]
            repeated[digest] += 1
            row["id"] = digest if repeated[digest] == 1 else f"{digest}-{repeated[digest]}"
        yield raw, row
    if not found:
        raise DataError(faults[-1] if faults and missed else f"data.{split}: {source}: expected rows, found none")


def _make_row(raw: Row, config: DataConfig, split: str, where: str) -> Row:
    row = dict(raw)
    row["text"] = required_text(raw, config.text, where)
    row["label"] = label_of(raw, config.label, where)
    row["id"] = _identify(raw, config.id, where)
    row["group"] = required_text(raw, config.group, where) if config.group else group_of(raw, None, where)
    for side in ("before", "after"):
        if isinstance(raw.get(side), str):  # whether it is a sentence is seen when all rows are known
            row[side] = optional_text(raw, side, where)
    # What is only measured on needs none.
    learnt = config.annotations if split == "train" else None
    row["annotations"] = row_annotations(raw, learnt, where) if learnt is not None else None
    row["split"], row["_where"] = split, where
    return row


def _taken_names(config: DataConfig) -> dict[str, str]:
    """Names that columns of the data lose to the dataset's own, since no setting names them; and what to say of each."""
    what = {
        "group": "rows of one group may fall apart",
        "annotations": "models learn from the label alone",
    }
    said = {"split": "which is not read: data.train, data.validation and data.test say what rows are for; name a file for each"}
    for column in ("id", "text", "label", "group", "annotations"):
        named = getattr(config, column)
        if named is not None:
            said[column] = f"which gives way to {named!r}, named by data.{column}; rename it to keep it"
        elif column in what:
            said[column] = f"which data.{column} does not name: {what[column]}; set data.{column}={column}, or rename it"
    used = (config.id, config.text, config.label, config.group, config.annotations)
    return {column: words for column, words in said.items() if column not in used}


def _identify(raw: Row, column: str | None, where: str) -> str | None:
    if column is None:
        return None
    return optional_text(raw, column, where) if column == "id" else required_text(raw, column, where)


# --- checks ---------------------------------------------------------------------------------------------------------


def _usable(rows: Sequence[Row], config: DataConfig, faults: list[str] | None) -> list[Row]:
    """Leave out the rows whose label or annotators' label is unknown, or whose id stands already."""
    known = set(config.labels or (row["label"] for row in rows if row["split"] == "train"))
    first: dict[str, str] = {}
    usable = []
    for row in rows:
        try:
            if row["label"] not in known:
                raise DataError(f"{row['_where']}: unknown label {row['label']!r}; {did_you_mean(row['label'], known)}")
            row["annotations"] = known_annotations(row, known)
            if row["id"] in first:
                raise DataError(
                    f"{row['_where']}: the id {row['id']!r} stands already at {first[row['id']]}; "
                    "with data.id null, rows are known by their text"
                )
        except DataError as error:
            if faults is None:
                raise
            faults.append(str(error))
            continue
        first[row["id"]] = row["_where"]
        usable.append(row)
    return usable


def _check_labels(rows: Sequence[Row], config: DataConfig) -> None:
    known = set(config.labels or ()) | {row["label"] for row in rows}
    for one, other in pairwise(sorted(known, key=lambda label: (label.casefold(), label))):
        if one.casefold() == other.casefold():
            logger.warning(
                "the labels %r and %r differ only in their capitals; if they mean the same, write them alike", one, other
            )
    seen = {row["label"] for row in rows if row["split"] == "train"}
    if len(seen) < 2:
        found = f"only {seen.pop()!r}" if seen else "none"
        raise DataError(f"data.train: {config.train}: expected two labels or more, found {found}")
