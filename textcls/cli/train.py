"""`textcls train`: one run from a config file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from textcls.cli.options import SetOption


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A config file.", show_default=False)],
    set_: SetOption = None,
    output: Annotated[Path | None, typer.Option(help="Folder to write the final model to.")] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="A run that was interrupted, by its id or name, to go on with.")
    ] = None,
) -> None:
    """Train, measure and track a classifier."""
    from textcls.cli.output import console
    from textcls.cli.progress import ProgressBar
    from textcls.cli.trained import print_trained
    from textcls.training import train as run_training

    bar = ProgressBar()
    try:
        with bar:
            result = run_training(config, overrides=set_ or [], output=output, resume=resume, reporter=bar)
    except KeyboardInterrupt:
        if bar.run_id is not None:
            print(f"stopped; go on with the same command and --resume {bar.run_id}", file=sys.stderr)
        raise

    if result.model_folder is not None or result.run_id is not None:  # else one of several processes, and not the one that speaks
        print_trained(console(), result)
