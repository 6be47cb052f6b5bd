"""Runs: one from a config, with its folds and seeds; many in a sweep; and what MLflow keeps of them."""

from __future__ import annotations

from textcls.training.mistakes import suspected_errors
from textcls.training.planning import plan
from textcls.training.reporting import Reporter
from textcls.training.reproduce import Reproduction, Restored, reproduce
from textcls.training.run import RunResult, run_name, train

__all__ = ["Reporter", "Reproduction", "Restored", "RunResult", "plan", "reproduce", "run_name", "suspected_errors", "train"]
