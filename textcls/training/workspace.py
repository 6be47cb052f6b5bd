"""What a run keeps on the disk while it is made, so that it can go on after it was killed: `FOLDER/unfinished/RUN/`.

run.json           the run's config, the identity of its data and of their rows in their order
.lock              held by the process that is at work here
FIT/               for each fit: `run.json`, the child run it is tracked as; checkpoints while it is fitted, and in `seconds.json`
                   how long it took to come to the newest; `outcome.json` and `probabilities.npy` once it is measured
model/             the final model, while it is measured and handed on
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
from filelock import Timeout
from pydantic import TypeAdapter

from textcls.config import Config, TrackingConfig
from textcls.errors import ConfigError, DataError, TrackingError
from textcls.files import folder_bytes
from textcls.tracking import UNFINISHED, RunSummary, Store, is_another, is_held, work_lock
from textcls.tracking.difference import differing, flatten
from textcls.training.fitting import Measurement

logger = logging.getLogger(__name__)

_Kind = TypeVar("_Kind")
_MOST_SECONDS = 0.5
"""How long a lock may be held by those who only ask whether it is."""


class Workspace:
    """A run's working folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def note(self, config: Config, identity: str, rows: str) -> None:
        """Note what the run is made from: its config, its data's identity, and that of their rows in their order."""
        self.folder.mkdir(parents=True, exist_ok=True)
        noted = {"config": config.model_dump(mode="json"), "data": identity, "rows": rows}
        _write_json(self.folder / "run.json", noted)

    def checkpoints(self, fit: str) -> Path:
        """The folder for the checkpoints of a fit."""
        folder = self.folder / fit / "checkpoints"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def seconds(self, fit: str) -> float:
        """How many seconds it took to come to a fit's newest checkpoint, in all processes; 0 if it has none."""
        file = self.folder / fit / "seconds.json"
        # A fit that came to its end has emptied the folder, and begins anew if it was killed while it was measured.
        kept = any(path.is_file() for path in (self.folder / fit / "checkpoints").rglob("*"))
        return _read_json(file, float) if kept and file.is_file() else 0.0

    def note_seconds(self, fit: str, seconds: float) -> None:
        """Note how many seconds it took to come to a fit's newest checkpoint."""
        _write_json(self.folder / fit / "seconds.json", seconds)

    def child(self, fit: str) -> str | None:
        """The id of the run that a fit is tracked as, if it was begun.

        Raises:
            ConfigError: what is noted is damaged.
        """
        file = self.folder / fit / "run.json"
        return _read_json(file, _Child).run if file.is_file() else None

    def note_child(self, fit: str, id: str | None) -> None:
        """Note the id of the run that a fit is tracked as."""
        (self.folder / fit).mkdir(parents=True, exist_ok=True)
        _write_json(self.folder / fit / "run.json", {"run": id})

    def measurement(self, fit: str) -> Measurement | None:
        """What a fit came to, if it was measured.

        Raises:
            ConfigError: what is noted is damaged.
        """
        file = self.folder / fit / "outcome.json"
        if not file.is_file():
            return None
        kept = _read_json(file, _Outcome)
        file = self.folder / fit / "probabilities.npy"
        try:
            probabilities = np.load(file, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise _damaged(file) from error
        if probabilities.shape[1:] != (len(kept.labels),):
            raise _damaged(file)
        return Measurement(kept.metrics, kept.labels, probabilities)

    def note_measurement(self, fit: str, measured: Measurement) -> None:
        """Note what a fit came to, after which its checkpoints are not needed."""
        np.save(self.folder / fit / "probabilities.npy", measured.probabilities, allow_pickle=False)
        _write_json(self.folder / fit / "outcome.json", {"metrics": measured.metrics, "labels": measured.labels})
        shutil.rmtree(self.folder / fit / "checkpoints", ignore_errors=True)

    def model(self) -> Path:
        """The folder to write the final model to, which is not there: what a process that was killed left of it goes."""
        folder = self.folder / "model"
        shutil.rmtree(folder, ignore_errors=True)
        return folder

    def remove(self) -> None:
        """Remove it all, when the run is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def open_workspace(store: str | Path, run: str | None, *, stays: bool = True) -> Iterator[Workspace]:
    """Give a run its working folder.

    Args:
        store: the folder of the store.
        run: the run's id; None if it is not tracked, and cannot go on.
        stays: whether the folder stays if the run does not come to its end; that of a trial, which begins anew, does not.

    Raises:
        ConfigError: another process works in it.
    """
    if run is None:
        with TemporaryDirectory(prefix="textcls-") as folder:
            yield Workspace(Path(folder))
        return
    workspace = Workspace(Path(store) / UNFINISHED / run)
    try:
        held = work_lock(workspace.folder).acquire(timeout=_MOST_SECONDS)
    except Timeout as error:
        raise ConfigError(f"run {run}: another process is at work on it; wait for it or stop it") from error
    with held:
        try:
            yield workspace
        except BaseException:
            if not stays:
                workspace.remove()
            raise
        workspace.remove()


@dataclass(frozen=True)
class Leftover:
    """A working folder in which no run is at work.

    Attributes:
        workspace: the folder.
        bytes: what it takes up.
        run: the run that could go on from it; None if there is none: it is finished, deleted, or a trial, which begins anew.
    """

    workspace: Workspace
    bytes: int
    run: RunSummary | None


def leftovers(store: Store) -> list[Leftover]:
    """Find the working folders that runs have left in a store's folder, by name; runs that a server tracks are looked up there."""

    @cache
    def store_at(uri: str | None) -> Store | None:
        try:
            return Store(uri) if uri else store
        except TrackingError as error:
            logger.warning("%s; the working folders of its runs are kept", error)
            return None

    found = []
    for folder in sorted((store.folder / UNFINISHED).glob("*")):
        at = store_at(_server(folder))
        if at is None:
            continue
        run = at.find(folder.name)
        at_work = run is not None and run.status == "RUNNING"
        if not at_work and not is_held(folder):  # one that is resumed reads its data first, and does not count as running yet
            resumable = run is not None and is_resumable(store.folder, run)
            found.append(Leftover(Workspace(folder), folder_bytes(folder), run if resumable else None))
    return found


def is_resumable(store: Path, run: RunSummary) -> bool:
    """Whether a run that did not come to its end has left in the folder of a store what it can go on from."""
    kept = store / UNFINISHED / run.id / "run.json"
    return run.status not in ("FINISHED", "RUNNING") and run.kind != "trial" and kept.is_file()


def unfinished_run(tracking: TrackingConfig, run: str) -> str:
    """Find the id of a run that did not come to its end, by its id, the beginning of it, or its name.

    Raises:
        TrackingError: there is no such run.
        ConfigError: it is finished or still at work, or nothing is kept to go on from.
    """
    (found,) = Store(tracking.uri or tracking.folder).runs([run], unfinished=True)
    if found.status == "FINISHED":
        raise ConfigError(f"run {run}: it is finished, so there is nothing to resume")
    place = Path(tracking.folder) / UNFINISHED / found.id
    process, held = found.tags.get("textcls.process", ""), is_held(place)
    if found.status == "RUNNING" and (is_another(process) if held is None else held):
        raise ConfigError(
            f"run {run}: {found.id} is still at work (process {process}); wait for it or stop it, or name another run by its id"
        )
    if not (place / "run.json").is_file():
        raise ConfigError(f"run {run}: nothing is kept to resume it from ({place} is not there); start a new run")
    return found.id


def check_resumable(store: str | Path, run: str, config: Config, identity: str, rows: str) -> None:
    """Check that a run is resumed with what it was begun with.

    Raises:
        ConfigError: a setting differs, or what is kept is damaged.
        DataError: the data differ, or the order of their rows, their ids or their splits.
    """
    begun = _read_json(Path(store) / UNFINISHED / run / "run.json", _Begun)
    other = differing(flatten(begun.config), flatten(config.model_dump(mode="json")))
    if other:
        words = "; ".join(f"{key} was {json.dumps(then)}, found {json.dumps(now)}" for key, (then, now) in other.items())
        raise ConfigError(f"the run was begun with other settings: {words}; resume it with the same ones, or start a new run")
    if begun.data != identity:
        raise DataError(
            f"the run was begun with data of identity {begun.data[:12]}, found {identity[:12]}; "
            "restore the data, or start a new run"
        )
    if begun.rows != rows:
        raise DataError(
            "the run was begun with the same data, but found rows in another order or with other ids or splits; "
            "restore the data, or start a new run"
        )


@dataclass(frozen=True)
class _Begun:
    """What is noted in a run's `run.json`."""

    config: dict[str, Any]
    data: str
    rows: str


@dataclass(frozen=True)
class _Child:
    """What is noted in a fit's `run.json`."""

    run: str | None


@dataclass(frozen=True)
class _Outcome:
    """What is noted in a fit's `outcome.json`."""

    metrics: dict[str, int | float]
    labels: list[str]


def _server(folder: Path) -> str | None:
    """The server that tracks the run of a working folder; None without one, or if what is noted is damaged or missing."""
    try:
        tracking = _read_json(folder / "run.json", _Begun).config.get("tracking")
    except ConfigError:
        return None
    return tracking.get("uri") if isinstance(tracking, dict) else None


def _read_json(file: Path, kind: type[_Kind]) -> _Kind:
    try:
        return TypeAdapter(kind).validate_python(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        raise _damaged(file) from error


def _damaged(file: Path) -> ConfigError:
    return ConfigError(f"{file}: gone or damaged, so the run cannot be resumed; start a new run")


def _write_json(file: Path, content: Any) -> None:
    """Write whole or not at all, also when the process is killed."""
    scratch = file.with_name(f".{file.name}")
    scratch.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    scratch.replace(file)
