"""`textcls config`: what a config says in full, what it may say, and a first one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textcls.cli.options import SetOption


def config(
    file: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="A config file.", show_default=False)] = None,
    set_: SetOption = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema instead, for editors.")] = False,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Print a starting file for a model family: tfidf, static, embedding, setfit, transformer or ensemble.",
        ),
    ] = None,
) -> None:
    """Print a config in full, with every default."""
    import json

    from textcls.config import json_schema, load_config, starting_config

    if (file is not None) + schema + (init is not None) != 1:
        raise typer.BadParameter("give one of CONFIG, --schema and --init KIND")
    if set_ and file is None:
        raise typer.BadParameter("--set is a setting on top of a CONFIG; give one")
    if schema:
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    elif init is not None:
        print(starting_config(init), end="")
    elif file is not None:
        print(load_config(file, set_ or []).as_yaml(), end="")
