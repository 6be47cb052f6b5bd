"""How a run is worded for people: its figures with their intervals, its times, and all that it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from textcls.cli.output import table

if TYPE_CHECKING:
    from rich.table import Table

    from textcls.tracking import RunSummary, Store

_UNITS = {"time/fit_s": "s", "time/total_s": "s", "latency/p50_ms": "ms", "size/model_mb": "MB"}


def describe(store: Store, run: RunSummary) -> Iterator[str | Table]:
    """All that a run holds, part by part."""
    from textcls.evaluation.metrics import main_metrics
    from textcls.tracking import COMPARED
    from textcls.tracking.kept import commit_of
    from textcls.tracking.registry import versions_of

    children = store.children_of(run)
    took = f", took {seconds((run.ended - run.started) / 1000)}" if run.ended else ""
    yield f"{run.name}  ({run.kind or 'not made by textcls'})"
    yield f"id        {run.id}"
    yield f"status    {run.status.lower()}; started {when(run.started)}{took}"
    yield f"data set  {run.experiment}, identity {run.data or 'unknown'}"
    yield f"made by   textcls {run.tags.get('textcls.version', 'unknown')} at {commit_of(run)}"
    versions = [f"{version.name} version {version.number}{version.alias_words}" for version in versions_of(store, run)]
    kept = f"kept; textcls predict {run.id[:8]} ARTICLE" if store.kept_model(run) else "none kept"
    yield f"model     {kept}{'; registered as ' + ', '.join(versions) if versions else ''}"
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
