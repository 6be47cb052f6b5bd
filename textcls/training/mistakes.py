"""What people look at: the wrong predictions of a run, with the sentences around them and what weighed, and labels that are doubted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.config import Config, DecisionConfig, SplitsConfig
from textcls.dataset import add_context
from textcls.errors import DataError, ModelError
from textcls.evaluation import wrong_predictions
from textcls.evaluation.suspects import rank_suspects
from textcls.models import Listener, classifier_class
from textcls.splits import make_splits
from textcls.training.fitting import Outcome, fit_classifier
from textcls.training.planning import Fit, with_neighbours

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

MOST_EXPLAINED = 30
"""Wrong predictions that are explained: an encoder takes half a second for each."""

_FOLDS = 5
_MOST_SEARCHED = 0.95
"""Share of the rows for whose sake there are fewer folds; those of rarer labels are left out."""


def look_at_mistakes(
    predictions: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome], rows: Sequence[Mapping[str, Any]], read: Dataset
) -> list[dict[str, Any]]:
    """Choose the wrong predictions, the most confident first.

    Args:
        predictions: as `fitting.pool` gives them.
        outcomes: what they came of.
        rows: all rows of the data, as `neighbours` gives them.
        read: the same as the model reads them, with its context.

    Returns:
        the predictions without their probabilities, with the sentences `before` and `after`, as far as they are known, and, of the
        first ones, what `weighed`: the pieces that the classifier read, by what they added to the log odds of the predicted label
        over the true one. Rows that cannot be explained have none.
    """
    wrong = wrong_predictions(predictions)
    number_of = {row["id"]: number for number, row in enumerate(rows)}
    found = []
    for row in wrong:
        around = rows[number_of[row["id"]]]
        shown = {key: row[key] for key in ("text", "prediction", "label", "score")}
        shown |= {"weighed": None, "before": around["before"] or None, "after": around["after"] or None}
        found.append(shown | {key: value for key, value in row.items() if key not in (*shown, "probabilities")})
    for outcome in outcomes:
        if outcome.classifier is None:  # an earlier process fitted it, before the run was killed
            continue
        of_fit = outcome.fit.split.name, outcome.fit.seed
        known = set(outcome.classifier.classes_.tolist())
        its = [row for row in found[:MOST_EXPLAINED] if (row["fold"], row["seed"]) == of_fit and row["label"] in known]
        texts = read.select([number_of[row["id"]] for row in its]).to_list()
        try:
            weighed = outcome.classifier.explain(texts, [row["prediction"] for row in its], [row["label"] for row in its])
        except Exception as error:  # after all the training, no reason whatever to lose a run
            logger.warning("what weighed is not told: %s", error if isinstance(error, ModelError) else repr(error))
            break
        for row, pieces in zip(its, weighed or [], strict=weighed is not None):
            row["weighed"] = pieces
    return found


def doubted_labels(
    predictions: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome], rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Find suspected label errors among rows that were held out in turn, as `rank_suspects` does; of several seeds by the first.

    Where a test set was given there are none: whoever mends a test by what the model doubts measures how well it agrees with itself.
    Left out are rows whose label their classifier does not know, since no row of another fold carries it: it doubts all of these.
    The arguments are those of `look_at_mistakes`.
    """
    seed = outcomes[0].fit.seed
    of_folds = {outcome.fit.split.name: outcome.measured for outcome in outcomes if outcome.fit.seed == seed}
    if len(of_folds) == 1:
        return []
    # Those of a resumed run have no classifier any more, but a label that one does not know has no probability anywhere.
    known = {
        fold: {label for label, column in zip(its.labels, its.probabilities.T, strict=True) if column.any()}
        for fold, its in of_folds.items()
    }
    row_of = {row["id"]: row for row in rows}
    of_seed = [row for row in predictions if row["seed"] == seed]
    probabilities = np.array([list(row["probabilities"].values()) for row in of_seed])
    chosen = [row_of[row["id"]] for row in of_seed]
    return _doubted(
        chosen, probabilities, list(of_seed[0]["probabilities"]), [row["label"] in known[row["fold"]] for row in of_seed]
    )


def suspected_errors(config: Config, rows: Dataset, *, listener: Listener | None = None) -> list[dict[str, Any]]:
    """Find suspected label errors among all rows, whatever their split, as `rank_suspects` does.

    Every row is predicted by a classifier that learnt from the other folds only: five, or fewer where there are fewer groups or labels
    are rare; rows of one group share a fold. Rows whose label no classifier could know are left out: those of labels with fewer rows
    than folds, and those whose label stands in their own fold only.

    Args:
        config: the data, the model, the seed, and of its splits `validation`, for a model that stops early; its decision is not used.
        rows: all rows of the data.
        listener: told of the fits' progress.

    Raises:
        DataError: all rows are of one group, or fewer than two labels have two rows.
    """
    dataset = with_neighbours(rows, config.model.context)
    counts, folds = _rows_and_folds(rows)
    frequent = [number for number, label in enumerate(rows["label"][:]) if counts[label] >= folds]
    if len(frequent) < len(rows):
        logger.warning(
            "%d of %d rows are not searched for label errors: their labels have fewer than %d rows",
            len(rows) - len(frequent),
            len(rows),
            folds,
        )
        rows, dataset = rows.select(frequent), dataset.select(frequent)
    labels, groups, ids = (rows[column][:] for column in ("label", "group", "id"))
    splits = make_splits(
        SplitsConfig(kind="k-fold", folds=folds, validation=config.splits.validation),
        seed=config.seed,
        labels=labels,
        groups=groups,
        ids=ids,
        given=["train"] * len(rows),
        validate=classifier_class(config.model.kind).uses_validation,
    )
    plain = config.model_copy(update={"decision": DecisionConfig()})
    names = sorted(set(labels))
    probabilities = np.zeros((len(rows), len(names)))
    known = np.zeros(len(rows), dtype=bool)
    for split in splits:
        with TemporaryDirectory(prefix="textcls-") as checkpoints:
            fit = Fit(split.name, config.seed, split)
            classifier = fit_classifier(plain, dataset, fit, listener or Listener(), Path(checkpoints))
        columns = np.searchsorted(names, classifier.classes_)
        probabilities[np.ix_(split.test, columns)] = classifier.predict_proba(dataset.select(split.test).to_list())
        known[split.test] = np.isin(np.array(labels, dtype=object)[split.test], classifier.classes_)
    return _doubted(neighbours(rows), probabilities, names, known)


def _rows_and_folds(rows: Dataset) -> tuple[Counter[str], int]:
    """How many rows each label has; and the number of folds: as many as leave most rows a label that all folds may have."""
    counts, groups = Counter(rows["label"][:]), rows["group"][:]
    apart = len(set(groups) - {None}) + groups.count(None)
    if apart < 2 or sum(count > 1 for count in counts.values()) < 2:
        found = "all rows are of one group" if apart < 2 else "fewer than two labels have two rows"
        raise DataError(
            f"label errors are found by folds, for which two labels need two rows and the rows two groups, but {found}"
        )
    for folds in range(min(_FOLDS, apart), 2, -1):
        if sum(count for count in counts.values() if count >= folds) >= _MOST_SEARCHED * len(rows):
            return counts, folds
    return counts, 2


def _doubted(
    rows: Sequence[Mapping[str, Any]], probabilities: np.ndarray, labels: Sequence[str], known: Sequence[bool] | np.ndarray
) -> list[dict[str, Any]]:
    numbers = np.flatnonzero(known).tolist()
    if len(numbers) < len(rows):
        logger.warning(
            "%d of %d rows are not searched for label errors: their labels stand in their own fold only",
            len(rows) - len(numbers),
            len(rows),
        )
    doubted = rank_suspects([rows[number] for number in numbers], probabilities[numbers], labels)
    return [{**row, "before": row["before"] or None, "after": row["after"] or None} for row in doubted]


def neighbours(rows: Dataset) -> list[dict[str, Any]]:
    """All rows, with the sentences before and after each as far as they are known."""
    of_articles = "article" in rows.column_names  # rows of other groups, such as customers, need not follow one another
    names = ["id", "text", "label", "group", "before", "after", *(["article"] if of_articles else [])]
    found = [dict(zip(names, values, strict=True)) for values in zip(*(rows[name][:] for name in names), strict=True)]
    return add_context(found, before=1, after=1) if of_articles else found
