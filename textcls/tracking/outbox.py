"""Send the calls of a run to its store, and keep what a server that went away could not take, to send it later.

What is kept lies in a folder of the run and the process: `run.json` (the server, the run, the process), `calls.jsonl`, to which every call is
appended, `content/N/…`, what goes with call N, and `sent.json`, how far a sending came.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from filelock import FileLock, Timeout

from textcls.errors import TrackingError
from textcls.files import new_file
from textcls.stores import store_hint
from textcls.tracking.calls import Call, carry_out
from textcls.tracking.processes import is_another, this_process
from textcls.tracking.remote import reason
from textcls.tracking.store import Store

logger = logging.getLogger(__name__)

UNSENT = "unsent"
"""Folder below the store's folder with a folder for every run that could not be sent, and for each process of a sweep."""


class Outbox:
    """Sends calls in their order, in a thread of its own, so that `later` costs a training step nothing.

    Args:
        store: where to.
        keep: the folder in which what a server cannot take has a folder; None for a local store, whose errors are raised.
        name, experiment: of the run, for those who look at what is kept.
    """

    def __init__(self, store: Store, keep: Path | None, *, name: str, experiment: str) -> None:
        self.store, self._keep, self._about = store, keep, {"name": name, "experiment": experiment}
        self._run: str | None = None
        self._folder: Path | None = None
        self._kept = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="textcls-tracking")
        self._pending: list[Future[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.shutdown()
        if self._folder is not None:
            self._try_again(self._folder)

    def start(self, values: dict[str, Any]) -> str:
        """Make a run and give its id; once calls are kept, one that stands for the id until the run is sent.

        The first run of an outbox is the one that others are children of, and must be made; without a server there is none.
        """
        call = Call(f"unsent-{uuid4().hex}" if self._keep else "", "start", values)
        if self._run is not None:
            return self.send(call)
        self._run = carry_out(self.store, call)
        return self._run

    def reopen(self, run: str, tags: dict[str, str]) -> str:
        """Go on with a run that was begun earlier, and give its id.

        What was kept of the first run of an outbox is sent before, or else it would be sent after what is to come.

        Raises:
            TrackingError: what was kept is damaged or cannot be sent, or another process keeps more of it.
        """
        call = Call(run, "reopen", {"tags": tags})
        if self._run is not None:
            return self.send(call)
        for folder in kept_folders(self._keep.parent, run) if self._keep else []:
            send_kept(folder, self.store)
        self._run = carry_out(self.store, call)
        return self._run

    def send(self, call: Call) -> str:
        """Send a call, wait for it, and give the id of its run."""
        self.later(call)
        pending, self._pending = self._pending, []
        return [future.result() for future in pending][-1]

    def later(self, call: Call) -> None:
        """Send a call when those before it are sent; what goes wrong is raised by the next `send`."""
        self._pending.append(self._thread.submit(self._deliver, call))

    def _deliver(self, call: Call) -> str:
        from mlflow.exceptions import MlflowException

        if self._folder is None:
            try:
                return carry_out(self.store, call)
            except (MlflowException, OSError) as error:
                if self._keep is None:
                    raise
                logger.warning(
                    "%s: the tracking server fails: %s; the run goes on, and what cannot be sent is kept",
                    self.store.place,
                    reason(error),
                )
            # Several processes of a sweep share a run, hence a folder of this one's own.
            folder = self._keep / f"{self._run}-{uuid4().hex[:8]}"
            about = {"uri": self.store.uri, "run": self._run, **self._about, "process": this_process()}
            with new_file(folder / "run.json") as scratch:
                scratch.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            self._folder = folder
        self._keep_call(call, self._folder)
        return call.run

    def _keep_call(self, call: Call, folder: Path) -> None:
        """Keep this call and, since the order matters, every one after it."""
        if call.content is not None:
            place = folder / "content" / str(self._kept + 1)
            place.mkdir(parents=True)
            if call.content.is_dir():
                shutil.copytree(call.content, place / call.content.name)
            else:
                shutil.copy2(call.content, place)
        self._kept += 1
        line = {"run": call.run, "action": call.action, "values": call.values, "content": call.content and call.content.name}
        with (folder / "calls.jsonl").open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _try_again(self, folder: Path) -> None:
        """The server may be back at the end of the run; if it is not, say what to do."""
        try:
            send_kept(folder, self.store)
        except TrackingError:
            store = folder.parents[1]
            logger.warning(
                "%s: the server has not taken all of the run; %d calls are kept in %s; send them with: textcls runs sync%s",
                self.store.place,
                kept_run(folder).calls,
                folder,
                store_hint(store),
            )


@dataclass(frozen=True)
class KeptRun:
    """A run of which something is kept.

    Attributes:
        folder: where.
        uri: the address of the server that it is for.
        run: its id there.
        name: its name.
        calls: number of calls that are not sent yet.
        process: the one that made them.
        running: whether that is another than this one, and still goes on.
    """

    folder: Path
    uri: str
    run: str
    name: str
    calls: int
    process: str
    running: bool


def kept_folders(folder: str | Path, run: str = "") -> list[Path]:
    """List the folders below a store's folder in which something is kept, of one run or of all, the oldest first."""
    found = sorted((Path(folder) / UNSENT).glob(f"{run}*/run.json"), key=lambda file: file.stat().st_mtime)
    return [file.parent for file in found]


def kept_run(folder: Path) -> KeptRun:
    """Say what is kept in a run's folder.

    Raises:
        TrackingError: it is damaged.
    """
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        sent, _ = _progress(folder)
        calls = sum(1 for _ in _calls(folder)) - sent
        process = about["process"]
        return KeptRun(folder, about["uri"], about["run"], about["name"], calls, process, is_another(process))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrackingError(f"{folder}: what is kept of a run is damaged: {reason(error)}; remove the folder") from error


def send_kept(folder: Path, store: Store | None = None) -> int:
    """Send what is kept of a run, and remove it when all of it has arrived.

    Args:
        folder: the folder of the run.
        store: the server, if it is open already.

    Returns:
        number of calls that were sent now; none if another process has sent and removed it meanwhile.

    Raises:
        TrackingError: what is kept is damaged, another process goes on with the run or sends it, or the server does not take it.
    """
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))  # beside it: the folder is removed while the lock is held
    try:
        with lock.acquire(blocking=False):
            return _send(folder, store) if folder.is_dir() else 0
    except Timeout as error:
        raise TrackingError(f"{folder}: another process sends what is kept here; wait for it") from error
    finally:
        if not folder.is_dir():  # else it is for whoever tries again
            Path(lock.lock_file).unlink(missing_ok=True)


def _send(folder: Path, store: Store | None) -> int:
    from mlflow.exceptions import MlflowException

    kept = kept_run(folder)
    if kept.running:
        raise TrackingError(f"{kept.name}: the run still goes on; it will send what is kept itself when it ends")
    store = store or Store(kept.uri)
    sent, ids = _progress(folder)
    count = 0
    ended = set()
    for number, call in enumerate(_calls(folder), 1):
        if call.action == "end":
            ended.add(call.run)
        if number <= sent:
            continue
        values = dict(call.values)
        if call.action == "start":
            parent = values["tags"]["mlflow.parentRunId"]
            values["tags"] = {**values["tags"], "mlflow.parentRunId": ids.get(parent, parent)}
        # A run that began when the server was gone gets its id there now, and goes by it from then on.
        run = call.run if call.action == "start" else ids.get(call.run, call.run)
        try:
            ids[call.run] = carry_out(store, Call(run, call.action, values, call.content))
        except (MlflowException, OSError) as error:
            raise TrackingError(f"{kept.name}: {kept.uri} does not take it: {reason(error)}") from error
        count += 1
        scratch = folder / ".sent.json"
        scratch.write_text(json.dumps({"sent": number, "ids": ids}), encoding="utf-8")
        scratch.replace(folder / "sent.json")
    _end_cut_off(store, kept.process, {kept.run: kept.run} | ids, ended)
    shutil.rmtree(folder)
    return count


def _end_cut_off(store: Store, process: str, ids: dict[str, str], ended: set[str]) -> None:
    """A run whose process was killed has left no call that ends it; nor has one that another process goes on with."""
    for id in {id for kept_as, id in ids.items() if kept_as not in ended}:
        run = store.client.get_run(id)
        if run.info.status == "RUNNING" and run.data.tags.get("textcls.process") == process:
            store.client.set_terminated(id, status="FAILED")


def _calls(folder: Path) -> Iterator[Call]:
    lines = (folder / "calls.jsonl").read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            content = json.loads(line)
            place = folder / "content" / str(number) / content["content"] if content["content"] else None
            yield Call(content["run"], content["action"], content["values"], place)
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                return  # the process was killed while it wrote; or the end of the file
            raise TrackingError(f"{folder / 'calls.jsonl'}, line {number}: damaged; remove the line or the folder") from error


def _progress(folder: Path) -> tuple[int, dict[str, str]]:
    file = folder / "sent.json"
    if not file.exists():
        return 0, {}
    content = json.loads(file.read_text(encoding="utf-8"))
    return content["sent"], content["ids"]
