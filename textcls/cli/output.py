"""What the commands share in printing: rows to a file or to standard output, and tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textcls.errors import TextclsError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_NAME = 16
"""Cells that a column of names has at least, if they take as many."""


def can_ask() -> bool:
    """Whether somebody sits at a terminal to answer; there is no standard input at all where it is closed, as under some schedulers."""
    return sys.stdin is not None and sys.stdin.isatty()


def check_delivery(output: Path | None) -> None:
    """Check that `deliver` can write to a file, if one is named, before work is spent on the rows."""
    if output is not None:
        from textcls.dataset import check_new_rows

        check_new_rows(output)


def deliver(rows: Iterable[dict[str, Any]], output: Path | None, *, what: str) -> None:
    """Write rows to a file, with a bar on a terminal, and say so; or print them as JSON Lines, each as soon as it is there.

    An error in the middle leaves no file, and says how many rows were printed, if any were.
    """
    from textcls.dataset import json_line, write_rows

    if output is None:
        printed = 0
        try:
            for row in rows:
                print(json_line(row), flush=True)
                printed += 1
        except TextclsError as error:
            if not printed:
                raise
            raise type(error)(f"{error}; {what} printed before: {printed:,}") from error
    else:
        from rich.console import Console
        from rich.progress import track

        terminal = Console(stderr=True)
        shown = track(rows, description=what, console=terminal, transient=True, disable=not terminal.is_terminal)
        print(f"{write_rows(shown, output):,} {what} written to {output}", file=sys.stderr)


def console() -> Console:
    """A console for tables, which are not folded to 80 columns where output is not a terminal.

    Text is shown as it is: a label or a name may hold square brackets, which rich would take for markup.
    """
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def table(*columns: str, right: Sequence[str] = (), title: str | None = None) -> Table:
    """A plain table; `right` names the columns of numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), title=title, title_justify="left")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def print_runs(
    columns: Mapping[str, Sequence[str]],
    *,
    names: Sequence[str],
    right: Sequence[str],
    least: Sequence[str],
    title: str | None = None,
) -> None:
    """Print a table of runs in which ids and figures stay whole, however narrow the terminal is; what it has no room for is named.

    Args:
        columns: the cells of each column.
        names: the columns of names, which may be folded.
        right: the columns of numbers.
        least: the columns to leave out where there is no room, the first one first.
        title: what to print above.
    """
    from rich.cells import cell_len

    out = console()
    widest = {name: max(map(cell_len, (name, *cells))) for name, cells in columns.items()}
    if out.is_terminal:  # what is piped is never cut or folded
        widest |= {name: min(widest[name], _NAME) for name in names}
    shown = [name for name, cells in columns.items() if any(cells)]
    gap = 3  # cells between two columns of `table`
    left_out: list[str] = []
    for name in least if out.is_terminal else ():
        if name in shown and sum(widest[each] + gap for each in shown) - gap > out.width:
            shown.remove(name)
            left_out.append(name)
    made = table(*shown, right=right, title=title)
    for column in made.columns:
        column.min_width = widest[str(column.header)]
    for row in zip(*(columns[name] for name in shown), strict=True):
        made.add_row(*row)
    # A terminal that is narrower yet folds the lines, but cuts nothing.
    out.print(made, width=max(out.width, sum(widest[each] + gap for each in shown) - gap), crop=False)
    if left_out:
        out.print(f"no room for: {', '.join(left_out)}; to see all, pipe it into: less -S", soft_wrap=True)
