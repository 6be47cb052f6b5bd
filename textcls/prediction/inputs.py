"""Read what is to be labelled: articles, files of rows, standard input; with the neighbours that a model reads."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BufferedReader
from itertools import chain, pairwise
from pathlib import Path
from typing import cast

from textcls.articles import Article, check_articles, decode_text, find_in_each, read_article
from textcls.dataset import (
    SUFFIXES,
    Names,
    Row,
    add_context,
    group_of,
    holds_rows,
    is_blank,
    only_sentences,
    optional_text,
    parse_rows,
    read_rows,
    stream_rows,
)
from textcls.errors import DataError
from textcls.models import TextClassifier
from textcls.wording import counted, did_you_mean

logger = logging.getLogger(__name__)

_STANDARD_INPUT = "standard input"
_PART_BYTES = 1 << 16
"""What is read of standard input at most at a time: what a pipe holds."""


def named(column: str | None, classifier: TextClassifier, what: str) -> Names:
    """The column that is named; if none is, that of the data that the classifier learnt from, or else what it is called by itself."""
    return column if column is not None else (classifier.columns[what], what)


def each_once(names: Iterable[str]) -> list[str]:
    """Leave out inputs that are named again, with a warning."""
    first: dict[str, str] = {}
    again = []
    for name in names:
        place = name if name == "-" else os.path.realpath(name)  # which a link to itself does not stop
        if place in first:
            again.append(name)
        else:
            first[place] = name
    if again:
        logger.warning("%s: named more than once; taken once", ", ".join(dict.fromkeys(again)))
    return list(first.values())


def find_inputs(names: Sequence[str]) -> dict[str, list[Path]]:
    """Find the articles of the inputs that are articles or folders of them; each once, with a warning where it is named again.

    Raises:
        DataError: one is missing or cannot be read, none holds a sentence, or two articles have one name.
    """
    found = find_in_each(name for name in names if holds_articles(name))
    check_articles(list(chain.from_iterable(found.values())))
    return found


def read_input(
    name: str, articles: Mapping[str, Sequence[Path]], text: Names, id: str, group: str | None
) -> Iterator[Row | None]:
    """Read one input, no further than it is asked for: an article, a folder of them, a file of rows, or `-` for standard input.

    Args:
        name: the input.
        articles: what `find_inputs` found.
        text, id: the columns of the text and of what rows are known by, for rows.
        group: the column of what rows belong to, if it is not `article`.

    Yields:
        its rows, and None wherever standard input has no more of them for now.

    Raises:
        DataError: it is missing or broken, or holds something else.
    """
    path = Path(name)
    if name == "-":
        yield from _read_standard_input(text, id, group)
    elif holds_rows(path):
        yield from _rows_of_file(path, text, id, group)
    elif name in articles:
        yield from sentences_of(name, map(read_article, articles[name]))
    elif path.exists():
        raise DataError(f"{path}: expected a .txt article, a folder of them, or a {', '.join(SUFFIXES)} file")
    else:
        raise DataError(f"{path}: no such file or folder")


def _rows_of_file(path: Path, text: Names, id: str, group: str | None) -> Iterator[Row]:
    unnamed = False
    for row in stream_rows(path, text=text):
        known = _known_columns(row, id, group, str(path))
        if not unnamed and "id" not in known and not {"article", "start"} <= known.keys():
            logger.warning("%s: rows have no column 'id', so that only their order tells them apart; name one with --id", path)
            unnamed = True
        yield known


def _read_standard_input(text: Names, id: str, group: str | None) -> Iterator[Row | None]:
    if sys.stdin is None:
        raise DataError(f"{_STANDARD_INPUT} is closed; name a file, or pipe something in")
    stream = cast(BufferedReader, sys.stdin.buffer)
    # What is there already, without waiting for the rest, which may never come.
    parts = decode_text(iter(lambda: stream.read1(_PART_BYTES), b""), name=_STANDARD_INPUT)
    begun = ""
    while not begun.strip() and (part := next(parts, None)) is not None:
        begun += part
    if begun.lstrip().startswith("{"):
        for row in _arriving_rows(chain([begun], parts), text):
            yield _known_columns(row, id, group, _STANDARD_INPUT) if row is not None else None
    else:
        article = Article(id="-", text=begun + "".join(parts))
        _check_prose(article.text.lstrip(), text)
        yield from sentences_of(_STANDARD_INPUT, [article])


def _arriving_rows(parts: Iterable[str], text: Names) -> Iterator[Row | None]:
    """The rows of JSON Lines, and None at the end of what has come of them so far."""
    number, unfinished = 1, ""
    for part in parts:
        *lines, unfinished = (unfinished + part).split("\n")  # not splitlines, which cuts at marks that JSON allows in a text
        yield from parse_rows(lines, name=_STANDARD_INPUT, first=number, text=text)
        yield None
        number += len(lines)
    yield from parse_rows([unfinished], name=_STANDARD_INPUT, first=number, text=text)


def _check_prose(begins: str, text: Names) -> None:
    """Refuse what is no article: a JSON array, and a CSV that has a column of the text."""
    if re.match(r"\[\s*[{\"]", begins):
        raise DataError(
            f"{_STANDARD_INPUT}: expected an article or JSONL, found a JSON array; write each object on a line of its own"
        )
    first = begins.partition("\n")[0].rstrip()
    names = {text} if isinstance(text, str) else {*text}
    if any(names & {cell.strip('"') for cell in first.split(mark)} for mark in ",;\t" if mark in first):
        raise DataError(
            f"{_STANDARD_INPUT}: expected an article or JSONL, found the head of a CSV, {first!r}; name the file itself"
        )


def holds_articles(name: str) -> bool:
    """Whether an input is an article or a folder of them."""
    path = Path(name)
    return path.is_dir() or path.suffix.lower() == ".txt"


def _known_columns(row: Row, id: str, group: str | None, where: str) -> Row:
    if id != "id" and id not in row:
        raise DataError(f"{where}: no column {id!r}; {did_you_mean(id, row)}")
    known: Row = {"id": row[id]} if id in row else {}
    known |= {key: row[key] for key in ("article", "start", "end", "block", "text", "before", "after") if key in row}
    return known if group is None else known | {"group": row.get(group)}


def sentences_of(source: str, articles: Iterable[Article]) -> Iterator[Row]:
    """Yield the sentences of articles, those of titles too but not those of headings, and warn at the end of what seems to be no article but one text a line."""
    headed, blocks, headings = 0, 0, 0
    for article in articles:
        texts = [None, *(sentence.text for sentence in article.sentences), None]
        for number, sentence in enumerate(article.sentences, 1):
            if sentence.block != "heading":
                place = {"article": article.id, "start": sentence.start, "end": sentence.end, "block": sentence.block}
                yield place | {"text": sentence.text, "before": texts[number - 1], "after": texts[number + 1]}
        kinds = [block.kind for block in article.blocks]
        if _holds_lines(kinds):
            headed, blocks, headings = headed + 1, blocks + len(kinds), headings + kinds.count("heading")
    if headed:
        logger.warning(
            "%s: %s of %s in %s are headings and got no label; for one text a line, give a JSONL, CSV or Parquet file",
            source,
            f"{headings:,}",
            counted(blocks, "block"),
            counted(headed, "article"),
        )


def _holds_lines(kinds: Sequence[str]) -> bool:
    """Whether blocks look as one text a line does, of which those without a full stop are taken for headings.

    Headings are most of them, or follow one another twice or more between the first paragraph and the last, as those of articles hardly do.
    """
    paragraphs = [number for number, kind in enumerate(kinds) if kind == "paragraph"]
    body = kinds[paragraphs[0] : paragraphs[-1]] if paragraphs else []
    return kinds.count("heading") > len(kinds) / 2 or list(pairwise(body)).count(("heading", "heading")) > 1


def read_labelled(data: str | Path, *, text: Names, label: Names) -> list[Row]:
    """Read labelled rows that models are measured on, alone or beside others, as training reads its own.

    Args:
        data: a JSONL, CSV or Parquet file.
        text, label: its columns, or several of which the first counts that a row has.

    Returns:
        rows with `text`, `label`, `id` (a row's number where it has none), `article`, and `before` and `after`, which are None where they
        are no sentences; and their other columns, but for those that a file of predictions has of its own: `fold`, `seed`, `prediction`.

    Raises:
        DataError: the file cannot be used.
    """
    rows = []
    for number, row in enumerate(only_sentences(read_rows(data, text=text, label=label), lambda row: str(data)), 1):
        own = {
            "id": str(number) if is_blank(row.get("id")) else str(row["id"]),
            "article": optional_text(row, "article", f"{data}, row {number}"),
        }
        rows.append({key: value for key, value in row.items() if key not in ("fold", "seed", "prediction")} | own)
    return rows


def grouped(rows: Sequence[Row], classifier: TextClassifier, *, file: str | Path) -> list[Row]:
    """Give rows of a file the groups that the run of a classifier would have given them, as `group`.

    Raises:
        DataError: one is neither a string nor a whole number.
    """
    return [{**row, "group": group_of(row, classifier.group, f"{file}, row {number}")} for number, row in enumerate(rows, 1)]


def in_context(classifier: TextClassifier, rows: Sequence[Row], *, file: str | None = None) -> Sequence[Row]:
    """Give all rows of an input the sentences around them, where the classifier reads these.

    Args:
        classifier: the classifier.
        rows: the rows.
        file: what to call a file of rows, whose columns `before` and `after` may hold something else; None where they hold sentences.
    """
    if classifier.context is None:
        return rows
    if file is not None:
        rows = only_sentences(rows, lambda row: file)
    return add_context(rows, **{side: classifier.context.get(side, 0) for side in ("before", "after")})
