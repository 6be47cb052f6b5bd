"""Multinomial logistic regression, the optimum of scikit-learn's LogisticRegression, found in a third of the steps.

L-BFGS takes few steps when the objective curves alike in every direction, and here it does not: `,` occurs in half of the texts, most n-grams
in two. So each feature is scaled by the fourth root of its curvature at the start, which changes the path, not the optimum; the square
root (Jacobi's preconditioner) overdoes it, since the curvature of frequent n-grams falls as the fit proceeds
(experiments/tfidf/README.md). The labels' scores need one dimension fewer than there are labels, and single precision is enough for
products with the features.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import helmert
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import log_softmax, softmax

from textcls.errors import ModelError

_TOLERANCE = 1e-5
"""Largest slope of the mean loss at which to stop; scikit-learn stops at 1e-4 of unscaled features, further from the optimum."""
_MEMORY = 20
"""Steps that L-BFGS remembers; with 10 it takes half as many again."""
_FEWEST_STEPS = 3
_MOST_BYTES = 4 * 10**9
"""What it may take to remember steps; of more weights it remembers fewer."""


class Regression(NamedTuple):
    """A fitted regression.

    Attributes:
        coef: shape (n_labels, n_features), in single precision.
        intercept: shape (n_labels,).
        converged: whether the solver ended before it had taken all the steps that it might. (Where single precision ends, it may find
            no step down any more, and calls that abnormal.)
    """

    coef: np.ndarray
    intercept: np.ndarray
    converged: bool

    def probabilities(self, features: csr_array) -> np.ndarray:
        """The labels' probabilities: shape (n_rows, n_labels)."""
        probabilities: np.ndarray = softmax(features @ self.coef.T + self.intercept, axis=1)
        return probabilities


def fit_regression(features: csr_array, targets: np.ndarray, *, C: float, max_iter: int) -> Regression:
    """Minimise the weighted log loss plus half the squared coefficients over `C`; the intercept goes free.

    Args:
        features: shape (n_rows, n_features), in single precision.
        targets: shape (n_rows, n_labels), how much each label of each row counts: a row of one label has one that is not zero.
        C: inverse strength of the L2 regularisation.
        max_iter: most steps.

    Raises:
        ModelError: the weights do not fit into memory.
    """
    n_rows, n_features = features.shape
    n_labels = targets.shape[1]
    row_weights = targets.sum(axis=1)
    # Two labels have one score, as in scikit-learn; the scores of more sum to zero at the optimum.
    basis = np.array([[0.0, 1.0]]) if n_labels == 2 else helmert(n_labels)
    squares = csr_array((features.data**2, features.indices, features.indptr), shape=features.shape)
    curvature = np.append(squares.T @ row_weights.astype(np.float32), row_weights.sum()) / n_labels
    scale = (1 + C * curvature[:, None]) ** -0.25

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        solution = flat.reshape(n_features + 1, -1) * scale
        coef, intercept = solution[:-1], solution[-1]
        log_p = log_softmax((features @ coef.astype(np.float32) + intercept) @ basis, axis=1)
        loss = np.vdot(coef, coef) / (2 * C) - np.vdot(targets, log_p)
        residual = (np.exp(log_p) * row_weights[:, None] - targets) @ basis.T
        slope = np.vstack([features.T @ residual.astype(np.float32) + coef / C, residual.sum(axis=0)]) * scale
        return loss / n_rows, slope.ravel() / n_rows

    weights = (n_features + 1) * len(basis)
    memory = max(_FEWEST_STEPS, min(_MEMORY, _MOST_BYTES // (2 * 8 * weights)))  # two vectors a step
    try:
        found = minimize(
            objective,
            np.zeros(weights),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": max_iter, "maxcor": memory, "gtol": _TOLERANCE, "ftol": 1e-12},
        )
        solution = (found.x.reshape(n_features + 1, -1) * scale) @ basis
        return Regression(np.ascontiguousarray(solution[:-1].T, dtype=np.float32), solution[-1], found.nit < max_iter)
    except MemoryError as error:
        raise ModelError(
            f"the weights of {n_features:,} n-grams for each of {n_labels:,} labels do not fit into memory; "
            "lower model.max_features or raise model.min_df"
        ) from error
