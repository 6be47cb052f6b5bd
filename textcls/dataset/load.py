"""Read labelled rows from files or the hub into one `datasets.Dataset`, and check them.

Every source ends in the same columns: `id`, `text`, `label`, `group`, `before`, `after`, `annotations` and `split`; what else the
data hold is kept beside them. Who learns from which row is decided in `splits`.
"""

from __future__ import annotations

import csv
import glob
import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textcls.config import DataConfig
from textcls.dataset.annotations import known_annotations, row_annotations
from textcls.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

SUFFIXES = (".jsonl", ".csv", ".parquet")
COLUMNS = ("id", "text", "label", "group", "before", "after", "annotations", "split")
"""What every row has."""

Row = dict[str, Any]


def holds_rows(path: str | Path) -> bool:
    """Whether a path, by its suffix, is that of a file of rows."""
    return Path(path).suffix.lower() in SUFFIXES


def load_dataset(config: DataConfig) -> Dataset:
    """Load every file that the config names into one checked dataset.

    It warns of a column of the data whose name one of the dataset's own columns takes.

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
        for raw, row in _load_split(config, split, repeated):
            rows.append(row)
            for column in taken:
                if raw.get(column) not in (None, ""):
                    seen.setdefault(column, getattr(config, split))
    for column, source in seen.items():
        logger.warning("%s has a column %r, %s", source, column, taken[column])
    _check_labels(rows, config)
    _check_ids(rows)
    extra = sorted({column for row in rows for column in row} - {*COLUMNS, "_where"})
    columns = {column: [row.get(column) for row in rows] for column in (*COLUMNS, *extra)}
    return Dataset.from_dict(columns | {column: of_one_type(columns[column]) for column in extra})


def read_rows(path: str | Path, *, text: str = "text", label: str | None = None) -> list[Row]:
    """Read the rows of one JSONL, CSV or Parquet file, in which every row must have a text.

    Args:
        path: the file.
        text: the column of the text; the rows come back with it as `text`.
        label: the column of the label, if there must be one; the rows come back with it as `label`.

    Raises:
        DataError: the file is missing, broken, empty, or lacks a column, a text or a label.
    """
    rows = []
    for where, raw in _read_file(Path(path)):
        row = {**raw, "text": _required(raw, text, where)}
        if label is not None:
            row["label"] = _required(raw, label, where)
        rows.append(row)
    if not rows:
        raise DataError(f"{path}: expected rows, found none")
    return rows


def read_table(path: str | Path) -> list[Row]:
    """Read the rows of one JSONL, CSV or Parquet file as they are.

    Raises:
        DataError: the file is missing or broken.
    """
    return [row for _, row in _read_file(Path(path))]


def parse_rows(lines: Iterable[str], *, name: str, text: str = "text") -> Iterator[Row]:
    """Read rows of JSON Lines that do not lie in a file; `name` is what an error calls them. See `read_rows`."""
    for where, raw in _parse_jsonl(lines, name):
        yield {**raw, "text": _required(raw, text, where)}


def read_columns(path: str | Path, *, key: str) -> dict[str, Row]:
    """Read a file of rows that describe something else, such as articles, by the column that names it.

    Raises:
        DataError: the file is missing or broken, or a row has no key or one that stands already.
    """
    found: dict[str, Row] = {}
    for where, raw in _read_file(Path(path)):
        name = _required(raw, key, where)
        if name in found:
            raise DataError(f"{where}: the {key} {name!r} stands there already")
        found[name] = {column: value for column, value in raw.items() if column != key}
    return found


# --- files ----------------------------------------------------------------------------------------------------------


def _load_split(config: DataConfig, split: str, repeated: Counter[str]) -> Iterator[tuple[Row, Row]]:
    """Yield what the data say, and the row that it becomes."""
    source = getattr(config, split)
    if source is None:
        return
    found = False
    for where, raw in _read_source(source, split, config.download):
        found = True
        row = dict(raw)
        row["text"] = _required(raw, config.text, where)
        row["label"] = _required(raw, config.label, where)
        row["id"] = _identify(raw, config.id, where)
        row["group"] = _required(raw, config.group, where) if config.group else group_of(raw, None, where)
        row["before"], row["after"] = (
            optional_text(raw, side, where) if isinstance(raw.get(side), str) else None for side in ("before", "after")
        )
        # What is only measured on needs none.
        learnt = config.annotations if split == "train" else None
        row["annotations"] = row_annotations(raw, learnt, where) if learnt is not None else None
        row["split"], row["_where"] = split, where
        if row["id"] is None:
            # Of the text, so that the row is the same one wherever its file lies and whatever is added to it.
            digest = hashlib.sha256(row["text"].encode()).hexdigest()[:16]
            repeated[digest] += 1
            row["id"] = digest if repeated[digest] == 1 else f"{digest}-{repeated[digest]}"
        yield raw, row
    if not found:
        raise DataError(f"data.{split}: {source}: expected rows, found none")


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
    return optional_text(raw, column, where) if column == "id" else _required(raw, column, where)


def _read_source(source: str, split: str, download: bool) -> Iterator[tuple[str, Row]]:
    path = Path(source)
    if path.is_file():
        yield from _read_file(path)
    elif path.is_dir():
        files = sorted(file for file in path.iterdir() if holds_rows(file))
        if not files:
            raise DataError(f"data.{split}: {source}: expected a {_or(SUFFIXES)} file in the folder, found none")
        for file in files:
            yield from _read_file(file)
    elif any(sign in source for sign in "*?["):
        files = sorted(map(Path, glob.glob(source, recursive=True)))
        if not files:
            raise DataError(f"data.{split}: {source}: no file matches")
        for file in files:
            yield from _read_file(file)
    elif holds_rows(path) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?(:[\w.-]+)?", source):
        raise DataError(f"data.{split}: {source}: no such file or folder")
    else:
        yield from _read_hub(source, split, download)


def _read_hub(name: str, split: str, download: bool) -> Iterator[tuple[str, Row]]:
    """Read a dataset of the hub, `owner/name` or `owner/name:split`, with its class numbers turned into names."""
    import datasets

    repository, _, wanted = name.partition(":")
    try:
        with nullcontext() if download else _offline():
            dataset = datasets.load_dataset(repository, split=wanted or split)
    except Exception as error:  # the hub's client raises from a dozen trees
        remedy = "check the name and the network" if download else "set data.download=true to fetch it from the hub"
        raise DataError(f"data.{split}: {name}: no such file, and no dataset of that name at hand; {remedy}") from error
    names = {column: feature.names for column, feature in dataset.features.items() if isinstance(feature, datasets.ClassLabel)}
    for number, row in enumerate(dataset):
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


def _read_file(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield where each row stands, for messages, and the row."""
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
        yield from _parse_jsonl(lines, str(path))


def _parse_jsonl(lines: Iterable[str], name: str) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{name}, line {number}: not valid JSON: {error.msg} at column {error.colno}") from error
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
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"{path}: not valid Parquet: {str(error).splitlines()[0]}") from error
    for number, row in enumerate(table.to_pylist()):
        yield f"{path}, row {number}", row


# --- checks ---------------------------------------------------------------------------------------------------------


_SURROGATE = re.compile(r"[\ud800-\udfff]")


def _required(row: Row, column: str, where: str) -> str:
    if column not in row:
        raise DataError(f"{where}: no column {column!r}; {did_you_mean(column, row)}")
    value = optional_text(row, column, where)
    if value is None:
        found = "NaN" if isinstance(row[column], float) else json.dumps(row[column])
        raise DataError(f"{where}: expected a {column}, found {found}")
    return value


def optional_text(row: Row, column: str, where: str) -> str | None:
    """Take a value as a string; None where there is none, which CSV writes as nothing and pandas as NaN.

    A truth value is `True` or `False`, as Python and pandas write it to CSV.

    Raises:
        DataError: it is neither a string, a whole number nor a truth value; `where` says where the row stands.
    """
    value = row.get(column)
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise DataError(f"{where}: expected {column} in Unicode, found half of a surrogate pair: {json.dumps(value)}")
        return value if value.strip() else None
    if isinstance(value, int):  # as bool is too
        return str(value)
    raise DataError(f"{where}: expected {column} to be a string, found {json.dumps(value, default=str)}")


def group_of(row: Row, column: str | None, where: str) -> str | None:
    """Take the group of a row, as `group_column` finds it; None where there is none.

    Raises:
        DataError: it is neither a string, a whole number nor a truth value.
    """
    return optional_text(row, group_column(row, column), where)


def group_column(row: Row, named: str | None) -> str:
    """The column that groups a row: the one that is named, if the row has it, else `article`."""
    return named if named is not None and named in row else "article"


def of_one_type(values: list[Any]) -> list[Any]:
    """The values of a column that nothing depends on; as JSON if Arrow cannot hold them as they are."""
    import pyarrow

    try:
        pyarrow.array(values)
    except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError):
        return [None if value is None else json.dumps(value, default=str) for value in values]
    return values


def _check_labels(rows: Sequence[Row], config: DataConfig) -> None:
    known = set(config.labels or (row["label"] for row in rows if row["split"] == "train"))
    for row in rows:
        if row["label"] not in known:
            raise DataError(f"{row['_where']}: unknown label {row['label']!r}; {did_you_mean(row['label'], known)}")
        row["annotations"] = known_annotations(row, known)
    seen = {row["label"] for row in rows if row["split"] == "train"}
    if len(seen) < 2:
        raise DataError(f"data.train: {config.train}: expected two labels or more, found only {seen.pop()!r}")


def _check_ids(rows: Sequence[Row]) -> None:
    first: dict[str, str] = {}
    for row in rows:
        if row["id"] in first:
            raise DataError(
                f"{row['_where']}: the id {row['id']!r} stands already at {first[row['id']]}; "
                "with data.id null, rows are known by their text"
            )
        first[row["id"]] = row["_where"]


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
