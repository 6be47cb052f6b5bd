"""Runs that were killed at any moment, and go on to the very same result."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Done, Forked, toy_rows, write_jsonl

from textcls.config import TrackingConfig, make_config
from textcls.errors import ConfigError, DataError, TrackingError
from textcls.models import callbacks
from textcls.tracking import ROWS, UNFINISHED, Run, Store, track, work_lock
from textcls.training import Reporter, RunResult, train, workspace
from textcls.training.workspace import Workspace, open_workspace, unfinished_run


@pytest.fixture
def settings(tiny_encoder: str, store_folder: Path, tmp_path: Path) -> dict[str, Any]:
    """Two folds and a final model of a tiny transformer, some seconds in all."""
    return _settings(tiny_encoder, tmp_path) | {"tracking": {"folder": str(store_folder)}}


@pytest.fixture(scope="module")
def whole(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """What the run of these settings comes to if nothing interrupts it."""
    folder = tmp_path_factory.mktemp("whole")
    return train(_settings(tiny_encoder, folder) | {"tracking": {"enabled": False}}, output=folder / "model")


def _settings(tiny_encoder: str, folder: Path) -> dict[str, Any]:
    model = {
        "kind": "transformer",
        "encoder": tiny_encoder,
        "epochs": 12,
        "batch_size": 4,
        "learning_rate": 0.01,
        "max_length": 48,
    }
    return {
        "seed": 3,
        "data": {"name": "toy", "train": str(write_jsonl(folder / "toy.jsonl", toy_rows("abcdef")))},
        "splits": {"kind": "k-fold", "folds": 2, "validation": 0.3, "duplicates": "warn"},
        "model": model,
    }


class _Stop(Reporter):
    """Breaks off when a phase begins, or when it has come some way."""

    def __init__(self, phase: str, within: bool) -> None:
        self.at, self.within, self.now = phase, within, ""

    def phase(self, name: str) -> None:
        self.now = name
        if name.startswith(self.at) and not self.within:
            raise KeyboardInterrupt

    def progress(self, done: int, total: int) -> None:
        if self.now.startswith(self.at) and done >= min(2, total):
            raise KeyboardInterrupt


def interrupted(settings: dict[str, Any], phase: str = "fold 2", *, within: bool = False) -> str:
    """The id of a run that was broken off."""
    with pytest.raises(KeyboardInterrupt):
        train(settings, reporter=_Stop(phase, within))
    (run,) = Store(settings["tracking"]["folder"]).runs()
    return run.id


def assert_same_models(first: Path, second: Path) -> None:
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()
    described = [json.loads((folder / "textcls.json").read_text())["metrics"] for folder in (first, second)]
    assert described[0] == described[1]


def test_a_resumed_run_is_the_run_that_was_begun(settings: dict[str, Any], whole: RunResult, tmp_path: Path) -> None:
    run = interrupted(settings)
    resumed = train(settings, resume=run, output=tmp_path / "resumed")
    assert resumed.run_id == run
    (found,) = Store(settings["tracking"]["folder"]).runs()
    assert found.status == "FINISHED"
    assert resumed.predictions == whole.predictions
    assert {name: value for name, value in resumed.metrics.items() if name.startswith(("test", "pooled"))} == {
        name: value for name, value in whole.metrics.items() if name.startswith(("test", "pooled"))
    }
    assert whole.model_folder is not None
    assert_same_models(tmp_path / "resumed", whole.model_folder)
    assert not list((Path(settings["tracking"]["folder"]) / "unfinished").iterdir())


class _StopEarly(Reporter):
    def progress(self, done: int, total: int) -> None:
        if done >= total / 6:  # of twelve epochs; with patience, there may be few
            raise KeyboardInterrupt


def test_the_time_of_a_fit_is_that_of_all_processes_that_came_to_it(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textcls.models.callbacks._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    store = Path(settings["tracking"]["folder"])
    with pytest.raises(KeyboardInterrupt):
        train(settings, reporter=_StopEarly())
    (run,) = Store(store).runs()
    noted = store / "unfinished" / run.id / "fit-1" / "seconds.json"
    assert 0 < json.loads(noted.read_text()) < 600
    noted.write_text("1000")  # as if it had been at work for long
    resumed = train(settings, resume=run.id)
    second, first = (each for each in Store(store).runs(children=True) if each.kind == "fold")
    assert first.metrics["time/fit_s"] > 1000
    assert second.metrics["time/fit_s"] < 600
    assert resumed.metrics["time/fit_s"] > 500, "their mean"
    assert "time/total_s" not in resumed.metrics, "nobody knows what the first process took in all"


def test_a_run_that_was_killed_while_its_inputs_were_kept_has_them_when_it_is_resumed(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    with monkeypatch.context() as patch:
        patch.setattr(Run, "file", _interrupt)  # after the parameters and the data, before the config
        run = interrupted(settings, "never")
    train(settings, resume=run)
    store = Store(settings["tracking"]["folder"])
    (found,) = store.runs()
    assert {"config/resolved.yaml", "environment.txt", "labels.json", ROWS} <= set(store.artifacts(found))
    assert len(store.client.get_run(run).inputs.dataset_inputs) == 1


def test_a_fold_that_was_measured_but_not_ended_is_ended_when_the_run_is_resumed(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    with monkeypatch.context() as patch:
        patch.setattr(Run, "_end", _interrupt)  # as if it had been killed just then
        run = interrupted(settings, "never")
    train(settings, resume=run)
    found = Store(settings["tracking"]["folder"]).runs(children=True)
    assert [(each.kind, each.status) for each in found] == [("fold", "FINISHED")] * 2 + [("parent", "FINISHED")]


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["embedding", "setfit", "static"])
def test_a_fit_that_begins_anew_comes_to_the_same_model(
    kind: str, settings: dict[str, Any], model_settings: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    settings["model"] = model_settings(kind) | ({"cache": False} if kind == "embedding" else {})
    settings["splits"] = {"kind": "hash", "test": 0.3, "duplicates": "warn"}
    resumed = train(settings, resume=interrupted(settings, "fitting", within=True), output=tmp_path / "resumed")
    whole = train(settings, output=tmp_path / "whole")
    assert resumed.predictions == whole.predictions
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).glob("*.safetensors")} for name in ("resumed", "whole")]
    assert files[0]
    assert files[0] == files[1]


def test_a_finished_run_is_not_resumed(settings: dict[str, Any]) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    run = train(settings).run_id
    with pytest.raises(ConfigError) as caught:
        train(settings, resume=run)
    assert str(caught.value) == f"run {run}: it is finished, so there is nothing to resume"


def test_a_run_that_is_still_at_work_is_not_resumed(settings: dict[str, Any]) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    run = interrupted(settings)
    process = f"{socket.gethostname()}:{os.getppid()}"
    client = Store(settings["tracking"]["folder"]).client
    client.set_tag(run, "textcls.process", process)
    client.update_run(run, status="RUNNING")
    for name in (run, "tfidf-C0.5-s3"):
        with work_lock(Path(settings["tracking"]["folder"]) / UNFINISHED / run), pytest.raises(ConfigError) as caught:
            train(settings, resume=name)
        assert str(caught.value) == (
            f"run {name}: {run} is still at work (process {process}); wait for it or stop it, or name another run by its id"
        )
    # Its process has died, and another bears the number.
    assert train(settings, resume=run).run_id == run


def test_a_run_on_a_server_is_at_work_while_its_working_folder_is_held(
    settings: dict[str, Any], store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder's store stands for the server, which has the run as running, by a process whose start is not known."""
    server = Store(Path(shutil.copytree(store_folder, tmp_path / "server")))
    tags = {"textcls.process": f"{socket.gethostname()}:{os.getppid()}"}
    run = server.client.create_run("0", run_name="a run", tags=tags).info.run_id
    monkeypatch.setattr(workspace, "Store", lambda uri: server)
    tracking = TrackingConfig(folder=str(store_folder), uri="http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="is still at work"):
        unfinished_run(tracking, run)
    with open_workspace(store_folder, run) as kept:
        kept.note(make_config(settings), "", "")
        with pytest.raises(ConfigError, match="is still at work"):
            unfinished_run(tracking, run)
        shutil.copytree(kept.folder, tmp_path / "killed")
    shutil.copytree(tmp_path / "killed", kept.folder)
    assert unfinished_run(tracking, run) == run


def test_of_two_processes_that_resume_a_run_one_goes_on(settings: dict[str, Any], textcls: Any) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    run = interrupted(settings)

    class Second(Reporter):
        """Begins when the first reads its data, at which the run still counts as killed."""

        def phase(self, name: str) -> None:
            if name == "reading the data":
                with pytest.raises(ConfigError) as caught:
                    train(settings, resume=run)
                assert str(caught.value) == f"run {run}: another process is at work on it; wait for it or stop it"
                assert textcls("runs", "gc", "--unfinished", "--yes", "--store", settings["tracking"]["folder"]).code == 0

    assert train(settings, resume=run, reporter=Second()).run_id == run


def test_a_run_whose_end_cannot_be_written_is_resumed(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    settings["splits"] = {"kind": "hash", "test": 0.3, "duplicates": "warn"}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(Run, "_end", full)
        train(settings)
    (run,) = Store(settings["tracking"]["folder"]).runs()
    assert train(settings, resume=run.id).run_id == run.id
    assert Store(settings["tracking"]["folder"]).run(run.id).status == "FINISHED"


def test_a_run_that_is_not_there_is_not_resumed(settings: dict[str, Any]) -> None:
    with pytest.raises(TrackingError, match="no run 'nothing'"):
        train(settings, resume="nothing")


def test_a_run_is_resumed_with_the_settings_it_was_begun_with(settings: dict[str, Any]) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    run = interrupted(settings)
    with pytest.raises(ConfigError) as caught:
        train(settings, overrides=["model.C=2"], resume=run)
    assert str(caught.value) == (
        "the run was begun with other settings: model.C was 0.5, found 2.0; resume it with the same ones, or start a new run"
    )


def test_a_run_is_resumed_with_the_data_it_was_begun_with(settings: dict[str, Any]) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    run = interrupted(settings)
    write_jsonl(Path(settings["data"]["train"]), toy_rows("abcdeg"))
    with pytest.raises(DataError, match=r"the run was begun with data of identity [0-9a-f]{12}, found [0-9a-f]{12}; restore"):
        train(settings, resume=run)


def test_a_run_is_resumed_with_its_rows_in_their_order(settings: dict[str, Any]) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    run = interrupted(settings)
    rows = toy_rows("abcdef")
    for other in (rows[::-1], [{**row, "id": f"new {row['id']}"} for row in rows]):
        write_jsonl(Path(settings["data"]["train"]), other)
        with pytest.raises(DataError) as caught:
            train(settings, resume=run)
        assert str(caught.value) == (
            "the run was begun with the same data, but found rows in another order or with other ids or splits; "
            "restore the data, or start a new run"
        )
    write_jsonl(Path(settings["data"]["train"]), rows)
    assert train(settings, resume=run).run_id == run


def test_a_run_whose_folder_is_damaged_or_gone(settings: dict[str, Any]) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    run = interrupted(settings)
    kept = Path(settings["tracking"]["folder"]) / "unfinished" / run / "run.json"
    kept.write_text("{")
    with pytest.raises(ConfigError, match="damaged, so the run cannot be resumed; start a new run"):
        train(settings, resume=run)
    kept.unlink()
    with pytest.raises(ConfigError, match="nothing is kept to resume it from"):
        train(settings, resume=run)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", None])
@pytest.mark.parametrize("name", ["run.json", "fit-1/outcome.json", "fit-1/probabilities.npy", "fit-2/run.json"])
def test_a_file_of_a_run_that_is_not_what_was_written_is_named(
    name: str, content: bytes | None, settings: dict[str, Any], textcls: Any
) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    store = Path(settings["tracking"]["folder"])
    run = interrupted(settings, "fitting the final model")
    file = store / "unfinished" / run / name
    if content is None and name == "fit-1/probabilities.npy":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-50] if content is None else content)
    (store / "unfinished" / run / "fit-2" / "outcome.json").unlink()
    with pytest.raises(ConfigError) as caught:
        train(settings, resume=run)
    assert str(caught.value) == f"{file}: gone or damaged, so the run cannot be resumed; start a new run"
    assert textcls("runs", "gc", "--unfinished", "--yes", "--store", store).code == 0


def test_what_dead_runs_have_left_is_removed_by_rule(settings: dict[str, Any], textcls: Any) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    store = Path(settings["tracking"]["folder"])
    unfinished = store / "unfinished"
    killed, deleted = interrupted(settings), unfinished / "of-a-run-that-is-gone"
    shutil.copytree(unfinished / killed, deleted)
    # At work: a run of this very process.
    with track(TrackingConfig(folder=str(store)), experiment="toy", name="going on", tags={}) as run:
        (unfinished / str(run.id)).mkdir()
        done: Done = textcls("runs", "gc", "--yes", "--store", store)
        assert done.code == 0, done.err
        assert (
            "tfidf-C0.5-s3  " + killed[:8] + ": killed, with 0.0 MB to be resumed from; kept; --unfinished removes it" in done.out
        )
        assert "1 working folder that no run is at work in, with 0.0 MB" in done.out
        assert "0.0 MB freed" in done.out
        assert {path.name for path in unfinished.iterdir()} == {killed, run.id}
    (unfinished / str(run.id)).rmdir()
    assert textcls("runs", "gc", "--store", store).out.endswith("\nno deleted runs to remove\n")
    assert "Nobody is there to ask" in textcls("runs", "gc", "--unfinished", "--store", store).err
    done = textcls("runs", "gc", "--unfinished", "--yes", "--store", store)
    assert done.code == 0, done.err
    assert not list(unfinished.iterdir())
    with pytest.raises(ConfigError, match="nothing is kept to resume it from"):
        train(settings, resume=killed)


def test_what_runs_on_a_server_have_left_is_removed_by_what_the_server_says(
    settings: dict[str, Any],
    store_folder: Path,
    tmp_path: Path,
    textcls: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Another folder's store stands for the server."""
    server = Path(shutil.copytree(store_folder, tmp_path / "server"))
    unfinished = store_folder / "unfinished"
    settings["tracking"]["uri"] = "http://127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    client = Store(server).client
    runs = {status: client.create_run("0", run_name=status).info.run_id for status in ("RUNNING", "KILLED", "FINISHED")}
    for status, run in runs.items():
        client.update_run(run, status=status)
    for run in (*runs.values(), "gone", "gone but at work"):
        Workspace(unfinished / run).note(make_config(settings), "", "")
    held = work_lock(unfinished / "gone but at work").acquire()

    done: Done = textcls("runs", "gc", "--unfinished", "--yes", "--store", store_folder)
    assert (done.code, done.out) == (0, "no deleted runs to remove\n")
    (message,) = [message for message in caplog.messages if message.startswith("http://127.0.0.1:9: no tracking server answers")]
    assert message.endswith("; the working folders of its runs are kept")
    assert len(list(unfinished.iterdir())) == 5

    monkeypatch.setattr(workspace, "Store", lambda uri: Store(server))
    done = textcls("runs", "gc", "--yes", "--store", store_folder)
    assert f"KILLED  {runs['KILLED'][:8]}: killed, with 0.0 MB to be resumed from; kept" in done.out
    assert {path.name for path in unfinished.iterdir()} == {runs["RUNNING"], runs["KILLED"], "gone but at work"}
    held.lock.release()
    assert textcls("runs", "gc", "--unfinished", "--yes", "--store", store_folder).code == 0
    assert {path.name for path in unfinished.iterdir()} == {runs["RUNNING"]}


def test_the_working_folder_of_a_deleted_run_goes_with_it(settings: dict[str, Any], textcls: Any) -> None:
    settings["model"] = {"kind": "tfidf", "min_df": 1}
    store = Path(settings["tracking"]["folder"])
    killed = interrupted(settings)
    textcls("runs", "delete", killed, "--yes", "--store", store)
    done: Done = textcls("runs", "gc", "--yes", "--store", store)
    assert done.code == 0, done.err
    assert "2 runs deleted" in done.out
    assert not list((store / "unfinished").iterdir())


def test_only_a_tracked_run_is_resumed(settings: dict[str, Any], tmp_path: Path) -> None:
    settings["tracking"]["enabled"] = False
    with pytest.raises(ConfigError, match="only a tracked run can be resumed"):
        train(settings, resume="x", output=tmp_path / "model")


class _Doomed(Reporter):
    """Has the system kill the process when it has worked for some seconds of processor time in fits and what comes after them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds  # until the clock is set, which is set once

    def phase(self, name: str) -> None:
        if self.seconds and name.startswith("f"):  # a fold, or fitting
            signal.setitimer(signal.ITIMER_PROF, self.seconds)
            self.seconds = 0


def _train(settings: dict[str, Any], output: Path, resume: str | None, seconds: float) -> None:
    callbacks._SECONDS_BETWEEN_CHECKPOINTS = 0.05  # in a process of its own
    train(settings, output=output, resume=resume, reporter=_Doomed(seconds))


@pytest.mark.slow
def test_a_run_killed_at_ten_random_moments_ends_as_if_it_had_not_been(
    settings: dict[str, Any], whole: RunResult, fork: Callable[..., Forked], tmp_path: Path
) -> None:
    store = Path(settings["tracking"]["folder"])
    chance = random.Random(5)
    most = kills = 0
    resume = None
    while kills < 10:
        done = fork(_train, settings, tmp_path / "killed", resume, chance.uniform(0.05, 0.9)).wait()
        if done.code == 0:
            break
        assert done.code == -signal.SIGPROF, done.err  # no more than SIGKILL does Python see it coming
        kills += 1
        most = max(most, len(list(store.glob("unfinished/*/*/checkpoints/*/checkpoint-*"))))
        (resume,) = [path.name for path in store.glob("unfinished/*")]
    else:
        train(settings, output=tmp_path / "killed", resume=resume)
    assert kills >= 3
    assert 1 <= most <= 2
    (run,) = Store(store).runs()
    assert run.status == "FINISHED"
    assert whole.model_folder is not None
    assert_same_models(tmp_path / "killed", whole.model_folder)


def test_several_seeds_are_children_of_one_run(settings: dict[str, Any], tmp_path: Path) -> None:
    settings["data"]["test"] = str(write_jsonl(tmp_path / "test.jsonl", toy_rows("g")))
    settings["splits"] = {"repeats": 3, "validation": 0, "duplicates": "warn"}
    settings["model"]["epochs"] = 2
    result = train(make_config(settings))
    children = [run for run in Store(settings["tracking"]["folder"]).runs(children=True) if run.kind == "seed"]
    assert len(children) == result.metrics["n_children"] == 3
    assert {row["seed"] for row in result.predictions} == {3, 4, 5}
    assert result.metrics["test/macro_f1_std"] > 0


def test_help_names_the_run_to_resume(textcls: Any) -> None:
    done: Done = textcls("train", "--help")
    assert "--resume" in done.out
