"""What can be wrong with a dataset that loads: repetitions, contradictions and leaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textcls.dataset.duplicates import conflicts, similar_pairs
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
    dataset: Dataset, *, duplicates: str = "stop", against: Sequence[str | Path] = (), text: str = "text"
) -> list[Finding]:
    """Check a loaded dataset.

    Args:
        dataset: as `load_dataset` gives it.
        duplicates: what a run does about texts that repeat or contradict each other (`splits.duplicates`); unless it stops, they are no
            problem.
        against: files of texts, such as test sets of others, that the data must not repeat.
        text: the column of the text in these; `text` where they have none of that name.

    Returns:
        a finding a check, whether it is a problem or not.

    Raises:
        DataError: a file of `against` cannot be read.
    """
    return list(_findings(dataset, duplicates, against, text))


def _findings(dataset: Dataset, duplicates: str, against: Sequence[str | Path], text: str) -> Iterator[Finding]:
    texts, labels, groups, splits, ids = (dataset[column][:] for column in ("text", "label", "group", "split", "id"))
    stops, note = duplicates == "stop", "" if duplicates == "stop" else f" (splits.duplicates is {duplicates!r})"
    yield from _missing_labels(labels, splits)
    pairs = similar_pairs(texts)
    inside = [pair for pair in pairs if splits[pair[0]] == splits[pair[1]]]
    across = [pair for pair in pairs if splits[pair[0]] != splits[pair[1]]]

    def example(found: Sequence[tuple[int, int, float]]) -> str:
        if not found:
            return ""
        first, second, similarity = found[0]
        return f", such as {ids[first]} and {ids[second]} ({similarity:.2f}): {quoted(texts[first], 80)}"

    yield Finding(
        bool(across) and stops, f"{counted(len(across), 'pair')} of near-duplicates across splits{example(across)}{note}"
    )
    yield Finding(False, f"{counted(len(inside), 'pair')} of near-duplicates within a split{example(inside)}")

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
    yield Finding(
        bool(leaking), f"{counted(len(leaking), 'group')} in more than one split{f', such as {leaking[0]}' if leaking else ''}"
    )

    for file in against:
        others = [row["text"] for row in read_rows(file, text=(text, "text"))]
        found = [pair for pair in similar_pairs([*others, *texts], threshold=0.5) if pair[0] < len(others) <= pair[1]]
        repeated = sum(similarity >= 0.8 for *_, similarity in found)
        closest = f"{found[0][2]:.2f}, {quoted(texts[found[0][1] - len(others)], 80)}" if found else "below 0.5"
        yield Finding(
            bool(repeated), f"{counted(repeated, 'pair')} of near-duplicates with {file}; the highest similarity is {closest}"
        )


def _missing_labels(labels: Sequence[str], splits: Sequence[str]) -> Iterator[Finding]:
    """What figures on validation and test rows say nothing of."""
    known = set(labels)
    for name in ("validation", "test"):
        if name in splits:
            missing = sorted(known - {label for label, split in zip(labels, splits, strict=True) if split == name})
            some = f", such as {missing[0]!r}" if missing else ""
            yield Finding(bool(missing), f"{counted(len(missing), 'label')} without a row in {name}{some}")
