"""How far annotators agree: Cohen's kappa for two, Krippendorff's alpha for any number, and where they differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.metrics import cohen_kappa_score

from textcls.annotation.adjudication import differences
from textcls.annotation.store import Annotation, Span
from textcls.errors import DataError


@dataclass(frozen=True)
class Agreement:
    """Agreement of annotators over the spans that two or more of them labelled.

    Alpha and kappa are NaN where only one label is in use: chance explains all agreement then, and they would be 0 / 0.

    Attributes:
        annotators: their names, sorted.
        labels: every label in use, sorted.
        spans: number of spans that two annotators or more labelled.
        raw: share of pairs of labels that are equal, in [0, 1].
        alpha: Krippendorff's alpha for nominal labels (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability).
        kappa: Cohen's kappa (Cohen 1960) for each pair of annotators that share spans.
        per_label: kappa of each label against all others, over all pairs of annotators.
        confusion: shape (n_labels, n_labels): how often the first of a pair, by name, said the row where the second
            said the column.
        differences: the spans that are not labelled alike, in order.
    """

    annotators: list[str]
    labels: list[str]
    spans: int
    raw: float
    alpha: float
    kappa: dict[tuple[str, str], float]
    per_label: dict[str, float]
    confusion: np.ndarray
    differences: list[Span]


def measure_agreement(held: Mapping[str, Mapping[Span, Annotation]]) -> Agreement:
    """Measure the agreement of annotators.

    Args:
        held: what each annotator holds, as `store.current` gives it.

    Raises:
        DataError: fewer than two annotators, or no span that two of them labelled.
    """
    if len(held) < 2:
        raise DataError(f"expected the labels of two annotators or more, found {', '.join(sorted(held)) or 'none'}")
    annotators = sorted(held)
    spans = sorted(span for span in set().union(*held.values()) if sum(span in held[name] for name in annotators) > 1)
    if not spans:
        raise DataError(f"{', '.join(annotators)} have no sentence in common; were they given the same articles?")
    labels = sorted({held[name][span].label for span in spans for name in annotators if span in held[name]})

    kappa = {}
    first_labels: list[str] = []
    second_labels: list[str] = []
    for first, second in combinations(annotators, 2):
        shared = [span for span in spans if span in held[first] and span in held[second]]
        if not shared:
            continue
        a = [held[first][span].label for span in shared]
        b = [held[second][span].label for span in shared]
        kappa[first, second] = _kappa(a, b)
        first_labels += a
        second_labels += b
    confusion = _confusion(first_labels, second_labels, labels)
    return Agreement(
        annotators=annotators,
        labels=labels,
        spans=len(spans),
        raw=float(np.mean([a == b for a, b in zip(first_labels, second_labels, strict=True)])),
        alpha=_alpha(held, spans),
        kappa=kappa,
        per_label=dict(zip(labels, _kappa_of_each(confusion), strict=True)),
        confusion=confusion,
        differences=[*differences(held)],
    )


def _confusion(first: Sequence[str], second: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """As scikit-learn's, which warns where there is only one label."""
    confusion = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(confusion, (np.searchsorted(labels, first), np.searchsorted(labels, second)), 1)
    return confusion


def _kappa(first: Sequence[str], second: Sequence[str]) -> float:
    if len({*first, *second}) == 1:  # of which scikit-learn warns
        return math.nan
    return float(cohen_kappa_score(first, second))


def _kappa_of_each(confusion: np.ndarray) -> list[float]:
    """Kappa of each label against all others."""
    pairs, both = confusion.sum(), np.diag(confusion)
    of_first, of_second = confusion.sum(axis=1), confusion.sum(axis=0)
    agreed = (pairs - of_first - of_second + 2 * both) / pairs
    by_chance = (of_first * of_second + (pairs - of_first) * (pairs - of_second)) / pairs**2
    return [(a - c) / (1 - c) if c < 1 else math.nan for a, c in zip(agreed.tolist(), by_chance.tolist(), strict=True)]


def _alpha(held: Mapping[str, Mapping[Span, Annotation]], spans: Sequence[Span]) -> float:
    """Section C of the paper: one less the disagreement that was found, divided by the one to be expected by chance."""
    total: Counter[str] = Counter()
    alike = 0.0
    for span in spans:
        said = Counter(by_span[span].label for by_span in held.values() if span in by_span)
        total += said
        alike += sum(count * (count - 1) for count in said.values()) / (said.total() - 1)
    values = total.total()
    by_chance = values**2 - sum(count**2 for count in total.values())
    return 1 - (values - 1) * (values - alike) / by_chance if by_chance else math.nan
