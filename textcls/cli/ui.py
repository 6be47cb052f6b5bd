"""`textcls ui`: MLflow's pages on the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textcls.stores import DEFAULT_STORE


def ui(
    store: Annotated[Path, typer.Option(help="Folder of the MLflow store.")] = Path(DEFAULT_STORE),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Open MLflow's UI on the runs, for this machine only, until Ctrl-C."""
    from textcls.tracking.server import serve_ui

    for line in serve_ui(store, port):
        print(line, flush=True)
