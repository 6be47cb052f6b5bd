"""What a run tells of itself while it is made."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from textcls.models import Listener
from textcls.tracking import NullRun


class Reporter(Listener):
    """Told of a run's phases, and within each of its progress; this one is silent."""

    def phase(self, name: str) -> None:
        """Take note that a phase begins, such as `fold 2 of 5`."""

    def started(self, run_id: str) -> None:
        """Take note of the id of the run that is tracked."""

    def measured(self, metrics: Mapping[str, float]) -> None:
        """Take note of the metrics of a fold or a seed, of which more are to come; `GivenUp` is raised to have the run end here."""


class Relay(Listener):
    """Pass curves on to the run and the reporter, progress to the reporter, and call a function when a checkpoint was written."""

    def __init__(self, run: NullRun, reporter: Reporter, on_save: Callable[[], None] = lambda: None) -> None:
        self.run, self.reporter, self.on_save = run, reporter, on_save

    def metric(self, name: str, value: float, step: int) -> None:
        """Pass on a value of a curve."""
        self.run.point(name, value, step)
        self.reporter.metric(name, value, step)

    def progress(self, done: int, total: int) -> None:
        """Pass on how far the fit is."""
        self.reporter.progress(done, total)

    def saved(self) -> None:
        """Say that a checkpoint was written."""
        self.on_save()


@contextmanager
def told_once() -> Iterator[None]:
    """Let what several runs warn of alike, such as of the splits that they share, be shown once; the log of each keeps it."""
    filters = [(handler, _Once()) for name in ("textcls", None) for handler in logging.getLogger(name).handlers]
    for handler, once in filters:
        handler.addFilter(once)
    try:
        yield
    finally:
        for handler, once in filters:
            handler.removeFilter(once)


class _Once(logging.Filter):
    """Let the first of equal messages through."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        number = len(self.told)
        self.told.add(record.getMessage())
        return len(self.told) > number
