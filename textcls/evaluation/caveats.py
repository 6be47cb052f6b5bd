"""What a reader of a comparison should know: in what the two differ besides their predictions, and labels that no row carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from textcls.evaluation.predictions import Predictions
from textcls.wording import counted, quoted

if TYPE_CHECKING:
    from textcls.evaluation.comparison import Comparison

_MOST_LABELS = 5


def find_caveats(a: Predictions, b: Predictions, grouped: Predictions) -> list[str]:
    """Say in what two systems differ.

    Args:
        a, b: their predictions of the same rows, as they were given.
        grouped: the predictions whose articles are those of the comparison.
    """
    differing = [*_labels_only(a, b), *_data(a, b), *_labels(a, b), *_labels(b, a), *_articles(a, b, grouped)]
    return [*_not_carried(a), *_not_carried(b), *differing]


def remarks_of(pairs: Iterable[Comparison]) -> list[str]:
    """The notes and caveats of several comparisons, each once."""
    several = list(pairs)
    notes = (note for pair in several for note in pair.notes)
    return list(dict.fromkeys([*notes, *(caveat for pair in several for caveat in pair.caveats)]))


def _not_carried(one: Predictions) -> Iterator[str]:
    times = Counter(str(label) for label in one.predicted)
    lone = sorted(times.keys() - set(one.true), key=lambda label: (-times[label], label))
    if lone:
        said = ", ".join(f"{quoted(label, 40)} {counted(times[label], 'time')}" for label in lone[:_MOST_LABELS])
        more = f" and {len(lone) - _MOST_LABELS:,} more" if len(lone) > _MOST_LABELS else ""
        yield (
            f"{one.name} predicts {'a label' if len(lone) == 1 else 'labels'} that no row carries, {said}{more}, of {len(one):,} "
            "predictions: these are wrong, and macro-F1 here is over the labels that rows carry"
        )


def _labels_only(a: Predictions, b: Predictions) -> Iterator[str]:
    for one in (a, b):
        if one.labels_only:
            yield f"{one.name} has labels without probabilities, so it has no log loss, calibration or areas to compare"


def _data(a: Predictions, b: Predictions) -> Iterator[str]:
    if a.data and b.data and a.data != b.data:
        yield (
            f"{a.name} and {b.name} learnt from different data: identities {a.data[:12]} and {b.data[:12]}; "
            "`textcls runs diff` shows in what they differ"
        )


def _labels(one: Predictions, other: Predictions) -> Iterator[str]:
    lone = sorted(set(one.labels) - set(other.labels))
    if lone and not other.labels_only:  # of which it is not known what else it could say
        more = f" and {len(lone) - _MOST_LABELS:,} more" if len(lone) > _MOST_LABELS else ""
        names = ", ".join(quoted(label, 40) for label in lone[:_MOST_LABELS])
        yield f"{'a label' if len(lone) == 1 else 'labels'} that {one.name} knows and {other.name} does not: {names}{more}"


def _articles(a: Predictions, b: Predictions, grouped: Predictions) -> Iterator[str]:
    group_of = dict(zip(a.ids, a.groups, strict=True))
    both = {(group_of[id], group) for id, group in zip(b.ids, b.groups, strict=True) if group is not None}
    known = {pair for pair in both if pair[0] is not None}
    of_a, of_b = ({pair[place] for pair in known} for place in (0, 1))
    if not len(of_a) == len(of_b) == len(known):  # else they are the same, whatever they are called
        what = "articles" if grouped.grouped_by == "article" else "groups"
        yield f"{a.name} and {b.name} part the rows into different {what}, {len(of_a):,} and {len(of_b):,}; those of {grouped.name} are used"
