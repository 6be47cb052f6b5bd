"""The MLflow store of a folder: `mlflow.db` (SQLite) and `artifacts/`, opened safely by several processes and after a move."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from textcls.errors import TrackingError, did_you_mean

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment
    from mlflow.entities import Run as MlflowRun

logger = logging.getLogger(__name__)

_ABSOLUTE_PATHS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
"""Where MLflow stores absolute paths, which a moved folder makes wrong."""

SHOWN_COLUMNS = (
    "metrics.`test/macro_f1`",
    "metrics.`test/accuracy`",
    "metrics.`test/log_loss`",
    "metrics.`time/fit_s`",
    "metrics.`size/model_mb`",
    "params.`model.kind`",
)
"""Columns of the run table that `textcls ui` opens."""


@dataclass(frozen=True)
class RunSummary:
    """What a table of runs shows of one."""

    id: str
    name: str
    experiment: str
    kind: str
    status: str
    started: int
    """Milliseconds since 1970."""
    metrics: dict[str, float]
    parameters: dict[str, str]
    data: str
    """Identity of the data."""


class Store:
    """A folder with runs. Opening it makes it if need be, mends it after a move, and ends runs whose process died.

    Args:
        folder: the folder of the store.
        create: whether to make a store where there is none.

    Raises:
        TrackingError: there is no store and none is to be made, or it cannot be opened.
    """

    def __init__(self, folder: str | Path, *, create: bool = False) -> None:
        # MLflow reads it when it is imported, and would report its use to its makers.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # Else a bar goes over the terminal for every file that is read.
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        self.folder = Path(folder).resolve()
        self.database = self.folder / "mlflow.db"
        if not create and not self.database.is_file():
            raise TrackingError(f"{folder}: no runs here; expected a folder that `textcls train` has tracked runs in")
        if any(sign in str(self.folder) for sign in "%?#"):
            raise TrackingError(f"{self.folder}: MLflow cannot use a path with %, ? or #; choose another folder")
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._open()
        except (OSError, sqlite3.Error, SQLAlchemyError, MlflowException) as error:
            raise TrackingError(f"{folder}: the store cannot be opened: {str(error).splitlines()[0]}") from error

    @property
    def uri(self) -> str:
        """The tracking URI by which MLflow knows the store."""
        return f"sqlite:///{self.database}"

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client of this store."""
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
        found = self.client.get_experiment_by_name(name)
        if found is None:
            location = (self.folder / "artifacts" / _file_name(name)).as_uri()
            self.client.create_experiment(
                name, artifact_location=location, tags={"mlflow.experimentKind": "custom_model_development"}
            )
            found = self.client.get_experiment_by_name(name)
        if found.lifecycle_stage != "active":
            raise TrackingError(f"{self.folder}: the experiment {name!r} was deleted; restore it in MLflow or set data.name")
        view = json.dumps(
            {
                "selectedColumns": SHOWN_COLUMNS,
                "orderByKey": SHOWN_COLUMNS[0],
                "orderByAsc": False,
                "searchFilter": "tags.`textcls.kind` != 'fold'",
            }
        )
        self.client.set_experiment_tag(found.experiment_id, "mlflow.sharedViewState.textcls", view)
        return found

    def runs(self, names: Sequence[str] = (), *, children: bool = False) -> list[RunSummary]:
        """List runs, the newest first.

        Args:
            names: ids, unambiguous beginnings of ids, or names of runs, of which the newest finished one counts; all that
                are no children if none is given.
            children: whether to list the folds of runs too.

        Raises:
            TrackingError: a name fits no run, or runs of several data sets.
        """
        experiments = {e.experiment_id: e.name for e in self.client.search_experiments()}
        found = [self._summarize(run, experiments) for run in self._search(list(experiments))]
        found.sort(key=lambda run: -run.started)
        if not names:
            return [run for run in found if children or run.kind not in ("fold", "seed", "trial")]
        chosen = []
        for name in names:
            fitting = [run for run in found if name == run.name] or [
                run for run in found if len(name) >= 6 and run.id.startswith(name)
            ]
            # The newest that has come to an end is meant, but not one of other data or another run whose id begins alike.
            fitting = [run for run in fitting if run.status == "FINISHED"] or fitting
            if len({(run.experiment, run.name) for run in fitting}) > 1:
                ids = ", ".join(f"{run.id[:8]} ({run.experiment})" for run in fitting)
                raise TrackingError(f"{self.folder}: several runs are {name!r}; name one by its id: {ids}")
            if not fitting:
                raise TrackingError(
                    f"{self.folder}: no run {name!r}; {did_you_mean(name, [run.name for run in found] or ['no runs yet'])}"
                )
            chosen.append(fitting[0])
        return chosen

    def model_folder(self, name: str) -> Path:
        """Find the model folder of a run (its id or name) or of a registered model (`models:/name@alias`).

        Raises:
            TrackingError: no such run or model, or it has kept none.
        """
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        if name.startswith("models:/"):
            uri = name
        else:
            (summary,) = self.runs([name])
            outputs = self.client.get_run(summary.id).outputs
            if not outputs or not outputs.model_outputs:
                raise TrackingError(f"run {name}: it has kept no model; its status is {summary.status}")
            uri = f"models:/{outputs.model_outputs[0].model_id}"
        try:
            # Given a tracking URI, MLflow would still look for `models:/…` in the default store.
            with self.as_default():
                logged = Path(download_artifacts(artifact_uri=uri))
        except (MlflowException, OSError) as error:
            raise TrackingError(f"{self.folder}: no model {name!r}: {str(error).splitlines()[0]}") from error
        return logged / "data" / "model"

    def predictions(self, run: RunSummary) -> list[dict[str, Any]]:
        """Read what a run predicted for the rows that it was measured on: `id`, `label`, `probabilities` and more.

        Raises:
            TrackingError: the run is not finished, is a part of another, or has kept no predictions.
        """
        from mlflow.exceptions import MlflowException

        who = f"run {run.name} ({run.id[:8]})"
        if run.kind in ("fold", "trial"):
            raise TrackingError(f"{who}: it is a {run.kind} of a run, which keeps the predictions; name that run")
        if run.status != "FINISHED":
            raise TrackingError(f"{who}: expected a finished run, found one that is {run.status.lower()}")
        try:
            file = Path(self.client.download_artifacts(run.id, "predictions/test.jsonl"))
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
        except ValueError as error:
            raise TrackingError(f"{who}: its predictions/test.jsonl is damaged: {error}") from error
        except (MlflowException, OSError) as error:
            raise TrackingError(f"{who}: it has kept no predictions; train it again to compare it") from error
        return rows

    @cached_property
    def page(self) -> str:
        """The path and query of the page that MLflow's UI should open on: the run table of the newest run's experiment."""
        newest = self.runs()
        if not newest:
            return "/#/experiments"
        found = self.client.get_experiment_by_name(newest[0].experiment)
        return f"/#/experiments/{found.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey=textcls"

    # --- opening ----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Processes that open a new database at once break it for good, so the first opening is one's alone.
        with FileLock(self.folder / ".lock", timeout=120):
            self._back_up_before_upgrade()
            with _quiet_migrations():
                self.client.search_experiments(max_results=1)
            with closing(sqlite3.connect(self.database)) as connection:
                connection.execute("PRAGMA journal_mode=wal")
            self._relocate()
            self._end_dead_runs()

    @property
    def _state(self) -> dict[str, str]:
        file = self.folder / "store.json"
        if not file.is_file():
            return {}
        try:
            state: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TrackingError(f"{file}: damaged; remove it, and move the folder back if it was moved") from error
        return state

    def _back_up_before_upgrade(self) -> None:
        """A newer MLflow migrates an old database for good, so a copy is kept first."""
        before, now = self._state.get("mlflow"), version("mlflow")
        if before and before != now and self.database.is_file():
            copy = self.database.with_suffix(f".db.mlflow-{before}")
            if not copy.exists():
                shutil.copy2(self.database, copy)
                logger.warning("MLflow is now %s, the store was made by %s; a copy is kept as %s", now, before, copy.name)

    def _relocate(self) -> None:
        before, now = self._state.get("root"), str(self.folder)
        if before and before != now:
            with closing(sqlite3.connect(self.database)) as connection, connection:
                for table, column in _ABSOLUTE_PATHS:
                    for old, new in ((Path(before).as_uri(), Path(now).as_uri()), (before, now)):
                        connection.execute(
                            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608
                            (f"{new}/", len(old) + 2, len(old) + 1, f"{old}/"),
                        )
            logger.warning("the store was moved here from %s; its paths were adjusted", before)
        if self._state != {"root": now, "mlflow": version("mlflow")}:
            state = json.dumps({"root": now, "mlflow": version("mlflow")}, indent=2)
            (self.folder / "store.json").write_text(state + "\n", encoding="utf-8")

    def _end_dead_runs(self) -> None:
        """Mark as failed what still counts as running though its process on this machine is gone."""
        experiments = [e.experiment_id for e in self.client.search_experiments()]
        for run in self._search(experiments, "attributes.status = 'RUNNING'"):
            host, _, process = run.data.tags.get("textcls.process", "").partition(":")
            if host == socket.gethostname() and process.isdigit() and not _alive(int(process)):
                self.client.set_terminated(run.info.run_id, status="FAILED")

    # --- reading ----------------------------------------------------------------------------------------------------

    def _search(self, experiments: list[str], condition: str = "") -> Iterator[MlflowRun]:
        token = None
        while experiments:
            page = self.client.search_runs(experiments, filter_string=condition, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _summarize(self, run: MlflowRun, experiments: dict[str, str]) -> RunSummary:
        tags: dict[str, Any] = run.data.tags
        return RunSummary(
            id=run.info.run_id,
            name=run.info.run_name,
            experiment=experiments[run.info.experiment_id],
            kind=tags.get("textcls.kind", ""),
            status=run.info.status,
            started=run.info.start_time,
            metrics=dict(run.data.metrics),
            parameters=dict(run.data.params),
            data=tags.get("textcls.data_sha", ""),
        )


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _file_name(name: str) -> str:
    """A folder's name of an experiment's: letters, digits, dots and dashes."""
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name).strip(".") or "experiment"


@contextmanager
def _quiet_migrations() -> Iterator[None]:
    """MLflow reports every step of making a database."""
    loggers = [logging.getLogger(name) for name in ("alembic", "mlflow.store.db.utils")]
    levels = [log.level for log in loggers]
    for log in loggers:
        log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for log, level in zip(loggers, levels, strict=True):
            log.setLevel(level)
