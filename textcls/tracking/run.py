"""A run while it is made: what is logged of it, its children, and a status that is true whatever ends it."""

from __future__ import annotations

import io
import json
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from textcls.config import TrackingConfig
from textcls.errors import TrackingError
from textcls.tracking.calls import Call
from textcls.tracking.outbox import UNSENT, Outbox
from textcls.tracking.processes import this_process
from textcls.tracking.remote import reason
from textcls.tracking.store import Store
from textcls.tracking.summaries import RunSummary

METRIC_DIGITS = 6
"""Digits of a kept metric after the point: MLflow's page of a run shows all; with as few as people are shown, they would be rounded twice."""

_BATCH = 200
_MOST_SECONDS = 5.0
_LONGEST_NAME = 250
"""Letters of a metric's name that MLflow takes."""


class GivenUp(Exception):
    """Leaves the block of a run that is ended early on purpose, and whose status is then KILLED."""


class NullRun:
    """A run that tracks nothing: what is given to it is forgotten."""

    id: str | None = None
    name: str | None = None

    @contextmanager
    def child(self, name: str, kind: str, *, resume: str | None = None) -> Iterator[NullRun]:
        """Give a run below this one, of kind `fold`, `seed` or `trial`; `resume` is the id of one that was begun earlier."""
        yield self

    def hand_over(self, process: str) -> None:
        """Leave the run to another process, which works on it too and ends it; this one's leaving then says nothing of its status."""

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

    def file(self, content: bytes, file: str) -> None:
        """Keep a file as an artifact."""

    def table(self, rows: Sequence[Mapping[str, Any]], file: str) -> None:
        """Keep rows as a table that the UI compares across runs; the first column aligns them."""

    def picture(self, png: bytes, name: str) -> None:
        """Keep a picture as `plots/NAME.png` and in the UI's grid of images."""

    def data(self, name: str, identity: str, source: str, context: str) -> None:
        """Say which data the run used, by their identity, for `training`, `validation` or `test`."""

    def model(self, folder: Path, *, name: str, requirements: Sequence[str]) -> None:
        """Keep a model folder as an MLflow model, with what pip must install to load it."""


class Run(NullRun):
    """A run in a store."""

    def __init__(
        self, outbox: Outbox, id: str, name: str, experiment: str, tags: Mapping[str, str], *, stamp: int | None = None
    ) -> None:
        self.id, self.name = id, name
        self._outbox, self._experiment, self._tags = outbox, experiment, dict(tags)
        self._tables: list[dict[str, str]] = []
        self._points: list[list[Any]] = []
        self._sent = time.monotonic()
        self._stamp = stamp or _now()
        self._handed_over = False

    @contextmanager
    def child(self, name: str, kind: str, *, resume: str | None = None) -> Iterator[NullRun]:
        tags = {key: value for key, value in self._tags.items() if key.startswith(("textcls.", "mlflow.source"))}
        tags |= {"mlflow.parentRunId": self._run_id, "textcls.kind": kind}
        with _open_run(self._outbox, self._experiment, name, tags, resume) as child:
            yield child

    def hand_over(self, process: str) -> None:
        self.tags({"textcls.process": process})
        self._handed_over = True

    def tags(self, tags: Mapping[str, str]) -> None:
        self._tags |= tags
        self._send("tags", dict(tags))

    def parameters(self, parameters: Mapping[str, Any]) -> None:
        self._send("parameters", {key: str(value)[:6000] for key, value in parameters.items()})

    def metrics(self, metrics: Mapping[str, float]) -> None:
        now = _now()
        # Rounded for the people who read the UI's tables; the artifact evaluation.json has every digit.
        points = [[metric_name(name), round(float(value), METRIC_DIGITS), now, 0] for name, value in metrics.items()]
        self._send("metrics", {"points": points})

    def point(self, name: str, value: float, step: int) -> None:
        self._points.append([metric_name(name), float(value), _now(), step])
        # Sent in batches and by another thread, so that no training step waits for the store.
        if len(self._points) >= _BATCH or time.monotonic() - self._sent > _MOST_SECONDS:
            self._send_points()

    def text(self, text: str, file: str) -> None:
        self.file(text.encode(), file)

    def file(self, content: bytes, file: str) -> None:
        path = PurePosixPath(file)
        folder = "" if path.parent == PurePosixPath() else str(path.parent)
        with TemporaryDirectory(prefix="textcls-") as scratch:
            place = Path(scratch) / path.name
            place.write_bytes(content)
            self._send("file", {"folder": folder}, place)

    def table(self, rows: Sequence[Mapping[str, Any]], file: str) -> None:
        if not rows:
            return
        self.text(split_json(rows), file)
        # By this MLflow knows it for a table, as by its own log_table, which would add rows to those of a call before.
        self._tables.append({"path": file, "type": "table"})
        self._send("tags", {"mlflow.loggedArtifacts": json.dumps(self._tables)})

    def picture(self, png: bytes, name: str) -> None:
        from mlflow.tracking.multimedia import compress_image_size
        from PIL import Image

        self.file(png, f"plots/{name}.png")
        # What MLflow's log_image writes for its grid, but by names that replace a figure that was kept before.
        in_grid = f"images/{name}+step+0+timestamp+{self._stamp}+{uuid5(NAMESPACE_OID, name)}"
        self.file(png, f"{in_grid}.png")
        small = io.BytesIO()
        compress_image_size(Image.open(io.BytesIO(png))).save(small, format="webp")
        self.file(small.getvalue(), f"{in_grid}+compressed.webp")
        self._send("tags", {"mlflow.loggedImages": "True"})

    def data(self, name: str, identity: str, source: str, context: str) -> None:
        self._send("data", {"name": name, "identity": identity, "source": source, "context": context})

    def model(self, folder: Path, *, name: str, requirements: Sequence[str]) -> None:
        self._send("model", {"name": name, "requirements": list(requirements)}, folder)

    @property
    def _run_id(self) -> str:
        if self.id is None:
            raise RuntimeError("a tracked run has an id")
        return self.id

    def _send(self, action: str, values: Mapping[str, Any], content: Path | None = None) -> None:
        self._outbox.send(Call(self._run_id, action, values, content))

    def _send_points(self) -> None:
        points, self._points, self._sent = self._points, [], time.monotonic()
        if points:
            self._outbox.later(Call(self._run_id, "metrics", {"points": points}))

    def _end(self, status: str, error: str | None) -> None:
        self._send_points()
        if not self._handed_over:
            if error is not None:
                # Not waited for: what failed before would be raised here, and the end never be sent.
                self._outbox.later(Call(self._run_id, "tags", {"textcls.error": error}))
            self._send("end", {"status": status, "time": _now()})


@contextmanager
def track(
    config: TrackingConfig, *, experiment: str, name: str, tags: Mapping[str, str], resume: str | None = None
) -> Iterator[NullRun]:
    """Open a run for the length of the block, as the config says; `resume` is the id of one that was begun earlier.

    The run ends as FINISHED, as FAILED if an exception leaves the block, which a tag then names, and as KILLED if `GivenUp` or Ctrl-C does. In the main thread
    SIGTERM and SIGHUP, where nobody handles them, are a Ctrl-C (KeyboardInterrupt) for the length of the block. A server that goes away after the run has begun costs it nothing: what could not be
    sent is kept in `unsent/` of the config's folder.

    Raises:
        TrackingError: the store cannot be opened or written to.
    """
    if not config.enabled:
        yield NullRun()
        return
    store = Store(config.uri or config.folder, create=True)
    from mlflow.exceptions import MlflowException

    outbox = Outbox(store, Path(config.folder) / UNSENT if config.uri else None, name=name, experiment=experiment)
    try:
        with _ended_by_signals(), outbox, _open_run(outbox, experiment, name, tags, resume) as run:
            yield run
    except MlflowException as error:
        raise TrackingError(f"{store.place}: MLflow cannot write: {reason(error)}") from error


@contextmanager
def added_to(store: Store, run: RunSummary) -> Iterator[NullRun]:
    """Add to a run that has come to its end, whose status and times stay as they are; what is kept under the same name is replaced.

    Raises:
        TrackingError: the store cannot be written to.
    """
    from mlflow.exceptions import MlflowException

    store.check_writable()
    try:
        with Outbox(store, None, name=run.name, experiment=run.experiment) as outbox:
            yield Run(outbox, run.id, run.name, run.experiment, run.tags, stamp=run.started)
    except MlflowException as error:
        raise TrackingError(f"{store.place}: run {run.name} cannot be added to: {reason(error)}") from error


def split_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as pandas does with `orient="split"`, in which MLflow reads tables; pandas takes several times as long."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return json.dumps({"columns": columns, "data": [[row.get(column) for column in columns] for row in rows]})


def metric_name(name: str) -> str:
    """Turn a name, after whose second slash a label may stand, into one that MLflow takes.

    A name that must be changed ends in a hash, so that no two become one.
    """
    parts = [re.sub(r"[^\w\-.: ]", "_", part) for part in name.split("/", 2)]
    # MLflow takes names for paths: no part may be empty or lead upwards.
    plain = "/".join(part if part.strip(".") else f"_{part}" for part in parts)
    if plain == name and len(name) <= _LONGEST_NAME:
        return name
    mark = f"-{sha256(name.encode()).hexdigest()[:8]}"
    return plain[: _LONGEST_NAME - len(mark)] + mark


@contextmanager
def _open_run(outbox: Outbox, experiment: str, name: str, tags: Mapping[str, str], resume: str | None = None) -> Iterator[Run]:
    all_tags = {**tags, "textcls.process": this_process()}
    start = {"experiment": experiment, "name": name, "tags": all_tags, "time": _now()}
    id = (
        outbox.start(start) if resume is None else outbox.reopen(resume, {"textcls.process": this_process(), "textcls.error": ""})
    )
    run = Run(outbox, id, name, experiment, all_tags)
    status, why = "FAILED", None
    try:
        yield run
        status = "FINISHED"
    except (KeyboardInterrupt, GivenUp):
        status = "KILLED"
        raise
    except BaseException as error:
        why = f"{type(error).__name__}: {reason(error)}"
        raise
    finally:
        run._end(status, why)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let signals that would end Python on the spot end a run as Ctrl-C does: it would count as running for good."""
    ours = []
    if threading.current_thread() is threading.main_thread():  # no other may say who handles signals
        numbers = {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}  # which Windows does not know
        ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in ours:
            signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _now() -> int:
    return int(time.time() * 1000)
