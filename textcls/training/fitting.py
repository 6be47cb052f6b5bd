"""Fit a classifier on a split, learn its decision policy, measure it, and put the measurements of several together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.config import Config
from textcls.dataset import COLUMNS
from textcls.evaluation import Evaluation, Intervals, bootstrap_intervals, evaluate, predicted_rows, summarize
from textcls.evaluation.abstention import answered
from textcls.evaluation.annotators import ANNOTATORS
from textcls.evaluation.predictions import OWN
from textcls.evaluation.slices import parts_rows
from textcls.models import DecidedClassifier, Decision, Listener, TextClassifier, learn_decision, make_classifier
from textcls.training.planning import Fit

if TYPE_CHECKING:
    from datasets import Dataset

_MOST_LABELS_TRACKED = 20
_WITH_INTERVAL = ("macro_f1", "accuracy")


@dataclass(frozen=True)
class Measurement:
    """What a fit's classifier was measured to be.

    Attributes:
        metrics: its figures under the names that runs are tracked with.
        labels: the labels of the columns of `probabilities`.
        probabilities: shape (n_test_rows, n_labels).
    """

    metrics: dict[str, float]
    labels: list[str]
    probabilities: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What a fit came to.

    Attributes:
        fit: the fit.
        measured: its figures.
        classifier: the fitted classifier; None if an earlier process measured it.
    """

    fit: Fit
    measured: Measurement
    classifier: TextClassifier | None


def fit_classifier(
    config: Config, dataset: Dataset, fit: Fit, listener: Listener, checkpoints: Path, *, model: TextClassifier | None = None
) -> TextClassifier:
    """Fit the config's model, or the one given, on a fit's training rows, and learn the decision policy on its calibration rows."""

    def part(numbers: np.ndarray) -> tuple[list[dict[str, Any]], list[str]]:
        chosen = dataset.select(numbers).to_list()
        return chosen, [row["label"] for row in chosen]

    split = fit.split
    rows, labels = part(split.train)
    annotations = [row["annotations"] for row in rows] if config.data.annotations is not None else None
    # A rare label may stand in held-out rows alone, on which nothing can be chosen.
    known = set(labels) if annotations is None else {label for of_row in annotations for label in of_row}
    useful = split.validation[np.isin(dataset.select(split.validation)["label"][:], sorted(known))]
    validation = part(useful) if len(useful) and config.splits.validation > 0 else None
    seed = config.model_seed + fit.seed - config.seed
    classifier = model or make_classifier(config.model.model_copy(update={"seed": seed}))
    classifier.fit(rows, labels, validation=validation, annotations=annotations, listener=listener, checkpoints=checkpoints)
    if config.decision.learns:
        held_out, true = part(split.calibration)
        kept = [number for number, label in enumerate(true) if label in known]
        probabilities = classifier.predict_proba([held_out[number] for number in kept])
        names = [str(label) for label in classifier.classes_]
        decision = learn_decision(config.decision, [true[number] for number in kept], probabilities, names)
        return DecidedClassifier(classifier, decision)
    if config.decision.abstain_below is not None:
        return DecidedClassifier(classifier, Decision(abstain_below=config.decision.abstain_below))
    return classifier


def measure_classifier(dataset: Dataset, fit: Fit, classifier: TextClassifier, fit_seconds: float) -> Measurement:
    """Measure a fit's classifier on its test rows, and on its validation rows where it has any."""
    split = fit.split
    held_out = np.union1d(split.validation, split.test)
    labels = sorted({*classifier.classes_.tolist(), *dataset.select(held_out)["label"][:]})
    started = time.monotonic()
    probabilities = _probabilities(classifier, dataset.select(split.test).to_list(), labels)
    seconds = time.monotonic() - started
    true = dataset.select(split.test)["label"][:]
    metrics = {f"test/{metric}": value for metric, value in evaluate(true, probabilities, labels).metrics.items()}
    if classifier.abstain_below is not None:
        found = answered(true, probabilities, labels, classifier.abstain_below)
        metrics |= {"test/coverage": found.coverage} | ({"test/risk": found.risk} if found.risk is not None else {})
    if len(split.validation):
        rows = dataset.select(split.validation)
        validated = evaluate(rows["label"][:], _probabilities(classifier, rows.to_list(), labels), labels)
        metrics |= {f"validation/{metric}": value for metric, value in validated.metrics.items()}
    metrics |= {"time/fit_s": fit_seconds, "time/texts_per_s": len(split.test) / max(seconds, 1e-9)}
    return Measurement(metrics, labels, probabilities)


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
    rounded = probabilities.round(6).tolist()
    predictions = [
        {
            **predicted,
            **{name: row[name] for name in columns},
            "fold": of_fit[number].split.name,
            "seed": of_fit[number].seed,
            "probabilities": dict(zip(labels, of_labels, strict=True)),
        }
        for row, predicted, number, of_labels in zip(
            chosen, predicted_rows(chosen, probabilities, labels), order, rounded, strict=True
        )
    ]
    true, groups, ids = (values[column] for column in ("label", "group", "id"))
    intervals = bootstrap_intervals(true, probabilities, labels, groups, ids, grouped_by=grouped_by)
    return evaluate(true, probabilities, labels), intervals, predictions


def final_metrics(outcomes: Sequence[Outcome], pooled: Evaluation, intervals: Intervals) -> dict[str, float]:
    """The run's own metrics: those of its fit, or the fits' means with spread and interval and the pooled figures.

    The intervals of one fit, and of the pooled figures, are those of the bootstrap over articles.
    """
    metrics: dict[str, float] = {}
    for name in dict.fromkeys(name for outcome in outcomes for name in outcome.measured.metrics):
        values = [outcome.measured.metrics[name] for outcome in outcomes if name in outcome.measured.metrics]
        summary = summarize(values, highest=np.inf if name == "test/log_loss" else 1.0)
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


def latency(classifier: TextClassifier, rows: Sequence[dict[str, Any]]) -> float:
    """Median milliseconds to predict one text."""
    times = []
    for row in rows:
        started = time.perf_counter()
        classifier.predict_proba([row])
        times.append((time.perf_counter() - started) * 1000)
    return median(times)


def _probabilities(classifier: TextClassifier, rows: list[dict[str, Any]], labels: Sequence[str]) -> np.ndarray:
    """Predict, with a column for every label, also for one that this fit's training rows do not have."""
    probabilities = np.zeros((len(rows), len(labels)))
    probabilities[:, np.searchsorted(labels, classifier.classes_)] = classifier.predict_proba(rows)
    return probabilities
