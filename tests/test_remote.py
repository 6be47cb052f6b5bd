"""Tracking on a server: one that works, one that goes away in the middle of a run, and ones that refuse."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event
from typing import Any
from urllib.request import urlopen

import pytest
from conftest import Done, Forked, predicted, rows_of, toy_rows
from matplotlib.figure import Figure

from textcls.artifacts import pip_requirements, save_model
from textcls.config import TrackingConfig, make_config
from textcls.errors import ConfigError, OutputError, TrackingError
from textcls.evaluation.drawing import as_png
from textcls.models import classifier_class
from textcls.prediction import load
from textcls.tracking import NullRun, Store, outbox, this_process, track
from textcls.tracking import run as tracking_run
from textcls.tracking.outbox import KeptRun, kept_folders, kept_run, send_kept

Command = Callable[..., Done]

TEXTS = [row["text"] for row in toy_rows()]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


def _serve(folder: Path, port: int) -> None:
    """What `mlflow server` does in its worker, without the process around it, which would import MLflow once more."""
    import uvicorn

    os.environ["_MLFLOW_SERVER_FILE_STORE"] = f"sqlite:///{folder}/mlflow.db"
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = "mlflow-artifacts:/"
    os.environ["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] = str(folder / "artifacts")
    os.environ["_MLFLOW_SERVER_SERVE_ARTIFACTS"] = "true"
    uvicorn.run("mlflow.server.fastapi_app:app", host="127.0.0.1", port=port)


@contextmanager
def mlflow_server(folder: Path, port: int, fork: Callable[..., Forked]) -> Iterator[str]:
    forked = fork(_serve, folder, port)
    deadline = time.monotonic() + 120
    while forked.process.is_alive() and time.monotonic() < deadline:
        try:
            urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            break
        except OSError:
            time.sleep(0.1)
    assert forked.process.is_alive(), forked.err.read_text()
    yield f"http://127.0.0.1:{port}"
    forked.process.terminate()
    forked.wait(60)


def log_everything(run: NullRun, model_folder: Path) -> None:
    run.parameters({"model.C": 1.0})
    run.metrics({"test/macro_f1": 0.5})
    run.point("train/loss", 1.0, 1)
    run.text("words", "config/given.yaml")
    run.table([{"text": "one", "prediction": "a"}], "predictions/test.json")
    run.table([{"text": "two", "prediction": "b"}], "predictions/wrong.json")
    run.picture(as_png(Figure(figsize=(1, 1))), "confusion_matrix")
    run.data("news-train", "ab" * 32, "/data/train.jsonl", "training")
    run.model(model_folder, name="a: model", requirements=pip_requirements())


def assert_everything(store: Store, name: str) -> None:
    run = store.run(name)
    assert (run.status, run.parameters, run.metrics["test/macro_f1"]) == ("FINISHED", {"model.C": "1.0"}, 0.5)
    history = store.client.get_metric_history(run.id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(1, 1.0)]
    kept = set(store.artifacts(run))
    assert {"config/given.yaml", "predictions/test.json", "predictions/wrong.json", "plots/confusion_matrix.png"} <= kept
    assert len([file for file in kept if file.startswith("images/")]) == 2
    assert store.artifact(run, "config/given.yaml") == b"words"
    assert len(store.client.get_run(run.id).inputs.dataset_inputs) == 1
    assert len(run.model_ids) == 1
    assert load(name, store=store.uri).predict(TEXTS[:1]).tolist() == ["fact"]


@pytest.mark.slow
def test_a_server_takes_a_run_and_one_that_goes_away_costs_none(
    port: int,
    store_template: Path,
    tmp_path: Path,
    textcls: Command,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    fork: Callable[..., Forked],
) -> None:
    model = tmp_path / "model"
    save_model(classifier_class("tfidf")(min_df=1).fit(TEXTS, [row["label"] for row in toy_rows()]), model)
    server, scratch = tmp_path / "server", tmp_path / "scratch"
    server.mkdir()
    scratch.mkdir()
    (server / "mlflow.db").write_bytes((store_template / "mlflow.db").read_bytes())
    folder = tmp_path / "experiments"

    def tracked(uri: str, name: str) -> AbstractContextManager[NullRun]:
        return track(TrackingConfig(uri=uri, folder=str(folder)), experiment="news", name=name, tags={"textcls.kind": "parent"})

    with mlflow_server(server, port, fork) as uri:
        with tracked(uri, "whole") as run, run.child("a fold", "fold") as child:
            child.metrics({"test/macro_f1": 0.5})
            log_everything(run, model)
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(scratch))
            assert_everything(Store(uri), "whole")
        assert not [*scratch.iterdir()], "what was fetched is gone"
        assert not folder.exists()
        assert textcls("runs", "--store", uri).out.splitlines()[-1].split()[0] == "whole"
        for name, skill in (("weak", 1.0), ("strong", 2.5)):
            with tracked(uri, name) as run:
                rows = rows_of(predicted(name, skill, rows=90, articles=10, seed=int(skill)))
                run.text("".join(json.dumps(row) + "\n" for row in rows), "predictions/test.jsonl")
        done = textcls("compare", "weak", "strong", "--store", uri)
        assert done.code == 0, done.err
        compared = Store(uri).run("strong")
        assert compared.tags["compared"].endswith(("than weak", "from weak", "of macro-F1"))
        assert compared.metrics["compare/macro_f1_difference"] == -Store(uri).run("weak").metrics["compare/macro_f1_difference"]
        assert {path.rpartition("/")[2] for path in Store(uri).artifacts(compared, "compare")} == {
            "report.html",
            "comparison.json",
        }
        done = textcls("register", "whole", "--store", uri)
        assert "run whole: it has kept no config" in done.err, "it is no run of textcls train"
        done = textcls("runs", "gc", "--store", uri)
        assert done.err.endswith(f"{uri}: space is freed where the artifacts are; on the server's machine run: mlflow gc\n")
        wrong = textcls("ui", "--store", uri).err
        assert wrong.startswith(f"error: {uri}: expected a folder; a tracking server shows its runs itself: {uri}/#/experiments/")
        done = textcls("runs", "delete", "weak", "--yes", "--store", uri)
        assert done.out.endswith("1 run deleted; their space is freed by: mlflow gc, on the server's machine\n")
        cut = tracked(uri, "cut")
        run = cut.__enter__()
    # The server is gone, and the run goes on.
    with run.child("a fold", "fold") as child:
        child.metrics({"test/macro_f1": 0.25})
    log_everything(run, model)
    cut.__exit__(None, None, None)
    (kept,) = kept_runs(folder)
    assert (kept.uri, kept.run, kept.name, kept.running) == (uri, run.id, "cut", False)
    assert any("the tracking server fails: it does not answer; the run goes on" in message for message in caplog.messages)
    assert any(f"{kept.calls} calls are kept in {kept.folder}; send them with" in message for message in caplog.messages)
    about = kept.folder / "run.json"
    about.write_text(about.read_text().replace(this_process(), f"{socket.gethostname()}:{os.getppid()}"))
    with pytest.raises(TrackingError, match="cut: the run still goes on; it will send what is kept itself when it ends"):
        send_kept(kept.folder)
    about.write_text(about.read_text().replace(f':{os.getppid()}"', ':999999999"'))
    done = textcls("runs", "sync", "--store", folder)
    assert (done.code, f"{uri}: no tracking server answers" in done.err) == (1, True)

    with mlflow_server(server, port, fork) as uri:
        (kept.folder / "sent.json").write_text('{"sent": 0, "ids": {}}')
        done = textcls("runs", "sync", "--store", folder)
        assert (done.code, done.out) == (0, f"cut: {kept.calls} calls sent to {uri}\n")
        assert textcls("runs", "sync", "--store", folder).out == f"nothing is kept in {folder}/unsent\n"
        store = Store(uri)
        assert_everything(store, "cut")
        (child_run,) = store.children_of(store.run("cut"))
        assert (child_run.name, child_run.status, child_run.metrics) == ("a fold", "FINISHED", {"test/macro_f1": 0.25})


def test_what_was_kept_of_a_run_is_sent_before_it_is_resumed(
    store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder's store stands for the server."""
    store, folder = Store(store_folder), tmp_path / "kept"
    monkeypatch.setattr(tracking_run, "Store", lambda *_, **__: store)
    at_hand = outbox.carry_out

    def server(there: bool) -> None:
        monkeypatch.setattr(outbox, "carry_out", at_hand if there else _away)

    def tracked(resume: str | None = None) -> AbstractContextManager[NullRun]:
        config = TrackingConfig(uri="http://127.0.0.1:9", folder=str(folder))
        return track(config, experiment="news", name="a run", tags={"textcls.kind": "parent"}, resume=resume)

    with pytest.raises(KeyboardInterrupt), tracked() as run:
        server(there=False)
        with run.child("a fold", "fold") as child:
            raise KeyboardInterrupt
    with pytest.raises(TrackingError, match=r"^a run: .* does not take it: nobody there$"), tracked(run.id):
        raise AssertionError("the block is not entered")
    server(there=True)
    about = kept_runs(folder)[0].folder / "run.json"
    noted = about.read_text()
    about.write_text(noted.replace(this_process(), f"{socket.gethostname()}:{os.getppid()}"))
    with pytest.raises(TrackingError, match=r"^a run: the run still goes on"), tracked(run.id):
        raise AssertionError("the block is not entered")
    about.write_text(noted)
    with tracked(run.id) as resumed, resumed.child("a fold", "fold", resume=child.id) as fold:
        assert kept_runs(folder) == []
        assert {found.status for found in store.runs(children=True)} == {"RUNNING"}
        server(there=False)
        fold.metrics({"test/macro_f1": 0.25})
    server(there=True)
    (kept,) = kept_runs(folder)
    send_kept(kept.folder, store)
    found = store.run("a run")
    (its_fold,) = store.children_of(found)
    assert (found.id, found.status, its_fold.status) == (run.id, "FINISHED", "FINISHED")
    assert its_fold.metrics == {"test/macro_f1": 0.25}


def test_processes_that_share_a_run_keep_each_its_own(
    store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a sweep do, whose parent is the one run of them all."""
    store, folder = Store(store_folder), tmp_path / "kept"
    monkeypatch.setattr(tracking_run, "Store", lambda *_, **__: store)
    config = TrackingConfig(uri="http://127.0.0.1:9", folder=str(folder))
    shared = {"experiment": "news", "name": "a sweep", "tags": {"textcls.kind": "parent"}}
    with track(config, **shared) as first, track(config, **shared, resume=first.id) as second:
        with monkeypatch.context() as away:
            away.setattr(outbox, "carry_out", _away)
            for run, trial in ((first, "trial 1"), (second, "trial 2")):
                with run.child(trial, "trial") as child:
                    child.metrics({"test/macro_f1": 0.5})
        assert [kept.run for kept in kept_runs(folder)] == [first.id, first.id]
    assert kept_runs(folder) == [], "each has sent its own at its end"
    trials = store.children_of(store.run("a sweep"))
    assert sorted((trial.name, trial.status) for trial in trials) == [("trial 1", "FINISHED"), ("trial 2", "FINISHED")]


def test_a_run_that_was_handed_over_goes_on_when_what_was_kept_of_it_is_sent(
    store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, folder = Store(store_folder), tmp_path / "kept"
    monkeypatch.setattr(tracking_run, "Store", lambda *_, **__: store)
    config = TrackingConfig(uri="http://127.0.0.1:9", folder=str(folder))
    with track(config, experiment="news", name="a sweep", tags={"textcls.kind": "parent"}) as run:
        with monkeypatch.context() as away:
            away.setattr(outbox, "carry_out", _away)
            run.tags({"note": "kept"})
        run.hand_over(f"{socket.gethostname()}:{os.getppid()}")
    found = store.run("a sweep")
    assert (kept_runs(folder), found.tags["note"], found.status) == ([], "kept", "RUNNING")


@pytest.fixture
def server(store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Path, TrackingConfig]:
    """A folder's store that stands for a server's, the folder for what it could not take, and a config that names both."""
    store, folder = Store(store_folder), tmp_path / "kept"
    for module in (tracking_run, outbox):
        monkeypatch.setattr(module, "Store", lambda *_, **__: store)
    return store, folder, TrackingConfig(uri="http://127.0.0.1:9", folder=str(folder))


def test_what_is_damaged_of_one_run_holds_up_no_other(
    server: tuple[Store, Path, TrackingConfig], monkeypatch: pytest.MonkeyPatch, textcls: Command
) -> None:
    store, folder, config = server
    runs = []
    for name in ("damaged", "whole", "resumed"):
        with monkeypatch.context() as away, track(config, experiment="news", name=name, tags={}) as run:
            runs.append(run)
            away.setattr(outbox, "carry_out", _away)
            run.metrics({"test/macro_f1": 0.5})
            monkeypatch.setattr(outbox, "send_kept", _refuse)  # nor is the server back at the end
        monkeypatch.setattr(outbox, "send_kept", send_kept)
    damaged = kept_folders(folder)[0]
    (damaged / "run.json").write_text("{")
    with track(config, experiment="news", name="resumed", tags={}, resume=runs[2].id) as run:
        run.metrics({"test/accuracy": 0.5})
    assert store.run("resumed").metrics == {"test/macro_f1": 0.5, "test/accuracy": 0.5}
    done = textcls("runs", "sync", "--store", folder)
    assert (done.code, done.out) == (1, f"whole: 2 calls sent to {store.uri}\n")
    assert done.err.startswith(f"error: {damaged}: what is kept of a run is damaged: ")
    assert store.run("whole").metrics == {"test/macro_f1": 0.5}
    assert kept_folders(folder) == [damaged]


def test_a_process_that_is_killed_when_it_begins_to_keep_a_run_leaves_nothing_half_written(
    store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, folder = Store(store_folder), tmp_path / "kept"
    monkeypatch.setattr(tracking_run, "Store", lambda *_, **__: store)
    config = TrackingConfig(uri="http://127.0.0.1:9", folder=str(folder))
    found = []

    def cut(file: Path, text: str, **_: object) -> None:
        file.write_bytes(text[:9].encode())
        found.append(kept_folders(folder))  # what there would be if it were killed now
        raise OSError("killed")

    with pytest.raises(OutputError, match="killed"), track(config, experiment="news", name="cut", tags={}):
        monkeypatch.setattr(outbox, "carry_out", _away)
        monkeypatch.setattr(Path, "write_text", cut)
    assert found == [[]]


def test_what_is_kept_is_sent_by_one_process_at_a_time(
    server: tuple[Store, Path, TrackingConfig], monkeypatch: pytest.MonkeyPatch, textcls: Command
) -> None:
    store, folder, config = server
    with monkeypatch.context() as away, track(config, experiment="news", name="a run", tags={}) as run:
        away.setattr(outbox, "carry_out", _away)
        run.metrics({"test/macro_f1": 0.5})
        monkeypatch.setattr(outbox, "send_kept", _refuse)
    monkeypatch.setattr(outbox, "send_kept", send_kept)
    (kept,) = kept_folders(folder)
    at_hand, second = outbox.carry_out, []

    def meanwhile(*given: Any) -> str:
        if not second:
            second.append(textcls("runs", "sync", "--store", folder))
        return at_hand(*given)

    monkeypatch.setattr(outbox, "carry_out", meanwhile)
    first = send_kept(kept)
    assert (first, second[0].code) == (2, 1)
    assert second[0].err == f"error: {kept}: another process sends what is kept here; wait for it\n"
    assert send_kept(kept) == 0, "the other has sent and removed it"
    assert list(kept.parent.iterdir()) == []
    assert store.run("a run").metrics == {"test/macro_f1": 0.5}


def kept_runs(folder: Path) -> list[KeptRun]:
    return [kept_run(each) for each in kept_folders(folder)]


def _refuse(*_: object) -> int:
    raise TrackingError("nobody there")


def _away(*_: object) -> None:
    raise OSError("nobody there")


# --- servers that refuse --------------------------------------------------------------------------------------------


@contextmanager
def answering(status: int, body: bytes = b"") -> Iterator[str]:
    """A server that gives every request the same answer."""

    class _Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, b"no", "the tracking server refuses (HTTP 401); set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
        (
            403,
            b'{"error_code": "PERMISSION_DENIED", "message": "not you"}',
            "the tracking server refuses: PERMISSION_DENIED: not you; set",
        ),
        (404, b"nothing here", "no MLflow tracking server: it answers with HTTP 404; check the address"),
        (500, b"oops", "the tracking server fails: it answers with HTTP 500; look at its log, or track in a folder"),
        (503, b"", "the tracking server fails: it answers with HTTP 503; look at its log, or track in a folder"),
        (200, b"<html>a page</html>", "no MLflow tracking server: "),
    ],
)
def test_a_server_that_refuses_is_told_in_a_line(status: int, body: bytes, message: str) -> None:
    with answering(status, body) as uri, pytest.raises(TrackingError) as caught:
        Store(uri)
    assert str(caught.value).startswith(f"{uri}: {message}")
    assert "\n" not in str(caught.value)


def test_the_users_own_calls_to_servers_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient
    from mlflow.store.entities import PagedList

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    before = dict(os.environ)
    within: list[dict[str, str]] = []
    begun, ended = Event(), Event()

    def search(*_: object, **__: object) -> object:
        within.append(dict(os.environ))
        return PagedList([], None)

    def get_run(*_: object) -> None:
        begun.set()
        assert ended.wait(60)
        within.append(dict(os.environ))
        raise RuntimeError("nobody there")

    for name, its in (("search_experiments", search), ("search_runs", search), ("get_run", get_run)):
        monkeypatch.setattr(MlflowClient, name, its)
    store = Store("http://127.0.0.1:9")
    with ThreadPoolExecutor(1) as thread:  # as a run has one for what it sends
        call = thread.submit(store.client.get_run, "")
        assert begun.wait(60)
        assert store.runs() == []
        ended.set()
        assert isinstance(call.exception(), RuntimeError)
    assert len(within) >= 3
    for environment in within:
        assert environment["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] == "false"
        assert (environment["MLFLOW_HTTP_REQUEST_TIMEOUT"], environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) == ("7", "0")
    assert dict(os.environ) == before


def test_a_server_that_is_not_there_is_told_before_anything_is_trained(port: int, tmp_path: Path) -> None:
    config = TrackingConfig(uri=f"http://127.0.0.1:{port}/", folder=str(tmp_path / "kept"))
    with pytest.raises(TrackingError) as caught, track(config, experiment="news", name="a run", tags={}):
        raise AssertionError("the block is not entered")
    assert str(caught.value) == (
        f"http://127.0.0.1:{port}: no tracking server answers; start it, correct the address, or track in a folder (tracking.uri: null)"
    )
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("experiments", "uri must begin with http:// or https://, found 'experiments'; a folder goes in folder"),
        (
            "http://me:secret@host:5000",
            "uri holds a name or a password; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead",
        ),
    ],
)
def test_addresses_that_are_none(uri: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({"data": {"train": "x"}, "model": {"kind": "tfidf"}, "tracking": {"uri": uri}})
    assert str(caught.value) == f"config: tracking: {message}"


def test_what_is_kept_is_looked_for_in_a_folder_and_on_no_server(textcls: Command) -> None:
    done = textcls("runs", "sync", "--store", "http://127.0.0.1:9")
    assert done.code == 1
    assert done.err == (
        "error: http://127.0.0.1:9: expected the folder that keeps what could not be sent, tracking.folder of the config; found a server\n"
    )


def test_what_is_kept_and_damaged_is_told(textcls: Command, tmp_path: Path) -> None:
    folder = tmp_path / "unsent" / "abc"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{")
    done = textcls("runs", "sync", "--store", tmp_path)
    assert done.code == 1
    assert f"{folder}: what is kept of a run is damaged: " in done.err
