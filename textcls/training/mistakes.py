"""A run's wrong predictions as people look at them: with the sentences around them, and with what weighed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textcls.dataset import add_context
from textcls.errors import ModelError
from textcls.evaluation import wrong_predictions
from textcls.training.fitting import Outcome

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

MOST_EXPLAINED = 30
"""Wrong predictions that are explained: an encoder takes half a second for each."""


def look_at_mistakes(
    predictions: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome], rows: Dataset, read: Dataset
) -> list[dict[str, Any]]:
    """Choose the wrong predictions, the most confident first.

    Args:
        predictions: as `fitting.pool` gives them.
        outcomes: what they came of.
        rows: all rows of the data.
        read: the same as the model reads them, with its context.

    Returns:
        the predictions without their probabilities, with the sentences `before` and `after`, as far as they are known, and, of the
        first ones, what `weighed`: the pieces that the classifier read, by what they added to the log odds of the predicted label
        over the true one. Rows that cannot be explained have none.
    """
    wrong = wrong_predictions(predictions)
    number_of = {id: number for number, id in enumerate(rows["id"][:])}
    neighbours = rows.to_list()
    if "article" in rows.column_names:  # rows of other groups, such as customers, need not follow one another
        neighbours = add_context(neighbours, before=1, after=1)
    found = []
    for row in wrong:
        around = neighbours[number_of[row["id"]]]
        shown = {key: row[key] for key in ("text", "prediction", "label", "score")}
        shown |= {"weighed": None, "before": around["before"] or None, "after": around["after"] or None}
        found.append(shown | {key: value for key, value in row.items() if key not in (*shown, "probabilities")})
    for outcome in outcomes:
        if outcome.classifier is None:  # an earlier process fitted it, before the run was killed
            continue
        of_unit = outcome.unit.split.name, outcome.unit.seed
        known = set(outcome.classifier.classes_.tolist())
        its = [row for row in found[:MOST_EXPLAINED] if (row["fold"], row["seed"]) == of_unit and row["label"] in known]
        texts = read.select([number_of[row["id"]] for row in its]).to_list()
        try:
            weighed = outcome.classifier.explain(texts, [row["prediction"] for row in its], [row["label"] for row in its])
        except ModelError as error:  # no reason to lose a run
            logger.warning("%s", error)
            break
        for row, pieces in zip(its, weighed or [], strict=weighed is not None):
            row["weighed"] = pieces
    return found
