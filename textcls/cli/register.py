"""`textcls register`: put the model of a run into MLflow's registry, if it passes the gates."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from textcls.cli.options import StoreOption
from textcls.stores import DEFAULT_STORE, store_hint


def register(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id or name of a finished run.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="Name of the registered model; by default textcls-DATASET.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Config file whose gates count; by default those that the run was made with.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A gate on top, such as gates.minimum.macro_f1=0.7; repeatable."),
    ] = None,
    champion: Annotated[bool, typer.Option("--champion", help="Let it take the champion's place.")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Register the model of a run if it passes the gates: first as champion, after that as challenger."""
    from textcls.cli.output import console
    from textcls.errors import TrackingError
    from textcls.registry import register as register_run
    from textcls.tracking import Store

    found = register_run(Store(store), run, name=name, config=config, overrides=set_ or [], champion=champion)
    out = console()
    out.print(f"{found.run.name}  {found.run.id}", soft_wrap=True)
    for gate in found.gates:
        out.print(f"{'passed    ' if gate.passed else 'not passed'}  {gate.words}", soft_wrap=True)
    if not found.gates:
        out.print("no gates: the config has none, so nothing was asked; see textcls config --init tfidf")
    if found.version is None:
        failed = sum(not gate.passed for gate in found.gates)
        raise TrackingError(f"{found.run.name}: not registered: {failed} of {len(found.gates)} gates not passed")
    out.print(
        f"registered as {found.name} version {found.version.number}, {found.alias}   "
        f"(textcls predict {shlex.quote(f'models:/{found.name}@{found.alias}')}{store_hint(store)} ARTICLE)",
        soft_wrap=True,
    )
