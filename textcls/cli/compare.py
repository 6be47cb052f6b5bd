"""`textcls compare`: whether a run is better than another, or a table of runs with their figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textcls.cli.options import LabelOption, StoreOption, TextOption
from textcls.stores import DEFAULT_STORE

if TYPE_CHECKING:
    from textcls.comparing import System
    from textcls.tracking import RunSummary, Store

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
            help="Ids or names of runs, or files of predictions, also other tools': columns id, label (the true one) and probability_LABEL "
            "for each label, or only prediction; with --data model folders too. Two or more are compared row by row. All runs, as a table, if none is given.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="JSONL, CSV or Parquet file of labelled rows that the models predict now, in place of kept predictions."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="HTML file to write the comparison to, for people.")] = None,
    output: Annotated[Path | None, typer.Option(help="JSON file to write the whole comparison to.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder to write the comparison's figures to.")] = None,
    write: Annotated[
        bool,
        typer.Option(help="Write the comparison to the runs, for MLflow to show, if only runs' kept predictions are compared."),
    ] = True,
    table: Annotated[bool, typer.Option("--table", help="Show the runs' tracked figures instead of comparing them.")] = False,
    text: TextOption = None,
    label: LabelOption = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Say whether runs differ, row by row and with intervals; or show runs side by side, the best macro-F1 first."""
    from functools import cache

    from textcls.comparing import read_systems
    from textcls.files import check_new
    from textcls.tracking import Store

    places = [place for place in (report, output, figures) if place is not None]
    if runs is None or len(runs) < 2 or table:
        if places or data is not None:
            remedy = "--table makes none, leave it out" if table else "name two runs or more"
            raise typer.BadParameter(f"--data, --report, --output and --figures are for a comparison; {remedy}")
        _show(runs or [], store)
        return
    for place in places:
        check_new(place)
    opened = cache(lambda: Store(store))
    systems = read_systems(runs, opened, data, text=text, label=label)
    all_runs = all(system.run is not None for system in systems)
    _compare(systems, report, output, figures, opened() if write and all_runs else None)


def _compare(systems: list[System], report: Path | None, output: Path | None, figures: Path | None, store: Store | None) -> None:
    """Compare, print, write to files, and write to the runs if there is a store to write to."""
    from textcls.cli.compared import print_comparison
    from textcls.cli.output import console
    from textcls.comparing import comparison_json, comparison_page, comparison_pictures, measure, write_back
    from textcls.evaluation import compare as compare_predictions
    from textcls.files import new_file, new_folder

    pairs = compare_predictions([system.predictions for system in systems])
    measured = measure(systems)
    try:
        if store or report or figures:
            pictures = comparison_pictures(pairs)
            page = comparison_page(measured, pairs, pictures)
        if report is not None:
            with new_file(report) as scratch:
                scratch.write_text(page, encoding="utf-8")
        if output is not None:
            with new_file(output) as scratch:
                scratch.write_text(comparison_json(measured, pairs), encoding="utf-8")
        if figures is not None:
            with new_folder(figures) as folder:
                for name, picture in pictures.items():
                    (folder / f"{name}.png").write_bytes(picture)
        if store is not None:
            runs = [system.run for system in systems if system.run is not None]
            write_back(store, runs, measured, pairs, page, pictures["difference"])
    finally:  # after it, since a reader such as `head` may leave early; and also if a place or a server does not take it
        print_comparison(console(), measured, pairs)
    if store is not None:
        console().print("written to the runs: metrics compare/…, the tag compared, compare/…/report.html", soft_wrap=True)


def _show(names: list[str], store: str) -> None:
    """Print a table of runs for each data set."""
    from textcls.cli.output import console, print_runs
    from textcls.tracking import Store

    found = Store(store).runs(names)
    out = console()
    if not found:
        out.print(f"no runs in {store} yet; make one with: textcls train CONFIG")
    by_data: dict[tuple[str, str], list[RunSummary]] = {}
    for run in found:
        by_data.setdefault((run.experiment, run.data), []).append(run)
    for number, ((experiment, data), its_runs) in enumerate(by_data.items()):
        if number:
            out.print()
        print_runs(
            _columns(its_runs),
            names=["run"],
            right=list(_METRICS.values()),
            least=["one text (ms)", "MB", "fit (s)", "started", "log loss", "pooled", "accuracy", "status"],
            title=f"{experiment} (data {data[:12]})",
        )
    if any("test/macro_f1_std" in run.metrics for run in found):
        out.print(
            "macro-F1, accuracy and log loss are means over the folds or seeds (± standard deviation); pooled is over all rows held out together"
        )


def _columns(runs: list[RunSummary]) -> dict[str, list[str]]:
    from textcls.cli.runs_words import when

    best_first = sorted(runs, key=lambda run: -run.metrics.get("test/macro_f1", -1.0))
    return {
        "run": [run.name for run in best_first],
        "id": [run.id[:8] for run in best_first],
        "started": [when(run.started) for run in best_first],
        **{word: [_cell(run, name) for run in best_first] for name, word in _METRICS.items()},
        "status": [run.status.lower() for run in best_first],
    }


def _cell(run: RunSummary, name: str) -> str:
    if name not in run.metrics:
        return ""
    value = f"{run.metrics[name]:.3f}" if name.startswith(("test/", "pooled/")) else f"{run.metrics[name]:.1f}"
    spread = run.metrics.get(f"{name}_std")
    return f"{value} ± {spread:.3f}" if spread is not None else value
