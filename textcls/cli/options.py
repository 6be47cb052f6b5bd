"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model folder, a run's id or name, or models:/NAME@ALIAS.", show_default=False)
]
TextOption = Annotated[str | None, typer.Option(help="Column of the text in files; by default the model's own, or text.")]
LabelOption = Annotated[str | None, typer.Option(help="Column of the label in files; by default the model's own, or label.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting on top of the file; repeatable.")
]
StoreOption = Annotated[str, typer.Option(help="Folder of the MLflow store, or address of a tracking server.")]
ModelStoreOption = Annotated[
    str, typer.Option(help="Folder of the MLflow store or address of a tracking server, for runs and registered models.")
]
