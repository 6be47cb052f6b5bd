"""Where runs are kept unless another place is named, and how a command that is printed for people names it.

Apart from `config` and `tracking`, which take long to import: the command line shows the default in its help.
"""

from __future__ import annotations

import shlex
from pathlib import Path

DEFAULT_STORE = "experiments"
"""Folder of the MLflow store."""


def store_hint(store: str | Path) -> str:
    """What to add to a command that is to look in a store: nothing if it does so anyway."""
    return "" if str(store) == DEFAULT_STORE else f" --store {shlex.quote(str(store))}"
