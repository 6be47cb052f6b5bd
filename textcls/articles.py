"""Find plain-text articles and read them, exactly as they stand.

How a text is cut into sentences is left to `segmentation`, and what the sentences mean to the annotators.
"""

from __future__ import annotations

import logging
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from io import IncrementalNewlineDecoder
from pathlib import Path

from textcls.errors import DataError
from textcls.segmentation import Block, Sentence, find_blocks, find_sentences
from textcls.wording import counted

logger = logging.getLogger(__name__)

_ROWS = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
"""Suffixes of files of rows, most of which could be read as text."""


@dataclass(frozen=True)
class Article:
    """A text with its blocks and sentences.

    Attributes:
        id: the stem of the file's name.
        text: the text as read, line ends normalised to `\\n` and without a byte order mark.
    """

    id: str
    text: str

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks in the order of the text."""
        return tuple(find_blocks(self.text))

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences in the order of the text, those of titles and headings too."""
        return tuple(find_sentences(self.text, self.blocks))


def read_article(path: str | Path) -> Article:
    """Read one plain-text article.

    Raises:
        DataError: the file is missing, is not UTF-8, or by its suffix holds rows.
    """
    path = Path(path)
    if path.suffix.lower() in _ROWS:
        raise DataError(f"{path}: expected a plain-text article, found a {path.suffix} file, whose rows are not prose")
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected a plain-text article") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read as an article: {error.strerror}") from error
    return decode_article(raw, id=path.stem, name=str(path))


def decode_article(raw: bytes, *, id: str, name: str) -> Article:
    """Make an article of bytes; `name` is what an error calls them.

    Raises:
        DataError: the bytes are not UTF-8.
    """
    return Article(id=id, text="".join(decode_text([raw], name=name)))


def decode_text(parts: Iterable[bytes], *, name: str) -> Iterator[str]:
    """Decode a text that comes in parts, such as a pipe's: line ends become `\\n`, a byte order mark is left out.

    Raises:
        DataError: the bytes are not UTF-8; it calls them `name`.
    """
    decoder = IncrementalNewlineDecoder(getincrementaldecoder("utf-8-sig")(), translate=True)
    line = 1
    try:
        for part in parts:
            text = decoder.decode(part)
            line += text.count("\n")
            yield text
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        perhaps = "utf-16" if line == 1 and error.object.startswith((b"\xff\xfe", b"\xfe\xff")) else "windows-1252"
        line += error.object.count(b"\n", 0, error.start)
        raise DataError(
            f"{name}: expected UTF-8, found byte 0x{error.object[error.start]:02x} on line {line}; "
            f"convert the file, for example with: iconv -f {perhaps} -t utf-8"
        ) from error


def find_articles(*paths: str | Path) -> list[Path]:
    """List the article files of paths: of a file itself, of a folder every `*.txt` below it, by name.

    What lies in a store of runs is left out, with a warning: it is the output of textcls, whose logs are `.txt` files too.

    Raises:
        DataError: a path does not exist, a folder holds no article, or two files would be articles of one name.
    """
    found = [file for path in paths for file in _find_articles(path)]
    check_names(found)
    return found


def check_names(files: Iterable[Path]) -> None:
    """Check that no two files would be articles of one name.

    Raises:
        DataError: two would.
    """
    first: dict[str, Path] = {}
    for file in files:
        other = first.setdefault(file.stem, file)
        if other != file and not other.samefile(file):  # who names a file twice means it
            raise DataError(f"{file}: the article would be called {file.stem!r}, as {other} is already; rename one of them")


def _find_articles(place: str | Path) -> list[Path]:
    path = Path(place)
    if path.is_file():
        return [path]
    if place == "" or not path.is_dir():  # `Path("")` is the current folder, and an empty variable of a shell does not mean it
        raise DataError(f"{place or repr(place)}: no such file or folder; expected a .txt article or a folder of them")
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() == ".txt")
    left_out = []
    for store in _stores(path):
        inside = [file for file in found if file.is_relative_to(store)]
        if inside:
            found = [file for file in found if not file.is_relative_to(store)]
            left_out.append(f"{counted(len(inside), '.txt file')} in the store of runs {store}")
    if not found:
        apart = f", apart from {' and '.join(left_out)}" if left_out else ""
        raise DataError(f"{path}: expected a folder with .txt articles, found none in it{apart}")
    for what in left_out:
        logger.warning("%s: left out %s", path, what)
    return found


def _stores(path: Path) -> Iterator[Path]:
    """The stores of runs below a folder, that of textcls alone: another's `mlflow.db` may lie beside articles."""
    for state in sorted(path.rglob("store.json")):
        if (state.parent / "mlflow.db").is_file():
            yield state.parent
