"""What the commands share in printing: rows to a file or to standard output, and tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def check_delivery(output: Path | None) -> None:
    """Check that `deliver` can write to a file, if one is named, before work is spent on the rows."""
    if output is not None:
        from textcls.dataset import check_new_rows

        check_new_rows(output)


def deliver(rows: Iterable[dict[str, Any]], output: Path | None, *, what: str) -> None:
    """Write rows to a file, with a bar on a terminal, and say so; or print them as JSON Lines."""
    if output is None:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
    else:
        from rich.console import Console
        from rich.progress import track

        from textcls.dataset import write_rows

        terminal = Console(stderr=True)
        shown = track(rows, description=what, console=terminal, transient=True, disable=not terminal.is_terminal)
        print(f"{write_rows(shown, output):,} {what} written to {output}", file=sys.stderr)


def console() -> Console:
    """A console for tables, which are not folded to 80 columns where output is not a terminal.

    Text is shown as it is: a label or a name may hold square brackets, which rich would take for markup.
    """
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """A plain table; `right` names the columns of numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), title_justify="left")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made
