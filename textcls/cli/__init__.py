"""The command line: each command parses, calls one function, and prints. Nothing else in textcls prints.

The command modules import what they need inside the command, so that `textcls --help` is quick.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
import threading
from importlib import metadata
from types import FrameType
from typing import Annotated

import typer

from textcls.cli import (
    adjudicate,
    agreement,
    compare,
    config,
    curve,
    data,
    evaluate,
    predict,
    register,
    reproduce,
    runs,
    sentences,
    sweep,
    train,
    ui,
)
from textcls.errors import TextclsError
from textcls.wording import one_line

_DISK_ERRORS = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.ENAMETOOLONG)
"""What the disk says when it is full, read-only or somebody else's, or when a name is too long, as a text in place of a file is; other
errors of the system may be bugs."""

_SHOWN_NAME = 190
"""Characters of a name that an error shows."""

app = typer.Typer(
    name="textcls",
    help="Train, track and use sentence classifiers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(metadata.version("textcls"))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


app.command()(sentences.sentences)
app.command()(agreement.agreement)
app.command()(adjudicate.adjudicate)
app.add_typer(data.app, name="data")
app.command()(config.config)
app.command()(train.train)
app.command()(sweep.sweep)
app.command()(curve.curve)
app.command()(evaluate.evaluate)
app.command()(predict.predict)
app.command()(compare.compare)
app.add_typer(runs.app, name="runs")
app.command()(register.register)
app.command()(reproduce.reproduce)
app.command()(ui.ui)


def main() -> None:
    """Run the command line: exit code 0 when done, 1 for an error of the input, 2 for wrong usage, 130 when interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what is printed is data, so it is UTF-8 as in files, whatever the locale
            stream.reconfigure(encoding="utf-8", errors=stream.errors)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # tells of every retry, of which textcls tells once
    for name in ("SIGTERM", "SIGHUP", "SIGQUIT"):  # SIGHUP comes when the terminal or the connection is closed
        number = getattr(signal, name, None)  # Windows knows the first alone
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup has SIGHUP ignored
            signal.signal(number, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a background job may be told to ignore it
        signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _interrupt_again
    try:
        app(prog_name="textcls")  # also under `python -m textcls`
    except TextclsError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        print(f"error: {one_line(str(error.filename or 'disk'), _SHOWN_NAME)}: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Let a signal that ends Python on the spot end a run as Ctrl-C does, so that its status is true."""
    raise KeyboardInterrupt


def _interrupt_again(ignored: sys.UnraisableHookArgs) -> None:
    """Come again where an interruption was swallowed: in a finalizer or in the callback of a weak reference."""
    if issubclass(ignored.exc_type, KeyboardInterrupt):
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()  # when the callback is over
    else:
        sys.__unraisablehook__(ignored)
