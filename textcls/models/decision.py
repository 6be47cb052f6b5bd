"""What stands between a classifier's probabilities and an answer: label weights, calibration, and when to abstain.

The same for every family, learnt on rows that the classifier did not learn from, and stored with the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.optimize import minimize_scalar
from scipy.stats import beta
from scipy.stats import t as student
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import f1_score

from textcls.config import DecisionConfig
from textcls.errors import DataError
from textcls.models.base import TextClassifier
from textcls.models.inputs import label_columns

_LEAST = 1e-12
_FEWEST_ROWS = 50
_FEWEST_ISOTONIC = 1000
_CONFIDENCE = 0.95
_THRESHOLDS = 20


class Decision(BaseModel):
    """A decision policy, as the model folder stores it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bias: list[float] | None = None
    """What is added to each label's log-probability, in the order of the labels."""
    temperature: float | None = None
    """What log-probabilities are divided by (Guo et al. 2017)."""
    isotonic: list[tuple[list[float], list[float]]] | None = None
    """Each label's steps from probability to frequency, as thresholds and values (Zadrozny and Elkan 2002)."""
    abstain_below: float | None = None
    """The least probability of the best label at which it is given as the answer."""

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Weigh and calibrate probabilities: shape (n_texts, n_labels) to the same."""
        logits = np.log(np.clip(probabilities, _LEAST, 1))
        if self.bias is not None:
            logits = logits + np.array(self.bias)
        if self.temperature is not None:
            logits = logits / self.temperature
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        calibrated: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
        if self.isotonic is not None:
            columns = [np.interp(calibrated[:, k], *steps) for k, steps in enumerate(self.isotonic)]
            # A trace of the old probabilities breaks the ties that steps make.
            calibrated = np.stack(columns, axis=1) + 1e-6 * calibrated
            calibrated = calibrated / calibrated.sum(axis=1, keepdims=True)
        return calibrated


def check_enough(config: DecisionConfig, rows: int) -> None:
    """Check that there are rows enough to learn a decision policy on.

    Raises:
        DataError: too few.
    """
    fewest = _FEWEST_ISOTONIC if config.calibration == "isotonic" else _FEWEST_ROWS
    if rows < fewest:
        raise DataError(
            f"decision: expected {fewest} rows or more to learn it on, found {rows}; "
            + ("take calibration 'temperature', " if fewest == _FEWEST_ISOTONIC else "")
            + "raise decision.share or give more data"
        )


def learn_decision(
    config: DecisionConfig,
    true: Sequence[str],
    probabilities: np.ndarray,
    labels: Sequence[str],
    groups: Sequence[str | None] | None = None,
) -> Decision:
    """Learn a decision policy on rows that the classifier did not learn from.

    Args:
        config: what to learn.
        true: n_rows labels.
        probabilities: shape (n_rows, n_labels).
        labels: the labels of the columns.
        groups: each row's group, such as its article, whose rows are wrong together; a row without one is on its own.

    Raises:
        DataError: too few rows, or a wanted risk that no threshold keeps.
    """
    label_ids = label_columns(true, labels, known="the classifier's")
    check_enough(config, len(true))
    decision = Decision(bias=_choose_bias(label_ids, probabilities) if config.label_weights else None)
    if config.calibration == "temperature":
        decision = decision.model_copy(update={"temperature": _choose_temperature(label_ids, decision.apply(probabilities))})
    elif config.calibration == "isotonic":
        decision = decision.model_copy(update={"isotonic": _learn_steps(label_ids, decision.apply(probabilities))})
    below = config.abstain_below
    if config.risk is not None:
        below = _choose_threshold(label_ids, decision.apply(probabilities), config.risk, groups or [None] * len(true))
    return decision.model_copy(update={"abstain_below": below})


def abstaining(classifier: TextClassifier, below: float) -> TextClassifier:
    """The same classifier with another confidence below which it abstains; with 0 it always answers."""
    made = copy(classifier)
    made.decision_ = (classifier.decision_ or Decision()).model_copy(update={"abstain_below": below})
    return made


def _choose_bias(label_ids: np.ndarray, probabilities: np.ndarray) -> list[float]:
    """Choose the power of the labels' frequencies to divide probabilities by such that macro-F1 is best.

    Logit adjustment after training (Menon et al. 2021), whose one number needs few rows; a number for each label, searched in turn,
    gained a fifth as much on other rows (experiments/minilm).
    """
    logits = np.log(np.clip(probabilities, _LEAST, 1))
    counts = np.bincount(label_ids, minlength=logits.shape[1])
    rarity = -np.log((counts + 1) / (counts + 1).sum())

    def score(power: float) -> float:
        return float(f1_score(label_ids, (logits + power * rarity).argmax(axis=1), average="macro", zero_division=0))

    power = max(np.linspace(0, 1.5, 31), key=score)  # of equally good ones, the one that changes least
    return [round(float(value), 6) for value in power * rarity]


def _choose_temperature(label_ids: np.ndarray, probabilities: np.ndarray) -> float:
    def loss(log_temperature: float) -> float:
        calibrated = Decision(temperature=float(np.exp(log_temperature))).apply(probabilities)
        return -float(np.log(np.clip(calibrated[np.arange(len(label_ids)), label_ids], _LEAST, 1)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))


def _learn_steps(label_ids: np.ndarray, probabilities: np.ndarray) -> list[tuple[list[float], list[float]]]:
    steps = []
    for label in range(probabilities.shape[1]):
        regression = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        regression.fit(probabilities[:, label], label_ids == label)
        steps.append((regression.X_thresholds_.tolist(), regression.y_thresholds_.tolist()))
    return steps


def _choose_threshold(label_ids: np.ndarray, probabilities: np.ndarray, risk: float, groups: Sequence[str | None]) -> float:
    """Choose the lowest confidence to answer at such that, with 95 % confidence, at most a share `risk` of the answers is wrong.

    Selective classification with guaranteed risk (Geifman and El-Yaniv 2017) by the exact binomial bound of Clopper and Pearson, for as
    many rows as those of the groups are worth. Twenty thresholds are tried, each with a twentieth of what may go wrong (Bonferroni): the
    best of all that pass at 95 % each would be wrong more often than promised.
    """
    group_of = np.unique(
        [f"row {row}" if group is None else f"group {group}" for row, group in enumerate(groups)], return_inverse=True
    )[1]
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    tried = np.ceil(np.arange(1, _THRESHOLDS + 1) / _THRESHOLDS * len(order)).astype(int)
    # A threshold answers all rows of its confidence.
    answered = np.unique(np.searchsorted(-ranked, -ranked[tried - 1], side="right"))
    mistaken, group_of = (probabilities.argmax(axis=1) != label_ids)[order], group_of[order]
    wrong = np.cumsum(mistaken)[answered - 1]
    # Where there is no mistake, groups show no effect, and that of all rows is taken.
    parts = [count if some else len(order) for count, some in zip(answered, wrong, strict=True)]
    effects = np.array([max(1.0, _design_effect(mistaken[:count], group_of[:count])) for count in parts])
    wrong = wrong / effects
    bound = beta.ppf(1 - (1 - _CONFIDENCE) / _THRESHOLDS, wrong + 1, answered / effects - wrong)
    bound[~(wrong < answered / effects)] = 1
    kept = np.flatnonzero(bound <= risk)
    if not len(kept):
        raise DataError(
            f"decision.risk is {risk:g}, but no threshold keeps it with 95 % confidence on {len(order)} rows "
            f"(the least that is sure is {bound.min():.3f}); raise it or give more data"
        )
    return float(ranked[answered[kept[-1]] - 1])


def _design_effect(mistaken: np.ndarray, group_of: np.ndarray) -> float:
    """How many rows of groups tell as much of the share of mistakes as one row on its own would (Korn and Graubard 1998).

    Args:
        mistaken: shape (n_rows,), booleans.
        group_of: shape (n_rows,), the number of each row's group.
    """
    rows, share = len(mistaken), float(mistaken.mean())
    sizes = np.bincount(group_of)
    excess = np.bincount(group_of, weights=mistaken - share)[sizes > 0]
    count = len(excess)
    if count == 1:
        return float(rows)
    if share in (0.0, 1.0):
        return 1.0
    effect = count / (count - 1) * float((excess**2).sum()) / (rows * share * (1 - share))
    tail = (1 - _CONFIDENCE) / _THRESHOLDS
    return effect * float(student.ppf(tail, count - 1) / student.ppf(tail, rows - 1)) ** 2
