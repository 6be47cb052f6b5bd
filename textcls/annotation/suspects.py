"""Labels that are probably wrong, by confident learning over predictions for rows that the model had not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.config import Config
from textcls.models import Listener, classifier_class, make_classifier
from textcls.splits import make_splits

if TYPE_CHECKING:
    from datasets import Dataset


def suspected_errors(
    config: Config, dataset: Dataset, *, folds: int = 5, listener: Listener | None = None
) -> list[dict[str, Any]]:
    """Find rows whose label a classifier doubts (Northcutt, Jiang and Chuang 2021, Confident Learning; by cleanlab).

    Every row is predicted by a classifier that learnt from the other folds only; rows of one group share a fold.

    Args:
        config: the model and the seed; its splits are not used.
        dataset: rows, all of which are looked at, whatever their split.
        folds: number of folds.
        listener: told of the fits' progress.

    Returns:
        the suspects, the most doubtful first: `id`, `text`, `label`, `suggestion`, `score` (the probability of the
        given label), `article`, `before`, `after`.

    Raises:
        DataError: fewer groups, or rows of a label, than folds.
    """
    from cleanlab.filter import find_label_issues

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
    label_ids = np.searchsorted(names, labels)
    ranked = find_label_issues(label_ids, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    return [
        {
            "id": row["id"],
            "text": row["text"],
            "label": row["label"],
            "suggestion": names[int(probabilities[number].argmax())],
            "score": round(float(probabilities[number, label_ids[number]]), 4),
            "article": row["group"],
            "before": row["before"],
            "after": row["after"],
        }
        for number, row in ((int(number), dataset[int(number)]) for number in ranked)
    ]
