"""The logistic regression on top of embeddings: fitted, written as arrays, and read again."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from textcls.errors import ModelError

logger = logging.getLogger(__name__)

_FILE = "head.safetensors"


def fit_head(
    features: np.ndarray, classes: np.ndarray, targets: np.ndarray, *, C: float, max_iter: int, seed: int | None
) -> LogisticRegression:
    """Fit a logistic regression; the log says if it did not converge.

    Args:
        features: shape (n_texts, n_features).
        classes: shape (n_labels,).
        targets: shape (n_texts, n_labels), how much each label of each text counts. A text of several labels stands there once for each.
        C, max_iter, seed: as scikit-learn has them.
    """
    regression = LogisticRegression(C=C, max_iter=max_iter, random_state=seed)
    rows, columns = np.nonzero(targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(features[rows].astype(np.float64), classes[columns], sample_weight=targets[rows, columns])
    # The solver leaves them by columns: safetensors would write them so, and sums of another order round differently.
    regression.coef_ = np.ascontiguousarray(regression.coef_)
    if max(regression.n_iter_) >= max_iter:
        logger.warning("the regression stopped at model.max_iter (%d) before it had converged", max_iter)
    return regression


def head_probabilities(regression: LogisticRegression, features: np.ndarray) -> np.ndarray:
    """Each label's probability: shape (n_texts, n_labels)."""
    if not len(features):
        return np.empty((0, len(regression.classes_)))
    probabilities: np.ndarray = regression.predict_proba(features.astype(np.float64))
    return probabilities


def label_coefficients(regression: LogisticRegression) -> np.ndarray:
    """Each label's coefficients, shape (n_labels, n_features); of two labels the first has none."""
    coef: np.ndarray = regression.coef_
    return coef if len(coef) > 1 else np.vstack([np.zeros_like(coef), coef])


def write_head(regression: LogisticRegression, folder: Path) -> None:
    """Write `head.safetensors`."""
    save_file({"coef": regression.coef_, "intercept": regression.intercept_}, folder / _FILE)


def read_head(folder: Path, labels: Sequence[str], *, width: int) -> LogisticRegression:
    """Read what `write_head` left.

    Raises:
        ModelError: the weights are for other labels or for features of another width.
    """
    arrays = load_file(folder / _FILE)
    regression = LogisticRegression()
    rows = 1 if len(labels) == 2 else len(labels)
    found = arrays["coef"].shape if "coef" in arrays else None
    if found != (rows, width) or arrays.get("intercept", np.empty(0)).shape != (rows,):
        raise ModelError(f"{folder}: expected weights of shape {(rows, width)}, found {found}")
    regression.coef_, regression.intercept_ = arrays["coef"], arrays["intercept"]
    regression.classes_ = np.array(labels)
    return regression
