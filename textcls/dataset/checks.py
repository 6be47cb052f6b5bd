"""What can be wrong with a dataset that loads: repetitions, contradictions and leaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from textcls.dataset.duplicates import SAME_FROM, conflicts, near_duplicates, similar_pairs
from textcls.dataset.load import read_rows
from textcls.wording import counted, quoted

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Finding:
    """What one check found, in a line; `problem` if it should be mended before training."""

    problem: bool
    message: str


def check_dataset(
    dataset: Dataset,
    *,
    duplicates: str = "stop",
    against: Sequence[str | Path] = (),
    text: str = "text",
    clusters: np.ndarray | None = None,
) -> list[Finding]:
    """Check a loaded dataset.

    Args:
        dataset: as `load_dataset` gives it.
        duplicates: what a run does about texts that repeat or contradict each other (`splits.duplicates`); unless it stops, they are no
            problem.
        against: files of texts, such as test sets of others, that the data must not repeat.
        text: the column of the text in these; `text` where they have none of that name.
        clusters: what `near_duplicates` says of the texts, if that is known already.

    Returns:
        a finding a check, whether it is a problem or not.

    Raises:
        DataError: a file of `against` cannot be read.
    """
    return list(_findings(dataset, duplicates, against, text, clusters))


def _findings(
    dataset: Dataset, duplicates: str, against: Sequence[str | Path], text: str, clusters: np.ndarray | None
) -> Iterator[Finding]:
    texts, labels, groups, splits, ids = (dataset[column][:] for column in ("text", "label", "group", "split", "id"))
    stops, note = duplicates == "stop", "" if duplicates == "stop" else f" (splits.duplicates is {duplicates!r})"
    yield from _missing_labels(labels, splits)
    clusters = near_duplicates(texts) if clusters is None else clusters
    parted = len(set(splits)) > 1  # of one file's rows, who is in which split is the matter of `splits.kind`
    if parted:
        across, example = _repeated(clusters, splits, ids, texts, across=True)
        yield Finding(bool(across) and stops, f"{counted(across, 'text')} nearly the same as one of another split{example}{note}")
    inside, example = _repeated(clusters, splits, ids, texts, across=False)
    yield Finding(False, f"{counted(inside, 'text')} nearly the same as another{' of the same split' if parted else ''}{example}")

    contradicting = conflicts(texts, labels)
    some = next(iter(contradicting.items()), None)
    shown = (
        f", such as {quoted(some[0], 80)} ({', '.join(f'{count} {label}' for label, count in some[1].items())})" if some else ""
    )
    yield Finding(bool(contradicting) and stops, f"{counted(len(contradicting), 'text')} with more than one label{shown}{note}")

    splits_of: dict[str, set[str]] = {}
    for group, split in zip(groups, splits, strict=True):
        if group is not None:
            splits_of.setdefault(group, set()).add(split)
    leaking = sorted(group for group, its_splits in splits_of.items() if len(its_splits) > 1)
    if parted:
        yield Finding(
            bool(leaking),
            f"{counted(len(leaking), 'group')} in more than one split{f', such as {leaking[0]}' if leaking else ''}",
        )

    for file in against:
        others = [row["text"] for row in read_rows(file, text=(text, "text"))]
        repeated, highest, closest = set(), 0.0, ""
        for number, _, similarity in similar_pairs(texts, others, threshold=0.5):
            if similarity >= SAME_FROM:
                repeated.add(number)
            if similarity > highest:
                highest, closest = similarity, f"{similarity:.2f}, {quoted(texts[number], 80)}"
        yield Finding(
            bool(repeated),
            f"{counted(len(repeated), 'text')} nearly the same as one of {file}; the highest similarity is {closest or 'below 0.5'}",
        )


def _repeated(
    clusters: np.ndarray, splits: Sequence[str], ids: Sequence[str], texts: Sequence[str], *, across: bool
) -> tuple[int, str]:
    """How many texts are nearly the same as one of another split, or of their own, and two such in words."""
    _, split_of = np.unique(splits, return_inverse=True)
    sizes = np.bincount(clusters)[clusters]
    _, part, counts = np.unique(np.stack([clusters, split_of]), axis=1, return_inverse=True, return_counts=True)
    of_split = counts[part.reshape(-1)]
    found = np.flatnonzero(sizes > of_split if across else of_split > 1)
    if not len(found):
        return 0, ""
    first = found[0]
    others = np.flatnonzero((clusters == clusters[first]) & ((split_of != split_of[first]) == across))
    second = others[others != first][0]
    return len(found), f", such as {ids[first]} and {ids[second]}: {quoted(texts[first], 80)}"


def _missing_labels(labels: Sequence[str], splits: Sequence[str]) -> Iterator[Finding]:
    """What figures on validation and test rows say nothing of."""
    known = set(labels)
    for name in ("validation", "test"):
        if name in splits:
            missing = sorted(known - {label for label, split in zip(labels, splits, strict=True) if split == name})
            some = f", such as {missing[0]!r}" if missing else ""
            yield Finding(bool(missing), f"{counted(len(missing), 'label')} without a row in {name}{some}")
