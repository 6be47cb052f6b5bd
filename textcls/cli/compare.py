"""`textcls compare`: whether a run is better than another, or a table of runs with their figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from textcls.evaluation import Predictions
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
        typer.Argument(
            metavar="RUN",
            help="Ids or names of runs, or files of predictions; two or more are compared row by row. All runs, as a table, if none is given.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[bool, typer.Option("--table", help="Show the runs' tracked figures instead of comparing them.")] = False,
    output: Annotated[Path | None, typer.Option(help="JSON file to write the whole comparison to.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder to write the comparison's figures to.")] = None,
    store: Annotated[str, typer.Option(help="Folder of the MLflow store, or address of a tracking server.")] = "experiments",
) -> None:
    """Say whether runs differ, row by row and with intervals; or show runs side by side, the best macro-F1 first."""
    from textcls.errors import ConfigError

    several = runs is not None and len(runs) > 1
    if several and runs is not None and not table:
        _compare(runs, store, output, figures)
    elif output is not None or figures is not None:
        raise ConfigError("--output and --figures are for a comparison; name two runs or more")
    else:
        _show(runs or [], store)


def _compare(names: list[str], store: str, output: Path | None, figures: Path | None) -> None:
    """Compare the predictions of runs or files."""
    from textcls.cli.compared import draw_comparison, print_comparison, report
    from textcls.cli.output import console
    from textcls.evaluation import bootstrap_intervals, evaluate
    from textcls.evaluation import compare as compare_predictions
    from textcls.files import check_new, new_file, new_folder

    for place in (output, figures):
        if place is not None:
            check_new(place)
    predictions = _read(names, store)
    pairs = compare_predictions(predictions)
    areas = output is not None
    measured = [
        (
            one,
            evaluate(one.true, one.probabilities, one.labels),
            bootstrap_intervals(one.true, one.probabilities, one.labels, one.groups, areas=areas),
        )
        for one in predictions
    ]
    print_comparison(console(), measured, pairs)
    if output is not None:
        with new_file(output) as scratch:
            scratch.write_text(report(measured, pairs), encoding="utf-8")
    if figures is not None:
        with new_folder(figures) as folder:
            draw_comparison(folder, predictions, pairs)


def _read(names: list[str], store: str) -> list[Predictions]:
    """Read the predictions of runs, by id or name, and of files."""
    from textcls.dataset import SUFFIXES, read_columns
    from textcls.errors import DataError
    from textcls.evaluation import make_predictions
    from textcls.tracking import Store
    from textcls.tracking.kept import read_predictions

    opened: Store | None = None
    found: dict[str, tuple[str, str, list[dict[str, Any]], str | None]] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            raise DataError(f"{name}: expected a run or a file of predictions, found a folder; name the run that made it")
        if path.suffix in SUFFIXES:
            source = str(path.resolve())
            rows = [{"id": id, **row} for id, row in read_columns(path, key="id").items()]
            title, own, data = str(path), str(path), None
        else:
            opened = opened or Store(store)
            (run,) = opened.runs([name])
            source, title, own, data = run.id, run.name, f"{run.name} ({run.id[:8]})", run.data or None
            rows = read_predictions(opened, run) if source not in found else []
        if source in found:
            first = found[source][1]
            raise DataError(f"{name}: the same as another that is compared, {first}; name two different ones")
        found[source] = (title, own, rows, data)
    titles = [title for title, *_ in found.values()]
    return [
        make_predictions(rows, name=title if titles.count(title) == 1 else own, data=data)
        for title, own, rows, data in found.values()
    ]


def _show(names: list[str], store: str) -> None:
    """Print a table of runs for each data set."""
    from textcls.cli.output import console
    from textcls.tracking import Store

    found = Store(store).runs(names)
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
