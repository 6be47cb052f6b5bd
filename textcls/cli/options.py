"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model folder, a run's id or name, or models:/NAME@ALIAS.", show_default=False)
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting on top of the file; repeatable.")
]
StoreOption = Annotated[str, typer.Option(help="Folder of the MLflow store, or address of a tracking server.")]
ModelStoreOption = Annotated[
    str, typer.Option(help="Folder of the MLflow store or address of a tracking server, for runs and registered models.")
]
