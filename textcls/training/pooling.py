"""Put the measurements of all fits of a run together: its predictions, its figures, and what it is tracked with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from secrets import token_hex
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.dataset import ANNOTATORS, COLUMNS
from textcls.evaluation import Evaluation, Intervals, bootstrap_intervals, evaluate, predicted_rows, summarize
from textcls.evaluation.predictions import OWN
from textcls.evaluation.slices import parts_rows
from textcls.models import TextClassifier
from textcls.training.fitting import Outcome

if TYPE_CHECKING:
    from datasets import Dataset

_MOST_LABELS_TRACKED = 20
_TEXTS_ALONE, _TEXTS_AT_ONCE = 25, 200
_WITH_INTERVAL = ("macro_f1", "accuracy")


def pool(
    dataset: Dataset, outcomes: Sequence[Outcome], *, grouped_by: str = "article"
) -> tuple[Evaluation, Intervals, list[dict[str, Any]]]:
    """Put the measured rows of all fits together: their figures with intervals, and a prediction each in the order of the data.

    A prediction carries what annotators said of the row, and the data's columns that part rows into few enough sorts to compare.
    `grouped_by` is what the rows' groups are.
    """
    labels = sorted({label for outcome in outcomes for label in outcome.measured.labels})
    rows = np.concatenate([outcome.fit.split.test for outcome in outcomes])
    probabilities = np.zeros((len(rows), len(labels)))
    start = 0
    for outcome in outcomes:
        end = start + len(outcome.measured.probabilities)
        probabilities[start:end, np.searchsorted(labels, outcome.measured.labels)] = outcome.measured.probabilities
        start = end
    of_fit = [outcome.fit for outcome in outcomes for _ in outcome.fit.split.test]
    order = np.argsort(rows, kind="stable")
    probabilities, measured = probabilities[order], dataset.select(rows[order])
    values = {name: measured[name][:] for name in measured.column_names if name not in ("before", "after", "split")}
    names = list(values)
    chosen = [dict(zip(names, of_row, strict=True)) for of_row in zip(*values.values(), strict=True)]
    columns = [name for name in names if name not in (*COLUMNS, *OWN) and (name == ANNOTATORS or parts_rows(values[name]))]
    predictions = [
        {
            **predicted,
            **{name: row[name] for name in columns},
            "fold": of_fit[number].split.name,
            "seed": of_fit[number].seed,
            "probabilities": dict(zip(labels, of_labels, strict=True)),
        }
        for row, predicted, number, of_labels in zip(
            chosen, predicted_rows(chosen, probabilities, labels), order, probabilities.tolist(), strict=True
        )
    ]
    true, groups, ids = (values[column] for column in ("label", "group", "id"))
    intervals = bootstrap_intervals(true, probabilities, labels, groups, ids, grouped_by=grouped_by)
    return evaluate(true, probabilities, labels, ids), intervals, predictions


def final_metrics(outcomes: Sequence[Outcome], pooled: Evaluation, intervals: Intervals) -> dict[str, float]:
    """The run's own metrics: those of its fit, or the fits' means with spread and interval and the pooled figures.

    The intervals of one fit, and of the pooled figures, are those of the bootstrap over articles.
    """
    metrics: dict[str, float] = {}
    ratio = _tested_for_each_learnt(outcomes)
    for name in dict.fromkeys(name for outcome in outcomes for name in outcome.measured.metrics):
        values = [outcome.measured.metrics[name] for outcome in outcomes if name in outcome.measured.metrics]
        summary = summarize(values, ratio=ratio, highest=np.inf if name == "test/log_loss" else 1.0)
        if not name.startswith("test/"):
            summary = {"": summary[""]}
        metrics |= {f"{name}{suffix}": value for suffix, value in summary.items()}
    if len(outcomes) > 1:
        metrics["n_children"] = len(outcomes)
        metrics |= {f"pooled/{name}": value for name, value in pooled.metrics.items()}
    where = "pooled" if len(outcomes) > 1 else "test"
    for name in _WITH_INTERVAL:
        if name in intervals.metrics:
            metrics[f"{where}/{name}_low"], metrics[f"{where}/{name}_high"] = (
                intervals.metrics[name].low,
                intervals.metrics[name].high,
            )
    if len(pooled.labels) <= _MOST_LABELS_TRACKED:
        metrics |= {f"test.per_label/f1/{label}": scores.f1 for label, scores in pooled.per_label.items()}
    return metrics


def _tested_for_each_learnt(outcomes: Sequence[Outcome]) -> float | None:
    """The mean over the fits; None where all are tested on the same rows."""
    splits = [outcome.fit.split for outcome in outcomes]
    if all(np.array_equal(split.test, splits[0].test) for split in splits):
        return None
    return float(np.mean([len(split.test) / len(split.train) for split in splits]))


def speed(classifier: TextClassifier, dataset: Dataset) -> dict[str, float]:
    """Median milliseconds to predict one text, and texts a second where many are predicted at once.

    The texts are made such that they are new to the classifier, since its family may keep what it has computed.
    """
    some = dataset.select(range(min(_TEXTS_ALONE + _TEXTS_AT_ONCE, len(dataset)))).to_list()
    new = [{**row, "text": f"{row['text']} {token_hex(4)}"} for row in some]
    alone = [_seconds(classifier, [row]) for row in new[:_TEXTS_ALONE]]
    at_once = new[_TEXTS_ALONE:] or new
    return {"latency/p50_ms": 1000 * median(alone), "time/texts_per_s": len(at_once) / max(_seconds(classifier, at_once), 1e-9)}


def _seconds(classifier: TextClassifier, rows: Sequence[dict[str, Any]]) -> float:
    started = time.perf_counter()
    classifier.predict_proba(rows)
    return time.perf_counter() - started
