"""Runs: one from a config, with its folds and seeds; many in a sweep; and what MLflow keeps of them."""

from __future__ import annotations

from textcls.training.reproduce import Reproduction, Restored, reproduce
from textcls.training.run import Reporter, RunResult, run_name, train

__all__ = ["Reporter", "Reproduction", "Restored", "RunResult", "reproduce", "run_name", "train"]
