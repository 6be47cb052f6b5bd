"""Fit a classifier on a split, learn its decision policy, and measure it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.config import Config
from textcls.evaluation import evaluate
from textcls.evaluation.abstention import answered
from textcls.models import Decision, Listener, TextClassifier, learn_decision, make_classifier, text_digests
from textcls.training.planning import Fit

if TYPE_CHECKING:
    from datasets import Dataset


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
    """Fit the config's model, or the one given, on a fit's training rows, and learn the decision policy on its calibration rows.

    The classifier knows what grouped its rows, and what it has learnt from.
    """

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
    classifier = model or make_classifier(**config.model.model_copy(update={"seed": seed}).model_dump())
    classifier.fit(rows, labels, validation=validation, annotations=annotations, listener=listener, checkpoints=checkpoints)
    if config.decision.learns:
        held_out, true = part(split.calibration)
        kept = [number for number, label in enumerate(true) if label in known]
        probabilities = classifier.predict_proba([held_out[number] for number in kept])
        names = [str(label) for label in classifier.classes_]
        groups = [held_out[number]["group"] for number in kept]
        classifier.decision_ = learn_decision(config.decision, [true[number] for number in kept], probabilities, names, groups)
        if classifier.learnt_ is not None:
            classifier.learnt_ = np.union1d(classifier.learnt_, text_digests(held_out))
    elif config.decision.abstain_below is not None:
        classifier.decision_ = Decision(abstain_below=config.decision.abstain_below)
    classifier.group, classifier.columns = config.data.group, {"text": config.data.text, "label": config.data.label}
    return classifier


def measure_classifier(dataset: Dataset, fit: Fit, classifier: TextClassifier, fit_seconds: float) -> Measurement:
    """Measure a fit's classifier on its test rows, and on its validation rows where it has any."""
    split = fit.split
    held_out = np.union1d(split.validation, split.test)
    labels = sorted({*classifier.classes_.tolist(), *dataset.select(held_out)["label"][:]})
    probabilities = _probabilities(classifier, dataset.select(split.test).to_list(), labels)
    true = dataset.select(split.test)["label"][:]
    metrics = {f"test/{metric}": value for metric, value in evaluate(true, probabilities, labels).metrics.items()}
    if classifier.abstain_below is not None:
        found = answered(true, probabilities, labels, classifier.abstain_below)
        metrics |= {"test/coverage": found.coverage} | ({"test/risk": found.risk} if found.risk is not None else {})
    if len(split.validation):
        rows = dataset.select(split.validation)
        validated = evaluate(rows["label"][:], _probabilities(classifier, rows.to_list(), labels), labels)
        metrics |= {f"validation/{metric}": value for metric, value in validated.metrics.items()}
    metrics |= {"n_train": len(split.train), "time/fit_s": fit_seconds}
    return Measurement(metrics, labels, probabilities)


def _probabilities(classifier: TextClassifier, rows: list[dict[str, Any]], labels: Sequence[str]) -> np.ndarray:
    """Predict, with a column for every label, also for one that this fit's training rows do not have."""
    probabilities = np.zeros((len(rows), len(labels)))
    probabilities[:, np.searchsorted(labels, classifier.classes_)] = classifier.predict_proba(rows)
    return probabilities
