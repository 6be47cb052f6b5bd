"""`textcls runs`, `register` and `reproduce`: what people type after a run, and the line each mistake gets."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Done, toy_rows, write_jsonl
from sklearn.metrics import f1_score

from textcls.config import TrackingConfig, make_config
from textcls.errors import TrackingError
from textcls.evaluation import compare, make_predictions
from textcls.prediction import load
from textcls.tracking import ROWS, Store, added_to, folder, track
from textcls.tracking.cleaning import deletable
from textcls.tracking.difference import compare_rows
from textcls.training import environment, train

Command = Callable[..., Done]


def settings(data: Path, store: Path, **sections: object) -> dict[str, object]:
    return {
        "data": {"train": str(data), "name": "toy"},
        "splits": {"kind": "leave-one-group-out"},
        "model": {"kind": "tfidf", "min_df": 1, "C": 100},
        "tracking": {"folder": str(store), "name": "first"},
    } | sections


@pytest.fixture(scope="session")
def two_runs(store_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of two finished runs, `first` and `second`, on data that differ in four rows."""
    place = tmp_path_factory.mktemp("two runs")
    store = Path(shutil.copytree(store_template, place / "experiments"))
    rows = toy_rows()
    first = write_jsonl(place / "first.jsonl", rows)
    changed = [dict(row) for row in rows[1:]]
    changed[0]["label"] = "quote"
    changed[1]["text"] += " indeed"
    changed.append({**rows[0], "id": "new", "text": "another sentence altogether"})
    second = write_jsonl(place / "second.jsonl", changed)
    train(settings(first, store))
    other = settings(second, store, tracking={"folder": str(store), "name": "second"})
    other["splits"] = {"kind": "leave-one-group-out", "duplicates": "warn"}
    train(other)
    return place


@pytest.fixture
def store(two_runs: Path, tmp_path: Path) -> Path:
    """A copy of the store of the two runs, whose data lie where they lay."""
    return Path(shutil.copytree(two_runs / "experiments", tmp_path / "experiments"))


def forget_commits(store: Path) -> None:
    """Leave runs as they are where there is no git."""
    opened = Store(store)
    for run in opened.runs():
        for name in {"mlflow.source.git.commit", "textcls.git_dirty"} & run.tags.keys():
            opened.client.delete_tag(run.id, name)


def wrong(done: Done, message: str) -> None:
    errors = [line for line in done.err.splitlines() if not line.startswith("WARNING: the store was moved")]
    assert (done.code, errors) == (1, [f"error: {message}"])


# --- list, show, diff -----------------------------------------------------------------------------------------------


def test_runs_are_listed_and_filtered(textcls: Command, store: Path) -> None:
    for arguments in ((), ("list",), ("--data", "toy", "--family", "tfidf"), ("list", "--status", "FINISHED")):
        done = textcls("runs", *arguments, "--store", store)
        assert done.code == 0
        assert [line.split()[0] for line in done.out.splitlines()[2:]] == ["second", "first"]
    assert len(textcls("runs", "--children", "--store", store).out.splitlines()) == 2 + 2 + 8


def test_filters_that_fit_no_run(textcls: Command, store: Path) -> None:
    for option, value, message in (
        ("--data", "toys", "no run of data set 'toys'; did you mean 'toy'?"),
        ("--family", "tfdif", "no run of family 'tfdif'; did you mean 'tfidf'?"),
        ("--status", "failed", "no run of status 'failed'; known: finished"),
    ):
        wrong(textcls("runs", option, value, "--store", store), f"{store}: {message}")


def test_an_empty_store_has_no_runs(textcls: Command, store_folder: Path) -> None:
    done = textcls("runs", "--store", store_folder)
    assert (done.code, done.out) == (0, f"no runs in {store_folder} yet; make one with: textcls train CONFIG\n")


def test_a_run_is_shown_with_all_it_holds(textcls: Command, store: Path) -> None:
    out = textcls("runs", "show", "first", "--store", store).out
    run = Store(store).run("first")
    for fragment in (
        run.id,
        run.data,
        "finished",
        "without a, first",
        "model.C",
        "100.0",
        "test/macro_f1",
        ROWS,
        "evaluation.json",
    ):
        assert fragment in out


def test_a_mean_over_fits_is_shown_with_its_spread_and_the_pooled_figure_with_its_interval(textcls: Command, store: Path) -> None:
    metrics = Store(store).run("second").metrics
    mean = f"{metrics['test/macro_f1']:.3f} ± {metrics['test/macro_f1_std']:.3f}"
    listed, shown = (textcls("runs", *arguments, "--store", store).out for arguments in ((), ("show", "second")))
    assert mean in listed
    assert re.search(rf"test/macro_f1 +{mean}\n", shown)
    low, high = (f"{metrics[f'pooled/macro_f1_{end}']:.3f}" for end in ("low", "high"))
    assert re.search(rf"pooled/macro_f1 +{metrics['pooled/macro_f1']:.3f} \({low} to {high}\)\n", shown)
    assert "(low to high) is a 95 % interval; ± a standard deviation over 4 fits, of which the figure is the mean\n" in shown
    card = (Store(store).model_folder("second") / "README.md").read_text()
    assert f"| {metrics['test/macro_f1']:.4f} | ± {metrics['test/macro_f1_std']:.4f} |" in card
    low, high = (f"{metrics[f'pooled/macro_f1_{end}']:.4f}" for end in ("low", "high"))
    assert f"| pooled/macro_f1 | {metrics['pooled/macro_f1']:.4f} | {low} to {high} |" in card


def test_labels_that_end_as_spreads_and_intervals_do_are_shown_as_labels(textcls: Command, store_folder: Path) -> None:
    per_label = {"price": 0.889, "price_low": 0.919, "price_high": 0.947, "price_std": 0.5}
    with track(TrackingConfig(folder=str(store_folder)), experiment="toy", name="prices", tags={"textcls.kind": "single"}) as run:
        run.metrics({f"test.per_label/f1/{label}": f1 for label, f1 in per_label.items()})
    shown = textcls("runs", "show", "prices", "--store", store_folder).out
    for label, f1 in per_label.items():
        assert re.search(rf"test\.per_label/f1/{label} +{f1:.3f} *\n", shown)


def test_a_figure_is_shown_as_training_words_it_and_not_rounded_twice(textcls: Command, store: Path) -> None:
    with added_to(Store(store), Store(store).run("first")) as run:
        run.metrics({"test/more": 0.90151})
    assert re.search(r"test/more\W*0\.902\b", textcls("runs", "show", "first", "--store", store).out)


def test_diff_names_settings_and_the_rows_added_removed_relabelled_and_reworded(textcls: Command, store: Path) -> None:
    forget_commits(store)
    lines = textcls("runs", "diff", "first", "second", "--store", store).out.splitlines()
    assert lines[0].startswith("A  first")
    assert [line.split() for line in lines if line.startswith("splits.")] == [["splits.duplicates", "stop", "warn"]]
    start = lines.index("rows: 1 added, 1 removed, 1 relabelled, 1 reworded")
    assert lines[start + 1 : start + 5] == [
        "+ new  fact",
        "- a:fact:0  fact",
        "~ a:fact:1  fact → quote",
        "~ a:opinion:0  another text",
    ]
    assert lines[-3:] == [
        "commit of the folder started in: not known of either",
        "libraries: the same versions",
        "computed on: the same",
    ]
    opened = Store(store)
    for name, precision, processes in (("first", "bf16", "1"), ("second", "fp32", "2")):
        opened.client.set_tag(opened.run(name).id, "textcls.precision", precision)
        opened.client.set_tag(opened.run(name).id, "textcls.processes", processes)
    lines = textcls("runs", "diff", "first", "second", "--store", store).out.splitlines()
    assert [line.split() for line in lines[-2:]] == [["precision", "bf16", "fp32"], ["processes", "1", "2"]]
    for name, words in (("first", "abcdef012345 and an unknown commit"), ("second", "the same")):
        line = f"commit of the folder started in: {words}"
        opened.client.set_tag(opened.run(name).id, "mlflow.source.git.commit", "abcdef0123456789")
        assert line in textcls("runs", "diff", "first", "second", "--store", store).out.splitlines()
    assert (
        "  … and 1 more; name more with --rows" in textcls("runs", "diff", "first", "second", "--rows", 0, "--store", store).out
    )


def test_diff_of_a_run_with_itself_and_with_one_that_kept_nothing(textcls: Command, store: Path) -> None:
    run = Store(store).run("first").id
    wrong(textcls("runs", "diff", "first", run, "--store", store), f"first and {run} are the same run, {run}; name two")
    with pytest.raises(ValueError), track(TrackingConfig(folder=str(store)), experiment="toy", name="broken", tags={}):
        raise ValueError
    message = "run broken: it has kept no config (its status is FAILED); name another run"
    wrong(textcls("runs", "diff", "first", "broken", "--store", store), message)


def test_rows_that_moved_between_training_and_test_are_no_same_data(textcls: Command, store_folder: Path) -> None:
    def write(test: str) -> None:
        for name, articles in (("train", set("abcd") - {test}), ("test", {test})):
            write_jsonl(Path(f"{name}.jsonl"), [row for row in toy_rows() if row["article"] in articles])

    for name, test in (("first", "a"), ("second", "b")):
        write(test)
        config = settings(Path(), store_folder, splits={}, tracking={"folder": str(store_folder), "name": name})
        train({**config, "data": {"train": "train.jsonl", "test": "test.jsonl", "name": "toy"}})
    lines = textcls("runs", "diff", "first", "second", "--rows", 1, "--store", store_folder).out.splitlines()
    start = lines.index(f"data: the same texts, labels and groups ({Store(store_folder).run('first').data[:12]})")
    assert lines[start + 1 : start + 3] == ["rows: 12 moved to another split", "> b:fact:0  train → test"]
    done = textcls("reproduce", "first", "--store", store_folder)
    assert done.code == 1
    assert "rows: 12 moved to another split" in next(line for line in done.out.splitlines() if line.startswith("data "))
    assert done.out.splitlines()[-1].startswith("not reproduced; not restored: data")


def test_a_row_whose_id_is_new_is_known_by_its_text() -> None:
    row = {"id": "1", "text": "abc", "label": "a", "annotations": None, "group": None, "split": "train"}
    changes = compare_rows([row], [{**row, "id": "2", "label": "b", "split": "test"}])
    assert str(changes) == "rows: 1 relabelled, 1 moved to another split"
    voted = {**row, "annotations": '["a", "b"]'}
    assert str(compare_rows([row], [voted])) == "rows: 1 annotated otherwise"
    assert str(compare_rows([row], [{**row, "group": "b"}])) == "rows: 1 of another group"
    assert (
        str(compare_rows([voted], [voted]))
        == str(compare_rows([row], [row]))
        == "rows: none added, removed, relabelled, annotated, reworded, regrouped or moved"
    )


def test_runs_that_do_not_exist(textcls: Command, store: Path) -> None:
    for command in (("runs", "show"), ("runs", "delete"), ("register",), ("reproduce",)):
        wrong(textcls(*command, "frist", "--store", store), f"{store}: no run 'frist'; did you mean 'first'?")


# --- delete and free ------------------------------------------------------------------------------------------------


def test_runs_are_deleted_with_their_children_and_their_space_is_freed(textcls: Command, store: Path) -> None:
    kept = next((store / "artifacts" / "toy").glob(f"{Store(store).run('first').id}*"))
    models = store / "artifacts" / "toy" / "models"
    assert len(list(models.iterdir())) == 2
    wrong(textcls("runs", "delete", "first", "--store", store), "delete 5 runs? Nobody is there to ask; say --yes")
    done = textcls("runs", "delete", "first", "--yes", "--store", store)
    assert done.code == 0
    assert f"5 runs deleted; their space is freed by: textcls runs gc --store {store}" in done.out
    assert [run.name for run in Store(store).runs()] == ["second"]
    assert kept.exists()
    done = textcls("runs", "gc", "--yes", "--store", store)
    assert done.code == 0, done.err
    assert "MB freed" in done.out
    assert not kept.exists()
    assert len(list(models.iterdir())) == 1
    with closing(sqlite3.connect(store / "mlflow.db")) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (5,)
    assert load("second", store=store).predict([toy_rows()[-1]["text"]]).tolist() == ["quote"]
    assert textcls("runs", "gc", "--store", store).out == "no deleted runs to remove\n"


def test_a_name_that_several_runs_bear_deletes_none(textcls: Command, store: Path) -> None:
    with track(TrackingConfig(folder=str(store)), experiment="toy", name="first", tags={"textcls.kind": "single"}) as again:
        pass
    opened = Store(store)
    ids = [run.id[:8] for run in opened.runs() if run.name == "first"]
    message = f"{store}: several runs are 'first'; name one by its id: {ids[0]} (toy), {ids[1]} (toy)"
    wrong(textcls("runs", "delete", "first", "--yes", "--store", store), message)
    assert textcls("runs", "delete", str(again.id)[:8], "--yes", "--store", store).code == 0
    assert textcls("runs", "delete", "first", "--yes", "--store", store).out.startswith(f"first  {ids[1]}  toy  and 4 children\n")


def test_children_of_a_run_that_was_deleted_in_mlflow_are_deleted_and_removed(textcls: Command, store: Path) -> None:
    opened = Store(store)
    run = opened.run("first")
    fold, *others = opened.children_of(run)
    opened.client.delete_run(run.id)  # as MLflow's pages do, without its children
    done = textcls("runs", "delete", fold.id, "--yes", "--store", store)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{fold.name}  {fold.id[:8]}  toy\n")
    opened.client.update_run(others[0].id, status="RUNNING")
    opened.client.set_tag(others[0].id, "textcls.process", "elsewhere:1")
    assert "4 runs deleted or left by deleted ones" in textcls("runs", "gc", "--yes", "--store", store).out
    assert {each.id for each in opened.runs(children=True) if each.name.endswith("first")} == {others[0].id}, "it still goes on"
    opened.client.update_run(others[0].id, status="FINISHED")
    assert "1 run deleted or left by deleted ones" in textcls("runs", "gc", "--yes", "--store", store).out
    assert textcls("runs", "gc", "--store", store).out == "no deleted runs to remove\n"
    assert len(opened.runs(children=True)) == 5, "the other run and its folds"


def test_children_of_a_deleted_run_that_a_registered_model_needs_are_kept(textcls: Command, store: Path) -> None:
    opened = Store(store)
    run = opened.run("first")
    assert textcls("register", "first", "--store", store).code == 0
    opened.client.delete_run(run.id)
    assert "no deleted runs to remove" in textcls("runs", "gc", "--yes", "--store", store).out
    assert len(opened.children_of(run)) == 4


def test_what_is_deleted_is_found_without_reading_other_runs(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Store(store)
    read: list[str] = []
    search = opened.client.search_runs

    def watched(*given: Any, **named: Any) -> Any:
        found = search(*given, **named)
        read.extend(run.info.run_id for run in found)
        return found

    monkeypatch.setattr(opened.client, "search_runs", watched)
    found = deletable(opened, ["first"])
    assert len(found) == 5
    assert set(read) == {run.id for run in found}
    assert len(deletable(opened, ["first", "second"])) == 10


def test_what_is_still_needed_is_not_deleted(textcls: Command, store: Path) -> None:
    opened = Store(store)
    fold = opened.children_of(opened.run("first"))[0]
    message = f"run {fold.name}: a fold of first; delete that one, and its children go with it: {fold.parent}"
    wrong(textcls("runs", "delete", fold.id, "--yes", "--store", store), message)
    assert textcls("register", "first", "--store", store).code == 0
    message = "run first: it is version 1 of textcls-toy (champion); delete that version in MLflow first, or keep the run"
    wrong(textcls("runs", "delete", "first", "--yes", "--store", store), message)
    with track(TrackingConfig(folder=str(store)), experiment="toy", name="going on", tags={}):
        message = "run going on: it is still running; stop it first"
        wrong(textcls("runs", "delete", "going on", "--yes", "--store", store), message)
        message = "run going on: its status is running; only a finished run is registered"
        wrong(textcls("register", "going on", "--store", store), message)
    # Deleted in MLflow's pages, which do not ask.
    opened.client.delete_run(opened.run("first").id)
    assert "first" in textcls("runs", "gc", "--yes", "--store", store).out
    assert load("models:/textcls-toy@champion", store=store).predict([toy_rows()[-1]["text"]]).tolist() == ["quote"]


# --- register -------------------------------------------------------------------------------------------------------


def test_gates_are_told_with_figures_and_aliases_lead_to_versions(textcls: Command, store: Path) -> None:
    gates = ("--set", "gates.minimum.macro_f1=0.5", "--set", "gates.maximum.size/model_mb=50")
    done = textcls("register", "first", *gates, "--store", store)
    run = Store(store).run("first")
    assert done.code == 0
    assert f"passed      test/macro_f1 {run.metrics['test/macro_f1']:g}, at least 0.5" in done.out
    assert "registered as textcls-toy version 1, champion" in done.out
    version = Store(store).client.get_model_version("textcls-toy", "1")
    assert version.tags.items() >= {"data_sha": run.data, "macro_f1": f"{run.metrics['test/macro_f1']:.4f}"}.items()
    assert load("models:/textcls-toy@champion", store=store).predict([toy_rows()[-1]["text"]]).tolist() == ["quote"]

    again = textcls("register", "first", "--set", "gates.worse_than_champion=0", "--store", store)
    assert "no worse than the champion by more than 0 macro-F1: it is the champion" in again.out
    assert "version 1, champion" in again.out
    assert "version 2, challenger" in textcls("register", "second", "--store", store).out
    assert "version 2, champion" in textcls("register", "second", "--champion", "--store", store).out
    aliases = Store(store).client.get_registered_model("textcls-toy").aliases
    assert {alias: str(number) for alias, number in aliases.items()} == {"champion": "2"}


def test_a_model_is_registered_under_any_name(textcls: Command, store: Path) -> None:
    assert textcls("register", "first", "--name", 'the reader\'s "own" 100%', "--store", store).code == 0
    done = textcls("register", "second", "--store", store)
    assert (done.code, "registered as textcls-toy version 1, champion" in done.out) == (0, True)
    shown = textcls("runs", "show", "first", "--store", store).out
    assert 'registered as the reader\'s "own" 100% version 1 (champion)' in " ".join(shown.split())
    done = textcls("runs", "delete", "first", "--yes", "--store", store)
    assert "it is version 1 of the reader's" in done.err
    assert textcls("runs", "gc", "--store", store).code == 0


def test_a_run_that_does_not_pass_is_not_registered(textcls: Command, store: Path) -> None:
    done = textcls("register", "first", "--set", "gates.maximum.latency/p50_ms=0", "--store", store)
    assert (done.code, "not passed  latency/p50_ms" in done.out) == (1, True)
    assert done.err.splitlines()[-1] == "error: first: not registered: 1 of 1 gates not passed"
    assert Store(store).client.search_registered_models() == []


def test_a_champion_of_other_rows_is_not_compared_with(textcls: Command, store: Path) -> None:
    assert textcls("register", "first", "--store", store).code == 0
    done = textcls("register", "second", "--set", "gates.worse_than_champion=0.5", "--store", store)
    assert done.code == 1
    assert "measured on other rows than the champion (version 1, first): 22 of its 24 are among the champion's 24" in done.out


def test_a_worse_model_does_not_pass_the_champion(textcls: Command, store: Path, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "many.jsonl", toy_rows(list("abcdefgh")))
    for name in ("champion", "same", "worse"):
        its = settings(data, store, tracking={"folder": str(store), "name": name})
        if name == "worse":
            its["model"] = {"kind": "tfidf", "min_df": 1, "max_features": 1, "char_ngrams": None, "word_ngrams": [1, 1]}
        train(its)
    assert textcls("register", "champion", "--set", "gates.worse_than_champion=0", "--store", store).code == 0
    done = textcls("register", "same", "--set", "gates.worse_than_champion=0", "--store", store)
    assert (done.code, "+0.000, with 95% confidence +0.000 or more, over 8 articles" in done.out) == (0, True)
    done = textcls("register", "worse", "--set", "gates.worse_than_champion=0.01", "--store", store)
    assert done.code == 1
    assert "not passed  no worse than the champion by more than 0.01 macro-F1 (version 1, champion): -0." in done.out
    assert "with 95% confidence -" in done.out
    assert "over 8 articles" in done.out


def test_few_articles_do_not_pass_the_champion(textcls: Command, store: Path, two_runs: Path) -> None:
    """Of as many no comparison would tell a difference either."""
    train(settings(two_runs / "first.jsonl", store, tracking={"folder": str(store), "name": "same"}))
    assert textcls("register", "first", "--store", store).code == 0
    done = textcls("register", "same", "--set", "gates.worse_than_champion=0.5", "--store", store)
    assert done.code == 1
    assert "(version 1, first): +0.000, but over 4 articles, which says nothing of others; expected 6 or more" in done.out


def test_a_gate_that_names_no_metric(textcls: Command, store: Path) -> None:
    done = textcls("register", "first", "--set", "gates.minimum.macrof1=0.5", "--store", store)
    wrong(done, "gates.minimum.macrof1: no metric of run first; did you mean 'macro_f1'?")
    done = textcls("register", "first", "--set", "gates.minimum.compare/macro_f1_p=0.01", "--store", store)
    message = "expected a figure of the run itself, found one of the last comparison that it was in, whatever with; for a bound "
    wrong(done, f"gates.minimum.compare/macro_f1_p: {message}against the champion set gates.worse_than_champion")
    done = textcls("register", "first", "--set", "gates.minimun.macro_f1=0.5", "--store", store)
    wrong(done, "run first: gates.minimun: unknown key; did you mean 'minimum'?")


def test_a_gate_may_ask_for_any_figure_of_the_evaluation(textcls: Command, store: Path) -> None:
    run = Store(store).run("first")
    kept = json.loads(Store(store).artifact(run, "evaluation.json") or b"")
    bounds = ("minimum.matthews=0.5", "minimum.test/weighted_f1=0.5", "maximum.brier=0")
    done = textcls("register", "first", *(part for bound in bounds for part in ("--set", f"gates.{bound}")), "--store", store)
    assert f"passed      matthews of all rows held out {kept['matthews']:g}, at least 0.5" in done.out
    assert f"passed      weighted_f1 of all rows held out {kept['weighted_f1']:g}, at least 0.5" in done.out
    assert f"not passed  brier of all rows held out {kept['brier']:g}, at most 0" in done.out
    assert done.err == "error: first: not registered: 1 of 3 gates not passed\n"


def test_the_figures_that_a_gate_may_name_are_named_once_each(textcls: Command, store: Path) -> None:
    with added_to(Store(store), Store(store).run("first")) as run:
        run.metrics({"compare/macro_f1_difference": 0.1})
    done = textcls("register", "first", "--set", "gates.minimum.xyz=0.5", "--store", store)
    names = done.err.strip().partition("known: ")[2].split(", ")
    assert len(names) == len(set(names))
    assert {"macro_f1", "matthews", "size/model_mb"} <= set(names)
    assert not [name for name in names if name.startswith(("compare/", "test/"))]


def test_a_champion_is_compared_with_over_what_groups_the_rows(textcls: Command, store: Path, tmp_path: Path) -> None:
    rows = [{"customer" if key == "article" else key: value for key, value in row.items()} for row in toy_rows()]
    data = write_jsonl(tmp_path / "customers.jsonl", rows)
    for name in ("one", "two"):
        its = settings(data, store, tracking={"folder": str(store), "name": name})
        train(its | {"data": {"train": str(data), "name": "customers", "group": "customer"}})
    assert textcls("register", "one", "--store", store).code == 0
    done = textcls("register", "two", "--set", "gates.worse_than_champion=0.5", "--store", store)
    assert "over 4 groups" in done.out


def test_a_registered_model_has_a_name(textcls: Command, store: Path) -> None:
    message = "the name of the registered model is empty; name one, or leave it out for textcls-DATASET"
    wrong(textcls("register", "first", "--name", "", "--store", store), message)


def test_gates_of_another_config_count(textcls: Command, store: Path, tmp_path: Path) -> None:
    file = tmp_path / "gates.yaml"
    file.write_text("data: {train: x.jsonl}\nmodel: {kind: tfidf}\ngates: {minimum: {accuracy: 1.1}}\n")
    assert "not passed  test/accuracy" in textcls("register", "first", "--config", file, "--store", store).out


def test_the_bound_of_a_gate_agrees_with_scikit_learn_and_is_higher_with_more_data() -> None:
    random = np.random.default_rng(0)
    labels = random.choice(list("abc"), 600)
    better, worse = (np.where(random.random(600) < share, labels, random.choice(list("abc"), 600)) for share in (0.8, 0.6))

    def bound(first: np.ndarray, second: np.ndarray, rows: int = 600) -> tuple[float, float]:
        """The first's macro-F1 less the second's, and what it is at least with 95 % confidence."""
        both = [
            make_predictions(
                [
                    {
                        "id": str(n),
                        "label": labels[n],
                        "article": str(n // 20),
                        "probabilities": {"a": 0, "b": 0, "c": 0, name: 1},
                    }
                    for n, name in enumerate(predicted[:rows])
                ],
                name=who,
            )
            for who, predicted in (("second", second), ("first", first))
        ]
        found = compare(both, level=0.9)[0].metrics["macro_f1"]
        assert found.interval is not None
        return found.value, found.interval.low

    difference, lowest = bound(better, worse)
    assert difference == pytest.approx(f1_score(labels, better, average="macro") - f1_score(labels, worse, average="macro"))
    assert 0 < lowest < difference
    _, of_few = bound(better, worse, rows=100)
    assert of_few < lowest


# --- reproduce ------------------------------------------------------------------------------------------------------


def test_a_run_is_reproduced_to_the_last_digit(textcls: Command, store: Path) -> None:
    forget_commits(store)
    done = textcls("reproduce", "first", "--store", store)
    assert done.code == 0, done
    assert "data        the same" in done.out
    assert "commit      not known: started in no repository, then and now" in done.out
    assert "predictions 24 of 24 match" in done.out
    assert done.out.endswith("\nreproduced\n")
    assert len(Store(store).runs()) == 2, "the run again is not tracked"


def test_what_cannot_be_restored_is_named(textcls: Command, store: Path, two_runs: Path) -> None:
    done = textcls("reproduce", "first", "--set", f"data.train={two_runs / 'second.jsonl'}", "--store", store)
    assert done.code == 1
    assert "not restored: identity was" in done.out
    assert "rows: 1 added, 1 removed, 1 relabelled, 1 reworded" in done.out
    assert done.out.splitlines()[-1].startswith("not reproduced; not restored: config, data")


def test_versions_and_commits_that_changed_are_named(textcls: Command, store: Path) -> None:
    opened = Store(store)
    run = opened.run("first")
    file = store / "artifacts" / "toy" / run.id / "artifacts" / "environment.txt"
    file.write_text(file.read_text().replace(f"numpy=={np.__version__}", "numpy==1.0.0"))
    opened.client.set_tag(run.id, "mlflow.source.git.commit", "abcdef0123456789")
    opened.client.set_tag(run.id, "textcls.git_dirty", "false")
    done = textcls("reproduce", "first", "--store", store)
    assert done.code == 0
    assert f"versions    not restored: numpy was 1.0.0, is {np.__version__}" in done.out
    assert "commit      not restored: it was started in a folder at abcdef012345, this one is at an unknown commit" in done.out
    assert (
        "made by   textcls 0.1.0, started in a folder at abcdef012345\n" in textcls("runs", "show", "first", "--store", store).out
    )


def test_a_machine_that_is_another_is_named(textcls: Command, store: Path) -> None:
    opened = Store(store)
    run = opened.run("first")
    machine = run.tags["textcls.machine"]
    assert f"machine     the same: {machine}, processes 1\n" in textcls("reproduce", "first", "--store", store).out
    opened.client.set_tag(run.id, "textcls.processes", "2")
    opened.client.set_tag(run.id, "textcls.precision", "bf16")
    done = textcls("reproduce", "first", "--store", store)
    assert "machine     not restored: precision was bf16, is none, processes was 2, is 1\n" in done.out


def test_what_git_does_not_say_of_changes_is_not_taken_for_none(
    textcls: Command, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if command[1] == "status":
            raise subprocess.TimeoutExpired(command, 10)
        return subprocess.CompletedProcess(command, 0, "abcdef0123456789\n", "")

    monkeypatch.setattr(environment.subprocess, "run", git)
    tags = environment.run_tags(make_config({"data": {"train": "x"}, "model": {"kind": "tfidf"}}), "0" * 64, "single")
    assert tags["mlflow.source.git.commit"] == "abcdef0123456789"
    assert "textcls.git_dirty" not in tags
    opened = Store(store)
    run = opened.run("first")
    opened.client.set_tag(run.id, "mlflow.source.git.commit", "abcdef0123456789")
    opened.client.set_tag(run.id, "textcls.git_dirty", "false")
    done = textcls("reproduce", "first", "--store", store)
    words = "started in a folder at abcdef012345 then and now; git could not say whether there were uncommitted changes"
    assert f"commit      not known: {words}\n" in done.out


def test_data_that_are_gone(textcls: Command, store: Path) -> None:
    done = textcls("reproduce", "first", "--set", "data.train=gone.jsonl", "--store", store)
    message = f"data.train: gone.jsonl: no such file or folder in {Path.cwd()}; name where they are with --set"
    wrong(done, f"run first: its data cannot be restored: {message}")


def test_a_run_without_figures_is_not_reproduced(textcls: Command, store: Path) -> None:
    run = Store(store).run("first")
    (store / "artifacts" / "toy" / run.id / "artifacts" / "evaluation.json").unlink()
    message = "run first: it has kept no figures to compare with; its status is FINISHED"
    wrong(textcls("reproduce", "first", "--store", store), message)
    fold = Store(store).children_of(run)[0]
    wrong(
        textcls("reproduce", fold.id, "--store", store), f"run {fold.name}: a fold of another run; reproduce that one: {run.id}"
    )


# --- stores that cannot be written to ---------------------------------------------------------------------------------


@pytest.mark.parametrize("open_elsewhere", [False, True])
def test_a_store_of_somebody_else_is_read(
    open_elsewhere: bool, textcls: Command, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("the council opened a bridge on monday")
    with closing(sqlite3.connect(store / "mlflow.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not (store / "mlflow.db-wal").exists()
    if open_elsewhere:
        writer = Store(store)
        writer.client.set_tag(writer.run("first").id, "note", "in the journal")
        assert (store / "mlflow.db-wal").stat().st_size
    place = store.rename(store.with_name("archive"))
    for path in (place, *place.rglob("*")):
        path.chmod(path.stat().st_mode & 0o555)
    # As to somebody else, for the tests may be run by root, who may write anywhere.
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: access(path, mode) and (mode != os.W_OK or Path(path).stat().st_mode & 0o222)
    )
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.suffix != ".db-shm"}
    opened = Store(place)
    assert opened.run("first").tags.get("note") == ("in the journal" if open_elsewhere else None)
    for command in (
        ("runs",),
        ("runs", "show", "first"),
        ("runs", "diff", "first", "second"),
        ("predict", "second", tmp_path / "a.txt"),
    ):
        done = textcls(*command, "--store", place)
        assert (done.code, "moved here" in done.err) == (0, False), done.err
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    for _ in range(2):
        load("second", store=place)
        assert not [*scratch.iterdir()], "what was copied to be read is gone"
    assert not [file for file in Path("/dev/fd").iterdir() if str(scratch) in os.path.realpath(file)]
    message = f"{place}: the folder cannot be written to, so its runs can be read only"
    for command in (("runs", "delete", "first", "--yes"), ("runs", "gc", "--yes"), ("register", "first")):
        wrong(textcls(*command, "--store", place), message)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.suffix != ".db-shm"} == before
    for path in (place, *place.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


# --- stores that cannot be opened -----------------------------------------------------------------------------------


def test_a_locked_database(store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_DATABASE_SECONDS", 0.2)
    with closing(sqlite3.connect(store_folder / "mlflow.db")) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError) as caught:
            Store(store_folder)
    assert str(caught.value) == (
        f"{store_folder}: another process keeps mlflow.db to itself; waited 0.2 seconds; end it and try again"
    )


def test_a_folder_that_another_process_keeps(store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_MOST_SECONDS", 0.2)
    code = "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); input()"
    command = [sys.executable, "-c", code, str(store_folder / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(TrackingError) as caught:
            Store(store_folder)
        holder.communicate("\n")
    assert str(caught.value) == (
        f"{store_folder}: another process has been opening the store for 0.2 seconds; wait for it, or end it"
    )


def test_a_store_of_a_newer_mlflow(store_folder: Path) -> None:
    with closing(sqlite3.connect(store_folder / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fff'")
    state = json.loads((store_folder / "store.json").read_text())
    (store_folder / "store.json").write_text(json.dumps({**state, "mlflow": "99.0.0"}))
    with pytest.raises(TrackingError, match=r"the store was made by a newer MLflow \(99\.0\.0; here is .*\); upgrade textcls"):
        Store(store_folder)
    assert not list(store_folder.glob("*.mlflow-99*"))


def test_a_damaged_database(store_folder: Path) -> None:
    (store_folder / "mlflow.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(TrackingError, match=r"mlflow\.db is damaged \(.*\); put a copy of it in its place"):
        Store(store_folder)
