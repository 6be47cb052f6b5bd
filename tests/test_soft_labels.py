"""Learning from the labels of several annotators: their column, what the families make of it, and a run on it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from conftest import toy_rows, write_jsonl

from textcls.config import DataConfig, make_config
from textcls.dataset import dataset_identity, load_dataset
from textcls.errors import ConfigError, DataError, ModelError
from textcls.models import Listener, TextClassifier, classifier_class
from textcls.training import train

ROWS = toy_rows()
TEXTS = [row["text"] for row in ROWS]
LABELS = [row["label"] for row in ROWS]
SOFT = ["embedding", "static", "tfidf", "transformer"]

# Of the annotators of a fact, one of four calls it an opinion.
ANNOTATIONS = [["fact", "opinion", "fact", "fact"] if label == "fact" else [label] * 2 for label in LABELS]
SHARES = {"fact": [0.75, 0.25, 0.0], "opinion": [0.0, 1.0, 0.0], "quote": [0.0, 0.0, 1.0]}


@pytest.fixture
def make(model_settings: Callable[[str], dict[str, Any]]) -> Callable[..., TextClassifier]:
    def made(kind: str, **settings: Any) -> TextClassifier:
        chosen = {**model_settings(kind), "seed": 1, **settings}
        return classifier_class(chosen.pop("kind"))(**chosen)

    return made


# --- the column -----------------------------------------------------------------------------------------------------


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSONL, CSV (with lists as JSON) or Parquet."""
    if path.suffix == ".jsonl":
        return write_jsonl(path, rows)
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        return path
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "votes": json.dumps(row["votes"])} for row in rows)
    return path


def identity(path: Path, votes: list[list[str]], column: str | None = "votes") -> str:
    rows = [{"text": f"text {number}", "label": "xy"[number], "votes": each} for number, each in enumerate(votes)]
    return dataset_identity(load_dataset(DataConfig(train=str(write(path, rows)), annotations=column)))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_the_labels_of_annotators_are_read_from_any_file(tmp_path: Path, suffix: str) -> None:
    rows = [{"text": "a", "label": "x", "votes": ["x", "y", "x"]}, {"text": "b", "label": "y", "votes": ["y"]}]
    path = write(tmp_path / f"d{suffix}", rows)
    assert load_dataset(DataConfig(train=str(path), annotations="votes"))["annotations"][:] == [["x", "y", "x"], ["y"]]
    assert load_dataset(DataConfig(train=str(path)))["annotations"][:] == [None, None]


def test_rows_to_measure_on_need_no_annotators(tmp_path: Path) -> None:
    first = write_jsonl(
        tmp_path / "train.jsonl", [{"text": "a", "label": "1", "votes": [1, 2]}, {"text": "b", "label": "2", "votes": [2]}]
    )
    test = write_jsonl(tmp_path / "test.jsonl", [{"text": "c", "label": "1"}])
    dataset = load_dataset(DataConfig(train=str(first), test=str(test), annotations="votes"))
    assert dataset["annotations"][:] == [["1", "2"], ["2"], None]


def test_who_skipped_a_sentence_gave_it_no_label(tmp_path: Path) -> None:
    votes = [["x", "skip"], ["skip"], ["y", "x", "skip"]]
    rows = [{"text": text, "label": label, "votes": its} for text, label, its in zip("abc", "xyy", votes, strict=True)]
    path = write_jsonl(tmp_path / "d.jsonl", rows)
    assert load_dataset(DataConfig(train=str(path), annotations="votes"))["annotations"][:] == [["x"], ["y"], ["y", "x"]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "no column 'votes'; known: label, text"),
        ({"vote": ["x"]}, "no column 'votes'; did you mean 'vote'?"),
        ({"votes": []}, "expected votes to be a list of labels, one of each annotator, found []"),
        ({"votes": None}, "expected votes to be a list of labels, one of each annotator, found null"),
        ({"votes": "x"}, 'expected votes to be a list of labels, one of each annotator, found "x"'),
        ({"votes": {"ann": "x"}}, 'expected votes to be a list of labels, one of each annotator, found {"ann": "x"}'),
        ({"votes": ["x", None]}, 'expected votes to be a list of labels, one of each annotator, found ["x", null]'),
        ({"votes": ["x", " "]}, 'expected votes to be a list of labels, one of each annotator, found ["x", " "]'),
        ({"votes": ["x", True]}, 'expected votes to be a list of labels, one of each annotator, found ["x", true]'),
        ({"votes": ["x", "z"]}, "an annotator's label 'z' is unknown; known: x, y"),
    ],
)
def test_annotators_labels_that_cannot_be_used(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    rows = [{"text": "a", "label": "x", "votes": ["x"]}, {"text": "b", "label": "y", **row}]
    path = write_jsonl(tmp_path / "d.jsonl", rows)
    with pytest.raises(DataError) as caught:
        load_dataset(DataConfig(train=str(path), annotations="votes"))
    assert str(caught.value) == f"{path}, line 2: {message}"


def test_the_identity_counts_the_annotators_that_are_learnt_from(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    expected = identity(path, [["x", "y"], ["y"]])
    assert identity(path, [["y", "x"], ["y"]]) == expected
    assert identity(path, [["x", "x", "y"], ["y"]]) != expected
    assert identity(path, [["x"], ["y", "x"]]) != expected
    assert identity(path, [["x", "y"], ["y"]], column=None) == identity(path, [["y"], ["x"]], column=None) != expected


# --- the families ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SOFT)
def test_probabilities_come_to_be_the_annotators_shares(kind: str, make: Callable[..., TextClassifier]) -> None:
    longer = {"transformer": {"epochs": 40}, "static": {"epochs": 60}}.get(kind, {})
    fitted = make(kind, class_weight=None, **longer).fit(TEXTS, LABELS, annotations=ANNOTATIONS)
    assert fitted.classes_.tolist() == ["fact", "opinion", "quote"]
    expected = np.array([SHARES[label] for label in LABELS])
    assert np.abs(fitted.predict_proba(TEXTS) - expected).max() < 0.15
    assert fitted.predict(TEXTS).tolist() == LABELS


@pytest.mark.parametrize("kind", SOFT)
def test_annotators_of_one_mind_are_one_label_bit_for_bit(kind: str, make: Callable[..., TextClassifier]) -> None:
    of_one_mind = make(kind).fit(TEXTS, LABELS[1:] + LABELS[:1], annotations=[[label] * 3 for label in LABELS])
    np.testing.assert_array_equal(of_one_mind.predict_proba(TEXTS), make(kind).fit(TEXTS, LABELS).predict_proba(TEXTS))


@pytest.mark.parametrize("kind", ["embedding", "tfidf"])
def test_a_divided_text_counts_as_its_parts(kind: str, make: Callable[..., TextClassifier]) -> None:
    # Thrice a fact and once an opinion is four texts, with weights by which the labels count alike.
    settings = {"min_df": 1, "sublinear_tf": False} if kind == "tfidf" else {}
    repeated = [
        (text, label) for text, each in zip(TEXTS, ANNOTATIONS, strict=True) for label in (each * 2 if len(each) == 2 else each)
    ]
    texts, labels = zip(*repeated, strict=True)
    # Four times as many rows are four times the loss, beside the same penalty.
    soft = make(kind, C=4.0, **settings).fit(TEXTS, LABELS, annotations=ANNOTATIONS)
    hard = make(kind, C=1.0, **settings).fit(texts, labels)
    np.testing.assert_allclose(soft.predict_proba(TEXTS), hard.predict_proba(TEXTS), atol=0.02)


class Curve(Listener):
    def __init__(self) -> None:
        self.losses: list[float] = []

    def metric(self, name: str, value: float, step: int) -> None:
        self.losses += [value] if name == "train/loss" else []


def test_the_loss_of_shares_is_on_the_scale_of_labels(make: Callable[..., TextClassifier]) -> None:
    of_labels, of_shares = Curve(), Curve()
    settings = {"epochs": 1, "learning_rate": 1e-6, "gradient_accumulation": 2, "label_smoothing": 0.1}
    make("transformer", **settings).fit(TEXTS, LABELS, listener=of_labels)
    nearly = [[label] * 99 + ["quote"] for label in LABELS]
    make("transformer", **settings).fit(TEXTS, LABELS, annotations=nearly, listener=of_shares)
    np.testing.assert_allclose(of_shares.losses, of_labels.losses, rtol=0.05)


def test_a_transformer_stops_early_on_labels(make: Callable[..., TextClassifier]) -> None:
    fitted = make("transformer").fit(TEXTS, LABELS, annotations=ANNOTATIONS, validation=(TEXTS, LABELS))
    assert fitted.predict(TEXTS).tolist() == LABELS


def test_setfit_refuses_shares(make: Callable[..., TextClassifier]) -> None:
    with pytest.raises(ModelError) as caught:
        make("setfit").fit(TEXTS, LABELS, annotations=ANNOTATIONS)
    assert (
        str(caught.value)
        == "setfit learns from pairs of one label each, not from several annotators' labels; take another family"
    )


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (ANNOTATIONS[:3], "expected annotators' labels for each text, found 24 texts and labels for 3"),
        ([*ANNOTATIONS[:-1], []], "annotators of text 23: expected a label or more, like those of the texts, found []"),
        ([*ANNOTATIONS[:-1], "fact"], "annotators of text 23: expected a label or more, like those of the texts, found 'fact'"),
        (
            [*ANNOTATIONS[:-1], ["fact", None]],
            "annotators of text 23: expected a label or more, like those of the texts, found ['fact', None]",
        ),
        ([["fact"]] * 24, "expected two labels or more, found only 'fact'"),
    ],
)
def test_shares_that_cannot_be_learnt(annotations: Any, message: str, make: Callable[..., TextClassifier]) -> None:
    with pytest.raises(DataError) as caught:
        make("tfidf").fit(TEXTS, LABELS, annotations=annotations)
    assert str(caught.value) == message


# --- a run ----------------------------------------------------------------------------------------------------------


def settings(path: Path, kind: str = "tfidf") -> dict[str, Any]:
    return {
        "seed": 1,
        "data": {"name": "toy", "train": str(path), "annotations": "annotations"},
        "splits": {"kind": "leave-one-group-out", "validation": 0},
        "model": {"kind": kind},
        "tracking": {"enabled": False},
    }


def test_a_run_learns_from_annotators_and_is_measured_on_labels(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        # No text of the last article is learnt as its label; and its own annotators alone have a fourth label.
        {**row, "annotations": [row["label"]] if row["article"] != "d" else ["rumour", "opinion"]}
        for row in ROWS
    ]
    path = write_jsonl(tmp_path / "toy.jsonl", rows)
    config = settings(path) | {"model": {"kind": "tfidf", "min_df": 1, "C": 100.0, "class_weight": None}}
    config["data"]["labels"] = ["fact", "opinion", "quote", "rumour"]
    result = train(config, output=tmp_path / "model")
    assert [row["label"] for row in result.predictions] == LABELS
    assert result.evaluation.labels == ["fact", "opinion", "quote", "rumour"]
    assert result.classifier.classes_.tolist() == ["fact", "opinion", "quote", "rumour"]
    learnt = result.classifier.predict_proba([row["text"] for row in rows if row["article"] == "d"])
    assert np.abs(learnt - [0, 0.5, 0, 0.5]).max() < 0.25


def test_an_ensemble_of_models_that_learnt_from_annotators_names_the_same_data(tmp_path: Path) -> None:
    """It learns nothing, but what annotators said is part of the data that its members are known to have learnt from."""
    path = write_jsonl(tmp_path / "toy.jsonl", [{**row, "annotations": [row["label"]]} for row in ROWS])
    shared = settings(path) | {"splits": {"kind": "hash", "test": 0.5, "validation": 0}}
    members = []
    for C in (1.0, 100.0):
        members.append(str(tmp_path / f"C{C:g}"))
        train(make_config(shared | {"model": {"kind": "tfidf", "min_df": 1, "C": C}}), output=members[-1])
    model = {"kind": "ensemble", "members": members}
    assert train(make_config(shared | {"model": model}), output=tmp_path / "both").classifier.kind == "ensemble"
    shared["data"] = {name: value for name, value in shared["data"].items() if name != "annotations"}
    with pytest.raises(ConfigError, match="learnt from other data"):
        train(make_config(shared | {"model": model}), output=tmp_path / "other")


def test_a_config_of_setfit_refuses_annotators(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config(settings(tmp_path / "toy.jsonl", "setfit"))
    assert str(caught.value) == (
        "config: data.annotations names labels of several annotators, but kind 'setfit' learns from pairs of one label each; "
        "set it to null or take another kind"
    )
