"""MLflow, kept apart: a store in a folder or on a server, runs whose status is true, and a run that tracks nothing."""

from __future__ import annotations

from textcls.tracking.kept import ROWS
from textcls.tracking.processes import UNFINISHED, is_alive, is_another, is_held, this_process, work_lock
from textcls.tracking.run import METRIC_DIGITS, GivenUp, NullRun, Run, added_to, track
from textcls.tracking.store import Store
from textcls.tracking.summaries import CHILDREN, COMPARED, RunSummary

__all__ = [
    "CHILDREN",
    "COMPARED",
    "METRIC_DIGITS",
    "ROWS",
    "UNFINISHED",
    "GivenUp",
    "NullRun",
    "Run",
    "RunSummary",
    "Store",
    "added_to",
    "is_alive",
    "is_another",
    "is_held",
    "this_process",
    "track",
    "work_lock",
]
