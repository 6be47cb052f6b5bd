"""The exceptions that textcls raises for what a caller can mend.

    TextclsError                one clear line: what was expected, what was found, what to do
    ├── ConfigError             a config file or a setting; may carry several lines, one an error
    ├── DataError               an article, a label store or a dataset that cannot be used as it is
    ├── ModelError              a model folder or an encoder that is missing, damaged or foreign
    ├── TrackingError           the MLflow store, or a run that is not in it
    └── OutputError             a place that cannot be written to, or that holds something already

The command line prints the message and leaves with exit code 1. Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class TextclsError(Exception):
    """Base of every error that the caller can mend."""


class ConfigError(TextclsError):
    """A config that cannot be used. `str(error)` holds a line for every problem found."""


class DataError(TextclsError):
    """An article, a label store or a dataset that cannot be used as it is."""


class ModelError(TextclsError):
    """A model that is missing, damaged, or of a kind or version that this textcls does not know."""


class TrackingError(TextclsError):
    """An MLflow store that cannot be opened, or a run that it does not hold."""


class OutputError(TextclsError):
    """An output that exists already or a place that cannot be written to."""


def did_you_mean(name: str, known: Iterable[str], *, listed: Iterable[str] | None = None) -> str:
    """Word a hint for a misspelt name: its nearest match if there is one, else everything that is known, or what is `listed` of it."""
    names = sorted(known)
    nearest = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(names if listed is None else listed)}"


def counted(number: int, noun: str) -> str:
    """Word a number with its noun, in the plural if need be."""
    return f"{number:,} {noun}{'s' if number != 1 else ''}"


def one_line(text: str, width: int) -> str:
    """A text of the data in one line: its white space folded, without what would steer a terminal, cut to a number of characters."""
    line = "".join(sign if sign.isprintable() else "�" for sign in " ".join(text.split()))
    return line if len(line) <= width else f"{line[: width - 1]}…"


def quoted(text: object, width: int = 60) -> str:
    """Word a text of the data in one line: in quotation marks, its white space folded, cut to a number of characters."""
    flat = " ".join(str(text).split())
    return repr(flat if len(flat) <= width else flat[: width - 1] + "…")
