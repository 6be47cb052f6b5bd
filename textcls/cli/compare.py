"""`textcls compare`: a table of runs with their figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from textcls.tracking import RunSummary

_METRICS = {
    "test/macro_f1": "macro-F1",
    "pooled/macro_f1": "pooled",
    "test/accuracy": "accuracy",
    "test/log_loss": "log loss",
    "time/fit_s": "fit (s)",
    "latency/p50_ms": "one text (ms)",
    "size/model_mb": "MB",
}


def compare(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="Ids or names of runs; all if none is given.", show_default=False),
    ] = None,
    store: Annotated[Path, typer.Option(help="Folder of the MLflow store.")] = Path("experiments"),
) -> None:
    """Show runs side by side, by data set, the best macro-F1 first."""
    from textcls.cli.output import console
    from textcls.tracking import Store

    found = Store(store).runs(runs or [])
    out = console()
    if not found:
        out.print(f"no runs in {store} yet; make one with: textcls train CONFIG")
    by_data: dict[tuple[str, str], list[RunSummary]] = {}
    for run in found:
        by_data.setdefault((run.experiment, run.data), []).append(run)
    for (experiment, data), its_runs in by_data.items():
        out.print(_table(f"{experiment} (data {data[:12]})", its_runs))
    if any("test/macro_f1_std" in run.metrics for run in found):
        out.print(
            "macro-F1, accuracy and log loss are means over the folds (± standard deviation); pooled is over all rows held out together"
        )


def _table(title: str, runs: list[RunSummary]) -> Table:
    from datetime import datetime

    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("run", overflow="fold", ratio=1)
    table.add_column("id")
    table.add_column("started")
    shown = [name for name in _METRICS if any(name in run.metrics for run in runs)]
    for name in shown:
        table.add_column(_METRICS[name], justify="right")
    table.add_column("status")
    for run in sorted(runs, key=lambda run: -run.metrics.get("test/macro_f1", -1.0)):
        started = datetime.fromtimestamp(run.started / 1000).strftime("%Y-%m-%d %H:%M")
        table.add_row(run.name, run.id[:8], started, *(_cell(run, name) for name in shown), run.status.lower())
    return table


def _cell(run: RunSummary, name: str) -> str:
    if name not in run.metrics:
        return ""
    value = f"{run.metrics[name]:.3f}" if name.startswith(("test/", "pooled/")) else f"{run.metrics[name]:.1f}"
    spread = run.metrics.get(f"{name}_std")
    return f"{value} ± {spread:.3f}" if spread is not None else value
