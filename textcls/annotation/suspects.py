"""Suspected label errors: found by fits on all other folds, and read again as a queue for people to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.config import Config
from textcls.evaluation.suspects import rank_suspects
from textcls.models import Listener, classifier_class, make_classifier
from textcls.splits import make_splits

if TYPE_CHECKING:
    from datasets import Dataset


def suspected_errors(
    config: Config, dataset: Dataset, *, folds: int = 5, listener: Listener | None = None
) -> list[dict[str, Any]]:
    """Find rows whose label a classifier doubts, as `rank_suspects` does.

    Every row is predicted by a classifier that learnt from the other folds only; rows of one group share a fold.

    Args:
        config: the model and the seed; its splits are not used.
        dataset: rows, all of which are looked at, whatever their split.
        folds: number of folds.
        listener: told of the fits' progress.

    Returns:
        the suspects, the most doubtful first, with `time`, when they were suspected.

    Raises:
        DataError: fewer groups, or rows of a label, than folds.
    """
    labels, groups = dataset["label"][:], dataset["group"][:]
    splits = make_splits(
        config.splits.model_copy(update={"kind": "k-fold", "folds": folds}),
        seed=config.seed,
        labels=labels,
        groups=groups,
        ids=dataset["id"][:],
        given=["train"] * len(dataset),
        validate=classifier_class(config.model.kind).uses_validation,
    )
    names = sorted(set(labels))
    probabilities = np.zeros((len(dataset), len(names)))
    for split in splits:
        train, validation, test = (dataset.select(rows).to_list() for rows in (split.train, split.validation, split.test))
        classifier = make_classifier(config.model).fit(
            train,
            [row["label"] for row in train],
            validation=(validation, [row["label"] for row in validation]) if validation else None,
            listener=listener,
        )
        columns = np.searchsorted(names, classifier.classes_)
        probabilities[np.ix_(split.test, columns)] = classifier.predict_proba(test)
    return rank_suspects(dataset.to_list(), probabilities, names)
