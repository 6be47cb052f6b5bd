"""A bar for long work, on standard error and only where that is a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from textcls.training import Reporter


class ProgressBar(Reporter):
    """Show a run's phases, each with its progress; without a terminal a line a phase."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
        self._bars = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task: TaskID | None = None
        self.run_id: str | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def started(self, run_id: str) -> None:
        self.run_id = run_id

    def phase(self, name: str) -> None:
        if self._bars.disable:
            print(f"{name} …", file=sys.stderr)
            return
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(name, total=None)

    def progress(self, done: int, total: int) -> None:
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total)
