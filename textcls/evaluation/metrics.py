"""Figures of a classifier's predictions, and the summary of several folds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import stats

from textcls.evaluation.areas import curve
from textcls.evaluation.sums import headline, label_f1, sum_rows
from textcls.evaluation.units import row_weights

FIGURES = {
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "micro_f1": "micro-F1",
    "weighted_f1": "weighted F1",
    "matthews": "Matthews' coefficient",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
    "roc_area": "ROC area, mean of the labels",
    "pr_area": "average precision, mean of the labels",
}
"""The figures of an evaluation that reports show, as people call them."""

OF_PROBABILITIES = ("log_loss", "brier", "ece", "roc_area", "pr_area")
"""The figures that say nothing of what predicts labels only."""

_LESS_IS_BETTER = re.compile(
    r"(test|validation|pooled)/((log_loss|brier|ece|risk)(_low|_high)?|\w+_std)|(time|latency|size)/(?!texts_per_s$).+"
)

R = TypeVar("R", bound=Mapping[str, Any])


@dataclass(frozen=True)
class LabelScores:
    """Figures of one label against all others, in [0, 1], and the number of rows that carry it.

    `roc_area` and `pr_area` (average precision) are None where no row carries the label, `roc_area` also where all do.
    """

    precision: float
    recall: float
    f1: float
    support: int
    roc_area: float | None = None
    pr_area: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """Figures of one set of predictions.

    Attributes:
        rows: number of rows.
        predictions: number of predictions: more than rows, where several seeds predict the same ones.
        accuracy, macro_f1: in [0, 1]; macro-F1 is the mean F1 of the labels that occur among the true or the predicted ones, as
            scikit-learn has it. Comparisons take the mean of those that rows carry (`carried_macro_f1`), which is another where a label
            is predicted that no row carries.
        micro_f1: F1 over all labels' counts together, which is the accuracy where every row has one label and one prediction.
        weighted_f1: mean F1 of the labels, each by its number of rows.
        matthews: Matthews' coefficient for any number of labels (Gorodkin 2004), in [-1, 1]; 0 is what chance gives.
        log_loss: mean negative log-likelihood of the true labels, in nats.
        brier: mean squared distance of the probabilities from the truth, summed over labels (Brier 1950), in [0, 2].
        ece: expected calibration error of the predicted labels over ten equal bins (Guo et al. 2017), in [0, 1].
        roc_area, pr_area: means of the labels' areas, where they have one; None where none has.
        per_label: each label's scores.
        labels: the order of the confusion matrix.
        confusion: rows are true labels, columns predicted ones; of all predictions.
    """

    rows: int
    predictions: int
    accuracy: float
    macro_f1: float
    micro_f1: float
    weighted_f1: float
    matthews: float
    log_loss: float
    brier: float
    ece: float
    roc_area: float | None
    pr_area: float | None
    per_label: dict[str, LabelScores]
    labels: list[str]
    confusion: list[list[int]]

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that runs are compared by, the primary one first."""
        return {"macro_f1": self.macro_f1, "accuracy": self.accuracy, "log_loss": self.log_loss, "ece": self.ece}

    @property
    def note(self) -> str | None:
        """Which labels the figures say nothing of, since no row carries them; None if there are none such."""
        absent = [label for label in self.labels if not self.per_label[label].support]
        return (
            f"no row here is {' or '.join(absent)}, so the figures do not say how well the model finds that" if absent else None
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return asdict(self)


def less_is_better(metric: str) -> bool:
    """Whether a run is the better the less it has of a metric: `test/log_loss` and other errors, spreads, times and sizes."""
    return _LESS_IS_BETTER.fullmatch(metric) is not None


def evaluate(
    true: Sequence[str],
    probabilities: np.ndarray,
    labels: Sequence[str],
    ids: Sequence[str] | None = None,
    *,
    carried_only: bool = False,
) -> Evaluation:
    """Compare predictions with the truth.

    Args:
        true: n_rows labels, one at least.
        probabilities: shape (n_rows, n_labels).
        labels: the labels of the columns; `true` may hold no others.
        ids: each row's id, where rows stand there several times, as they do with several seeds: each counts once.
        carried_only: whether macro-F1 is only over the labels that rows carry.
    """
    names = [str(label) for label in labels]
    true_ids = number_labels(true, names)
    weights = row_weights(ids, len(true))
    sums = sum_rows(true_ids, probabilities, np.zeros(len(true), dtype=int), 1, weights=weights).total()
    figures = {name: float(value) for name, value in headline(sums, carried_only=carried_only).items()}
    confusion = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(confusion, (true_ids, probabilities.argmax(axis=1)), 1)
    # Where rows are weighed, a label may be predicted less than once.
    precision, recall = (sums.right / np.where(of > 0, of, 1) for of in (sums.predicted, sums.support))
    f1 = np.nan_to_num(label_f1(sums))
    once = list(true) if ids is None else list(dict(zip(ids, true, strict=True)).values())
    support = Counter(once)
    per_label = {}
    for i, name in enumerate(names):
        its_curve = curve(true_ids == i, probabilities[:, i], weights)
        per_label[name] = LabelScores(
            float(precision[i]), float(recall[i]), float(f1[i]), support[name], its_curve.roc_area, its_curve.pr_area
        )
    return Evaluation(
        rows=len(once),
        predictions=len(true),
        roc_area=_mean([scores.roc_area for scores in per_label.values()]),
        pr_area=_mean([scores.pr_area for scores in per_label.values()]),
        per_label=per_label,
        labels=names,
        confusion=confusion.tolist(),
        **figures,
    )


def number_labels(true: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Turn labels into the numbers of their columns."""
    column_of = {label: number for number, label in enumerate(labels)}
    return np.array([column_of[label] for label in true], dtype=int)


def worst_labels(evaluation: Evaluation, most: int) -> list[str]:
    """Choose the labels of the lowest F1, as many as are wanted, in the order of all: of equal ones those of the most rows; those of none last."""
    scores = evaluation.per_label
    chosen = {*sorted(scores, key=lambda name: (scores[name].support == 0, scores[name].f1, -scores[name].support))[:most]}
    return [name for name in scores if name in chosen]


def main_metrics(metrics: Mapping[str, float]) -> list[str]:
    """The names of metrics but for those that say how far another is to be trusted: the ends of `summarize` and of intervals."""
    about = ("_std", "_low", "_high")
    return [
        name
        for name in metrics
        # What ends the name of a label's figure is the label, such as `price_low` beside `price`.
        if name.startswith("test.per_label/")
        or not any(name.endswith(end) and name.removesuffix(end) in metrics for end in about)
    ]


def summarize(values: Sequence[float], *, ratio: float | None = None, highest: float = 1.0) -> dict[str, float]:
    """Summarise a metric over folds.

    Args:
        values: the metric of each fold, 0 or more.
        ratio: how many rows are tested for each that is learnt from, which folds share in part; None of fits that are all tested on the
            same rows, and so do not tell how the metric would move on others.
        highest: the most that the metric can be.

    Returns:
        the mean under the empty name; from two folds on `_std`, the sample's standard deviation; from three on with a ratio `_low` and
        `_high`, the 95 % interval of the mean by the corrected resampled t (Nadeau and Bengio 2003).
    """
    summary = {"": float(np.mean(values))}
    if len(values) > 1:
        summary["_std"] = float(np.std(values, ddof=1))
    if len(values) > 2 and ratio is not None:
        half = float(stats.t.ppf(0.975, len(values) - 1)) * summary["_std"] * (1 / len(values) + ratio) ** 0.5
        summary |= {"_low": max(0.0, summary[""] - half), "_high": min(highest, summary[""] + half)}
    return summary


def predicted_rows(rows: Sequence[Mapping[str, Any]], probabilities: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Put what was predicted beside each row.

    Args:
        rows: rows with `text` and `label`; `id` and `group`, or else `article`, come along.
        probabilities: shape (n_rows, n_labels).
        labels: the labels of the columns.

    Returns:
        rows with `text`, `prediction`, `label`, `score` (the prediction's probability), `id` and `article`.
    """
    best = probabilities.argmax(axis=1)
    return [
        {
            "text": row["text"],
            "prediction": str(labels[column]),
            "label": row["label"],
            "score": round(float(of_labels[column]), 4),
            "id": row.get("id"),
            "article": row.get("group") or row.get("article"),
        }
        for row, column, of_labels in zip(rows, best, probabilities, strict=True)
    ]


def wrong_predictions(predicted: Sequence[R]) -> list[R]:
    """Choose the wrong ones of `predicted_rows`, the most confident first."""
    return sorted((row for row in predicted if row["prediction"] != row["label"]), key=lambda row: -row["score"])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
