"""Words that messages and pages share: hints for misspelt names, numbers with their noun, texts of the data in one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any


def did_you_mean(name: str, known: Iterable[str], *, listed: Iterable[str] | None = None) -> str:
    """Word a hint for a misspelt name: its nearest match if there is one, else everything that is known, or what is `listed` of it."""
    names = sorted(known)
    nearest = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(names if listed is None else listed)}"


def refused(problem: Mapping[str, Any]) -> str:
    """Word one of pydantic's errors: what was expected, and what was found."""
    return f"{problem['msg'][0].lower()}{problem['msg'][1:]}, found {json.dumps(problem['input'], ensure_ascii=False)}"


def counted(number: int, noun: str) -> str:
    """Word a number with its noun, in the plural if need be."""
    return f"{number:,} {noun}{'s' if number != 1 else ''}"


def one_line(text: str, width: int) -> str:
    """A text of the data in one line: its white space folded, without what would steer a terminal, cut to a number of characters."""
    line = "".join(sign if sign.isprintable() else "�" for sign in " ".join(text.split()))
    return shortened(line, width)


def quoted(text: object, width: int = 60) -> str:
    """Word a text of the data in one line: in quotation marks, its white space folded, cut to a number of characters."""
    return repr(shortened(" ".join(str(text).split()), width))


def shortened(text: str, width: int) -> str:
    """A text cut to a number of characters, of which the last then says so."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def looked_for_in(path: str | Path) -> str:
    """Say where a path that was not found begins, which for a relative one is seldom where people think: `` in /home/me``."""
    return "" if Path(path).is_absolute() else f" in {Path.cwd()}"
