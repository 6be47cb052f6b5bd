"""MLflow, kept apart: a store in a folder, runs whose status is true, and a run that tracks nothing."""

from __future__ import annotations

from textcls.tracking.run import NullRun, Run, track
from textcls.tracking.store import RunSummary, Store

__all__ = ["NullRun", "Run", "RunSummary", "Store", "track"]
