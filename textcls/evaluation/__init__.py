"""How good predictions are: labels and probabilities in, numbers and figures out. Nothing here reads or writes a file."""

from __future__ import annotations

from textcls.evaluation.metrics import Evaluation, LabelScores, evaluate, summarize, wrong_predictions

__all__ = ["Evaluation", "LabelScores", "evaluate", "summarize", "wrong_predictions"]
