"""What two runs were made from, side by side: settings, rows of the data, commits, versions of libraries, machines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from textcls.tracking.kept import RowIdentity, commit_of, computed_on, read_config, read_row_identities, read_versions
from textcls.tracking.store import Store
from textcls.tracking.summaries import RunSummary


@dataclass(frozen=True)
class RowChanges:
    """What became of the rows from one data set to another. A row is the same by its id, or else by its text.

    Attributes:
        added, removed: rows that only the other has.
        relabelled, annotated, reworded, regrouped, moved: the row before and after, where its label, its annotators' labels,
            its text, its group or its split is another.
    """

    added: list[RowIdentity]
    removed: list[RowIdentity]
    relabelled: list[tuple[RowIdentity, RowIdentity]]
    annotated: list[tuple[RowIdentity, RowIdentity]]
    reworded: list[tuple[RowIdentity, RowIdentity]]
    regrouped: list[tuple[RowIdentity, RowIdentity]]
    moved: list[tuple[RowIdentity, RowIdentity]]

    def __bool__(self) -> bool:
        """Whether any row has changed."""
        return any(vars(self).values())

    def __str__(self) -> str:
        said = {"annotated": "annotated otherwise", "regrouped": "of another group", "moved": "moved to another split"}
        words = [f"{len(rows):,} {said.get(name, name)}" for name, rows in vars(self).items() if rows]
        return f"rows: {', '.join(words) or 'none added, removed, relabelled, annotated, reworded, regrouped or moved'}"


@dataclass(frozen=True)
class RunDifference:
    """What two runs differ in; pairs are the first run's and the second's, None where one has none.

    Attributes:
        settings: settings of the configs in full.
        same_data: whether the data are the same: their identities, which leave out who is in which split, and their rows.
        rows: what became of the rows; None where a run has not kept which it had.
        commits: commits of the folders that they were started in, as words; None where they are known to be the same.
        versions: versions of libraries.
        computed_on: the machine, the device, the precision and the number of processes.
    """

    settings: dict[str, tuple[Any, Any]]
    same_data: bool
    rows: RowChanges | None
    commits: tuple[str, str] | None
    versions: dict[str, tuple[str | None, str | None]]
    computed_on: dict[str, tuple[str | None, str | None]]


def compare_runs(store: Store, first: RunSummary, second: RunSummary) -> RunDifference:
    """Say what two runs differ in before any of their figures.

    Raises:
        TrackingError: a run has not kept its config: it was stopped before that, or textcls did not make it.
    """
    settings = differing(flatten(read_config(store, first)), flatten(read_config(store, second)))
    old, new = (read_row_identities(store, run) for run in (first, second))
    rows = compare_rows(old, new) if old is not None and new is not None else None
    before, after = (commit_of(run) for run in (first, second))
    return RunDifference(
        settings=settings,
        same_data=first.data == second.data and not rows,
        rows=rows,
        commits=(before, after) if before != after or not first.commit else None,
        versions=differing(read_versions(store, first), read_versions(store, second)),
        computed_on=differing(computed_on(first.tags), computed_on(second.tags)),
    )


def compare_rows(before: Iterable[RowIdentity], after: Iterable[RowIdentity]) -> RowChanges:
    """Say what became of the rows of a data set in another."""
    old, new = {row["id"]: row for row in before}, {row["id"]: row for row in after}
    pairs = [(old[name], new[name]) for name in old if name in new]
    # Ids may have been given anew; a text that has not changed still tells the row.
    unmatched: dict[str | None, list[RowIdentity]] = defaultdict(list)
    for name, row in new.items():
        if name not in old:
            unmatched[row["text"]].append(row)
    removed = []
    for name, row in old.items():
        if name not in new:
            same = unmatched[row["text"]]
            if same:
                pairs.append((row, same.pop(0)))
            else:
                removed.append(row)
    return RowChanges(
        added=[row for rows in unmatched.values() for row in rows],
        removed=removed,
        relabelled=[(a, b) for a, b in pairs if a["label"] != b["label"]],
        annotated=[(a, b) for a, b in pairs if a["annotations"] != b["annotations"]],
        reworded=[(a, b) for a, b in pairs if a["text"] != b["text"]],
        regrouped=[(a, b) for a, b in pairs if a["group"] != b["group"]],
        moved=[(a, b) for a, b in pairs if a["split"] != b["split"]],
    )


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The names under which two mappings hold different things, with both; None where one holds nothing."""
    names = sorted({*first, *second})
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}


def flatten(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Name nested settings by their paths, such as `model.C`."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= flatten(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat
