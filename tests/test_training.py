"""Runs from end to end, with every family, tracked and not."""

from __future__ import annotations

import csv
import inspect
import json
import logging
import os
import re
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import Done, Forked, toy_rows, write_jsonl
from PIL import Image

from textcls.artifacts import describe_model, load_model
from textcls.config import Config, load_config, make_config
from textcls.dataset import dataset_identity, load_dataset
from textcls.errors import ConfigError, DataError, ModelError, OutputError, TextclsError
from textcls.evaluation import evaluate, make_predictions
from textcls.models import FAMILIES, classifier_class
from textcls.tracking import Store
from textcls.tracking.kept import read_predictions
from textcls.training import Reporter, RunResult, run_name, train, work
from textcls.training import run as run_stages

HEADLINE = ["test/macro_f1", "test/accuracy", "test/log_loss", "test/ece"]
KEPT = {
    "config/resolved.yaml",
    "environment.txt",
    "evaluation.json",
    "intervals.json",
    "labels.json",
    "per_label.csv",
    "plots/confusion_matrix.png",
    "plots/per_label.png",
    "plots/precision_recall.png",
    "plots/reliability.png",
    "plots/risk_coverage.png",
    "predictions/test.json",
    "predictions/test.jsonl",
    "report.html",
}

Settings = Callable[..., dict[str, Any]]


@pytest.fixture(params=sorted(set(FAMILIES) - {"ensemble"}))  # which takes finished models; see test_families
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(model_settings: Callable[[str], dict[str, Any]], tmp_path: Path, store_folder: Path) -> Settings:
    """The settings of a run on given files: three articles to learn from, one to measure on; not tracked unless told."""
    train_file = write_jsonl(tmp_path / "toy-train.jsonl", toy_rows("abc"))
    test_file = write_jsonl(tmp_path / "toy-test.jsonl", toy_rows("d"))

    def made(kind: str = "tfidf", *, tracked: bool = False, **sections: Any) -> dict[str, Any]:
        base: dict[str, Any] = {
            "seed": 1,
            "data": {"name": "toy", "train": str(train_file), "test": str(test_file)},
            "model": model_settings(kind),
            "tracking": {"enabled": tracked, "folder": str(store_folder)},
        }
        return base | sections

    return made


@pytest.fixture
def folds(settings: Settings, toy_file: Path) -> Settings:
    """The same with folds, in which a transformer learns little but quickly."""

    def made(kind: str = "tfidf", *, splits: Any = None, **sections: Any) -> dict[str, Any]:
        chosen = splits or {"kind": "k-fold", "folds": 3, "validation": 0}
        made = settings(kind, splits=chosen, data={"name": "toy", "train": str(toy_file)}, **sections)
        if kind == "transformer":
            made["model"]["epochs"] = 1
        return made

    return made


def artifacts(store: Store, run_id: str, below: str | None = None) -> set[str]:
    found = set()
    for file in store.client.list_artifacts(run_id, below):
        found |= artifacts(store, run_id, file.path) if file.is_dir else {file.path}
    return found


def kept_in(store: Store, run_id: str) -> Path:
    experiment = store.client.get_run(run_id).info.experiment_id
    name = store.client.get_experiment(experiment).name
    return store.folder / "artifacts" / name / run_id / "artifacts"


def read(store: Store, run_id: str, file: str) -> str:
    return (kept_in(store, run_id) / file).read_text(encoding="utf-8")


# --- what people look at --------------------------------------------------------------------------------------------


def test_a_run_keeps_the_columns_of_the_data_and_shows_mistakes_in_their_place(
    settings: Settings, store_folder: Path, tmp_path: Path
) -> None:
    rows = [
        {**row, "desk": "war" if place % 2 else "sport", "url": f"u{place}", "annotator_labels": [row["label"], "fact"]}
        for place, row in enumerate(toy_rows("efghijklmn", per_article=4))
    ]
    rows[5]["label"] = "fact"  # which is an opinion
    data = {"name": "toy", "train": str(tmp_path / "toy-train.jsonl"), "test": str(write_jsonl(tmp_path / "test.jsonl", rows))}
    result = train(settings(tracked=True, data=data))
    assert result.run_id is not None
    assert (result.predictions[1]["desk"], result.predictions[5]["annotator_labels"]) == ("war", ["opinion", "fact"])
    assert "url" not in result.predictions[0]
    store = Store(store_folder)
    wrong = json.loads(read(store, result.run_id, "predictions/wrong.json"))
    assert wrong["columns"][:7] == ["text", "prediction", "label", "score", "weighed", "before", "after"]
    (first,) = [dict(zip(wrong["columns"], row, strict=True)) for row in wrong["data"] if row[0] == rows[5]["text"]]
    assert (first["before"], first["after"]) == (rows[4]["text"], rows[6]["text"])
    assert re.search(r"\+\d\.\d\d", first["weighed"])
    slices = read(store, result.run_id, "slices.csv").splitlines()
    assert slices[0].startswith("column,value,rows,units,accuracy,accuracy_low")
    assert {"desk,war", "annotators,differ"} <= {",".join(line.split(",")[:2]) for line in slices}
    assert json.loads(read(store, result.run_id, "annotators.json"))["judgements"] == 2 * len(rows)
    assert read(store, result.run_id, "per_label.csv").splitlines()[0].endswith("support,annotators_f1")
    kept = [json.loads(line) for line in read(store, result.run_id, "predictions/test.jsonl").splitlines()]
    assert [row["desk"] for row in kept] == [row["desk"] for row in rows]


def test_folds_keep_what_they_doubt_as_a_queue(settings: Settings, store_folder: Path, tmp_path: Path) -> None:
    rows = toy_rows("abcdef", per_article=4)
    rows[5]["label"] = "fact"  # which is an opinion
    data = {"name": "toy", "train": str(write_jsonl(tmp_path / "doubted.jsonl", rows))}
    for repeats in (1, 2):
        splits = {"kind": "k-fold", "folds": 3, "validation": 0, "repeats": repeats}
        result = train(settings(tracked=True, data=data, splits=splits))
        assert result.run_id is not None
        suspects = [json.loads(line) for line in read(Store(store_folder), result.run_id, "suspects.jsonl").splitlines()]
        assert (suspects[0]["id"], suspects[0]["label"], suspects[0]["suggestion"]) == (rows[5]["id"], "fact", "opinion")
        assert (suspects[0]["article"], suspects[0]["before"]) == ("a", rows[4]["text"])
        said = ", the first of 2" in read(Store(store_folder), result.run_id, "report.html")
        assert said == (repeats == 2), "whose parts and doubted labels these are"


def test_slices_are_of_the_first_seed_and_no_places_in_groups_that_are_no_articles(
    settings: Settings, store_folder: Path, tmp_path: Path
) -> None:
    rows = [{**row, "customer": row["article"]} for row in toy_rows("cabdefgh", per_article=6)]
    data = {"name": "toy", "group": "customer", "train": str(write_jsonl(tmp_path / "many.jsonl", rows))}
    result = train(settings(tracked=True, data=data, splits={"kind": "hash", "test": 0.6, "repeats": 2}))
    counts = Counter(row["seed"] for row in result.predictions)
    assert result.predictions[0]["seed"] == 2, "the first seed does not hold out the first row"
    assert counts[1] != counts[2]
    slices = [*csv.DictReader(read(Store(store_folder), str(result.run_id), "slices.csv").splitlines())]
    assert sum(int(row["rows"]) for row in slices if row["column"] == "label") == counts[1]
    assert "position" not in {row["column"] for row in slices}
    assert "of seed 1, the first of 2" in read(Store(store_folder), str(result.run_id), "report.html")


def test_folds_do_not_doubt_a_label_that_stands_in_one_article_only(
    settings: Settings, store_folder: Path, tmp_path: Path
) -> None:
    rows = toy_rows("abc", per_article=4)
    for row in rows:
        if row["article"] == "c" and row["label"] == "quote":
            row["label"] = "rumour"
    data = {"name": "toy", "train": str(write_jsonl(tmp_path / "rare.jsonl", rows))}
    result = train(settings(tracked=True, data=data, splits={"kind": "leave-one-group-out", "validation": 0}))
    assert result.run_id is not None
    assert "suspects.jsonl" not in artifacts(Store(store_folder), result.run_id)
    assert "4 of 36 rows are not searched for label errors" in read(Store(store_folder), result.run_id, "log.txt")


@pytest.mark.parametrize(
    ("error", "words"),
    [(ModelError("captum is not there"), "captum is not there"), (RuntimeError("odd"), "RuntimeError('odd')")],
)
def test_a_run_is_not_lost_because_nothing_can_say_what_weighed(
    error: Exception, words: str, settings: Settings, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: Any) -> None:
        raise error

    monkeypatch.setattr(classifier_class("tfidf"), "explain", refuse)
    given = settings(tracked=True)
    given["model"] |= {"C": 1e-6}
    result = train(given)
    assert result.run_id is not None
    assert f"what weighed is not told: {words}" in read(Store(store_folder), result.run_id, "log.txt")


@pytest.mark.parametrize("kind", ["given", "leave-one-group-out"])
def test_seeds_that_change_nothing_are_told(
    kind: str, settings: Settings, toy_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = settings()["data"] if kind == "given" else {"train": str(toy_file)}
    train(settings(data=data, splits={"kind": kind, "repeats": 2}), output=tmp_path / "model")
    told = f"splits.repeats has no effect: with splits.kind '{kind}' a model of kind 'tfidf' is the same with every seed"
    assert told in caplog.text


def test_settings_without_effect_are_told(
    settings: Settings, toy_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    splits = {"kind": "hash", "test": 0.5, "folds": 3}
    given = settings(data={"train": str(toy_file)}, splits=splits, decision={"share": 0.5})
    train(given, output=tmp_path / "model")
    assert "splits.folds is of splits.kind 'k-fold' alone; with 'hash' it has no effect" in caplog.text
    assert "decision.share has no effect, since decision asks for nothing that is learnt" in caplog.text
    assert "splits.test" not in caplog.text


# --- one split ------------------------------------------------------------------------------------------------------


@pytest.mark.drawn
def test_a_run_end_to_end(
    kind: str, settings: Settings, store_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = settings(kind, tracked=True)
    result = train(given, output=tmp_path / "model")
    assert capfd.readouterr() == ("", ""), "library code prints nothing"

    names = list(result.metrics)
    assert names[:4] == HEADLINE
    assert set(names[4:]) >= {"time/fit_s", "time/total_s", "size/model_mb", "latency/p50_ms"}
    validated = {f"validation/{name}" for name in ("macro_f1", "accuracy", "log_loss", "ece")}
    assert set(names) & validated == (validated if classifier_class(kind).uses_validation else set())
    assert {f"test.per_label/f1/{label}" for label in ("fact", "opinion", "quote")} <= set(names)
    assert result.metrics["test/macro_f1"] == result.evaluation.macro_f1 > 0.8
    assert all(isinstance(value, int | float) and np.isfinite(value) for value in result.metrics.values())

    assert [row["id"] for row in result.predictions] == [row["id"] for row in toy_rows("d")]
    first = result.predictions[0]
    assert list(first) == ["text", "prediction", "label", "score", "id", "article", "fold", "seed", "probabilities"]
    assert first["score"] == pytest.approx(max(first["probabilities"].values()), abs=1e-4)
    assert sum(row["prediction"] == row["label"] for row in result.predictions) / 6 == pytest.approx(result.evaluation.accuracy)

    for name in (name for name in KEPT if name.startswith("plots/")):
        with Image.open(kept_in(Store(store_folder), str(result.run_id)) / name) as picture:
            assert min(picture.size) > 300, name

    assert result.model_folder == tmp_path / "model"
    description = describe_model(tmp_path / "model")
    assert description.config == make_config(given).model_dump(mode="json")
    assert description.metrics["test/macro_f1"] == result.metrics["test/macro_f1"]
    assert description.protocol == "on 6 given test rows"
    dataset = load_dataset(make_config(given).data)
    assert description.data is not None
    assert (description.data.name, description.data.identity, description.data.rows) == ("toy", dataset_identity(dataset), 24)
    texts = [row["text"] for row in toy_rows("d")]
    loaded = load_model(tmp_path / "model").predict_proba(texts)
    np.testing.assert_array_equal(loaded, result.classifier.predict_proba(texts))
    np.testing.assert_allclose(
        loaded, [[row["probabilities"][label] for label in result.classifier.classes_] for row in result.predictions], atol=1e-5
    )

    assert list(Path.cwd().iterdir()) == []
    (run,) = Store(store_folder).runs(children=True)
    assert (run.id, run.name, run.experiment, run.kind, run.status) == (
        result.run_id,
        result.name,
        "toy",
        "single",
        "FINISHED",
    )
    assert run.data == dataset_identity(dataset)
    assert {name: run.metrics[name] for name in names} == pytest.approx(result.metrics, abs=1e-4)
    assert run.parameters["model.kind"] == kind
    assert run.parameters["seed"] == run.parameters["model.seed"] == "1"
    assert (run.parameters["data.rows"], run.parameters["data.n_labels"]) == ("24", "3")
    assert len(run.parameters) <= 40


def test_what_is_kept_gives_the_figures_that_are_tracked(
    settings: Settings, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small probabilities are most of the log loss: as nothing, each would be 34.5 nats."""
    small = np.array([1.23456789012e-9, 0.4, 0.6 - 1.23456789012e-9])
    monkeypatch.setattr(classifier_class("tfidf"), "predict_proba", lambda _, rows: np.tile(small, (len(rows), 1)))
    result = train(settings(tracked=True))
    store = Store(store_folder)
    run = store.run(str(result.run_id))
    kept = make_predictions(read_predictions(store, run), name="kept")
    found = evaluate(kept.true, kept.probabilities, kept.labels)
    assert found.log_loss == pytest.approx(result.metrics["test/log_loss"], rel=1e-6)


def test_a_run_that_is_not_tracked_comes_to_the_same_and_leaves_no_run(
    settings: Settings, store_folder: Path, tmp_path: Path
) -> None:
    tracked, untracked = (train(settings(tracked=how), output=tmp_path / f"model {how}") for how in (True, False))
    assert (untracked.run_id, untracked.model_folder) == (None, tmp_path / "model False")
    assert untracked.predictions == tracked.predictions
    assert list(untracked.metrics) == list(tracked.metrics)
    assert [run.id for run in Store(store_folder).runs(children=True)] == [tracked.run_id]


def test_a_run_keeps_everything_needed_to_repeat_it(settings: Settings, store_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("# my words\n" + yaml.safe_dump(settings("tfidf", tracked=True)))
    store = Store(store_folder)
    result = train(file, overrides=["model.C=7"])
    run_id = str(result.run_id)
    kept = {name for name in artifacts(store, run_id) if not name.startswith("images/")}
    assert KEPT | {"config/given.yaml"} <= kept | {"predictions/wrong.json"}
    assert "log.txt" not in kept, "there is nothing to warn of"
    assert read(store, run_id, "config/given.yaml") == file.read_text()
    (tmp_path / "resolved.yaml").write_text(read(store, run_id, "config/resolved.yaml"))
    assert load_config(tmp_path / "resolved.yaml") == load_config(file, ["model.C=7"])
    assert json.loads(read(store, run_id, "labels.json")) == ["fact", "opinion", "quote"]
    environment = read(store, run_id, "environment.txt").splitlines()
    assert f"textcls=={version('textcls')}" in environment
    assert environment == sorted(environment)

    table = json.loads(read(store, run_id, "predictions/test.json"))
    assert table["columns"][:4] == ["text", "prediction", "label", "score"]
    assert len(table["data"]) == 6
    lines = [json.loads(line) for line in read(store, run_id, "predictions/test.jsonl").splitlines()]
    for line, row in zip(lines, result.predictions, strict=True):
        assert line["probabilities"] == pytest.approx(row["probabilities"], rel=1e-8)
    assert json.loads(read(store, run_id, "evaluation.json")) == result.evaluation.as_dict()
    assert (
        read(store, run_id, "per_label.csv").splitlines()[0] == "label,precision,recall,f1,f1_low,f1_high,support,annotators_f1"
    )

    inputs = {
        item.dataset.name: (item.dataset.digest, item.tags[0].value)
        for item in store.client.get_run(run_id).inputs.dataset_inputs
    }
    dataset = load_dataset(make_config(settings("tfidf")).data)
    parts = {part: dataset.filter(lambda row, part=part: row["split"] == part) for part in ("train", "test")}
    assert inputs == {
        "toy-train": (dataset_identity(parts["train"])[:36], "training"),
        "toy-test": (dataset_identity(parts["test"])[:36], "test"),
    }
    tags = store.client.get_run(run_id).data.tags
    assert tags["textcls.model_family"] == "tfidf"
    assert tags["textcls.version"] == version("textcls")
    assert len(tags["textcls.config_sha"]) == 64
    assert tags["mlflow.source.name"]


@pytest.mark.parametrize(("asked", "used"), [("fp32", "fp32"), ("auto", "bf16"), ("auto", "fp32")])
@pytest.mark.parametrize("decision", [{}, {"abstain_below": 0.1}])
def test_a_run_keeps_what_it_was_computed_with(
    asked: str,
    used: str,
    decision: dict[str, Any],
    settings: Settings,
    store_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if this machine computed in bf16, in which the loss is no number in the last case, so that training starts again."""
    from textcls.models import transformer
    from textcls.models.devices import best_device

    tune = transformer.fine_tune

    def tuned(model: Any, tokenizer: Any, tuning: Any, **rest: Any) -> Any:
        if (tuning.precision, used) == ("bf16", "fp32"):
            rest["folder"].mkdir()
            raise transformer.NotFiniteError
        return tune(model, tokenizer, tuning, **rest)

    monkeypatch.setattr("textcls.models.devices.computes_in_bf16", lambda: True)
    monkeypatch.setattr(transformer, "fine_tune", tuned)
    monkeypatch.setenv("WORLD_SIZE", "1")
    given = settings("transformer", tracked=True, decision=decision)
    given["model"] |= {"precision": asked, "epochs": 1}
    result = train(given)
    tags = Store(store_folder).run(str(result.run_id)).tags
    assert (tags["textcls.precision"], tags["textcls.processes"]) == (used, "1")
    assert tags["textcls.device"].startswith(best_device().type)


@pytest.mark.parametrize(("kind", "precisions"), [("tfidf", {None}), ("setfit", {"fp32"}), ("embedding", {"fp32"})])
def test_a_run_of_several_fits_keeps_what_each_was_computed_with(
    kind: str, precisions: set[str | None], folds: Settings, store_folder: Path
) -> None:
    given = folds(kind, tracked=True)
    given["splits"]["folds"] = 2
    train(given)
    runs = Store(store_folder).runs(children=True)
    assert len(runs) == 3
    assert {run.tags.get("textcls.precision") for run in runs} == precisions


def test_what_a_decision_asks_for_is_a_parameter(settings: Settings, store_folder: Path) -> None:
    for decision in ({}, {"abstain_below": 0.7}):
        result = train(settings(tracked=True, decision=decision))
        logged = Store(store_folder).run(str(result.run_id)).parameters
        found = {key: value for key, value in logged.items() if key.startswith("decision.")}
        assert found == {f"decision.{key}": str(value) for key, value in decision.items()}


def test_the_log_is_kept(settings: Settings, folds: Settings, store_folder: Path, tmp_path: Path) -> None:
    rows = toy_rows()
    data = write_jsonl(tmp_path / "twice.jsonl", [*rows, {**rows[0], "id": "again", "article": "e"}])
    config = folds("tfidf", tracked=True, splits={"kind": "leave-one-group-out", "duplicates": "warn"})
    config["data"]["train"] = str(data)
    result = train(config)
    log = read(Store(store_folder), str(result.run_id), "log.txt")
    assert "WARNING textcls.splits" in log
    assert not [handler for handler in logging.getLogger("textcls").handlers if "Collect" in type(handler).__name__]


def test_curves_of_a_transformer_are_kept(settings: Settings, store_folder: Path) -> None:
    result = train(settings("transformer", tracked=True))
    store = Store(store_folder)
    losses = store.client.get_metric_history(str(result.run_id), "train/loss")
    assert [point.step for point in losses] == sorted({point.step for point in losses})
    assert losses[-1].value < losses[0].value
    epochs = store.client.get_metric_history(str(result.run_id), "eval/macro_f1")
    assert 1 <= len(epochs) <= 8


# --- folds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tfidf", "transformer"])
def test_folds_are_children_of_one_run_with_mean_spread_and_interval(kind: str, folds: Settings, store_folder: Path) -> None:
    result = train(folds(kind, tracked=True))
    runs = Store(store_folder).runs(children=True)
    (parent,) = [run for run in runs if run.kind == "parent"]
    children = [run for run in runs if run.kind == "fold"]
    assert parent.id == result.run_id
    assert len(children) == parent.metrics["n_children"] == 3
    for name in HEADLINE:
        values = [child.metrics[name] for child in children]
        assert parent.metrics[name] == pytest.approx(mean(values), abs=1e-4)
        assert parent.metrics[f"{name}_std"] == pytest.approx(stdev(values), abs=1e-4)
        assert parent.metrics[f"{name}_low"] <= parent.metrics[name] <= parent.metrics[f"{name}_high"]
    assert parent.metrics["pooled/macro_f1"] == pytest.approx(result.evaluation.macro_f1, abs=1e-4)
    assert {child.data for child in children} == {parent.data}
    store = Store(store_folder)
    assert [bool(store.client.get_run(run.id).outputs.model_outputs) for run in [parent, *children]] == [True] + [False] * 3


def test_every_row_is_measured_once_by_a_fold_that_has_not_seen_its_article(folds: Settings, tmp_path: Path) -> None:
    rows = sorted(toy_rows(), key=lambda row: row["label"])  # articles mixed, so that the order is not that of the folds
    config = folds("tfidf", splits={"kind": "leave-one-group-out"})
    config["data"]["train"] = str(write_jsonl(tmp_path / "mixed.jsonl", rows))
    result = train(config, output=tmp_path / "model")
    assert [(row["id"], row["label"]) for row in result.predictions] == [(row["id"], row["label"]) for row in rows]
    assert {row["article"]: row["fold"] for row in result.predictions} == {name: f"without {name}" for name in "abcd"}
    assert result.evaluation.rows == 24
    assert describe_model(tmp_path / "model").protocol == "by leaving out each of 4 groups once, over 24 rows"


def test_every_metric_of_a_run_is_documented(folds: Settings, tmp_path: Path) -> None:
    result = train(folds("tfidf") | {"decision": {"abstain_below": 0.4}}, output=tmp_path / "model")
    said = inspect.getdoc(type(result)) or ""
    for name in result.metrics:
        family, _, figure = name.removesuffix("_std").removesuffix("_low").removesuffix("_high").rpartition("/")
        shown = {"test.per_label/f1": "test.per_label/f1/LABEL", "pooled": "pooled/…", "validation": "validation/…"}
        assert f"`{shown.get(family, f'{family}/{figure}'.lstrip('/'))}`" in said, name


def test_the_final_model_learns_from_all_rows(folds: Settings, tmp_path: Path) -> None:
    result = train(folds("tfidf"), output=tmp_path / "model")
    vocabulary = json.loads((tmp_path / "model" / "vocabulary.json").read_text())["words"]
    assert {letter * 6 for letter in "abcd"} <= set(vocabulary)
    assert result.classifier.predict([row["text"] for row in toy_rows()]).tolist() == [row["label"] for row in toy_rows()]


def test_a_label_that_a_fold_does_not_learn_is_still_measured(folds: Settings, tmp_path: Path) -> None:
    rows = toy_rows()
    for row in rows:
        if row["article"] == "d" and row["label"] == "quote":
            row["label"] = "rumour"
    config = folds("tfidf", splits={"kind": "leave-one-group-out"})
    config["data"]["train"] = str(write_jsonl(tmp_path / "rare.jsonl", rows))
    result = train(config, output=tmp_path / "model")
    assert result.evaluation.per_label["rumour"].recall == 0
    assert result.evaluation.per_label["rumour"].support == 2
    assert np.isfinite(list(result.metrics.values())).all()
    assert result.classifier.classes_.tolist() == ["fact", "opinion", "quote", "rumour"]


def test_a_fold_with_one_label_to_learn_from_is_named_before_any_is_fitted(
    folds: Settings, store_folder: Path, textcls: Callable[..., Done], tmp_path: Path
) -> None:
    rows = [row for row in toy_rows() if row["label"] == "fact" or (row["label"] == "quote" and row["article"] == "c")]
    config = folds("tfidf", splits={"kind": "leave-one-group-out"}, tracked=True)
    config["data"]["train"] = str(write_jsonl(tmp_path / "one.jsonl", rows))
    with pytest.raises(DataError) as caught:
        train(config)
    assert str(caught.value) == (
        "split without c: expected two labels or more to learn from, found only 'fact'; "
        "give more rows of other labels, or part the rows otherwise"
    )
    assert Store(store_folder).runs() == []
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    done = textcls("data", "check", file)
    assert f"PROBLEM splits of kind leave-one-group-out: {caught.value}" in done.out


def test_a_label_that_only_validation_rows_carry_does_not_stop_a_run(settings: Settings, tmp_path: Path) -> None:
    rows = [{**row, "label": "rumour" if row["label"] == "quote" else row["label"]} for row in toy_rows("e")]
    config = settings("transformer")
    config["data"] |= {
        "validation": str(write_jsonl(tmp_path / "validation.jsonl", rows)),
        "labels": ["fact", "opinion", "quote", "rumour"],
    }
    result = train(config, output=tmp_path / "model")
    assert result.classifier.classes_.tolist() == ["fact", "opinion", "quote"]
    assert np.isfinite(result.metrics["validation/macro_f1"])


# --- seeds ----------------------------------------------------------------------------------------------------------


def probabilities(result: RunResult) -> list[dict[str, float]]:
    return [row["probabilities"] for row in result.predictions]


@pytest.mark.parametrize(("seed", "used"), [(None, 1), (7, 7)])
def test_a_model_may_have_a_seed_of_its_own(seed: int | None, used: int, settings: Settings, tmp_path: Path) -> None:
    given = settings("static", splits={"repeats": 2})
    given["model"]["epochs"] = 1
    given["model"]["seed"] = seed
    result = train(given, output=tmp_path / "model")
    assert result.classifier.get_params()["seed"] == used
    assert sorted({row["seed"] for row in result.predictions}) == [1, 2]


def test_a_run_repeats_under_its_seed(kind: str, settings: Settings, folds: Settings, tmp_path: Path) -> None:
    config = folds(kind) if kind == "tfidf" else settings(kind)  # its folds take long
    first, second = (train(config, output=tmp_path / name) for name in ("first", "second"))
    assert first.predictions == second.predictions
    texts = [row["text"] for row in toy_rows()]
    np.testing.assert_array_equal(first.classifier.predict_proba(texts), second.classifier.predict_proba(texts))


def test_the_seed_reaches_the_split(toy_file: Path, settings: Settings, tmp_path: Path) -> None:
    def fold_of(seed: int) -> dict[str, str]:
        data = {"train": str(toy_file), "name": "toy", "group": "id"}
        config = settings("tfidf", data=data, splits={"kind": "k-fold", "folds": 3, "duplicates": "warn"}, seed=seed)
        return {row["id"]: row["fold"] for row in train(config, output=tmp_path / f"seed {seed}").predictions}

    assert fold_of(1) != fold_of(2)


def test_the_seed_reaches_the_model(settings: Settings, tmp_path: Path) -> None:
    results = {
        seed: train(settings("transformer"), overrides=[f"seed={seed}", "splits.validation=0"], output=tmp_path / f"seed {seed}")
        for seed in (1, 2)
    }
    assert {seed: result.classifier.get_params()["seed"] for seed, result in results.items()} == {1: 1, 2: 2}
    assert probabilities(results[1]) != probabilities(results[2])
    assert results[1].name != results[2].name


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_model_that_would_be_lost_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigError) as caught:
        train(settings("tfidf"))
    assert str(caught.value) == ("tracking.enabled is false and no output is named, so the model would be lost; name an output")


def test_an_existing_output_is_refused_before_the_data_are_read(settings: Settings, tmp_path: Path) -> None:
    config = settings("tfidf", data={"train": "no such file.jsonl"})
    with pytest.raises(OutputError) as caught:
        train(config, output=tmp_path)
    assert str(caught.value) == f"{tmp_path}: exists already; remove it or name another output"


def test_an_output_that_another_process_took_meanwhile_loses_no_training(
    settings: Settings, store_folder: Path, tmp_path: Path, textcls: Callable[..., Done]
) -> None:
    class Other(Reporter):
        def phase(self, name: str) -> None:
            if name == "writing":
                (tmp_path / "model").mkdir()

    config = settings("tfidf", tracked=True)
    with pytest.raises(OutputError) as caught:
        train(config, output=tmp_path / "model", reporter=Other())
    (run,) = Store(store_folder).runs()
    assert str(caught.value) == (
        f"{tmp_path}/model: exists already; remove it or name another output; nothing else is lost: "
        f"go on with --resume {run.id} and another output"
    )
    assert f"textcls train CONFIG --resume {run.id[:8]}" in textcls("runs", "show", run.id, "--store", store_folder).out
    train(config, output=tmp_path / "other", resume=run.id)
    assert load_model(tmp_path / "other").classes_.tolist() == ["fact", "opinion", "quote"]


def test_data_errors_leave_no_run(settings: Settings, store_folder: Path) -> None:
    with pytest.raises(DataError, match=r"^data.train: no such file.jsonl: no such file or folder in "):
        train(settings("tfidf", tracked=True, data={"train": "no such file.jsonl"}))
    assert Store(store_folder).runs() == []


def test_a_run_that_fails_is_failed_and_leaves_no_model(settings: Settings, store_folder: Path, tmp_path: Path) -> None:
    config = settings("tfidf", tracked=True)
    config["model"]["min_df"] = 99
    with pytest.raises(DataError, match="no n-gram occurs in 99"):
        train(config, output=tmp_path / "model")
    assert [run.status for run in Store(store_folder).runs()] == ["FAILED"]
    assert not (tmp_path / "model").exists()


def test_a_run_that_fails_keeps_its_log_and_says_why(
    folds: Settings, store_folder: Path, textcls: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = work.fit_classifier

    def second_fails(config: Config, rows: Any, its: Any, *arguments: Any, **options: Any) -> Any:
        if its.name == "fold 2":
            raise ModelError("the loss\nbecame NaN")
        return fit(config, rows, its, *arguments, **options)

    config = folds("tfidf", tracked=True)
    config["model"]["max_iter"] = 1
    with monkeypatch.context() as patch, pytest.raises(ModelError):
        patch.setattr(work, "fit_classifier", second_fails)
        train(config)
    (run,) = Store(store_folder).runs()
    assert run.error == "ModelError: the loss"
    assert "the regression stopped at model.max_iter (1)" in read(Store(store_folder), run.id, "log.txt")
    assert "\nerror     ModelError: the loss\n" in textcls("runs", "show", run.id, "--store", store_folder).out
    assert train(config, resume=run.id).run_id == run.id
    assert Store(store_folder).run(run.id).error == ""


def test_the_final_model_is_written_to_the_working_folder(
    settings: Settings, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is removed at its end, or by `gc --unfinished`, where what is left of a killed run elsewhere would stay."""
    places = []
    save = run_stages.save_model
    monkeypatch.setattr(
        run_stages, "save_model", lambda model, place, **about: places.append(place) or save(model, place, **about)
    )
    result = train(settings(tracked=True))
    assert places == [store_folder / "unfinished" / str(result.run_id) / "model"]
    assert not places[0].exists()


def test_a_config_can_be_read_once(
    settings: Settings, store_folder: Path, textcls: Callable[..., Done], fork: Callable[..., Forked]
) -> None:
    """As a shell's `<(…)` is."""
    text = yaml.safe_dump(settings(tracked=True))
    os.mkfifo("c.yaml")
    writer = fork(Path("c.yaml").write_text, text)
    done = textcls("train", "c.yaml")
    writer.wait()
    assert done.code == 0, done.err
    (run,) = Store(store_folder).runs()
    assert f"textcls predict {run.id} --store" in done.out
    assert read(Store(store_folder), run.id, "config/given.yaml") == text


def test_overrides_may_be_values(settings: Settings, tmp_path: Path) -> None:
    result = train(settings(), overrides={"model.C": 3, "tracking.name": "other"}, output=tmp_path / "model")
    assert (result.name, result.config.model.C) == ("other", 3)  # type: ignore[union-attr]


def test_a_config_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"data: {train: caf\xe9}")
    with pytest.raises(ConfigError, match=r"latin\.yaml: cannot be read as a config file: "):
        train(tmp_path / "latin.yaml")


def test_a_missing_config_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such config file"):
        train(tmp_path / "nothing.yaml")


# --- for the caller -------------------------------------------------------------------------------------------------


class Remember(Reporter):
    """Remember what a run tells."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.points: list[str] = []
        self.steps = 0

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def metric(self, name: str, value: float, step: int) -> None:
        self.points.append(name)

    def progress(self, done: int, total: int) -> None:
        self.steps += 1


def test_a_reporter_is_told_of_phases_and_steps(folds: Settings, tmp_path: Path) -> None:
    told = Remember()
    train(folds("transformer"), output=tmp_path / "model", reporter=told)
    assert told.phases[0] == "reading the data"
    assert [phase.partition(" (")[2] for phase in told.phases if " of 3)" in phase] == [f"{n} of 3)" for n in range(1, 4)]
    assert told.phases[-2:] == ["fitting the final model", "writing"]
    assert "train/loss" in told.points
    assert told.steps > 0


@pytest.mark.parametrize("share", [0.1, 0])
def test_a_validation_file_is_stopped_early_on_unless_the_share_is_zero(
    share: float, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also by the final model of several seeds, whose rows are chosen apart from theirs."""
    given = settings("transformer", splits={"validation": share, "repeats": 2})
    given["data"]["validation"] = given["data"].pop("test")
    given["model"]["epochs"] = 1
    told = Remember()
    train(given, output=tmp_path / "model", reporter=told)
    assert told.points.count("eval/macro_f1") == (3 if share else 0)
    assert any("by which the model is chosen" in message for message in caplog.messages) == (share > 0)


def test_a_config_comes_as_a_file_a_mapping_or_an_object(settings: Settings, tmp_path: Path) -> None:
    given = settings("tfidf")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(given))
    forms: list[Config | dict[str, Any] | str | Path] = [
        given,
        make_config(given),
        tmp_path / "config.yaml",
        str(tmp_path / "config.yaml"),
    ]
    results = [train(form, overrides=["model.C=3"], output=tmp_path / str(number)) for number, form in enumerate(forms)]
    assert [result.classifier.get_params()["C"] for result in results] == [3.0] * 4
    assert all(result.predictions == results[0].predictions for result in results)


@pytest.mark.parametrize(
    ("model", "fragments"),
    [
        ({"kind": "tfidf", "C": 0.5}, ("tfidf", "C0.5", "s7")),
        ({"kind": "transformer", "encoder": "/some/where/tiny", "learning_rate": 3e-5}, ("tiny", "3e-05", "s7")),
    ],
)
def test_a_runs_name_says_its_model_main_settings_and_seed(model: dict[str, Any], fragments: tuple[str, ...]) -> None:
    name = run_name(make_config({"seed": 7, "data": {"train": "x.jsonl"}, "model": model}))
    assert all(fragment in name for fragment in fragments)
    assert "/" not in name


def test_more_than_twenty_labels_have_no_metric_each(settings: Settings, tmp_path: Path) -> None:
    rows = [
        {"id": f"{turn}:{n}", "text": f"word{n} other{turn}{n * 7919}", "label": f"label {n:02}", "article": str(turn)}
        for turn in range(3)
        for n in range(21)
    ]
    data = write_jsonl(tmp_path / "many.jsonl", rows)
    config = settings("tfidf", data={"train": str(data)}, splits={"kind": "k-fold", "folds": 3, "duplicates": "warn"})
    result = train(config, output=tmp_path / "model")
    assert not [name for name in result.metrics if "per_label" in name]
    assert len(result.evaluation.per_label) == 21


def test_every_error_of_a_run_is_one_of_ours(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TextclsError, match="cannot be opened"):
        train(settings("tfidf", tracking={"folder": str(tmp_path / "file" / "store")}))
