"""`textcls sweep`: search a space of settings."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from textcls.cli.options import SetOption


def sweep(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A config file with a sweep.", show_default=False)],
    set_: SetOption = None,
    output: Annotated[Path | None, typer.Option(help="Config file to write the best settings to.")] = None,
) -> None:
    """Search the space of a config; the same command again goes on where it was, also beside another process."""
    from textcls.cli.output import console, table
    from textcls.cli.progress import ProgressBar
    from textcls.training.study import ranked
    from textcls.training.sweep import sweep as run_sweep

    try:
        with ProgressBar() as bar:
            result = run_sweep(config, overrides=set_ or [], output=output, reporter=bar)
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        raise
    keys = list(result.best.settings)
    columns = ("trial", *keys, result.metric)
    trials = table(*columns, right=columns, title=f"{len(result.trials)} trials")
    for trial in ranked(result.trials, result.metric):
        reached = trial.state if trial.value is None else f"{trial.value:.4f}"
        trials.add_row(str(trial.number + 1), *(_shown(trial.settings.get(key)) for key in keys), reached)
    out = console()
    out.print(trials)
    out.print()
    if result.exhausted:
        out.print("every combination of the space was tried, so there are no more trials")
    settings = " ".join(f"--set {shlex.quote(f'{key}={json.dumps(value)}')}" for key, value in result.best.settings.items())
    running = any(trial.state == "running" for trial in result.trials)
    best = "best so far" if running else "best"
    out.print(f"{best}: trial {result.best.number + 1}, {result.metric} {result.best.value:.4f}: {settings}", soft_wrap=True)
    if running:
        written = f", and writes {output}" if output is not None else ""
        out.print(f"another process is still at a trial; the same command again, when it has ended, shows the best{written}")
    elif output is not None:
        out.print(f"config: {output}   (textcls train {output})", soft_wrap=True)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
