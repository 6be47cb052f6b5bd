"""Read plain-text articles and cut them into sentences whose offsets are exact.

An article is a list of blocks (title, heading, paragraph, list item), and a sentence never crosses from one block into
another. Sentence boundaries come from nupunkt; the rules on top of it keep a quotation together with its attribution,
`“Will it rain?” Ms. Tan asked.` being one sentence. What the sentences mean is left to the annotators.
"""

from __future__ import annotations

import logging
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from io import IncrementalNewlineDecoder
from itertools import pairwise
from pathlib import Path
from typing import Literal

from textcls.errors import DataError
from textcls.wording import counted

logger = logging.getLogger(__name__)

BlockKind = Literal["title", "heading", "paragraph", "list-item"]

RULES = 2
"""Version of the rules in this module. Raise it with every change that moves a boundary: labels are stored with it."""

_ROWS = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
"""Suffixes of files of rows, most of which could be read as text."""


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of an article, `text[start:end]`, without the marker of a list item or a Markdown heading."""

    kind: BlockKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an article; `article.text[start:end] == text`, in Unicode code points."""

    start: int
    end: int
    text: str
    block: BlockKind


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
        return tuple(_blocks(self.text))

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences in the order of the text, those of titles and headings too."""
        return tuple(
            Sentence(start, end, self.text[start:end], block.kind)
            for block in self.blocks
            for start, end in _sentences(self.text, block)
        )


def segmentation_version() -> str:
    """Name the segmenter and the rules that made an article's sentences, such as `nupunkt-0.8.0+rules-1`."""
    return f"nupunkt-{version('nupunkt')}+rules-{RULES}"


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
    """List the article files of paths: of a file itself, of a folder every `*.txt` below it, by name, but for what is hidden.

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
    found = sorted(
        file for file in path.rglob("*") if file.suffix.lower() == ".txt" and file.is_file() and not _is_hidden(file, path)
    )
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


def _is_hidden(file: Path, below: Path) -> bool:
    """Whether a file or a folder that it lies in has a name with a dot before it, as `.venv` has, whose licences are `.txt` files."""
    return any(part.startswith(".") for part in file.relative_to(below).parts)


def _stores(path: Path) -> Iterator[Path]:
    """The stores of runs below a folder, that of textcls alone: another's `mlflow.db` may lie beside articles."""
    for state in sorted(path.rglob("store.json")):
        if (state.parent / "mlflow.db").is_file():
            yield state.parent


# --- blocks ---------------------------------------------------------------------------------------------------------

_MARKER = re.compile(r"(?P<item>(?:[-*•‣▪◦–]|\(?\d{1,2}[.)]|\([a-z]\))[ \t]+)|(?P<heading>#{1,6}[ \t]+)")
_FULL_STOPS = "。！？؟۔।॥"
"""Ends of sentences in Chinese, Japanese, Arabic, Urdu and Hindi, which the segmenter does not know."""
_CLOSING = "\"'”’»)\\]」』）》"
_ENDS_SENTENCE = re.compile(rf"[.!?…:;,—{_FULL_STOPS}：；，、،؛][{_CLOSING}]*$")
_ENDS_IN_OPEN_QUOTATION = re.compile(r",[\"'”’»]+$")
_ENDS_IN_QUOTATION = re.compile(r"[,!?…][\"'”’»]+$")
_TIME = re.compile(r"\d{1,2}[:.]\d{2}(?: ?[ap]\.?m\.?)?", re.IGNORECASE)
_WRAPPED_WIDTH = 100
_HEADING_WORDS = 14


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str
    marker: re.Match[str] | None
    after_blank: bool


def _lines(text: str) -> Iterator[_Line]:
    position, after_blank = 0, True
    for raw in text.split("\n"):
        content = raw.strip()
        if content:
            start = position + raw.index(content[0])
            yield _Line(start, start + len(content), content, _MARKER.match(content), after_blank)
        after_blank = not content
        position += len(raw) + 1


def _blocks(text: str) -> Iterator[Block]:
    lines = list(_lines(text))
    width = _wrapped_width(lines)
    groups: list[list[_Line]] = []
    for line in lines:
        if groups and _continues(groups[-1][-1], line, width):
            groups[-1].append(line)
        else:
            groups.append([line])
    for index, group in enumerate(groups):
        first, last = group[0], group[-1]
        start = first.start + (first.marker.end() if first.marker else 0)
        if start < last.end:
            yield Block(_kind(text[start : last.end], first, index == 0, index + 1 < len(groups)), start, last.end)


def _wrapped_width(lines: list[_Line]) -> int | None:
    """The width that a text is wrapped to, or None. The longest line alone is no sign of one, but a full line is whose sentence
    goes on in the next."""
    width = max((len(line.text) for line in lines), default=0)
    broken = any(
        _fills(line, following, width) and following.text[0].islower() and not _ENDS_IN_QUOTATION.search(line.text)
        for line, following in pairwise(lines)
    )
    return width if broken and width <= _WRAPPED_WIDTH else None


def _fills(line: _Line, following: _Line, width: int) -> bool:
    """Whether the first word of the next line would not have fitted any more."""
    adjacent = not following.after_blank and not following.marker
    return adjacent and len(line.text) + 1 + len(following.text.split()[0]) > width


def _continues(line: _Line, following: _Line, width: int | None) -> bool:
    """Whether two lines belong to one block: a quotation and its attribution, or a paragraph wrapped to a width."""
    if following.marker:
        return False
    goes_on = following.text[0].islower()
    if goes_on and _ENDS_IN_QUOTATION.search(line.text):
        return True
    if _ENDS_IN_OPEN_QUOTATION.search(line.text) and _ATTRIBUTION.match(following.text):
        return True
    return width is not None and not following.after_blank and (goes_on or _fills(line, following, width))


def _kind(content: str, line: _Line, first: bool, more: bool) -> BlockKind:
    if line.marker:
        return "list-item" if line.marker["item"] else ("title" if first else "heading")
    words = content.split()
    if first and more and len(content) <= 200 and not content.endswith((".", ",", ":", ";", *_FULL_STOPS)):
        return "title"
    unfinished = not _ENDS_SENTENCE.search(content)
    names_what_follows = content.endswith(":") and len(words) <= 4 and words[0][0].isupper()
    # "What Happens Next?" is a heading, "So who pays?" a sentence of its own.
    asks_in_title_case = content.endswith("?") and len(words) > 1 and all(w[0].isupper() for w in words if len(w) > 3)
    alone = first and not more
    heads = unfinished or asks_in_title_case or (names_what_follows and more) or _TIME.fullmatch(content)
    return "heading" if heads and not alone and len(words) <= _HEADING_WORDS else "paragraph"


# --- sentences ------------------------------------------------------------------------------------------------------

# nupunkt takes many a common word for an abbreviation (“in bed. The”): a word in small letters is one only if it is here.
_MISSED = re.compile(
    r"(?<![\w.])(?!(?:vs?|cf|al|eds?|viz|feat|ca|approx|nos?|pp?|vol|fig|ft|sp|spp)\.)[a-z]{2,}\.[\"'”’»)]*\s+(?=[\"“‘'(«]?[A-Z])"
)
_FULL_STOP = re.compile(rf"[{_FULL_STOPS}]+(?![{_CLOSING}{_FULL_STOPS}])\s*")  # at a closing mark a speaker may follow
_TITLE_CUT_OFF = re.compile(r"(?<!\w)(?:Mr|Mrs|Ms|Dr|Lt|Cmdr|Spc|Msgr|Pfc|Sgt|Capt|Col|Maj|Gen|Adm|Rev|Sen|Rep|Gov|Prof|Hon)\.$")
_CLOSED_BY_EXCLAMATION = re.compile(r"(?:[!?…]|\.\.\.)\s?[\"'”’»]+$")
_SPEECH = (
    "said|says|asked|asks|added|adds|told|replied|wrote|writes|cried|shouted|yelled|screamed|called|answered|explained|"
    "recalled|insisted|warned|joked|laughed|muttered|whispered|continued|demanded|declared|exclaimed|argued|wondered|"
    "tweeted|posted|quipped|remarked|noted|concluded|urged|boasted|sang|chanted|read|snapped|observed|announced"
)
# A speaker of at most seven words, the verb, and no clause of what is said: `Ms. Tan asked.`, `Said the coach, 41:`,
# `Ms. Tan asked the council.`
_ATTRIBUTION = re.compile(
    rf"(?!“|\"|‘)(?:[\w.’'-]+,?\s+){{0,7}}?(?:(?:{_SPEECH})\b"
    r"(?!\s+(?:that|the|a|an|he|she|it|they|we|you|his|her|there|no)\b)(?:[\s,][^“\"‘]{0,60})?[.:,!?…]*"
    r"|(?:asked|told)\s+(?:the|an?|his|her)(?:\s+(?!(?:to|that|whether|if|about|for|how|what|why)\b)[\w’'-]+){1,4}[.:])(?:\s|$)"
)
_STRAY_CLOSE = re.compile(r"[”’»)\]]")
_FIRST_WORD = re.compile(r"[^\W\d_]+(?:\S*)")


def _sentences(text: str, block: Block) -> Iterator[tuple[int, int]]:
    import nupunkt  # here, because it loads its model

    content = text[block.start : block.end]
    merged: list[tuple[int, int]] = []
    for span_start, span_end in nupunkt.sent_spans(content):
        missed = (*_MISSED.finditer(content, span_start, span_end), *_FULL_STOP.finditer(content, span_start, span_end))
        cuts = sorted(match.end() for match in missed)
        for start, end in pairwise([span_start, *cuts, span_end]):
            end = start + len(content[start:end].rstrip())
            start = end - len(content[start:end].lstrip())
            if start == end:
                continue
            if merged and _belongs_together(content[slice(*merged[-1])], content[start:end]):
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((start, end))
    for start, end in merged:
        yield block.start + start, block.start + end


def _belongs_together(sentence: str, following: str) -> bool:
    """Whether the segmenter cut too early between two stretches of a block."""
    if _STRAY_CLOSE.match(following) or _TITLE_CUT_OFF.search(sentence):
        return True
    word = _FIRST_WORD.match(following)
    if word and word[0].islower():
        return True
    return bool(_CLOSED_BY_EXCLAMATION.search(sentence) and _ATTRIBUTION.match(following))
