"""Find plain-text articles and read them, exactly as they stand.

How a text is cut into sentences is left to `segmentation`, and what the sentences mean to the annotators.
"""

from __future__ import annotations

import logging
import os
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import IncrementalNewlineDecoder
from itertools import chain
from pathlib import Path

from textcls.errors import DataError
from textcls.segmentation import Block, Sentence, find_blocks, find_sentences
from textcls.wording import counted

logger = logging.getLogger(__name__)

_ROWS = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
"""Suffixes of files of rows, most of which could be read as text."""
_MOST_NAMED = 10
"""Files that a message names at most."""


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
        perhaps = _perhaps(error) if line == 1 else "windows-1252"
        line += error.object.count(b"\n", 0, error.start)
        raise DataError(
            f"{name}: expected UTF-8, found byte 0x{error.object[error.start]:02x} on line {line}; "
            f"convert the file, for example with: iconv -f {perhaps} -t utf-8"
        ) from error


def _perhaps(error: UnicodeDecodeError) -> str:
    """The encoding that a text which is not UTF-8 may have, by how it begins."""
    return "utf-16" if error.object.startswith((b"\xff\xfe", b"\xfe\xff")) else "windows-1252"


def _listed(files: Sequence[Path]) -> str:
    return ", ".join(map(str, files[:_MOST_NAMED])) + (", …" if len(files) > _MOST_NAMED else "")


def find_articles(*paths: str | Path) -> list[Path]:
    """List the article files of paths: of a file itself, of a folder every `*.txt` below it, by name, but for what is hidden; each once.

    What lies in a store of runs is left out, with a warning: it is the output of textcls, whose logs are `.txt` files too. A warning
    also says which files are named more than once, such as beside their folder.

    Raises:
        DataError: a path does not exist, a folder holds no article, or two files would be articles of one name.
    """
    return list(chain.from_iterable(find_in_each(map(str, paths)).values()))


def find_in_each(places: Iterable[str]) -> dict[str, list[Path]]:
    """List the article files of each path, as `find_articles` does: of the first path that names them."""
    found: dict[str, list[Path]] = {}
    taken: dict[Path, Path] = {}
    first: dict[str, Path] = {}
    again = []
    for place in places:
        its = found.setdefault(place, [])
        for file in _find_articles(place):
            if taken.setdefault(file.resolve(), file) is not file:
                again.append(file)
                continue
            other = first.setdefault(file.stem, file)
            if other is not file:
                raise DataError(f"{file}: the article would be called {file.stem!r}, as {other} is already; rename one of them")
            its.append(file)
    if again:
        logger.warning("%s: named more than once; taken once", _listed(list(dict.fromkeys(again))))
    return found


def check_articles(files: Sequence[Path]) -> None:
    """Check that articles can be read, before work is spent on any, and warn of those that hold no sentence.

    Raises:
        DataError: some are not UTF-8, which are all named, one cannot be read at all, or none holds a sentence.
    """
    empty, errors = [], []
    broken: dict[str, list[Path]] = {}
    for file in files:
        try:
            if not read_article(file).blocks:
                empty.append(file)
        except DataError as error:
            if not isinstance(error.__cause__, UnicodeDecodeError):
                raise
            errors.append(error)
            broken.setdefault(_perhaps(error.__cause__), []).append(file)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        remedies = (f"with iconv -f {encoding} -t utf-8: {_listed(its)}" for encoding, its in broken.items())
        raise DataError(f"{len(errors)} articles are not UTF-8; convert them, for example {'; '.join(remedies)}")
    if empty and len(empty) == len(files):
        raise DataError(f"{_listed(empty)}: expected sentences, found none")
    if empty:
        logger.warning("no sentence in %s", _listed(empty))


def _find_articles(place: str | Path) -> list[Path]:
    path = Path(place)
    if path.is_file():
        return [path]
    if place == "" or not path.is_dir():  # `Path("")` is the current folder, and an empty variable of a shell does not mean it
        raise DataError(f"{place or repr(place)}: no such file or folder; expected a .txt article or a folder of them")
    files = sorted(_files_below(path))
    found = [file for file in files if file.suffix.lower() == ".txt" and file.is_file()]
    # The store of textcls alone: another's `mlflow.db` may lie beside articles.
    stores = [file.parent for file in files if file.name == "store.json" and (file.parent / "mlflow.db").is_file()]
    left_out = []
    for store in stores:
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


def _files_below(path: Path) -> Iterator[Path]:
    """The files below a folder, but for what has a dot before its name, as `.venv` has, whose licences are `.txt` files.

    Raises:
        DataError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error

    for folder, folders, names in os.walk(path, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name) for name in names if not name.startswith("."))
