"""`textcls runs`: list, show, compare, delete and send runs, and free the disk of deleted ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from textcls.cli.options import StoreOption
from textcls.stores import DEFAULT_STORE, store_hint
from textcls.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

    from textcls.tracking import RunSummary

_YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class _ListByDefault(TyperGroup):
    """Takes `textcls runs --data news` for `textcls runs list --data news`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(help="List, show, compare and delete runs; `textcls runs` alone lists them.", cls=_ListByDefault)


@app.command("list")
def list_(
    data: Annotated[str | None, typer.Option(help="Only runs on this data set.", show_default=False)] = None,
    family: Annotated[str | None, typer.Option(help="Only runs of this model family.", show_default=False)] = None,
    status: Annotated[
        str | None, typer.Option(help="Only runs of this status: finished, failed, killed, running.", show_default=False)
    ] = None,
    children: Annotated[bool, typer.Option("--children", help="List folds, seeds and trials too.")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """List runs, the newest first."""
    from textcls.cli.output import console, print_runs
    from textcls.cli.runs_words import metric, seconds, when
    from textcls.errors import TrackingError
    from textcls.tracking import Store
    from textcls.wording import did_you_mean

    runs = Store(store).runs(children=children)
    if not runs:
        console().print(f"no runs in {store} yet; make one with: textcls train CONFIG")
        return
    wanted = {"data set": data, "family": family, "status": status and status.lower()}
    for what, value in wanted.items():
        known = {_filtered(run)[what] for run in runs}
        if value is not None and value not in known:
            raise TrackingError(f"{store}: no run of {what} {value!r}; {did_you_mean(value, known)}")
        runs = [run for run in runs if value in (None, _filtered(run)[what])]
    columns = {
        "run": [f"  {run.name}" if children and run.parent else run.name for run in runs],
        "id": [run.id[:8] for run in runs],
        "data set": [run.experiment for run in runs],
        "family": [run.family for run in runs],
        "started": [when(run.started) for run in runs],
        "took": [seconds((run.ended - run.started) / 1000) if run.ended else "" for run in runs],
        "macro-F1": [metric(run.metrics, "test/macro_f1") for run in runs],
        "status": [run.status.lower() for run in runs],
    }
    least = ["family", "took", "started", "data set", "status"]
    print_runs(columns, names=["run", "data set"], right=["took", "macro-F1"], least=least)


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id or name of a run.", show_default=False)],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Show a run: settings, data, figures, artifacts, status and model."""
    from textcls.cli.runs_words import describe
    from textcls.tracking import Store

    opened = Store(store)
    _print(describe(opened, opened.run(run)))


@app.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="Id or name of a run.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="B", help="Id or name of another.", show_default=False)],
    rows: Annotated[int, typer.Option(min=0, help="Most rows to name of each sort.")] = 20,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Say what two runs were made from differently: settings, rows of the data, commits, versions of libraries."""
    from textcls.cli.runs_words import describe_difference
    from textcls.errors import TrackingError
    from textcls.tracking import Store
    from textcls.tracking.difference import compare_runs

    opened = Store(store)
    a, b = opened.runs([first, second])
    if a.id == b.id:
        raise TrackingError(f"{first} and {second} are the same run, {a.id}; name two")
    _print(describe_difference(a, b, compare_runs(opened, a, b), most_rows=rows))


@app.command()
def delete(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids or names of runs.", show_default=False)],
    yes: _YesOption = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Delete runs with their children. MLflow can restore them until `textcls runs gc`."""
    from textcls.tracking import Store
    from textcls.tracking.cleaning import deletable, delete_runs

    opened = Store(store)
    found = deletable(opened, runs)
    ids = {run.id for run in found}
    for run in found:
        if run.parent not in ids:
            below = sum(child.parent == run.id for child in found)
            print(f"{run.name}  {run.id[:8]}  {run.experiment}{f'  and {below} children' if below else ''}")
    _confirm(f"delete {counted(len(found), 'run')}?", yes)
    delete_runs(opened, found)
    freed_by = "mlflow gc, on the server's machine" if opened.is_server else f"textcls runs gc{store_hint(store)}"
    print(f"{counted(len(found), 'run')} deleted; their space is freed by: {freed_by}")


@app.command()
def gc(
    unfinished: Annotated[
        bool,
        typer.Option("--unfinished", help="Also remove what runs that did not come to their end have kept to be resumed from."),
    ] = False,
    yes: _YesOption = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Remove deleted runs, their artifacts and their models for good, and what ended runs have left, and say how much that frees."""
    from textcls.tracking import Store
    from textcls.tracking.cleaning import free, removable, size_of
    from textcls.training.workspace import leftovers

    opened = Store(store)
    runs, needed = removable(opened)
    for run in needed:
        print(f"{run.name}  {run.id[:8]}: kept, since a registered model comes from it")
    left = leftovers(opened)
    for each in left:
        if each.run is not None:
            kept = f"{each.run.name}  {each.run.id[:8]}: {each.run.status.lower()}, with {each.bytes / 1e6:,.1f} MB to be resumed from"
            print(kept if unfinished else f"{kept}; kept; --unfinished removes it")
    going = [each for each in left if unfinished or each.run is None]
    if not runs and not going:
        print("no deleted runs to remove")
        return
    if runs:
        print(
            f"{counted(len(runs), 'run')} deleted or left by deleted ones, with {size_of(opened, runs) / 1e6:,.1f} MB of artifacts and models"
        )
    if going:
        print(
            f"{counted(len(going), 'working folder')} that no run is at work in, with {sum(each.bytes for each in going) / 1e6:,.1f} MB"
        )
    _confirm("remove them for good?", yes)
    freed = free(opened, runs) if runs else 0
    for each in going:
        each.workspace.remove()
        freed += each.bytes
    print(f"{freed / 1e6:,.1f} MB freed")


@app.command()
def sync(
    store: Annotated[Path, typer.Option(help="Folder that keeps what could not be sent: the config's tracking.folder.")] = Path(
        DEFAULT_STORE
    ),
) -> None:
    """Send what a tracking server could not take during a run."""
    from textcls.errors import TrackingError
    from textcls.tracking.outbox import kept_folders, kept_run, send_kept
    from textcls.tracking.remote import server_uri

    if uri := server_uri(store):
        raise TrackingError(
            f"{uri}: expected the folder that keeps what could not be sent, tracking.folder of the config; found a server"
        )
    folders = kept_folders(store)
    if not folders:
        print(f"nothing is kept in {store}/unsent")
    failed = []
    for folder in folders:
        try:
            run = kept_run(folder)
            print(f"{run.name}: {send_kept(folder):,} calls sent to {run.uri}")
        except TrackingError as error:
            if folder.is_dir():  # another process may have sent it meanwhile
                failed.append(str(error))
    if failed:
        raise TrackingError("\nerror: ".join(failed))


def _filtered(run: RunSummary) -> dict[str, str]:
    return {"data set": run.experiment, "family": run.family, "status": run.status.lower()}


def _print(parts: Iterable[str | Table]) -> None:
    from textcls.cli.output import console

    out = console()
    for part in parts:
        if not isinstance(part, str):
            out.print()
        out.print(part, soft_wrap=isinstance(part, str))


def _confirm(question: str, yes: bool) -> None:
    from textcls.cli.output import can_ask
    from textcls.errors import TrackingError

    if yes:
        return
    if not can_ask():
        raise TrackingError(f"{question} Nobody is there to ask; say --yes")
    typer.confirm(question, abort=True)
