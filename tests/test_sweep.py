"""Sweeps: the space, the study, resuming, and the config they leave."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from conftest import Done, Forked, toy_rows, write_jsonl
from filelock import FileLock

from textcls.config import ContextConfig, load_config
from textcls.errors import ConfigError, ModelError, TrackingError
from textcls.tracking import Store
from textcls.tracking.cleaning import delete_runs
from textcls.training import Reporter, reading, run_name
from textcls.training import study as studying
from textcls.training import sweep as sweeping
from textcls.training.study import ranked
from textcls.training.sweep import sweep

if TYPE_CHECKING:
    import optuna

SPACE = "{model.C: {low: 0.01, high: 100, log: true}, model.word_ngrams: [[1, 1], [1, 2]], model.min_df: {low: 1, high: 3}}"


@pytest.fixture
def config(store_folder: Path, tmp_path: Path) -> Path:
    data = write_jsonl(tmp_path / "toy.jsonl", toy_rows("abcdef"))
    file = tmp_path / "config.yaml"
    file.write_text(
        f"seed: 1\ndata: {{name: toy, train: {data}}}\nsplits: {{kind: k-fold, folds: 2, duplicates: warn}}\n"
        f"model: {{kind: tfidf}}\ntracking: {{folder: {store_folder}}}\nsweep:\n  trials: 3\n  space: {SPACE}\n"
    )
    return file


@pytest.fixture
def storage(store_folder: Path) -> Iterator[optuna.storages.RDBStorage]:
    import optuna

    storage = optuna.storages.RDBStorage(f"sqlite:///{store_folder / 'sweeps.db'}")
    yield storage
    storage.remove_session()
    storage.engine.dispose()


def test_a_sweep_finds_a_config_that_train_takes(
    config: Path, store_folder: Path, textcls: Callable[..., Done], tmp_path: Path
) -> None:
    done = textcls("sweep", config, "--output", tmp_path / "best.yaml")
    assert done.code == 0, done.err
    assert "3 trials" in done.out
    best = load_config(tmp_path / "best.yaml")
    assert best.sweep is None
    runs = Store(store_folder).runs(children=True)
    assert sum(run.kind == "trial" for run in runs) == 3
    (parent,) = Store(store_folder).runs()
    assert parent.status == "FINISHED"
    assert parent.metrics["validation/macro_f1"] == max(run.metrics["validation/macro_f1"] for run in runs if run.kind == "trial")


def test_what_trials_warn_of_alike_is_told_once(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):  # sweeps, each of which tells it
        sweep(config, overrides=["decision.share=0.3", "sweep.trials=2", "tracking.enabled=false"])
    told = [record.getMessage() for record in caplog.records]
    assert told.count("decision.share has no effect, since decision asks for nothing that is learnt") == 2


def test_a_sweep_takes_the_highest_seed_that_a_config_can_have(config: Path) -> None:
    assert len(sweep(config, overrides=["seed=4294967295", "sweep.trials=2", "tracking.enabled=false"]).trials) == 2


def test_a_sweep_in_two_parts_of_which_a_process_died_tries_what_one_in_one_part_tries(
    config: Path, storage: optuna.storages.RDBStorage, tmp_path: Path
) -> None:
    import optuna

    whole = sweep(config, overrides=["sweep.name=whole"])
    sweep(config, overrides=["sweep.trials=1"])
    study = optuna.load_study(study_name=f"sweep-{run_name(load_config(config))}", storage=storage)
    study.ask().set_user_attr("process", f"{socket.gethostname()}:999999999")
    resumed = sweep(config, output=tmp_path / "best.yaml")
    assert [trial.settings for trial in resumed.trials if trial.state == "complete"] == [trial.settings for trial in whole.trials]
    assert [trial.state for trial in resumed.trials] == ["complete", "stopped", "complete", "complete"]
    assert (tmp_path / "best.yaml").read_text().startswith(f"# Best of 3 trials of sweep-{run_name(load_config(config))}: ")
    assert resumed.config == whole.config
    assert len({str(trial.settings) for trial in whole.trials}) > 1


def test_a_sweep_that_was_killed_goes_on_to_the_same_best(
    config: Path, store_folder: Path, fork_textcls: Callable[..., Forked], tmp_path: Path
) -> None:
    command = ["sweep", config, "--output", tmp_path / "best.yaml"]
    forked = fork_textcls(*command)
    until = time.monotonic() + 120
    while ("RUNNING", 1) not in begun_trials(store_folder) and forked.process.is_alive() and time.monotonic() < until:
        time.sleep(0.01)
    forked.process.kill()
    assert forked.wait().code == -signal.SIGKILL
    states = [state for state, _ in begun_trials(store_folder)]
    assert "COMPLETE" in states
    assert states.count("COMPLETE") < 4

    done = fork_textcls(*command).wait()
    assert done.code == 0, done.err
    killed = sweep(config)  # tries nothing more
    whole = sweep(config, overrides=["sweep.name=whole"])
    complete = [(trial.settings, trial.value) for trial in killed.trials if trial.state == "complete"]
    assert complete == [(trial.settings, trial.value) for trial in whole.trials]
    assert killed.config == load_config(tmp_path / "best.yaml") == whole.config
    assert [run.status for run in Store(store_folder).runs()] == ["FINISHED"] * 2


def test_what_a_killed_trial_has_left_goes_when_the_sweep_goes_on(
    config: Path, store_folder: Path, fork: Callable[..., Forked]
) -> None:
    assert fork(_die_within_a_trial, config).wait().code == -signal.SIGKILL
    (left,) = (store_folder / "unfinished").iterdir()
    assert any(left.rglob("*.json"))
    result = sweep(config)
    assert [trial.state for trial in result.trials] == ["stopped", "complete", "complete", "complete"]
    assert not list((store_folder / "unfinished").iterdir())


def _die_within_a_trial(config: Path) -> None:
    # When the first fold is measured; in a process of its own.
    sweeping._Pruning.measured = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    sweep(config)


def begun_trials(store: Path) -> set[tuple[str, int]]:
    """The state and the number of each trial in a store's database, if there is one yet."""
    try:
        with closing(sqlite3.connect(f"file:{store / 'sweeps.db'}?mode=ro", uri=True)) as connection:
            return set(connection.execute("SELECT state, number FROM trials"))
    except sqlite3.OperationalError:
        return set()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sweep.space={model.Cx: [1]}", "sweep.space: model.Cx: unknown key; did you mean 'C'?"),
        ("sweep.space={model.C: []}", "sweep.space: model.C: expected values to choose from, found none"),
        ("sweep.space={model.C: [0]}", "sweep.space: model.C: input should be greater than 0, found 0"),
        ("sweep.space={model.C.x: [1]}", "sweep.space: model.C.x: C is a value, not a section"),
        (
            "sweep.space={model.context.befor: [1]}",
            "sweep.space: model.context.befor: unknown key; did you mean 'before'?",
        ),
        (
            "sweep.space={model.min_df: {low: 0.5, high: 2}}",
            "sweep.space: model.min_df: input should be a valid integer, found 0.5",
        ),
        (
            "sweep.space={model.min_df: {low: 1, high: 2, step: 0.5}}",
            "sweep.space: model.min_df: expected a whole step, found 0.5",
        ),
        (
            "sweep.space={tracking.folder: [a]}",
            "sweep.space: tracking.folder: only settings of data, splits, model and decision, and seed, can be searched",
        ),
    ],
)
def test_a_space_that_no_config_allows(config: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sweep(config, overrides=[override])
    assert str(caught.value) == message


def test_a_setting_that_takes_fractions_is_searched_between_whole_bounds(config: Path) -> None:
    space = (
        "{model.C: {low: 1, high: 10}, model.max_iter: {low: 100, high: 1000}, splits.test: {low: 0.25, high: 0.75, step: 0.25}}"
    )
    result = sweep(config, overrides=[f"sweep.space={space}", "sweep.trials=2"])
    tried = [trial.settings for trial in result.trials]
    assert any(not settings["model.C"].is_integer() for settings in tried)
    assert {type(settings["model.max_iter"]) for settings in tried} == {int}
    assert {settings["splits.test"] for settings in tried} <= {0.25, 0.5, 0.75}


def test_a_setting_of_a_section_that_is_null_is_searched(config: Path) -> None:
    result = sweep(config, overrides=["sweep.space={model.context.before: [1, 2]}", "sweep.trials=1"])
    assert result.best.settings["model.context.before"] in (1, 2)
    assert result.config.model.context == ContextConfig(before=result.best.settings["model.context.before"])


@pytest.mark.parametrize(
    ("overrides", "metric"),
    [
        ([], "validation/macro_f1"),  # though tfidf makes no use of them when it learns
        (["splits.validation=0"], "test/macro_f1"),
        (["splits.kind=hash", "splits.validation=0.2"], "validation/macro_f1"),
        (["splits.kind=hash", "data.validation={validation}"], "validation/macro_f1"),
        (["splits.kind=given", "data.validation={validation}"], "test/macro_f1"),  # these rows are the test
        (["splits.kind=given", "data.test={validation}", "model={static}"], "validation/macro_f1"),
        (["splits.kind=given", "data.validation={validation}", "model={static}"], "test/macro_f1"),
        (["model={static}"], "validation/macro_f1"),
        (["model={static}", "splits.validation=0"], "test/macro_f1"),
    ],
)
def test_a_sweep_selects_on_validation_rows_where_there_are_some(
    config: Path, tiny_encoder: str, tmp_path: Path, overrides: list[str], metric: str, caplog: pytest.LogCaptureFixture
) -> None:
    validation = write_jsonl(tmp_path / "validation.jsonl", toy_rows("ghi"))
    static = f"{{kind: static, encoder: {tiny_encoder}, dimensions: 4, epochs: 1}}"
    filled = [override.replace("{validation}", str(validation)).replace("{static}", static) for override in overrides]
    result = sweep(config, overrides=[*filled, "tracking.enabled=false", "sweep.trials=1", "sweep.space={seed: [1]}"])
    assert result.metric == metric
    assert ("so the sweep selects on test rows" in caplog.text) == (metric == "test/macro_f1")


def test_a_study_of_another_config(config: Path) -> None:
    sweep(config, overrides=["sweep.trials=1"])
    with pytest.raises(ConfigError, match=r"was begun with another config; set sweep.name to begin a new one"):
        sweep(config, overrides=["splits.folds=3"])


def test_a_study_of_other_data(config: Path, tmp_path: Path) -> None:
    sweep(config, overrides=["sweep.trials=1"])
    write_jsonl(tmp_path / "toy.jsonl", toy_rows("abcdefg"))
    with pytest.raises(ConfigError, match=r"was begun with other data; set sweep.name to begin a new one, or restore the data"):
        sweep(config)


@pytest.mark.parametrize(("directions", "trials"), [(["maximize"], 1), (["minimize"], 0), (["maximize", "maximize"], 0)])
def test_a_study_that_textcls_did_not_make_is_left_alone(
    config: Path, storage: optuna.storages.RDBStorage, directions: list[str], trials: int
) -> None:
    import optuna

    study = optuna.create_study(study_name="other", storage=storage, directions=directions)
    for _ in range(trials):
        study.tell(study.ask(), 0.99)
    with pytest.raises(ConfigError) as caught:
        sweep(config, overrides=["sweep.name=other"])
    assert str(caught.value) == f"the study 'other' in {storage.url} was not made by textcls; set sweep.name to begin a new one"
    assert (len(study.trials), study.user_attrs) == (trials, {})


def test_while_another_process_is_at_a_trial_the_best_is_provisional(
    config: Path, storage: optuna.storages.RDBStorage, textcls: Callable[..., Done], tmp_path: Path
) -> None:
    import optuna

    settings = ["--set", "sweep.name=shared", "--set", "tracking.enabled=false"]
    assert textcls("sweep", config, *settings, "--set", "sweep.trials=1").code == 0
    study = optuna.load_study(study_name="shared", storage=storage)
    others = study.ask()
    others.set_user_attr("process", f"{socket.gethostname()}:{os.getppid()}")  # one that goes on
    command = ["sweep", config, *settings, "--set", "sweep.trials=2", "--output", tmp_path / "best.yaml"]
    done = textcls(*command)
    assert done.code == 0, done.err
    assert "running" in done.out
    assert "failed" not in done.out
    assert "best so far: trial 1" in done.out
    assert f"the same command again, when it has ended, shows the best, and writes {tmp_path / 'best.yaml'}" in done.out
    assert not (tmp_path / "best.yaml").exists()

    study.tell(others.number, state=optuna.trial.TrialState.FAIL)
    done = textcls(*command)
    assert "best: trial" in done.out
    assert (tmp_path / "best.yaml").exists()


def test_a_metric_of_which_less_is_better_is_made_small(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([0.9, 0.9, 0.8, 0.9, 0.9, 0.7, 1.5])

    def run_config(*_: object, reporter: Reporter, **__: object) -> SimpleNamespace:
        metrics = {"test/log_loss": next(values)}
        reporter.measured(metrics)
        return SimpleNamespace(metrics=metrics)

    monkeypatch.setattr(sweeping, "run_config", run_config)
    space = "sweep.space={seed: {low: 1, high: 99}}"
    result = sweep(config, overrides=["sweep.metric=test/log_loss", space, "sweep.trials=7", "tracking.enabled=false"])
    assert (result.best.value, [trial.state for trial in result.trials]) == (0.7, ["complete"] * 6 + ["pruned"])
    assert [trial.number for trial in ranked(result.trials, result.metric)] == [5, 2, 0, 1, 3, 4, 6]


def test_the_data_are_read_once_and_again_only_where_they_are_searched(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def counted(name: str) -> None:
        work = getattr(reading, name)
        monkeypatch.setattr(reading, name, lambda its: begun.append(name) or work(its))

    counted("load_dataset")
    counted("near_duplicates")
    sweep(config, overrides=["tracking.enabled=false", "sweep.trials=3"])
    assert begun == ["load_dataset", "near_duplicates"]
    begun.clear()
    space = "sweep.space={data.group: [null, article], model.C: [1, 2]}"
    result = sweep(config, overrides=["tracking.enabled=false", "sweep.trials=4", "sweep.name=other", space])
    assert [trial.state for trial in result.trials] == ["complete"] * 4
    assert begun == ["load_dataset", "near_duplicates"] * 3


def test_the_best_settings_are_printed_as_train_takes_them(config: Path, textcls: Callable[..., Done], tmp_path: Path) -> None:
    space = "sweep.space={model.C: {low: 0.1, high: 10, log: true}, model.word_ngrams: [[1, 2]], model.class_weight: [null]}"
    best = tmp_path / "best.yaml"
    done = textcls("sweep", config, "--set", space, "--set", "sweep.trials=1", "--output", best)
    assert done.code == 0, done.err
    (line,) = [line for line in done.out.splitlines() if line.startswith("best: ")]
    given = [word for word in shlex.split(line.partition(": --set ")[2]) if word != "--set"]
    assert load_config(config, [*given, "sweep=null"]) == load_config(best)


def test_a_sweep_whose_run_was_deleted_goes_on_under_a_new_one(config: Path, store_folder: Path) -> None:
    first = sweep(config, overrides=["sweep.trials=1"])
    store = Store(store_folder)
    delete_runs(store, store.runs(children=True))
    again = sweep(config, overrides=["sweep.trials=2"])
    (parent,) = store.runs()
    assert again.trials[0] == first.trials[0]
    assert (parent.id, parent.status, len(again.trials)) == (again.run_id, "FINISHED", 2)
    assert parent.parameters["sweep.trials"] == "2"
    assert sweep(config, overrides=["sweep.trials=2"]).run_id == again.run_id


def test_the_last_process_ends_the_run_of_a_sweep(config: Path, store_folder: Path, storage: optuna.storages.RDBStorage) -> None:
    import optuna

    sweep(config, overrides=["sweep.name=shared", "sweep.trials=1"])
    study = optuna.load_study(study_name="shared", storage=storage)
    others = study.ask()
    others.set_user_attr("process", f"{socket.gethostname()}:{os.getppid()}")  # one that goes on
    sweep(config, overrides=["sweep.name=shared", "sweep.trials=2"])
    (parent,) = Store(store_folder).runs()
    assert (parent.status, parent.tags["textcls.process"]) == ("RUNNING", f"{socket.gethostname()}:{os.getppid()}")

    study.tell(others.number, state=optuna.trial.TrialState.FAIL)
    sweep(config, overrides=["sweep.name=shared", "sweep.trials=2"])
    assert Store(store_folder).run("shared").status == "FINISHED"


def test_processes_that_begin_together_work_at_one_sweep(
    config: Path, store_folder: Path, fork_textcls: Callable[..., Forked], tmp_path: Path
) -> None:
    outputs = [tmp_path / "first.yaml", tmp_path / "second.yaml"]
    forked = [fork_textcls("sweep", config, "--set", "sweep.trials=4", "--output", output) for output in outputs]
    for process in forked:
        done = process.wait()
        assert done.code == 0, done.err
    (parent,) = Store(store_folder).runs()
    children = [run for run in Store(store_folder).runs(children=True) if run.kind == "trial"]
    assert [run.parent for run in children] == [parent.id] * 4
    result = sweep(config, overrides=["sweep.trials=4"])  # tries nothing more
    written = [load_config(output) for output in outputs if output.exists()]
    assert result.config in written


def test_nothing_is_tried_twice_and_a_sweep_ends_when_all_was_tried(config: Path, textcls: Callable[..., Done]) -> None:
    settings = ["sweep.space={model.C: [0.1, 5, 5.0], model.min_df: {low: 1, high: 2}}", "tracking.enabled=false"]
    result = sweep(config, overrides=[*settings, "sweep.trials=3"])
    assert (len(result.trials), result.exhausted) == (3, False)
    result = sweep(config, overrides=[*settings, "sweep.trials=9"])  # as another process would go on
    assert (len(result.trials), result.exhausted) == (4, True)
    tried = {(trial.settings["model.C"], trial.settings["model.min_df"]) for trial in result.trials}
    assert tried == {(C, min_df) for C in (0.1, 5) for min_df in (1, 2)}
    done = textcls("sweep", config, "--set", settings[0], "--set", settings[1], "--set", "sweep.trials=9")
    assert "every combination of the space was tried, so there are no more trials" in done.out


def test_a_metric_that_the_runs_do_not_have(config: Path) -> None:
    with pytest.raises(ConfigError, match=r"sweep.metric is 'test/f1', which the runs do not have; known: .*test/macro_f1"):
        sweep(config, overrides=["sweep.metric=test/f1"])


def test_processes_under_torchrun_cannot_share_a_sweep(
    config: Path, textcls: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = textcls("sweep", config)
    assert done.code == 1
    assert (
        done.err == "error: a sweep makes many runs, which the 2 processes of torchrun cannot share; start it without torchrun\n"
    )


def test_a_config_without_a_sweep(config: Path) -> None:
    with pytest.raises(ConfigError, match="it has no sweep; add one with a space"):
        sweep(config, overrides=["sweep=null"])


def test_a_trial_whose_settings_fail_counts_and_the_sweep_goes_on(
    config: Path, store_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ["sweep.space={model.min_df: [1, 1000], model.C: {low: 0.1, high: 9.5}}", "sweep.trials=4"]
    whole = sweep(config, overrides=settings)
    assert [trial.state for trial in whole.trials] == ["failed", "complete", "failed", "complete"]
    assert "trial 1 failed: no n-gram occurs in 1000 of the 12 training texts; lower model.min_df" in caplog.text
    for trials in (1, 4):  # as if a process had died between them
        try:
            parts = sweep(config, overrides=[*settings, f"sweep.trials={trials}", "sweep.name=parts"])
        except ModelError as error:
            assert "none of 1 trials came to an end" in str(error)
    assert parts.trials == whole.trials
    assert {run.status for run in Store(store_folder).runs(children=True) if run.kind == "trial"} == {"FINISHED", "FAILED"}


def test_a_trial_whose_metric_is_no_number_counts_as_failed(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([float("nan"), 0.5, float("inf")])
    monkeypatch.setattr(sweeping, "run_config", lambda *_, **__: SimpleNamespace(metrics={"validation/macro_f1": next(values)}))
    result = sweep(config, overrides=["tracking.enabled=false"])
    assert [(trial.state, trial.error) for trial in result.trials] == [
        ("failed", "validation/macro_f1 is nan, which cannot be compared"),
        ("complete", None),
        ("failed", "validation/macro_f1 is inf, which cannot be compared"),
    ]


def test_a_trial_that_is_pruned_is_killed_and_leaves_a_finished_fold_and_no_folder(
    config: Path, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    monkeypatch.setattr(optuna.trial.Trial, "should_prune", lambda trial: trial.number == 1)
    result = sweep(config, overrides=["sweep.trials=2"])
    assert [trial.state for trial in result.trials] == ["complete", "pruned"]
    store = Store(store_folder)
    (_, pruned) = [run for run in store.children_of(store.runs()[0]) if run.kind == "trial"]
    assert (pruned.status, [fold.status for fold in store.children_of(pruned)]) == ("KILLED", ["FINISHED"])
    assert not list((store_folder / "unfinished").iterdir())


def test_settings_that_exclude_each_other_fail_one_trial(config: Path) -> None:
    space = "{model.word_ngrams: [null, [1, 1]], model.char_ngrams: [null, [2, 2]], model.pattern_ngrams: [null]}"
    result = sweep(config, overrides=[f"sweep.space={space}", "sweep.trials=8"])
    failed = [trial for trial in result.trials if trial.state == "failed"]
    assert {str(trial.settings["model.word_ngrams"]) for trial in failed} == {"None"}
    assert {"are all null; give at least one" in (trial.error or "") for trial in failed} == {True}


def test_a_sweep_of_which_every_trial_fails(config: Path) -> None:
    with pytest.raises(ModelError) as caught:
        sweep(config, overrides=["sweep.space={model.min_df: [999, 1000]}", "sweep.trials=2", "sweep.name=high"])
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("sweep high: none of 2 trials came to an end, the last because: no n-gram occurs in")
    assert str(caught.value).endswith("mend it and set sweep.name to begin a new one")


def test_sweeps_that_another_process_keeps(config: Path, store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studying, "_MOST_SECONDS", 0.1)
    with FileLock(store_folder / ".sweeps.lock"), pytest.raises(TrackingError) as caught:
        sweep(config)
    assert str(caught.value) == (
        f"{store_folder}: another process has kept the sweeps to itself for 0.1 seconds; wait for it, or end it"
    )


def test_a_file_where_the_store_should_be(config: Path, tmp_path: Path) -> None:
    (tmp_path / "afile").touch()
    with pytest.raises(TrackingError) as caught:
        sweep(config, overrides=[f"tracking.folder={tmp_path / 'afile'}"])
    assert str(caught.value) == f"tracking.folder: {tmp_path / 'afile'}: cannot be made: File exists; name another"


def test_a_database_that_cannot_be_opened(config: Path) -> None:
    with pytest.raises(ConfigError, match=r"sweep.storage: expected a database's URL, such as sqlite:///sweeps.db, found none"):
        sweep(config, overrides=["sweep.storage=here"])
    with pytest.raises(TrackingError, match=r"sweep.storage: sqlite:////nowhere/at/all.db: cannot be opened"):
        sweep(config, overrides=["sweep.storage=sqlite:////nowhere/at/all.db"])
    with pytest.raises(TrackingError, match=r"sweep.storage: mysql://ann:\*\*\*@localhost/x: cannot be opened: .*[Ii]nstall"):
        sweep(config, overrides=["sweep.storage=mysql://ann:secret@localhost/x"])  # whose driver is not among the dependencies
