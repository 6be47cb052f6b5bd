"""The MLflow store and its runs: statuses that are true, and a folder that can be moved."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from conftest import Forked, toy_rows, write_jsonl
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.store.db.utils import _get_alembic_config

from textcls.artifacts import load_model, pip_requirements, save_model
from textcls.cli.runs_words import describe
from textcls.config import TrackingConfig
from textcls.errors import ModelError, TextclsError, TrackingError
from textcls.evaluation.drawing import as_png
from textcls.models import abstaining, classifier_class
from textcls.prediction import load
from textcls.tracking import UNFINISHED, NullRun, Run, Store, is_alive, outbox, this_process, track, work_lock
from textcls.tracking import folder as folder_module
from textcls.tracking.calls import Call, carry_out
from textcls.tracking.cleaning import deletable
from textcls.tracking.registry import register_version
from textcls.tracking.server import serve_ui

TEXTS = [row["text"] for row in toy_rows()]
LABELS = [row["label"] for row in toy_rows()]


@pytest.fixture
def config(store_folder: Path) -> TrackingConfig:
    return TrackingConfig(folder=str(store_folder))


def tracked(config: TrackingConfig, name: str = "a run", **tags: str) -> Any:
    return track(config, experiment="news", name=name, tags={"textcls.kind": "single", **tags})


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    save_model(classifier_class("tfidf")(min_df=1).fit(TEXTS, LABELS), folder)
    return folder


def keep_model(config: TrackingConfig, model_folder: Path, name: str = "a run") -> str:
    with tracked(config, name) as run:
        run.model(model_folder, name=name, requirements=pip_requirements())
    return str(run.id)


def statuses(folder: Path) -> dict[str, str]:
    """Read from the database itself, since opening the store changes statuses."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        return dict(connection.execute("SELECT name, status FROM runs"))


# --- statuses -------------------------------------------------------------------------------------------------------


def test_a_run_that_ends_is_finished(config: TrackingConfig, store_folder: Path) -> None:
    with tracked(config):
        assert statuses(store_folder) == {"a run": "RUNNING"}
    assert statuses(store_folder) == {"a run": "FINISHED"}


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, "FAILED"), (SystemExit, "FAILED"), (KeyboardInterrupt, "KILLED"), (MemoryError, "FAILED")]
)
def test_a_run_that_does_not_end_is_not_finished(
    error: type[BaseException], status: str, config: TrackingConfig, store_folder: Path
) -> None:
    with pytest.raises(error), tracked(config) as run, run.child("a fold", "fold"):
        raise error
    assert statuses(store_folder) == {"a run": status, "a fold": status}


def test_a_failed_child_that_is_survived_fails_alone(config: TrackingConfig, store_folder: Path) -> None:
    with tracked(config) as run, pytest.raises(ValueError, match="bad fold"), run.child("a fold", "fold"):
        raise ValueError("bad fold")
    assert statuses(store_folder) == {"a run": "FINISHED", "a fold": "FAILED"}


def test_points_are_kept_of_a_run_that_fails(config: TrackingConfig, store_folder: Path) -> None:
    with pytest.raises(ValueError), tracked(config) as run:
        for step in range(250):
            run.point("train/loss", 1 / (step + 1), step)
        raise ValueError
    history = Store(store_folder).client.get_metric_history(run.id, "train/loss")
    assert [point.step for point in history] == list(range(250))


def test_running_runs_of_dead_processes_end_as_failed(config: TrackingConfig, store_folder: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    store = Store(store_folder)
    experiment = store.experiment("news").experiment_id
    host = socket.gethostname()
    for name, process in {
        "dead": f"{host}:{dead.pid}",
        "its number is another's now": f"{host}:{os.getppid()}:1",
        "alive": this_process(),
        "alive, of a system that says no start": f"{host}:{os.getpid()}",
        "elsewhere": f"other-host:{dead.pid}",
        "unknown": "",
    }.items():
        store.client.create_run(experiment, run_name=name, tags={"textcls.process": process})
    found = {run.name: run.status for run in Store(store_folder).runs()}
    gone = {"dead", "its number is another's now"} if sys.platform == "linux" else {"dead"}
    assert {name for name, status in found.items() if status == "FAILED"} == gone
    assert {status for name, status in found.items() if name not in gone} == {"RUNNING"}


def test_who_holds_the_working_folder_of_a_run_goes_on_whatever_its_number(store_folder: Path) -> None:
    store = Store(store_folder)
    experiment = store.experiment("news").experiment_id
    unknown, living = f"{socket.gethostname()}:999999999", f"{socket.gethostname()}:{os.getppid()}"

    def begun(name: str, process: str, parent: str = "") -> str:
        tags = {"textcls.process": process, "mlflow.parentRunId": parent}
        return str(store.client.create_run(experiment, run_name=name, tags=tags).info.run_id)

    # As in another container of the same host name, whose numbers are its own.
    held, dead, elsewhere = begun("held", unknown), begun("dead", living), begun("elsewhere", "other-host:1")
    for name, process, parent in (("its fold", unknown, held), ("dead fold", living, dead)):
        begun(name, process, parent)
    for run in (held, dead, elsewhere):
        work_lock(store_folder / UNFINISHED / run).acquire().lock.release()
    with work_lock(store_folder / UNFINISHED / held):
        found = {run.name: run.status for run in Store(store_folder).runs()}
    assert found == {
        "held": "RUNNING",
        "its fold": "RUNNING",
        "dead": "FAILED",
        "dead fold": "FAILED",
        "elsewhere": "RUNNING",
    }
    assert {run.name for run in deletable(store, ["dead"])} == {"dead", "dead fold"}


def test_windows_is_not_asked_for_a_process_which_would_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    name = this_process()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "kill", _interrupt)
    assert is_alive(name) is None


def test_a_sweep_goes_on_while_a_trial_does_though_the_process_that_it_names_died(
    config: TrackingConfig, store_folder: Path
) -> None:
    with tracked(config, "sweep") as run:
        with run.child("a trial", "trial"):
            run.hand_over(f"{socket.gethostname()}:999999999")  # which has died
            Store(store_folder)
            assert statuses(store_folder) == {"sweep": "RUNNING", "a trial": "RUNNING"}
        Store(store_folder)
        assert statuses(store_folder) == {"sweep": "FAILED", "a trial": "FINISHED"}


def test_a_run_that_is_opened_again_does_not_end_by_who_opens_the_store_just_then(
    config: TrackingConfig, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    with tracked(config) as run:
        pass
    Store(store_folder).client.set_tag(run.id, "textcls.process", f"{socket.gethostname()}:999999999")  # which has died

    def watched(call: Callable[..., None]) -> Callable[..., None]:
        def called(*given: Any, **named: Any) -> None:
            call(*given, **named)
            Store(store_folder)

        return called

    for name in ("set_tag", "update_run"):
        monkeypatch.setattr(MlflowClient, name, watched(getattr(MlflowClient, name)))
    with track(config, experiment="news", name="a run", tags={}, resume=run.id):
        assert statuses(store_folder) == {"a run": "RUNNING"}


@pytest.mark.slow
def test_a_training_that_is_stopped_says_so(
    store_folder: Path, tiny_encoder: str, tmp_path: Path, fork_textcls: Callable[..., Forked]
) -> None:
    data = write_jsonl(tmp_path / "data.jsonl", toy_rows())
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    stores, forked = {}, {}
    for number in numbers:
        stores[number] = Path(shutil.copytree(store_folder, tmp_path / number.name))
        config = tmp_path / f"{number.name}.yaml"
        config.write_text(
            f"data: {{train: '{data}', name: news}}\n"
            f"model: {{kind: transformer, encoder: '{tiny_encoder}', epochs: 100000, max_length: 48}}\n"
            f"splits: {{kind: k-fold, folds: 2, validation: 0}}\n"
            f"tracking: {{folder: '{stores[number]}'}}\n"
        )
        forked[number] = fork_textcls("train", config, "--output", tmp_path / f"{number.name}-model")
    deadline = time.monotonic() + 150
    for number in numbers:
        # The run and its first fold, and then into the training itself.
        while len(statuses(stores[number])) < 2 and forked[number].process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.1)
    time.sleep(1)
    for number in numbers:
        os.kill(forked[number].process.pid, number)
    for number in numbers:
        done = forked[number].wait(150)
        assert done.code == 130, done
        assert "Traceback" not in done.err
        assert "go on with the same command and --resume " in done.err
        assert list(statuses(stores[number]).values()) == ["KILLED"] * 2
        assert not (tmp_path / f"{number.name}-model").exists()


def test_a_run_that_fails_after_a_point_that_could_not_be_kept_ends_too(
    config: TrackingConfig, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: Store, call: Call) -> str:
        if call.action == "metrics":
            raise OSError("disk full")
        return carry_out(store, call)

    monkeypatch.setattr(outbox, "carry_out", full)
    with pytest.raises((ValueError, OSError)), tracked(config) as run:
        run.point("train/loss", 1.0, 1)
        raise ValueError("of its own")
    (found,) = Store(store_folder).runs()
    assert (found.status, found.error) == ("FAILED", "ValueError: of its own")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_of_a_script_that_is_stopped_says_so(number: int, config: TrackingConfig, store_folder: Path) -> None:
    assert signal.getsignal(number) is signal.SIG_DFL
    with pytest.raises(KeyboardInterrupt), tracked(config) as run, run.child("a fold", "fold"):
        os.kill(os.getpid(), number)
        time.sleep(10)
    assert signal.getsignal(number) is signal.SIG_DFL
    assert statuses(store_folder) == {"a run": "KILLED", "a fold": "KILLED"}


def test_a_run_leaves_signals_that_somebody_handles_alone(config: TrackingConfig) -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        with tracked(config):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)
        with ThreadPoolExecutor(1) as threads:

            def track_elsewhere() -> None:
                with tracked(config):
                    pass

            threads.submit(track_elsewhere).result()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert came == [signal.SIGTERM]


# --- what runs keep -------------------------------------------------------------------------------------------------


def test_a_run_keeps_what_it_is_given(config: TrackingConfig, store_folder: Path) -> None:
    figure = Figure(figsize=(1, 1))
    with tracked(config, color="blue") as run:
        run.tags({"more": "tags"})
        run.parameters({"model.C": 1.0, "long": "x" * 7000})
        run.metrics({"test/macro_f1": 0.5, "test.per_label/f1/odd label: 100.0": 0.25})
        run.text("words", "config/given.yaml")
        run.table([{"text": "one", "prediction": "a"}], "predictions/test.json")
        run.table([], "predictions/wrong.json")
        run.picture(as_png(figure), "confusion_matrix")
        run.data("news-train", "ab" * 32, "/data/train.jsonl", "training")
    store = Store(store_folder)
    kept = store.client.get_run(run.id)
    assert kept.data.tags.items() >= {"color": "blue", "more": "tags", "textcls.kind": "single"}.items()
    assert kept.data.params == {"model.C": "1.0", "long": "x" * 6000}
    assert kept.data.metrics == {"test/macro_f1": 0.5, "test.per_label/f1/odd label: 100.0": 0.25}
    (data,) = kept.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("news-train", ("ab" * 32)[:36])
    assert {tag.key: tag.value for tag in data.tags} == {"mlflow.data.context": "training"}
    folder = store_folder / "artifacts" / "news" / run.id / "artifacts"
    assert (folder / "config" / "given.yaml").read_text() == "words"
    assert json.loads((folder / "predictions" / "test.json").read_text())["data"] == [["one", "a"]]
    assert not (folder / "predictions" / "wrong.json").exists()
    assert (folder / "plots" / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")
    assert list((folder / "images").glob("confusion_matrix*.png"))


def test_every_label_has_a_metric_of_its_own(config: TrackingConfig, store_folder: Path) -> None:
    labels = [".", "..", "", " ", "/", "TCP//IP", "TCP/IP", "../up", "sport", "sport/", "sport/tennis", "a\n"]
    labels += ["C", "C+", "C#", "C_", "“odd”, 100%", "x" * 260, "x" * 261, "ж" * 250]
    with tracked(config) as run:
        run.metrics({f"test.per_label/f1/{label}": number for number, label in enumerate(labels)})
        run.point("train/loss", 1.0, 1)
    found = Store(store_folder).run("a run")
    assert found.metrics.pop("train/loss") == 1
    assert sorted(found.metrics.values()) == list(range(len(labels)))
    assert all(name.startswith("test.per_label/f1/") for name in found.metrics)
    for known in (" ", "sport", "C", "C_"):
        assert found.metrics[f"test.per_label/f1/{known}"] == labels.index(known)


def test_folds_are_children(config: TrackingConfig, store_folder: Path) -> None:
    with tracked(config, "parent", **{"textcls.data_sha": "abc", "mlflow.source.name": "here"}) as run:
        for fold in ("fold 1", "fold 2"):
            with run.child(fold, "fold") as child:
                child.metrics({"test/macro_f1": 0.5})
    store = Store(store_folder)
    assert [found.name for found in store.runs()] == ["parent"]
    children = [found for found in store.runs(children=True) if found.kind == "fold"]
    assert {child.name for child in children} == {"fold 1", "fold 2"}
    for child in children:
        tags = store.client.get_run(child.id).data.tags
        assert tags["mlflow.parentRunId"] == run.id
        assert (child.data, tags["mlflow.source.name"], child.status) == ("abc", "here", "FINISHED")


def test_the_run_table_shows_the_figures(config: TrackingConfig, store_folder: Path) -> None:
    with tracked(config):
        pass
    store = Store(store_folder)
    experiment = store.client.get_experiment_by_name("news")
    view = json.loads(experiment.tags["mlflow.sharedViewState.textcls"])
    assert view["selectedColumns"][0] == view["orderByKey"] == "metrics.`test/macro_f1`"
    assert {"params.`model.kind`", "tags.`textcls.data_sha`", "tags.`compared`"} < set(view["selectedColumns"])
    assert view["orderByAsc"] is False
    assert store.page == (
        f"/#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey=textcls"
    )


def test_an_empty_store_opens_on_the_experiments(store_folder: Path) -> None:
    assert Store(store_folder).page == "/#/experiments"


def test_a_run_that_tracks_nothing_takes_everything(model_folder: Path) -> None:
    with track(TrackingConfig(enabled=False), experiment="news", name="a run", tags={}) as run:
        assert type(run) is NullRun
        assert (run.id, run.name) == (None, None)
        use_everything(run, model_folder)
    assert list(Path.cwd().iterdir()) == []


def use_everything(run: NullRun, model_folder: Path) -> None:
    with run.child("a fold", "fold") as child:
        child.point("train/loss", 1.0, 1)
    run.tags({"a": "b"})
    run.parameters({"a": 1})
    run.metrics({"test/macro_f1": 0.5})
    run.text("words", "words.txt")
    run.table([{"a": 1}], "table.json")
    run.picture(as_png(Figure(figsize=(1, 1))), "figure")
    run.data("news", "0" * 64, "news.jsonl", "training")
    run.model(model_folder, name="model", requirements=[f"numpy=={version('numpy')}"])


def test_a_null_run_takes_what_a_run_takes(config: TrackingConfig, model_folder: Path) -> None:
    with tracked(config) as run:
        use_everything(run, model_folder)
    methods = {name for name in vars(Run) if not name.startswith("_")}
    assert methods <= set(dir(NullRun)) | {"store"}


def test_tracking_leaves_the_working_directory_and_mlflows_settings_alone(config: TrackingConfig, model_folder: Path) -> None:
    import mlflow

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri(), mlflow.active_run(), mlflow.is_tracking_uri_set()
    environment = {key: value for key, value in os.environ.items() if key.startswith("MLFLOW_")}
    name = keep_model(config, model_folder)
    load(name, store=config.folder)
    assert list(Path.cwd().iterdir()) == []
    assert before == (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), mlflow.active_run(), mlflow.is_tracking_uri_set())
    assert environment == {key: value for key, value in os.environ.items() if key.startswith("MLFLOW_")}


def test_tracking_keeps_the_users_own_mlflow_settings(config: TrackingConfig, model_folder: Path, tmp_path: Path) -> None:
    import mlflow

    mine = f"sqlite:///{tmp_path}/mine.db"
    mlflow.set_tracking_uri(mine)
    try:
        keep_model(config, model_folder)
        assert mlflow.get_tracking_uri() == mine
        assert not (tmp_path / "mine.db").exists()
    finally:
        mlflow.set_tracking_uri(None)


# --- finding runs ---------------------------------------------------------------------------------------------------


def test_runs_are_found_by_id_beginning_and_name(config: TrackingConfig, store_folder: Path) -> None:
    ids = []
    for name in ("first", "second", "first"):
        with tracked(config, name) as run:
            ids.append(run.id)
        time.sleep(0.01)
    store = Store(store_folder)
    assert [run.id for run in store.runs()] == ids[::-1]
    assert [run.id for run in store.runs([ids[0], ids[1][:8]])] == ids[:2]
    assert [run.id for run in store.runs(["first"])] == [ids[2]], "of two runs of a name, the newest"


def test_a_run_is_found_without_reading_others(
    config: TrackingConfig, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = ["it's", 'a "run"', 'it\'s "odd"', "it's =odd=", "100%", "100_", "\\"]
    ids = {}
    for name in (*odd, "parent"):
        with tracked(config, name) as run, run.child(f"fold of {name}", "fold"):
            ids[name] = str(run.id)
    store = Store(store_folder)
    search, read = store.client.search_runs, []

    def watched(*given: Any, **named: Any) -> Any:
        found = search(*given, **named)
        read.extend(run.info.run_id for run in found)
        return found

    monkeypatch.setattr(store.client, "search_runs", watched)
    for name, id in ids.items():
        for given in (name, id, id[:8], id[:4]):
            read.clear()
            assert store.run(given).id == id
            # What fits a name with both sorts of quotes but for these is read too.
            assert set(read) <= {id} | ({ids["it's =odd="]} if given == 'it\'s "odd"' else set()), given
    read.clear()
    (child,) = store.children_of(store.run("parent"))
    assert (child.name, set(read)) == ("fold of parent", {child.id, ids["parent"]})


def test_what_is_below_a_sweep_is_found_by_as_many_questions_for_any_number_of_trials(
    config: TrackingConfig, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracked(config, "sweep") as sweep:
        for number in range(4):
            with sweep.child(f"trial {number}", "trial") as trial, trial.child(f"fold of {number}", "fold"):
                time.sleep(0.002)  # the order is that of the starts, in milliseconds
    with tracked(config, "another") as other, other.child("fold of another", "fold"):
        pass
    store = Store(store_folder)
    search, asked = store.client.search_runs, []

    def watched(*given: Any, **named: Any) -> Any:
        asked.append(named)
        return search(*given, **named)

    run = store.run("sweep")
    monkeypatch.setattr(store.client, "search_runs", watched)
    found = [child.name for child in store.children_of(run)]
    assert found == [f"{kind} {number}" for kind in ("trial", "fold of") for number in range(4)]
    assert len(asked) == 2


def test_a_run_that_was_deleted_is_not_found(config: TrackingConfig, store_folder: Path) -> None:
    with tracked(config) as run:
        pass
    store = Store(store_folder)
    store.client.delete_run(run.id)
    for name in (run.id, run.id[:8], "a run"):
        with pytest.raises(TrackingError, match="no runs yet"):
            store.run(name)
    assert store.find(run.id) is store.find("") is store.find("0" * 32) is None
    store.client.restore_run(run.id)
    assert store.run(run.id).name == "a run"
    store.client.delete_experiment(store.client.get_run(run.id).info.experiment_id)
    assert store.find(run.id) is None


def test_a_name_means_a_trial_only_if_no_run_of_its_own_bears_it(config: TrackingConfig, store_folder: Path) -> None:
    with tracked(config, "tfidf-C1-s42") as run:
        pass
    time.sleep(0.01)
    with (
        tracked(config, "sweep") as parent,
        parent.child("tfidf-C1-s42", "trial"),
        parent.child("tfidf-C3-s42", "trial") as trial,
    ):
        pass
    store = Store(store_folder)
    assert [found.id for found in store.runs(["tfidf-C1-s42", "tfidf-C3-s42"])] == [run.id, trial.id]


def test_a_name_that_fits_no_run(config: TrackingConfig, store_folder: Path) -> None:
    with tracked(config, "tfidf-C1-s42"):
        pass
    store = Store(store_folder)
    for name, hint in {"tfidf-C1-s41": "did you mean 'tfidf-C1-s42'?", "xyz": "known: tfidf-C1-s42"}.items():
        with pytest.raises(TrackingError) as caught:
            store.runs([name])
        assert str(caught.value) == f"{store_folder}: no run {name!r}; {hint}"


def test_of_runs_of_one_name_the_ids_are_known(config: TrackingConfig, store_folder: Path) -> None:
    ids = []
    for name in ("twice", "twice", "once"):
        with tracked(config, name) as run:
            ids.append(run.id[:8])
    with pytest.raises(TrackingError) as caught:
        Store(store_folder).run("xyz")
    twice = [f"twice ({id}, news)" for id in ids[1::-1]]
    assert str(caught.value) == f"{store_folder}: no run 'xyz'; known: once, {', '.join(twice)}"


def test_of_many_runs_the_ten_newest_are_known(config: TrackingConfig, store_folder: Path) -> None:
    for number in range(11):
        with tracked(config, f"run {number}"):
            pass
    with pytest.raises(TrackingError) as caught:
        Store(store_folder).run("xyz")
    newest = ", ".join(f"run {number}" for number in range(10, 0, -1))
    assert str(caught.value) == f"{store_folder}: no run 'xyz'; known: {newest}, …; textcls runs lists all"


def test_a_run_is_no_data_to_a_store_that_has_none(store_folder: Path) -> None:
    with pytest.raises(TrackingError) as caught:
        Store(store_folder).runs(["any"])
    assert str(caught.value) == f"{store_folder}: no run 'any'; known: no runs yet"


# --- models ---------------------------------------------------------------------------------------------------------


def test_a_model_is_loaded_by_run_id_name_and_registry(config: TrackingConfig, store_folder: Path, model_folder: Path) -> None:
    import mlflow

    run = keep_model(config, model_folder, name="best: 100% (mine)")
    store = Store(store_folder)
    (logged,) = store.client.get_run(run).outputs.model_outputs
    with store.as_default():
        mlflow.register_model(f"models:/{logged.model_id}", "textcls-news")
        store.client.set_registered_model_alias("textcls-news", "champion", "1")
    expected = load_model(model_folder).predict_proba(TEXTS)
    for name in (run, run[:8], "best: 100% (mine)", "models:/textcls-news@champion", "models:/textcls-news/1"):
        assert (load(name, store=store_folder).predict_proba(TEXTS) == expected).all()
    for name in ("models:/textcls-news", "models:/textcls-news@best", "models:/textcls-news/2", "models:/news/1"):
        with pytest.raises(ModelError) as caught:
            load(name, store=store_folder)
        known = "models:/textcls-news@champion, models:/textcls-news/1"
        assert str(caught.value) == f"{store_folder}: no model {name!r}; known: {known}"


@pytest.mark.parametrize("linked", [True, False])
def test_a_model_is_copied_once_where_files_can_be_linked(
    linked: bool, config: TrackingConfig, store_folder: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    log, seen = MlflowClient.log_model_artifacts, []

    def watched(client: MlflowClient, id: str, folder: str) -> None:
        files = (Path(folder) / "data" / "model").iterdir()
        seen.extend(file.samefile(model_folder / file.name) for file in files)
        log(client, id, folder)

    if not linked:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    monkeypatch.setattr(MlflowClient, "log_model_artifacts", watched)
    kept = Store(store_folder).model_folder(keep_model(config, model_folder))
    assert set(seen) == {linked}
    assert (load_model(kept).predict_proba(TEXTS) == load_model(model_folder).predict_proba(TEXTS)).all()
    assert not [file for file in kept.iterdir() if file.stat().st_nlink > 1], "the store's own are its alone"


def test_a_model_lies_in_the_store(config: TrackingConfig, store_folder: Path, model_folder: Path) -> None:
    run = keep_model(config, model_folder)
    assert Store(store_folder).model_folder(run).is_relative_to(store_folder / "artifacts")
    with closing(sqlite3.connect(store_folder / "mlflow.db")) as connection:
        assert list(connection.execute("SELECT name, source_run_id FROM logged_models")) == [("a run", run)]


def test_a_model_whose_keeping_was_cut_off_is_none_until_it_is_kept_again(
    config: TrackingConfig, store_folder: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), tracked(config) as run:
        patch.setattr(MlflowClient, "log_model_artifacts", _interrupt)
        run.metrics({"test/macro_f1": 0.5})
        run.model(model_folder, name="a run", requirements=[])
    store = Store(store_folder)
    with pytest.raises(TrackingError, match="run a run: it has kept no model; its status is KILLED"):
        store.model_folder("a run")
    assert "model     none kept" in describe(store, store.run("a run"))
    with track(config, experiment="news", name="a run", tags={}, resume=run.id) as resumed:
        resumed.metrics({"test/macro_f1": 0.5})
        resumed.model(model_folder, name="a run", requirements=[])
    (id,) = store.run("a run").model_ids
    assert store.client.get_logged_model(id).status == "READY"
    assert (load("a run", store=store_folder).predict_proba(TEXTS) == load_model(model_folder).predict_proba(TEXTS)).all()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_of_several_models_of_a_run_the_one_that_was_kept_counts(
    config: TrackingConfig, store_folder: Path, model_folder: Path
) -> None:
    from mlflow.entities import LoggedModelOutput

    run = keep_model(config, model_folder)
    store = Store(store_folder)
    (kept,) = store.run(run).model_ids
    experiment = store.client.get_run(run).info.experiment_id
    store.client.update_run(run, status="RUNNING")
    for _ in range(6):  # as MLflow's own log_model leaves them, in no order that is known
        cut_off = store.client.create_logged_model(experiment, name="a run", source_run_id=run)
        store.client.log_outputs(run, [LoggedModelOutput(cut_off.model_id, step=0)])
    store.client.delete_logged_model(cut_off.model_id)
    assert len(store.run(run).model_ids) > 6
    assert store.model_folder(run).parents[1] == store.folder / "artifacts" / "news" / "models" / kept / "artifacts"
    assert register_version(store, store.run(run), "news", {}).run_id == run
    assert store.client.get_model_version("news", "1").source == f"models:/{kept}"


def test_models_that_are_not_there(config: TrackingConfig, store_folder: Path) -> None:
    with tracked(config) as run:
        pass
    for name, message in {
        run.id: f"{run.id}: no such model folder; and as a run: run a run: it has kept no model; its status is FINISHED",
        "nothing": f"nothing: no such model folder; and as a run: {store_folder}: no run 'nothing'; known: a run",
        "models:/nothing@champion": f"{store_folder}: no model 'models:/nothing@champion'; known: no registered models yet",
    }.items():
        with pytest.raises(ModelError) as caught:
            load(name, store=store_folder)
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)


def test_pyfunc_opens_the_model_and_predicts_a_column(config: TrackingConfig, store_folder: Path, model_folder: Path) -> None:
    import mlflow
    import pandas

    run = keep_model(config, model_folder)
    loaded = mlflow.pyfunc.load_model(str(Store(store_folder).model_folder(run).parents[1]))
    found = loaded.predict(pandas.DataFrame({"text": TEXTS}))
    classifier = load_model(model_folder)
    expected = classifier.predict_proba(TEXTS)
    assert found["label"].tolist() == classifier.predict(TEXTS).tolist()
    assert found["score"].tolist() == expected.max(axis=1).tolist()
    assert found["probabilities"].tolist() == [dict(zip(("fact", "opinion", "quote"), row, strict=True)) for row in expected]
    assert len(loaded.predict(pandas.DataFrame({"text": TEXTS[:3]}))) == 3
    inputs = loaded.metadata.signature.inputs
    assert (inputs.input_names(), inputs.required_input_names()) == (["text", "before", "after"], ["text"])
    for refused in ({"text": ["fine", None]}, {"text": ["fine", ""]}, {"title": ["no text"]}):
        with pytest.raises((TextclsError, mlflow.exceptions.MlflowException)):
            loaded.predict(pandas.DataFrame(refused))


def test_pyfunc_reads_the_sentences_around_and_abstains_as_the_library_does(
    config: TrackingConfig, store_folder: Path, tmp_path: Path
) -> None:
    import mlflow
    import pandas

    rows = [{**row, "before": TEXTS[number - 1]} for number, row in enumerate(toy_rows())]
    classifier = classifier_class("tfidf")(min_df=1, context={"before": 1, "after": 0}).fit(rows, LABELS)
    least = float(np.median(classifier.predict_proba(rows).max(axis=1)))
    save_model(abstaining(classifier, least), tmp_path / "model")
    run = keep_model(config, tmp_path / "model")
    loaded = mlflow.pyfunc.load_model(str(Store(store_folder).model_folder(run).parents[1]))

    decided = load_model(tmp_path / "model")
    rows[3]["before"] = None
    found = loaded.predict(pandas.DataFrame({key: [row[key] for row in rows] for key in ("text", "before")}))
    expected = decided.predict_proba(rows)
    assert found["score"].tolist() == expected.max(axis=1).tolist()
    answers = zip(decided.predict(rows), expected.max(axis=1) >= least, strict=True)
    assert found["label"].tolist() == [label if sure else None for label, sure in answers]
    assert set(map(type, found["label"])) == {str, type(None)}
    alone = loaded.predict(pandas.DataFrame({"text": TEXTS}))
    assert alone["score"].tolist() == decided.predict_proba(TEXTS).max(axis=1).tolist() != found["score"].tolist()


def test_a_models_page_has_the_runs_parameters_and_final_metrics_and_names_what_it_needs(
    config: TrackingConfig, store_folder: Path, model_folder: Path
) -> None:
    import mlflow

    with tracked(config) as run:
        run.parameters({"model.C": 1.0})
        run.point("train/loss", 0.3, 1)
        run.metrics({"test/macro_f1": 0.5})
        run.model(model_folder, name="a run", requirements=["numpy==2.0", "mlflow-skinny==3.17.2"])
    store = Store(store_folder)
    (model,) = (store.client.get_logged_model(id) for id in store.run("a run").model_ids)
    assert (model.name, model.status, model.params) == ("a run", "READY", {"model.C": "1.0"})
    assert {metric.key: metric.value for metric in model.metrics} == {"test/macro_f1": 0.5}
    assert [point.value for point in store.client.get_metric_history(run.id, "test/macro_f1")] == [0.5]
    place = store.model_folder("a run").parents[1]
    described = mlflow.models.Model.load(str(place))
    assert (described.run_id, described.model_id) == (run.id, model.model_id)
    assert described.model_size_bytes == sum(file.stat().st_size for file in model_folder.iterdir())
    for kind in ("conda", "pip"):
        file = mlflow.pyfunc.get_model_dependencies(str(place), format=kind)
        assert "numpy==2.0" in Path(file).read_text()


def test_pyfunc_says_which_text_is_none(config: TrackingConfig, model_folder: Path) -> None:
    import pandas

    from textcls.serving import _load_pyfunc

    served = _load_pyfunc(str(model_folder))
    with pytest.raises(TextclsError, match=r"^text 1: expected a string with content, found (None|nan)$"):
        served.predict(pandas.DataFrame({"text": ["fine", None]}))
    with pytest.raises(TextclsError, match=r"^expected a column 'text', found title$"):
        served.predict(pandas.DataFrame({"title": ["no text"]}))
    assert len(served.predict(pandas.DataFrame({"text": []}))) == 0


# --- the folder -----------------------------------------------------------------------------------------------------


def test_a_moved_store_lists_artifacts_loads_models_and_takes_runs(
    config: TrackingConfig, store_folder: Path, model_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with tracked(config, "old") as run:
        run.text("words", "words.txt")
        run.model(model_folder, name="old", requirements=pip_requirements())
    caplog.clear()
    moved = store_folder.rename(tmp_path / "other place" / "runs") if (tmp_path / "other place").mkdir() is None else store_folder
    store = Store(moved)
    assert caplog.messages == [f"the store was moved here from {store_folder}; its paths were adjusted"]
    assert [file.path for file in store.client.list_artifacts(run.id)] == ["words.txt"]
    assert load(run.id, store=moved).predict(TEXTS[:1]).tolist() == [load_model(model_folder).predict(TEXTS[:1])[0]]
    with tracked(TrackingConfig(folder=str(moved)), "new") as new:
        new.text("more words", "words.txt")
    assert [file.path for file in store.client.list_artifacts(new.id)] == ["words.txt"]
    assert {found.name for found in store.runs()} == {"old", "new"}
    assert not store_folder.exists(), "the old path was made again"
    with closing(sqlite3.connect(moved / "mlflow.db")) as connection:
        assert str(store_folder) not in "\n".join(connection.iterdump()).replace(str(moved), "")
    caplog.clear()
    Store(moved)
    assert caplog.messages == []


def test_a_copied_store_leaves_the_original_alone(
    config: TrackingConfig, store_folder: Path, model_folder: Path, tmp_path: Path
) -> None:
    run = keep_model(config, model_folder)
    copy = Path(shutil.copytree(store_folder, tmp_path / "copy"))
    assert Store(copy).model_folder(run).is_relative_to(copy)
    assert Store(store_folder).model_folder(run).is_relative_to(store_folder)


def test_a_relative_folder_is_the_same_store(config: TrackingConfig, store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tracked(config):
        pass
    monkeypatch.chdir(store_folder.parent)
    assert [run.name for run in Store("experiments").runs()] == ["a run"]


def test_the_database_is_in_wal_mode(store_folder: Path) -> None:
    with closing(sqlite3.connect(Store(store_folder).database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_no_store_is_made_to_look_at_one(tmp_path: Path) -> None:
    with pytest.raises(TrackingError) as caught:
        Store(tmp_path / "nothing")
    assert str(caught.value) == (
        f"{tmp_path / 'nothing'}: no runs here; expected a folder that `textcls train` has tracked runs in"
    )
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", ["100%", "what?", "c#"])
def test_folders_that_mlflow_cannot_use_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError) as caught:
        Store(tmp_path / name, create=True)
    assert str(caught.value) == f"{tmp_path / name}: MLflow cannot use a path with %, ? or #; choose another folder"
    assert not (tmp_path / name).exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackingError, match=r"file/store: the store cannot be opened: "):
        Store(tmp_path / "file" / "store", create=True)


def test_a_database_that_is_none(store_folder: Path) -> None:
    (store_folder / "mlflow.db").write_bytes(b"not a database, but long enough to look like a file with something in it" * 20)
    with pytest.raises(TrackingError) as caught:
        Store(store_folder)
    assert str(caught.value).startswith(f"{store_folder}: the store cannot be opened: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["{", "[]", '{"root": 5}'])
def test_a_damaged_state_file(content: str, store_folder: Path) -> None:
    (store_folder / "store.json").write_text(content)
    with pytest.raises(TrackingError) as caught:
        Store(store_folder)
    assert str(caught.value) == (f"{store_folder}/store.json: damaged; remove it, and move the folder back if it was moved")


def test_a_state_file_that_cannot_be_written_leaves_the_one_before(store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str, **_: Any) -> None:
        path.write_bytes(text.encode()[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(TrackingError, match="No space left on device"):
        patch.setattr(Path, "write_text", full)
        Store(store_folder)  # which was moved, as it is to note
    Store(store_folder)


def test_a_database_of_another_mlflow_is_copied_before_it_is_migrated(
    store_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = store_folder / "store.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "mlflow": "3.0.0"}))
    Store(store_folder)
    assert (store_folder / "mlflow.db.mlflow-3.0.0").is_file()
    assert json.loads(state.read_text())["mlflow"] == version("mlflow")
    assert any("a copy is kept as mlflow.db.mlflow-3.0.0" in message for message in caplog.messages)


def test_a_copy_that_was_cut_off_is_made_anew(store_folder: Path) -> None:
    state, copy = store_folder / "store.json", store_folder / "mlflow.db.mlflow-3.0.0"
    Store(store_folder)
    state.write_text(json.dumps({**json.loads(state.read_text()), "mlflow": "3.0.0"}))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # as a disk that is full
    try:
        with pytest.raises(TrackingError, match="the store cannot be opened: "):
            Store(store_folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    Store(store_folder)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM experiments").fetchall() == [("Default",)]


def _open_new(folder: Path) -> None:
    Store(folder, create=True)


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "number"), [(0.05, signal.SIGINT), (0.3, signal.SIGKILL), (0.8, signal.SIGKILL)])
def test_a_new_store_whose_making_was_cut_off_is_made_anew(
    seconds: float, number: int, tmp_path: Path, fork: Callable[..., Forked]
) -> None:
    folder = tmp_path / "new"
    making = fork(_open_new, folder)
    deadline = time.monotonic() + 60
    while not list(folder.rglob("mlflow.db")) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(seconds)
    with suppress(ProcessLookupError):  # a quick machine may have made it by then
        os.kill(making.process.pid, number)
    making.wait(30)
    assert Store(folder, create=True).runs() == []
    assert not list(folder.glob(".migrating"))


def test_what_a_process_left_that_was_killed_when_the_tables_were_in_place_is_removed(store_folder: Path) -> None:
    (store_folder / ".migrating").mkdir()
    Store(store_folder)
    assert not list(store_folder.glob(".migrating"))


@pytest.mark.slow
def test_an_upgrade_of_the_database_that_is_cut_off_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade

    def to_the_one_before(config: Any, revision: str) -> None:
        upgrade(config, "head-1")

    def cut_off(config: Any, revision: str) -> None:
        to_the_one_before(config, revision)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(TrackingError, match="out-of-date database schema"):
        patch.setattr(command, "upgrade", to_the_one_before)  # an older MLflow
        Store(tmp_path / "old", create=True)
    # MLflow keeps connections of this process by their path.
    folder = (tmp_path / "old").rename(tmp_path / "experiments")
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        connection.execute("PRAGMA journal_mode=wal")
        connection.execute("INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'news', 'active')")
    before = (folder / "mlflow.db").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(command, "upgrade", cut_off)
        Store(folder)
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:  # what also says that nobody else has it open
        connection.execute("PRAGMA journal_mode=wal")
    assert (folder / "mlflow.db").read_bytes()[100:] == before[100:]  # behind the header, which says how often it was opened
    assert "news" in {experiment.name for experiment in Store(folder).client.search_experiments()}


def test_tables_that_an_older_textcls_was_cut_off_in_making_are_told(store_folder: Path) -> None:
    with closing(sqlite3.connect(store_folder / "mlflow.db")) as connection, connection:
        (newest,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        before = ScriptDirectory.from_config(_get_alembic_config("")).get_revision(newest).down_revision
        connection.execute("UPDATE alembic_version SET version_num = ?", (before,))
    with pytest.raises(
        TrackingError, match=r"cannot bring mlflow\.db up to date: .*; if no run was ever tracked in it, remove it; else"
    ):
        Store(store_folder)
    assert not list(store_folder.glob(".migrating"))


def test_a_database_that_is_open_elsewhere_is_not_migrated(store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "_DATABASE_SECONDS", 0.2)
    Store(store_folder)
    with closing(sqlite3.connect(store_folder / "mlflow.db")) as connection, connection:
        (older,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        older = ScriptDirectory.from_config(_get_alembic_config("")).get_revision(older).down_revision
        connection.execute("UPDATE alembic_version SET version_num = ?", (older,))
        connection.commit()
        with pytest.raises(TrackingError, match=r"another process keeps mlflow\.db to itself"):
            Store(store_folder)


def test_an_experiment_that_another_process_makes_meanwhile_is_found(store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = Store(store_folder), Store(store_folder)
    create = slow.client.create_experiment

    def second(*given: Any, **named: Any) -> str:
        quick.experiment("news")
        return create(*given, **named)

    monkeypatch.setattr(slow.client, "create_experiment", second)
    assert slow.experiment("news").experiment_id == quick.experiment("news").experiment_id


def test_a_deleted_experiment_is_told(config: TrackingConfig, store_folder: Path) -> None:
    with tracked(config):
        pass
    client = Store(store_folder).client
    client.delete_experiment(client.get_experiment_by_name("news").experiment_id)
    with pytest.raises(TrackingError) as caught, tracked(config):
        pass
    assert str(caught.value) == (f"{store_folder}: the experiment 'news' was deleted; restore it in MLflow or set data.name")


def test_experiments_of_odd_names_have_folders_of_their_own(config: TrackingConfig, store_folder: Path) -> None:
    for name in ("../up", "a/b c%", "..."):
        with track(config, experiment=name, name="a run", tags={}) as run:
            run.text("words", "words.txt")
        (file,) = Store(store_folder).client.list_artifacts(run.id)
        assert file.path == "words.txt"
    assert {file.name for file in store_folder.parent.iterdir()} == {"experiments", "cwd"}


def _track_one(folder: Path, number: int, start: Any) -> None:
    start.wait()  # so that all come to the database at the same moment
    with track(TrackingConfig(folder=str(folder)), experiment="news", name=f"run {number}", tags={}) as run:
        run.metrics({"test/macro_f1": 0.5})


@pytest.mark.slow
def test_six_processes_open_a_new_store_at_once(tmp_path: Path, fork: Callable[..., Forked]) -> None:
    folder = tmp_path / "new"
    start = multiprocessing.get_context("forkserver").Barrier(6)
    processes = [fork(_track_one, folder, number, start) for number in range(6)]
    assert [process.wait() for process in processes] == [(0, "", "")] * 6
    assert {run.name: run.status for run in Store(folder).runs()} == {f"run {number}": "FINISHED" for number in range(6)}


# --- MLflow's pages -------------------------------------------------------------------------------------------------


def test_a_taken_port_is_told(store_folder: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError) as caught:
            next(serve_ui(store_folder, port))
    assert str(caught.value) == f"port {port} is taken; choose another with --port"


@pytest.mark.slow
def test_the_ui_serves_this_machine_only_until_it_is_stopped(
    config: TrackingConfig, store_folder: Path, fork_textcls: Callable[..., Forked]
) -> None:
    with tracked(config, "a run to see"):
        pass
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    forked = fork_textcls("ui", "--store", store_folder, "--port", port)
    deadline = time.monotonic() + 150
    while (status := answer(port)) is None and forked.process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert status == 200, forked.err.read_text()
    assert f"http://127.0.0.1:{port}/#/experiments/" in forked.out.read_text().splitlines()[0]
    assert answer(port, host="evil.example") == 403
    os.kill(forked.process.pid, signal.SIGTERM)
    assert forked.wait(30).code == 0
    assert answer(port) is None, "the server outlives the command"


def answer(port: int, host: str | None = None) -> int | None:
    """The status that the server answers with; None if there is no server."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/api/2.0/mlflow/experiments/search?max_results=1", headers={"Host": host} if host else {})
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()
