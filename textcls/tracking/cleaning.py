"""Delete runs with care, and free the space that deleted ones take up."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from pathlib import Path

from textcls.errors import TrackingError
from textcls.files import folder_bytes
from textcls.tracking.finding import with_children
from textcls.tracking.registry import all_versions
from textcls.tracking.remote import reason
from textcls.tracking.store import Store, path_of
from textcls.tracking.summaries import CHILDREN, RunSummary


def deletable(store: Store, names: Sequence[str]) -> list[RunSummary]:
    """Find runs and their children, and check that nothing still needs them.

    Raises:
        TrackingError: there is no such run, several bear the name, or it is a child of one, still running, or the source of a
            registered model, or the store cannot be written to.
    """
    store.check_writable()
    found: dict[str, RunSummary] = {}
    for run in store.runs(names, only=True):
        # A parent that was deleted in MLflow's pages has left its children behind.
        parent = store.find(run.parent) if run.kind in CHILDREN and run.parent else None
        if parent is not None:
            raise TrackingError(
                f"run {run.name}: a {run.kind} of {parent.name}; delete that one, and its children go with it: {parent.id}"
            )
        found |= {each.id: each for each in (run, *store.children_of(run))}
    registered = _registered(store)
    for run in found.values():
        if run.status == "RUNNING":
            raise TrackingError(f"run {run.name}: it is still running; stop it first")
        if run.id in registered:
            raise TrackingError(
                f"run {run.name}: it is {registered[run.id]}; delete that version in MLflow first, or keep the run"
            )
    return list(found.values())


def delete_runs(store: Store, runs: Sequence[RunSummary]) -> None:
    """Delete runs, which can be restored in MLflow until their space is freed."""
    for run in runs:
        store.client.delete_run(run.id)


def removable(store: Store) -> tuple[list[RunSummary], list[RunSummary]]:
    """Find the deleted runs that nothing needs, and those that a registered model still needs.

    The children of a deleted run, which MLflow's pages leave behind, go with it.

    Raises:
        TrackingError: the store is a server's, or cannot be written to.
    """
    store.check_writable()
    if store.is_server:
        raise TrackingError(f"{store.place}: space is freed where the artifacts are; on the server's machine run: mlflow gc")
    registered = _registered(store)
    deleted, active = store.deleted_runs(), store.runs(children=True)
    needed = [run for run in deleted if run.id in registered]
    has_parent = {run.id for run in (*active, *needed)}
    left = [run for run in active if run.kind in CHILDREN and run.parent not in has_parent and run.status != "RUNNING"]
    gone = [*deleted, *with_children(left, active)]
    return [run for run in gone if run.id not in registered], needed


def size_of(store: Store, runs: Sequence[RunSummary]) -> int:
    """Bytes of the artifacts and models of runs in a folder."""
    return sum(map(folder_bytes, _folders(store, runs)))


def free(store: Store, runs: Sequence[RunSummary]) -> int:
    """Remove runs that were deleted, or whose parents were, their artifacts and their models for good.

    Returns:
        bytes that were freed, in the database too.

    Raises:
        TrackingError: MLflow cannot remove them.
    """
    folders = _folders(store, runs)
    ids = {run.id for run in runs}
    # MLflow removes what is deleted only, and so refuses a parent that was restored meanwhile.
    delete_runs(store, [run for run in store.runs(children=True) if run.id in ids and run.kind in CHILDREN])
    before = size_of(store, runs) + _database_size(store)
    if runs:
        _remove(store, runs)
    for folder in folders:
        if folder.is_dir() and not any(file.is_file() for file in folder.rglob("*")):
            _remove_empty(folder)
    with closing(sqlite3.connect(store.database)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    left = sum(map(folder_bytes, folders))
    return before - left - _database_size(store)


def _remove(store: Store, runs: Sequence[RunSummary]) -> None:
    from mlflow.cli import gc
    from mlflow.exceptions import MlflowException

    models = [model for run in runs for model in run.model_ids if _logged_model(store, model) is not None]
    for model in models:
        store.client.delete_logged_model(model)
    arguments = ["--backend-store-uri", store.uri, "--tracking-uri", store.uri, "--run-ids", ",".join(run.id for run in runs)]
    arguments += ["--logged-model-ids", ",".join(models)] if models else []
    try:
        with store.as_default(), redirect_stdout(io.StringIO()):
            gc.main(arguments, standalone_mode=False)
    except MlflowException as error:
        raise TrackingError(f"{store.place}: MLflow cannot remove the runs: {reason(error)}") from error


def _registered(store: Store) -> dict[str, str]:
    """Which runs registered models came from: `version 2 of textcls-news (champion)` by their ids."""
    return {version.run_id: f"version {version.number} of {version.name}{version.alias_words}" for version in all_versions(store)}


def _folders(store: Store, runs: Sequence[RunSummary]) -> list[Path]:
    uris = [run.artifact_uri for run in runs]
    models = [_logged_model(store, model) for run in runs for model in run.model_ids]
    # The folder of a run or a model, around that of its artifacts.
    return [path_of(uri).parent for uri in (*uris, *models) if uri is not None]


def _logged_model(store: Store, model: str) -> str | None:
    """Where a model's artifacts lie; None if it was removed."""
    from mlflow.exceptions import MlflowException

    try:
        location: str = store.client.get_logged_model(model).artifact_location
    except MlflowException:
        return None
    return location


def _remove_empty(folder: Path) -> None:
    for below in sorted(folder.rglob("*"), reverse=True):
        below.rmdir()
    folder.rmdir()


def _database_size(store: Store) -> int:
    return sum(file.stat().st_size for file in store.folder.glob("mlflow.db*") if file.suffix in (".db", ".db-wal", ".db-shm"))
