"""A classifier and texts or files in, labels out, or how good they are."""

from __future__ import annotations

from textcls.prediction.inputs import grouped, read_labelled
from textcls.prediction.labelling import load, predict_article, predict_inputs
from textcls.prediction.measuring import FileEvaluation, count_learnt, evaluate_file, label_probabilities

__all__ = [
    "FileEvaluation",
    "count_learnt",
    "evaluate_file",
    "grouped",
    "label_probabilities",
    "load",
    "predict_article",
    "predict_inputs",
    "read_labelled",
]
