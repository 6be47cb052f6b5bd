"""The MLflow store of a folder (`mlflow.db`, which is SQLite, and `artifacts/`) or of a tracking server, and what it holds."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from textcls.errors import TrackingError
from textcls.tracking.finding import choose_run, find_run, pages, search_runs, with_children
from textcls.tracking.folder import close_database, copy_to_read, is_read_only, opened_folder
from textcls.tracking.processes import UNFINISHED, is_alive, is_held, is_here
from textcls.tracking.remote import brief, reach, reason, server_client, server_uri
from textcls.tracking.summaries import CHILDREN, RunSummary
from textcls.tracking.views import VIEW_TAG, page_of, run_table

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment


class Store:
    """A folder with runs, or a server. Opening it makes it if need be, mends it after a move, and ends runs whose process died.

    A folder that cannot be written to, a colleague's or an archive, is opened for reading only, by a copy of its database, which
    is removed with this object.

    Args:
        place: the folder of the store, or the address of a tracking server, `http://…`.
        create: whether to make a store where there is none.

    Raises:
        TrackingError: there is no store and none is to be made, or it cannot be opened.
    """

    def __init__(self, place: str | Path, *, create: bool = False) -> None:
        # MLflow reads it when it is imported, and would report its use to its makers.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        server = server_uri(place)
        self.place = server or str(place)
        """The store as messages name it."""
        self.is_server = server is not None
        self._is_read_only = False
        if server is not None:
            self.uri = server
            reach(server, self.client)
            self._end_dead_runs()
        else:
            self._open_folder(Path(place), create)

    def _open_folder(self, place: Path, create: bool) -> None:
        self._folder = place.resolve()
        if not create and not self.database.is_file():
            raise TrackingError(f"{place}: no runs here; expected a folder that `textcls train` has tracked runs in")
        if any(sign in str(self.folder) for sign in "%?#"):
            raise TrackingError(f"{self.folder}: MLflow cannot use a path with %, ? or #; choose another folder")
        self.uri = f"sqlite:///{self.database}"
        """The tracking URI by which MLflow knows the store."""
        self._is_read_only = not create and is_read_only(self.folder)
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            if self._is_read_only:
                copy = self._scratch() / "mlflow.db"
                copy_to_read(self.folder, copy)
                self.uri = f"sqlite:///{copy}"
                weakref.finalize(self, close_database, self.uri)
                return
            with opened_folder(self.folder, connect=lambda: self.client.search_experiments(max_results=1)):
                self._end_dead_runs()
        except (OSError, sqlite3.Error, SQLAlchemyError, MlflowException) as error:
            raise TrackingError(f"{place}: the store cannot be opened: {reason(error)}") from error

    @property
    def folder(self) -> Path:
        """The folder of the store.

        Raises:
            TrackingError: the store is a server's.
        """
        if self.is_server:
            raise TrackingError(f"{self.place}: expected a folder, found a tracking server")
        return self._folder

    @property
    def database(self) -> Path:
        """The database of a store in a folder."""
        return self.folder / "mlflow.db"

    def check_writable(self) -> None:
        """Check that the store can be changed.

        Raises:
            TrackingError: it is in a folder that cannot be written to, and was opened for reading only.
        """
        if self._is_read_only:
            raise TrackingError(f"{self.place}: the folder cannot be written to, so its runs can be read only")

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client of this store."""
        if self.is_server:
            return server_client(self.uri)
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @contextmanager
    def as_default(self) -> Iterator[None]:
        """Make this MLflow's default store for a while, for what its client cannot do; then all is as it was."""
        import mlflow

        environment = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
        tracking = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
        registry = mlflow.get_registry_uri()
        if registry == mlflow.get_tracking_uri():
            registry = None
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        try:
            with brief() if self.is_server or self._is_read_only else nullcontext():  # both fetch what MLflow would draw bars of
                yield
        finally:
            mlflow.set_tracking_uri(tracking)
            mlflow.set_registry_uri(registry)
            for name, value in environment.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value

    def experiment(self, name: str) -> Experiment:
        """Find an experiment, made if need be with the columns that its run table shows."""
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            # A server knows itself where its artifacts lie.
            location = None if self.is_server else (self.folder / "artifacts" / _file_name(name)).as_uri()
            try:
                self.client.create_experiment(
                    name, artifact_location=location, tags={"mlflow.experimentKind": "custom_model_development"}
                )
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # which it does if another process was quicker
                    raise
            found = self.client.get_experiment_by_name(name)
        if found.lifecycle_stage != "active":
            raise TrackingError(f"{self.place}: the experiment {name!r} was deleted; restore it in MLflow or set data.name")
        if found.tags.get(VIEW_TAG) != run_table():
            self.client.set_experiment_tag(found.experiment_id, VIEW_TAG, run_table())
        return found

    # --- finding runs -----------------------------------------------------------------------------------------------

    def runs(
        self, names: Sequence[str] = (), *, children: bool = False, unfinished: bool = False, only: bool = False
    ) -> list[RunSummary]:
        """List runs, the newest first.

        Args:
            names: ids, unambiguous beginnings of ids, or names of runs, of which the newest finished one counts, and a child only
                if nothing else bears its name; all that are no children if none is given.
            children: whether to list the folds of runs too.
            unfinished: whether a name means the newest run that did not come to its end, rather than the newest that did.
            only: whether a name must be that of one run only, for what cannot be undone.

        Raises:
            TrackingError: a name fits no run, or runs of several data sets, or several at all if `only`.
        """
        if names:
            return [choose_run(self.client, name, unfinished=unfinished, only=only, place=self.place) for name in names]
        return [run for run in search_runs(self.client) if children or run.kind not in CHILDREN]

    def run(self, name: str) -> RunSummary:
        """Find one run by its id, the beginning of it, or its name; see `runs`."""
        return self.runs([name])[0]

    def find(self, id: str) -> RunSummary | None:
        """Find the run of an id; None if there is none, or it was deleted."""
        return find_run(self.client, id)

    def children_of(self, run: RunSummary) -> list[RunSummary]:
        """List the folds, seeds or trials of a run, the oldest first, and theirs."""
        children = search_runs(self.client, f"tags.`mlflow.parentRunId` = '{run.id}'")[::-1]
        if all(child.kind in ("fold", "seed") for child in children):  # which have none
            return children
        # A question for each trial of a sweep would take a server minutes.
        return with_children(children, self.runs(children=True)[::-1])

    def deleted_runs(self) -> list[RunSummary]:
        """List the runs that were deleted and still take up space, the newest first."""
        return search_runs(self.client, deleted=True)

    def _end_dead_runs(self) -> None:
        """Mark as failed what still counts as running though the process of this machine that made it is gone.

        The processes of a sweep share its run, which names one of them: it goes on while any of them is at a trial.
        """
        running = search_runs(self.client, "attributes.status = 'RUNNING'")
        dead = [run for run in running if self._goes_on(run) is False]
        shared = {run.parent for run in running if run not in dead}
        for run in dead:
            if run.id not in shared:
                self.client.set_terminated(run.id, status="FAILED")

    def _goes_on(self, run: RunSummary) -> bool | None:
        """Whether a process makes a run; None if that cannot be known."""
        process = run.tags.get("textcls.process", "")
        # Over a network, a file system may keep the locks of each machine to itself.
        if is_here(process) and not self.is_server:
            # The folds of a run are made where it is; a sweep, which several processes share, has no such folder.
            for id in filter(None, (run.id, run.parent)):
                held = is_held(self.folder / UNFINISHED / id)
                if held is not None:
                    return held
        return is_alive(process)

    # --- what runs hold ---------------------------------------------------------------------------------------------

    def artifacts(self, run: RunSummary, below: str | None = None) -> dict[str, int]:
        """List the files that a run has kept, with their sizes in bytes."""
        found: dict[str, int] = {}
        for file in self.client.list_artifacts(run.id, below):
            found |= self.artifacts(run, file.path) if file.is_dir else {file.path: int(file.file_size or 0)}
        return found

    def artifact(self, run: RunSummary, path: str) -> bytes | None:
        """Read a file that a run has kept; None if it has not.

        Args:
            run: the run.
            path: such as `config/resolved.yaml`.
        """
        from mlflow.exceptions import MlflowException

        if not self.is_server:
            file = path_of(run.artifact_uri) / path
            return file.read_bytes() if file.is_file() else None
        folder = str(PurePosixPath(path).parent)
        if path not in {file.path for file in self.client.list_artifacts(run.id, None if folder == "." else folder)}:
            return None
        with TemporaryDirectory(prefix="textcls-") as scratch:
            try:
                return Path(self.client.download_artifacts(run.id, path, scratch)).read_bytes()
            except (MlflowException, OSError) as error:
                raise TrackingError(f"run {run.name}: {path} cannot be read: {reason(error)}") from error

    def kept_model(self, run: RunSummary) -> str | None:
        """Find the id of the model that a run has kept; one that was deleted, or whose keeping was cut off, is none."""
        from mlflow.exceptions import MlflowException

        for id in run.model_ids:
            with suppress(MlflowException):  # it was deleted
                if self.client.get_logged_model(id).status == "READY":
                    return id
        return None

    def model_id(self, run: RunSummary) -> str:
        """Find the id of the model that a run has kept.

        Raises:
            TrackingError: it has kept none.
        """
        id = self.kept_model(run)
        if id is None:
            raise TrackingError(f"run {run.name}: it has kept no model; its status is {run.status}")
        return id

    def model_folder(self, name: str) -> Path:
        """Find the model folder of a run (its id or name) or of a registered model (`models:/name@alias`).

        A server's is fetched, and one in a folder that cannot be written to is copied: to a folder that is there for as long as this
        object is held.

        Raises:
            TrackingError: no such run or model, or it has kept none.
        """
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        uri = name if name.startswith("models:/") else f"models:/{self.model_id(self.run(name))}"
        # MLflow writes a file of its own beside a model that it gives the folder of.
        place = self._scratch() if self.is_server or self._is_read_only else None
        try:
            # Given a tracking URI, MLflow would still look for `models:/…` in the default store.
            with self.as_default():
                logged = Path(download_artifacts(artifact_uri=uri, dst_path=str(place) if place else None))
        except (MlflowException, OSError) as error:
            known = [uri]
            if name.startswith("models:/"):
                with suppress(MlflowException):  # of a server that is gone, as is said below
                    known = self._registered(name)
            hint = f": {reason(error)}" if uri in known else f"; known: {', '.join(known) or 'no registered models yet'}"
            raise TrackingError(f"{self.place}: no model {name!r}{hint}") from error
        return logged / "data" / "model"

    def _scratch(self) -> Path:
        """A new folder that is removed with the store, or when Python ends."""
        folder = mkdtemp(prefix="textcls-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def _registered(self, uri: str) -> list[str]:
        """Name the versions of the registered model that a URI names; of all of them, if it names none."""
        from textcls.tracking.registry import all_versions

        versions = all_versions(self)
        of_name = [version for version in versions if version.name == re.split("[@/]", uri.removeprefix("models:/"))[0]]
        ends = [(v.name, end) for v in of_name or versions for end in (*(f"@{alias}" for alias in v.aliases), f"/{v.number}")]
        return [f"models:/{name}{end}" for name, end in ends]

    @cached_property
    def page(self) -> str:
        """The path and query of the page that MLflow's UI should open on: the run table of the newest run's experiment."""
        experiments = [e.experiment_id for e in pages(self.client.search_experiments)]
        newest = (
            self.client.search_runs(experiments, order_by=["attributes.start_time DESC"], max_results=1) if experiments else []
        )
        return page_of(newest[0].info.experiment_id if newest else None)


def path_of(uri: str) -> Path:
    """The path of a file's URI, which MLflow writes with or without its scheme."""
    return Path(unquote(urlparse(uri).path)) if uri.startswith("file:") else Path(uri)


def _file_name(name: str) -> str:
    """A folder's name of an experiment's: letters, digits, dots and dashes."""
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name).strip(".") or "experiment"
