"""How runs are worded for people: figures with their intervals, times, all that one holds, and what two were made from differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from textcls.cli.output import table

if TYPE_CHECKING:
    from rich.table import Table

    from textcls.tracking import RunSummary, Store
    from textcls.tracking.difference import RowChanges, RunDifference
    from textcls.tracking.kept import RowIdentity

_UNITS = {"time/fit_s": "s", "time/total_s": "s", "latency/p50_ms": "ms", "size/model_mb": "MB"}


def describe(store: Store, run: RunSummary) -> Iterator[str | Table]:
    """All that a run holds, part by part."""
    from textcls.evaluation.metrics import main_metrics
    from textcls.tracking import COMPARED
    from textcls.tracking.kept import commit_of
    from textcls.tracking.registry import versions_of
    from textcls.training.workspace import is_resumable

    children = store.children_of(run)
    took = f", took {seconds((run.ended - run.started) / 1000)}" if run.ended else ""
    yield f"{run.name}  ({run.kind or 'not made by textcls'})"
    yield f"id        {run.id}"
    yield f"status    {run.status.lower()}; started {when(run.started)}{took}"
    if run.error:
        yield f"error     {run.error}"
    yield f"data set  {run.experiment}, identity {run.data or 'unknown'}"
    yield f"made by   textcls {run.tags.get('textcls.version', 'unknown')}, started in a folder at {commit_of(run)}"
    versions = [f"{version.name} version {version.number}{version.alias_words}" for version in versions_of(store, run)]
    kept = f"kept; textcls predict {run.id[:8]} ARTICLE" if store.kept_model(run) else "none kept"
    yield f"model     {kept}{'; registered as ' + ', '.join(versions) if versions else ''}"
    if not store.is_server and is_resumable(store.folder, run):
        yield f"resume    textcls train CONFIG --resume {run.id[:8]}"
    for name, verdict in sorted(run.tags.items()):
        if name.startswith(f"{COMPARED}."):
            yield f"compared  {verdict}"
    for child in children:
        yield f"child     {child.name}  {child.id[:8]}  {child.status.lower()}  macro-F1 {metric(child.metrics, 'test/macro_f1')}"

    if run.parameters:
        settings = table("setting", "value")
        for name, value in sorted(run.parameters.items()):
            settings.add_row(name, value)
        yield settings
    if run.metrics:
        figures = table("figure", "value", right=("value",))
        for name in main_metrics(run.metrics):
            figures.add_row(name, metric(run.metrics, name))
        yield figures
        fits = f" over {run.metrics['n_children']:g} fits, of which the figure is the mean" if "n_children" in run.metrics else ""
        yield f"(low to high) is a 95 % interval; ± a standard deviation{fits}"
    artifacts = table("artifact", "bytes", right=("bytes",))
    for path, size in sorted(store.artifacts(run).items()):
        if not path.startswith("images/"):  # MLflow's own copies for its grid
            artifacts.add_row(path, f"{size:,}")
    yield artifacts


def describe_difference(a: RunSummary, b: RunSummary, found: RunDifference, *, most_rows: int) -> Iterator[str | Table]:
    """What two runs were made from differently, part by part; of each sort of changed rows so many at most."""
    for letter, run in (("A", a), ("B", b)):
        yield f"{letter}  {run.name}  {run.id[:8]}  {run.experiment}  {when(run.started)}  {run.status.lower()}"
    if found.settings:
        settings = table("setting", "A", "B")
        for name, values in found.settings.items():
            settings.add_row(name, *("" if value is None else str(value) for value in values))
        yield settings
    else:
        yield "settings: the same"
    if found.same_data:
        yield f"data: the same ({a.data[:12]})"
    else:
        known = f"the same texts, labels and groups ({a.data[:12]})" if a.data == b.data else f"{a.data[:12]} and {b.data[:12]}"
        yield f"data: {known}"
        if found.rows is None:
            yield "rows: not known, since a run has not kept which it had"
        else:
            yield str(found.rows)
            yield from _changed_rows(found.rows, most_rows)
    if found.commits is None:
        yield "commit of the folder started in: the same"
    else:
        known = a.commit or b.commit
        yield f"commit of the folder started in: {' and '.join(found.commits) if known else 'not known of either'}"
    yield _two_sides("library", found.versions, missing="not installed") or "libraries: the same versions"
    yield _two_sides("computed on", found.computed_on) or "computed on: the same"


def _two_sides(title: str, values: Mapping[str, Sequence[str | None]], *, missing: str = "") -> Table | None:
    """What A and B have of each name; None where nothing differs."""
    shown = table(title, "A", "B")
    for name, both in values.items():
        shown.add_row(name, *(value or missing for value in both))
    return shown if values else None


def metric(metrics: Mapping[str, float], name: str) -> str:
    """Word a metric with its unit and, where it is known, the spread of the fits that it is a mean of, or else its interval.

    Nothing if there is no such metric. A mean's own interval, by Student's t over the fits, is not shown: beside those over articles it
    would be taken for one, and it is of no width where seeds change nothing.
    """
    if name not in metrics:
        return ""
    value = f"{metrics[name]:.3f}" if "_f1" in name or ("/" in name and name not in _UNITS) else f"{metrics[name]:g}"
    if name.startswith("test.per_label/"):  # tracked without spread or interval; beside `price`, `price_low` is another label
        return value
    unit = f" {_UNITS[name]}" if name in _UNITS else ""
    if f"{name}_std" in metrics:
        return f"{value}{unit} ± {metrics[f'{name}_std']:.3f}"
    if f"{name}_low" in metrics and f"{name}_high" in metrics:
        return f"{value}{unit} ({metrics[f'{name}_low']:.3f} to {metrics[f'{name}_high']:.3f})"
    return f"{value}{unit}"


def seconds(value: float) -> str:
    """Word a duration: `4.2 s`, `3 min`, `2.5 h`."""
    return f"{value:.1f} s" if value < 90 else f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.1f} h"


def when(milliseconds: int) -> str:
    """Word a moment, given in milliseconds since 1970, in local time."""
    return datetime.fromtimestamp(milliseconds / 1000).strftime("%Y-%m-%d %H:%M")


def _changed_rows(changes: RowChanges, most: int) -> list[str]:
    def limited(lines: Sequence[str]) -> list[str]:
        more = [f"  … and {len(lines) - most:,} more; name more with --rows"] if len(lines) > most else []
        return [*lines[:most], *more]

    def pairs(sign: str, column: str, changed: Sequence[tuple[RowIdentity, RowIdentity]]) -> list[str]:
        return [
            f"{sign} {after['id']}  {before.get(column) or 'none'} → {after.get(column) or 'none'}" for before, after in changed
        ]

    return [
        *limited([f"+ {row['id']}  {row['label']}" for row in changes.added]),
        *limited([f"- {row['id']}  {row['label']}" for row in changes.removed]),
        *limited(pairs("~", "label", changes.relabelled)),
        *limited(pairs("~", "annotations", changes.annotated)),
        *limited([f"~ {after['id']}  another text" for _, after in changes.reworded]),
        *limited(pairs("~", "group", changes.regrouped)),
        *limited(pairs(">", "split", changes.moved)),
    ]
