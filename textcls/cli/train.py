"""`textcls train`: one run from a config file."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from textcls.cli.options import SetOption
from textcls.stores import store_hint


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A config file.", show_default=False)],
    set_: SetOption = None,
    output: Annotated[Path | None, typer.Option(help="Folder to write the final model to.")] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="A run that was interrupted, by its id or name, to go on with.")
    ] = None,
) -> None:
    """Train, measure and track a classifier."""
    from textcls.cli.output import console, table
    from textcls.cli.progress import ProgressBar
    from textcls.config import load_config
    from textcls.training import train as run_training

    loaded = load_config(config, set_ or [])
    folder = loaded.tracking.uri or loaded.tracking.folder
    bar = ProgressBar()
    try:
        with bar:
            result = run_training(config, overrides=set_ or [], output=output, resume=resume, reporter=bar)
    except KeyboardInterrupt:
        if bar.run_id is not None:
            print(f"stopped; go on with the same command and --resume {bar.run_id}", file=sys.stderr)
        raise

    if result.model_folder is None and result.run_id is None:
        return  # a process of several, under torchrun, that is not the one that speaks

    columns = ("precision", "recall", "F1", "rows")
    labels = table("label", *columns, right=columns, title=result.name)
    for label, scores in result.evaluation.per_label.items():
        figures = (scores.precision, scores.recall, scores.f1)
        labels.add_row(label, *(f"{figure:.3f}" if scores.support else "–" for figure in figures), f"{scores.support:,}")
    out = console()
    out.print(labels)
    out.print()
    unit = f"{result.intervals.n_units:,} {result.intervals.unit}s"
    fits = int(result.metrics.get("n_children", 1))
    several = [f"{key}s" for key in ("fold", "seed") if len({row[key] for row in result.predictions}) > 1]
    of_fits = several[0] if len(several) == 1 else "fits"  # several seeds of several folds are neither
    for name, word in (("macro_f1", "macro-F1"), ("accuracy", "accuracy")):
        value = getattr(result.evaluation, name)
        mean = result.metrics[f"test/{name}"]
        spread = result.metrics.get(f"test/{name}_std")
        over_fits = f"; mean of {fits} {of_fits} {mean:.3f}, standard deviation {spread:.3f}" if spread is not None else ""
        found = result.intervals.metrics.get(name)
        interval = f" (95 % interval {found.low:.3f} to {found.high:.3f}, over {unit})" if found else ""
        out.print(f"{word} {value:.3f}{interval} on {result.evaluation.rows:,} rows held out{over_fits}")
    if "test/coverage" in result.metrics:
        means = f" (means of {fits} {of_fits})" if fits > 1 else ""
        answers = f"answers {100 * result.metrics['test/coverage']:.1f} % of them"
        if "test/risk" in result.metrics:
            answers += f", and {100 * result.metrics['test/risk']:.1f} % of its answers are wrong"
        out.print(f"{answers}{means}; the figures above are of all rows, answered or not", soft_wrap=True)
    for note in (result.evaluation.note, result.intervals.note):
        if note is not None:
            out.print(note, soft_wrap=True)
    if result.model_folder is not None:
        out.print(f"model: {result.model_folder}", soft_wrap=True)
    if result.run_id is not None:
        store = store_hint(folder)
        texts = "ARTICLE" if loaded.data.text == "text" else f"FILE --text {quote(loaded.data.text)}"
        out.print(
            f"run: {result.run_id}   (textcls predict {result.run_id}{store} {texts} · textcls compare{store} · textcls ui{store})",
            soft_wrap=True,
        )
