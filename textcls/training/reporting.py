"""What a run tells of itself while it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
