"""Measure a classifier on labelled rows of a file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from textcls.dataset import ANNOTATORS, Row, group_column
from textcls.errors import DataError
from textcls.evaluation import Evaluation, Intervals, bootstrap_intervals, evaluate, predicted_rows, wrong_predictions
from textcls.evaluation.abstention import NONE_ANSWERED, Answered, answered
from textcls.evaluation.annotators import Ceiling, judgements, measure_annotators
from textcls.models import TextClassifier, text_digests
from textcls.prediction.inputs import grouped, in_context, named, read_labelled
from textcls.wording import did_you_mean

logger = logging.getLogger(__name__)


class FileEvaluation(NamedTuple):
    """What a classifier reaches on a file.

    Attributes:
        evaluation: its figures, of all rows: where it abstains, of the labels that it would give.
        intervals: their 95 % intervals, by a bootstrap over the classifier's `group`, or where the rows have no such column over
            `article`, or else over rows.
        ceiling: what annotators reach, where the column `annotator_labels` lists what they said of each row.
        wrong: the wrong predictions, the most confident first.
        answered: what it answers, if its policy is to abstain.
    """

    evaluation: Evaluation
    intervals: Intervals
    ceiling: Ceiling | None
    wrong: list[Row]
    answered: Answered | None


def evaluate_file(
    classifier: TextClassifier, data: str | Path, *, text: str | None = None, label: str | None = None
) -> FileEvaluation:
    """Measure a classifier on a file of labelled rows; it warns if the classifier has learnt from any of them.

    Args:
        classifier: a fitted classifier.
        data: the file.
        text, label: its columns; by default those of the data that the classifier learnt from, or else `text` and `label`.

    Raises:
        DataError: the file cannot be used, or a label is none of the classifier's.
    """
    rows = read_labelled(data, text=named(text, classifier, "text"), label=named(label, classifier, "label"))
    rows = grouped(rows, classifier, file=data)
    if classifier.learnt_ is None:
        logger.warning("the model does not say which texts it has learnt from, so it may know some of %s", data)
    elif known := count_learnt(classifier, rows):
        which = f"{known:,} of the {len(rows):,} texts" if known < len(rows) else "the very rows"
        logger.warning("the model has learnt from %s of %s; its figures there say little of others", which, data)
    labels = [str(name) for name in classifier.classes_]
    probabilities = label_probabilities(classifier, rows, where=str(data))
    true, groups = [row["label"] for row in rows], [row["group"] for row in rows]
    column = group_column(rows[0], classifier.group)
    judged = judgements([row.get(ANNOTATORS) for row in rows])
    below = classifier.abstain_below
    its_answers = answered(true, probabilities, labels, below) if below is not None else None
    if its_answers is not None and its_answers.coverage == 0:
        logger.warning(NONE_ANSWERED)
    return FileEvaluation(
        evaluate(true, probabilities, labels),
        bootstrap_intervals(true, probabilities, labels, groups, grouped_by=column),
        measure_annotators(true, judged, labels, groups),
        wrong_predictions(predicted_rows(rows, probabilities, labels)),
        its_answers,
    )


def count_learnt(classifier: TextClassifier, rows: Sequence[Row]) -> int:
    """Count the rows whose text the classifier has learnt from; none where it does not say."""
    return int(np.isin(text_digests(rows), classifier.learnt_).sum()) if classifier.learnt_ is not None else 0


def label_probabilities(classifier: TextClassifier, rows: Sequence[Row], *, where: str) -> np.ndarray:
    """Predict labelled rows, as `read_labelled` gives them: the probabilities of the classifier's labels, shape (n_rows, n_labels).

    Raises:
        DataError: a label is none of the classifier's; `where` says where the rows are from.
    """
    labels = [str(name) for name in classifier.classes_]
    for number, row in enumerate(rows, 1):
        if row["label"] not in labels:
            raise DataError(f"{where}, row {number}: unknown label {row['label']!r}; {did_you_mean(row['label'], labels)}")
    probabilities: np.ndarray = classifier.predict_proba(in_context(classifier, rows))
    return probabilities
