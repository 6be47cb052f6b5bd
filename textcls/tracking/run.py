"""A run while it is made: what is logged of it, its children, and a status that is true whatever ends it."""

from __future__ import annotations

import os
import re
import socket
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textcls.config import TrackingConfig
from textcls.errors import TrackingError
from textcls.tracking.store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BATCH = 200
_MOST_SECONDS = 5.0


class NullRun:
    """A run that tracks nothing: what is given to it is forgotten."""

    id: str | None = None
    name: str | None = None

    @contextmanager
    def child(self, name: str, kind: str, *, resume: str | None = None) -> Iterator[NullRun]:
        """Give a run below this one, of kind `fold`, `seed` or `trial`; `resume` is the id of one that was begun earlier."""
        yield self

    def tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""

    def parameters(self, parameters: Mapping[str, Any]) -> None:
        """Log parameters."""

    def metrics(self, metrics: Mapping[str, float]) -> None:
        """Log final metrics."""

    def point(self, name: str, value: float, step: int) -> None:
        """Log a point of a curve."""

    def text(self, text: str, file: str) -> None:
        """Keep a text as an artifact."""

    def table(self, rows: Sequence[Mapping[str, Any]], file: str) -> None:
        """Keep rows as a table that the UI compares across runs; the first column aligns them."""

    def figure(self, figure: Figure, name: str) -> None:
        """Keep a figure as `plots/NAME.png` and in the UI's grid of images."""

    def data(self, name: str, identity: str, source: str, context: str) -> None:
        """Say which data the run used, by their identity, for `training`, `validation` or `test`."""

    def model(self, folder: Path, *, name: str, versions: Mapping[str, str]) -> None:
        """Keep a model folder as an MLflow model."""


class Run(NullRun):
    """A run in a store."""

    def __init__(self, store: Store, id: str, name: str) -> None:
        self.store, self.id, self.name = store, id, name
        self._points: list[Any] = []
        self._sent = time.monotonic()

    @contextmanager
    def child(self, name: str, kind: str, *, resume: str | None = None) -> Iterator[NullRun]:
        parent = self.store.client.get_run(self._run_id)
        tags = {key: value for key, value in parent.data.tags.items() if key.startswith(("textcls.", "mlflow.source"))}
        tags |= {"mlflow.parentRunId": self._run_id, "textcls.kind": kind}
        with _open_run(self.store, parent.info.experiment_id, name, tags, resume) as child:
            yield child

    def tags(self, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self.store.client.set_tag(self._run_id, key, value)

    def parameters(self, parameters: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        self.store.client.log_batch(self._run_id, params=[Param(key, str(value)[:6000]) for key, value in parameters.items()])

    def metrics(self, metrics: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        # Rounded for the people who read the UI's tables; the artifact evaluation.json has every digit.
        batch = [Metric(metric_name(name), round(float(value), 4), now, 0) for name, value in metrics.items()]
        self.store.client.log_batch(self._run_id, metrics=batch)

    def point(self, name: str, value: float, step: int) -> None:
        from mlflow.entities import Metric

        self._points.append(Metric(metric_name(name), float(value), int(time.time() * 1000), step))
        # Sent in batches, so that no training step waits for the database.
        if len(self._points) >= _BATCH or time.monotonic() - self._sent > _MOST_SECONDS:
            self._send_points()

    def text(self, text: str, file: str) -> None:
        self.store.client.log_text(self._run_id, text, file)

    def table(self, rows: Sequence[Mapping[str, Any]], file: str) -> None:
        import pandas

        if rows:
            self.store.client.log_table(self._run_id, pandas.DataFrame(list(rows)), file)

    def figure(self, figure: Figure, name: str) -> None:
        import io

        from PIL import Image

        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=150)
        image = Image.open(picture)
        self.store.client.log_image(self._run_id, image, artifact_file=f"plots/{name}.png")
        self.store.client.log_image(self._run_id, image, key=name, step=0)

    def data(self, name: str, identity: str, source: str, context: str) -> None:
        from mlflow.data.dataset_source_registry import resolve_dataset_source
        from mlflow.data.meta_dataset import MetaDataset
        from mlflow.entities import DatasetInput, InputTag

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of two ways to read a path, both are right
            dataset = MetaDataset(resolve_dataset_source(source), name=name, digest=identity[:36])
        entity = DatasetInput(dataset._to_mlflow_entity(), tags=[InputTag("mlflow.data.context", context)])
        self.store.client.log_inputs(self._run_id, [entity])

    def model(self, folder: Path, *, name: str, versions: Mapping[str, str]) -> None:
        import mlflow.pyfunc
        from mlflow.models import Model, ModelSignature
        from mlflow.types import ColSpec, DataType, Schema
        from mlflow.types.schema import Map

        outputs = [
            ColSpec(DataType.string, "label"),
            ColSpec(DataType.double, "score"),
            ColSpec(Map(DataType.double), "probabilities"),
        ]
        run = self.store.client.get_run(self._run_id)
        # Left to itself, Model.log would take the default experiment, whose artifacts lie in the working directory.
        logged = self.store.client.create_logged_model(
            run.info.experiment_id,
            name=re.sub(r"[/:.%\"']", "-", name),
            source_run_id=self._run_id,
            params=dict(run.data.params),
        )
        with self.store.as_default(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # asks for an example, which the signature does not need
            Model.log(
                artifact_path=None,
                flavor=mlflow.pyfunc,
                run_id=self._run_id,
                model_id=logged.model_id,
                loader_module="textcls.serving",
                data_path=str(folder),
                pip_requirements=[f"{library}=={number}" for library, number in versions.items() if library != "python"],
                signature=ModelSignature(Schema([ColSpec(DataType.string, "text")]), Schema(outputs)),
            )

    @property
    def _run_id(self) -> str:
        if self.id is None:
            raise RuntimeError("a tracked run has an id")
        return self.id

    def _send_points(self) -> None:
        points, self._points, self._sent = self._points, [], time.monotonic()
        for start in range(0, len(points), 1000):
            self.store.client.log_batch(self._run_id, metrics=points[start : start + 1000])


@contextmanager
def track(
    config: TrackingConfig, *, experiment: str, name: str, tags: Mapping[str, str], resume: str | None = None
) -> Iterator[NullRun]:
    """Open a run for the length of the block, as the config says; `resume` is the id of one that was begun earlier.

    The run ends as FINISHED, as FAILED if an exception leaves the block, and as KILLED if Ctrl-C (or a signal that was
    turned into a KeyboardInterrupt) does.

    Raises:
        TrackingError: the store cannot be opened or written to.
    """
    if not config.enabled:
        yield NullRun()
        return
    store = Store(config.folder, create=True)
    from mlflow.exceptions import MlflowException

    try:
        with _open_run(store, store.experiment(experiment).experiment_id, name, tags, resume) as run:
            yield run
    except MlflowException as error:
        raise TrackingError(f"{config.folder}: MLflow cannot write: {str(error).splitlines()[0]}") from error


def metric_name(name: str) -> str:
    """Turn a name with a label in it into one that MLflow takes: letters, digits, `_ - . : / ` and spaces."""
    return re.sub(r"[^\w\-.:/ ]", "_", name)


@contextmanager
def _open_run(store: Store, experiment_id: str, name: str, tags: Mapping[str, str], resume: str | None) -> Iterator[Run]:
    process = {"textcls.process": f"{socket.gethostname()}:{os.getpid()}"}
    if resume is None:
        run_id = store.client.create_run(experiment_id, run_name=name, tags={**tags, **process}).info.run_id
    else:
        run_id = resume
        store.client.update_run(run_id, status="RUNNING")
    run = Run(store, run_id, name)
    if resume is not None:
        run.tags(process)
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        try:
            run._send_points()
        finally:
            store.client.set_terminated(run_id, status=status)
