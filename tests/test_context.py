"""Neighbouring sentences: found in the data, and read by models that ask for them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Done, write_jsonl

from textcls.artifacts import load_model
from textcls.dataset import add_context
from textcls.errors import DataError
from textcls.prediction import evaluate_file
from textcls.training import train

ARTICLE = [{"text": text, "article": "a"} for text in ("One.", "Two.", "Three.", "Four.")]


def test_neighbours_are_the_rows_of_the_same_article() -> None:
    rows = add_context([*ARTICLE, {"text": "Else.", "article": "b"}], before=2, after=1)
    assert [row["before"] for row in rows] == ["", "One.", "One. Two.", "Two. Three.", ""]
    assert [row["after"] for row in rows] == ["Two.", "Three.", "Four.", "", ""]


def test_a_rows_own_neighbour_comes_first() -> None:
    rows = add_context([ARTICLE[0], {**ARTICLE[1], "before": "A heading"}, {**ARTICLE[2], "before": "Two."}], before=2, after=0)
    assert [row["before"] for row in rows] == ["", "One. A heading", "One. Two."]


def test_neighbours_are_of_the_article_whatever_the_group() -> None:
    rows = add_context([{**row, "group": "writer"} for row in (ARTICLE[0], {"text": "Else.", "article": "b"})], before=1, after=1)
    assert [(row["before"], row["after"]) for row in rows] == [("", ""), ("", "")]


def test_an_article_may_be_named_by_anything() -> None:
    rows = add_context(
        [{"text": text, "article": name} for text, name in (("One.", ["a"]), ("Two.", ["a"]), ("Else.", 2))], before=1, after=0
    )
    assert [row["before"] for row in rows] == ["", "One.", ""]


@pytest.mark.parametrize("number", [0, 1, 0.0])
def test_an_article_may_be_named_by_any_number(number: float) -> None:
    rows = add_context([{"text": text, "article": number} for text in ("One.", "Two.")], before=1, after=0)
    assert [row["before"] for row in rows] == ["", "One."]


@pytest.mark.parametrize("blank", [None, "", " ", float("nan")])
def test_rows_whose_article_is_blank_have_no_neighbours_but_those_of_their_group(blank: Any) -> None:
    alone = [{"text": text, "article": blank} for text in ("One.", "Two.")]
    assert [row["before"] for row in add_context(alone, before=1, after=0)] == ["", ""]
    grouped = [{**row, "group": "g"} for row in alone]
    assert [row["before"] for row in add_context(grouped, before=1, after=0)] == ["", "One."]


def test_the_time_grows_with_the_rows_of_an_article_not_with_their_square() -> None:
    start = time.process_time()
    add_context([{"text": "One.", "article": "a"}] * 20_000, before=1, after=1)
    assert time.process_time() - start < 1  # copying what is left of the article for each row took five


def test_rows_without_an_article_have_no_neighbours() -> None:
    rows = add_context([{"text": "One."}, {"text": "Two."}], before=1, after=1)
    assert [(row["before"], row["after"]) for row in rows] == [("", ""), ("", "")]


@pytest.fixture
def echoes(tmp_path: Path) -> Path:
    """A file of rows whose label only the sentence before them tells, and beside it another to measure on."""
    rows: list[dict[str, str]] = []
    chance = random.Random(0)
    for article in range(30):
        kind = ("good", "bad")[article % 2]
        word, other = ("".join(chance.choices("klmnoprst", k=6)) for _ in range(2))
        rows.append({"text": f"{kind} news came to {word}", "label": kind, "article": str(article)})
        rows.append({"text": f"it was a day for {other}", "label": kind, "article": str(article)})
    write_jsonl(tmp_path / "measured.jsonl", rows[40:])
    return write_jsonl(tmp_path / "echoes.jsonl", rows[:40])


def test_a_model_with_context_knows_what_one_without_cannot(
    kind: str, echoes: Path, model_settings: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    def run(context: dict[str, int] | None) -> float:
        model = model_settings(kind) | {"context": context}
        data = {"train": str(echoes), "test": str(echoes.with_name("measured.jsonl"))}
        splits = {"duplicates": "warn", "validation": 0}
        config = {"data": data, "splits": splits, "model": model, "tracking": {"enabled": False}}
        return train(config, output=tmp_path / f"model-{context is not None}").evaluation.accuracy

    assert run({"before": 1, "after": 0}) > run(None) + 0.1
    evaluation, *_ = evaluate_file(load_model(tmp_path / "model-True"), echoes)
    assert evaluation.accuracy > 0.9


def test_a_group_that_is_no_article_counts_where_a_model_is_used_as_in_its_run(
    echoes: Path, textcls: Callable[..., Done], tmp_path: Path
) -> None:
    for file in (echoes, echoes.with_name("measured.jsonl")):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        write_jsonl(file, [{"customer": row.pop("article"), **row} for row in rows])
    measured = echoes.with_name("measured.jsonl")
    config = {
        "data": {"train": str(echoes), "test": str(measured), "group": "customer"},
        "splits": {"duplicates": "warn", "validation": 0},
        "decision": {"abstain_below": 0.1},
        "tracking": {"enabled": False},
    }
    for name in ("one", "other"):
        model = {"kind": "tfidf", "min_df": 1, "context": {"before": 1}, "C": {"one": 1, "other": 100}[name]}
        result = train(config | {"model": model}, output=tmp_path / name)
    evaluation, intervals, *_, wrong, _ = evaluate_file(load_model(tmp_path / "other"), measured)
    assert evaluation == result.evaluation
    assert evaluate_file(result.classifier, measured).evaluation == evaluation
    assert (intervals.unit, intervals.n_units) == ("group", 10)
    assert {row["article"] for row in wrong} <= {str(number) for number in range(20, 30)}

    labelled = textcls("predict", tmp_path / "other", measured).out.splitlines()
    said = {row["text"]: row["probabilities"] for row in result.predictions}
    assert {row["text"]: row["probabilities"] for row in map(json.loads, labelled)} == {
        text: {label: pytest.approx(p, abs=1e-5) for label, p in its.items()} for text, its in said.items()
    }

    done = textcls("compare", tmp_path / "one", tmp_path / "other", "--data", measured, "--output", "c.json")
    content = json.loads(Path("c.json").read_text())
    assert content["systems"][1]["evaluation"]["macro_f1"] == pytest.approx(evaluation.as_dict()["macro_f1"], abs=1e-4), done
    assert (content["comparisons"][0]["unit"], content["comparisons"][0]["n_units"]) == ("group", 10)


@pytest.fixture(params=["tfidf", "transformer"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_context_of_data_without_articles(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(20)])
    model = {"kind": "tfidf", "context": {"before": 1}}
    with pytest.raises(DataError, match=r"model.context asks for neighbouring sentences, but the data have no articles"):
        train({"data": {"train": str(data)}, "model": model, "tracking": {"enabled": False}}, output=tmp_path / "model")
