"""How good predictions are: labels and probabilities in, numbers and figures out. Nothing here reads or writes a file."""

from __future__ import annotations

from textcls.evaluation.bootstrap import Interval
from textcls.evaluation.comparison import Comparison, Difference, compare
from textcls.evaluation.intervals import Intervals, bootstrap_intervals
from textcls.evaluation.metrics import (
    Evaluation,
    LabelScores,
    evaluate,
    less_is_better,
    predicted_rows,
    summarize,
    wrong_predictions,
)
from textcls.evaluation.predictions import Predictions, align, make_predictions
from textcls.evaluation.verdict import word_overall

__all__ = [
    "Comparison",
    "Difference",
    "Evaluation",
    "Interval",
    "Intervals",
    "LabelScores",
    "Predictions",
    "align",
    "bootstrap_intervals",
    "compare",
    "evaluate",
    "less_is_better",
    "make_predictions",
    "predicted_rows",
    "summarize",
    "word_overall",
    "wrong_predictions",
]
