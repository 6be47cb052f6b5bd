"""Datasets: every kind of source, every error's wording, the identity, and texts that say nearly the same."""

from __future__ import annotations

import csv
import json
import random
import time
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from conftest import ROOT, toy_rows, write_jsonl

from textcls.config import DataConfig
from textcls.dataset import (
    conflicts,
    dataset_identity,
    dataset_name,
    load_dataset,
    near_duplicates,
    normalize_text,
    read_rows,
    similar_pairs,
    write_rows,
)
from textcls.errors import DataError

Rows = Sequence[dict[str, Any]]

ROWS: Rows = [
    {"id": "1", "text": "It rained, a lot.", "label": "fact", "article": "a", "before": None, "after": "“Yes,” she said.\n"},
    {"id": "2", "text": "“Yes,” she said.\n", "label": "quote", "article": "a", "before": "It rained, a lot.", "after": None},
    {"id": "3", "text": "Naïve 🎉 e\u0301", "label": "fact", "article": "b", "before": None, "after": None},
]


def write_csv(path: Path, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: Rows) -> Path:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return path


WRITERS: dict[str, Callable[[Path, Rows], Path]] = {".jsonl": write_jsonl, ".csv": write_csv, ".parquet": write_parquet}


def load(train: Path | str, **settings: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = load_dataset(DataConfig(train=str(train), **settings)).to_list()
    return rows


def problem(train: Path | str, **settings: Any) -> str:
    """The message of the error that a dataset gives."""
    with pytest.raises(DataError) as caught:
        load(train, **settings)
    return str(caught.value)


def identity(rows: Rows, path: Path, **settings: Any) -> str:
    return dataset_identity(load_dataset(DataConfig(train=str(WRITERS[path.suffix](path, rows)), **settings)))


# --- sources --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    rows = load(WRITERS[suffix](tmp_path / f"data{suffix}", ROWS))
    assert [{column: row[column] for column in ROWS[0]} for row in rows] == list(ROWS)
    assert [row["group"] for row in rows] == ["a", "a", "b"]
    assert {row["split"] for row in rows} == {"train"}


@pytest.mark.parametrize("suffix", WRITERS)
def test_read_rows_of_every_kind_of_file(tmp_path: Path, suffix: str) -> None:
    path = WRITERS[suffix](tmp_path / f"data{suffix}", [{"body": "It rained.", "kind": "fact", "page": "7"}])
    row = {"body": "It rained.", "kind": "fact", "page": "7", "text": "It rained."}
    assert read_rows(path, text="body") == [row]
    assert read_rows(path, text="body", label="kind") == [{**row, "label": "fact"}]


@pytest.mark.parametrize("suffix", WRITERS)
def test_suffixes_may_be_in_upper_case(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"T{suffix.upper()}"
    write_rows(ROWS, path)
    assert [row["text"] for row in read_rows(path)] == [row["text"] for row in ROWS]
    assert [row["id"] for row in load(tmp_path)] == ["1", "2", "3"]


def test_a_folder_is_all_its_files_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_csv(folder / "b.csv", ROWS[1:2])
    write_jsonl(folder / "a.jsonl", ROWS[:1])
    write_parquet(folder / "c.parquet", ROWS[2:])
    (folder / "README.md").write_text("no data", encoding="utf-8")
    assert [row["id"] for row in load(folder)] == ["1", "2", "3"]


def test_a_glob_is_all_files_that_match(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write_jsonl(tmp_path / "part-2.jsonl", ROWS[1:2])
    write_jsonl(tmp_path / "part-1.jsonl", ROWS[:1])
    write_jsonl(tmp_path / "other.jsonl", [{"text": "no", "label": "no"}])
    write_jsonl(tmp_path / "deep" / "er" / "part-3.jsonl", ROWS[2:])
    assert [row["id"] for row in load(tmp_path / "part-?.jsonl")] == ["1", "2"]
    assert [row["id"] for row in load(tmp_path / "**" / "part-[123].jsonl")] == ["3", "1", "2"]


def test_a_file_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    assert len(load(write_jsonl(tmp_path / "data[1].jsonl", ROWS))) == 3


def test_the_columns_can_have_any_names(tmp_path: Path) -> None:
    rows = [{"body": row["text"], "kind": row["label"], "key": row["id"], "event": row["article"]} for row in ROWS]
    found = load(write_jsonl(tmp_path / "d.jsonl", rows), text="body", label="kind", id="key", group="event")
    assert [(r["id"], r["text"], r["label"], r["group"]) for r in found] == [
        (r["id"], r["text"], r["label"], r["article"]) for r in ROWS
    ]


def test_the_group_is_the_named_column_rather_than_the_article(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [{**row, "event": f"event of {row['id']}"} for row in ROWS])
    assert [row["group"] for row in load(path, group="event")] == ["event of 1", "event of 2", "event of 3"]
    assert [row["group"] for row in load(path)] == ["a", "a", "b"]


def test_other_columns_are_kept_whatever_they_hold(tmp_path: Path) -> None:
    values: dict[str, list[Any]] = {
        "page": [1, 2, None],
        "score": [1, 0.5, None],
        "mixed": [1, "two", None],
        "nested": [{"a": 1}, [2], None],
        "huge": [2**70, 1, None],
        "broken": ["\ud800", "x", None],
    }
    rows = [{**row, **{name: column[number] for name, column in values.items()}} for number, row in enumerate(ROWS)]
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = load(path)
    kept = {name: [row[name] for row in found] for name in values}
    assert kept["page"] == [1, 2, None]
    assert kept["score"] == [1.0, 0.5, None]
    assert kept["mixed"] == ["1", "two", None]
    assert kept["nested"] == ['{"a": 1}', "[2]", None]
    assert kept["huge"] == [str(2**70), "1", None]
    assert kept["broken"] == ['"\\ud800"', "x", None]


@pytest.mark.parametrize(
    ("column", "settings", "said"),
    [
        ("group", {}, "which data.group does not name: rows of one group may fall apart; set data.group=group, or rename it"),
        ("group", {"group": "customer"}, "which gives way to 'customer', named by data.group; rename it to keep it"),
        ("text", {"text": "body"}, "which gives way to 'body', named by data.text; rename it to keep it"),
        ("label", {"label": "queue"}, "which gives way to 'queue', named by data.label; rename it to keep it"),
        ("id", {"id": "ticket"}, "which gives way to 'ticket', named by data.id; rename it to keep it"),
        (
            "annotations",
            {},
            "which data.annotations does not name: models learn from the label alone; set data.annotations=annotations, or rename it",
        ),
        ("split", {}, "which is not read: data.train, data.validation and data.test say what rows are for; name a file for each"),
        ("text", {"text": "body", "group": "text"}, None),
        ("group", {"group": "group"}, None),
        ("id", {"id": None}, None),
    ],
)
def test_a_column_of_the_data_whose_name_is_taken_is_told_once(
    column: str, settings: dict[str, Any], said: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        {"text": f"text {n}", "label": "ab"[n % 2], "body": f"body {n}", "queue": "xy"[n % 2], "customer": "c", "ticket": str(n)}
        | {column: ["a", "b"] if column == "annotations" else f"{column} {n}" if column != "label" else "ab"[n % 2]}
        for n in range(4)
    ]
    test = write_jsonl(tmp_path / "test.jsonl", [{**row, "ticket": f"t{n}"} for n, row in enumerate(rows) if n < 2])
    train = write_jsonl(tmp_path / "train.jsonl", rows)
    load(train, **{"test": str(test)} | ({"id": "ticket"} if column != "id" else {}) | settings)
    told = [message for message in caplog.messages if f"has a column {column!r}" in message]
    assert told == ([f"{train} has a column {column!r}, {said}"] if said else [])


@pytest.mark.parametrize(
    ("values", "shown", "kept"),
    [
        ([3, 4, 5, 6], "3", [None] * 4),
        (["2026-05-04", "", "2026-05-04T10:00:00Z", "12:30"], "'2026-05-04'", [None] * 4),
        (["3", "-4.5", " ", None], "'3'", [None] * 4),
        (["It rains.", None, 7, "$24."], "7", ["It rains.", None, None, "$24."]),
        (["It rains.", float("nan"), " ", "$24."], None, ["It rains.", None, None, "$24."]),
        ([None, "8:52 p.m.", "", "雨。"], None, [None, "8:52 p.m.", None, "雨。"]),
    ],
)
@pytest.mark.parametrize("side", ["before", "after"])
def test_neighbours_that_are_no_sentences_are_told_and_left_out(
    side: str, values: list[Any], shown: str | None, kept: list[str | None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"text": f"text {n}", "label": "ab"[n % 2], side: value} for n, value in enumerate(values)]
    found = load(write_jsonl(tmp_path / "rows.jsonl", rows))
    assert [row[side] for row in found] == kept
    said = (
        f"{tmp_path / 'rows.jsonl'} has a column {side!r}, in which {shown} is no sentence and is left out; rename it to keep it"
    )
    assert caplog.messages == ([said] if shown else [])


@pytest.mark.parametrize("empty", [None, "", " ", float("nan")])
def test_a_column_whose_name_is_taken_may_be_empty(empty: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(write_jsonl(tmp_path / "rows.jsonl", [{"text": name, "label": name, "group": empty, "split": empty} for name in "ab"]))
    assert caplog.messages == []


def test_a_column_that_only_some_rows_have(tmp_path: Path) -> None:
    found = load(write_jsonl(tmp_path / "d.jsonl", [{"text": "a", "label": "x", "page": 3}, {"text": "b", "label": "y"}]))
    assert [row["page"] for row in found] == [3, None]


def test_rows_without_ids_are_known_by_their_text_wherever_they_stand(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [{"text": "a", "label": "x"}, {"text": "a", "label": "y", "id": ""}])
    first, second = (row["id"] for row in load(path))
    assert second == f"{first}-2"
    assert [row["group"] for row in load(path)] == [None, None]
    grown = write_jsonl(tmp_path / "e.jsonl", [{"text": "b", "label": "y"}, {"text": "a", "label": "x"}])
    assert first in [row["id"] for row in load(grown)]


def test_a_name_that_is_no_file_asks_no_hub_unless_told_to(tmp_path: Path) -> None:
    # The guard of conftest fails the test if a connection is tried.
    expected = (
        "data.train: tickets: no such file, and no dataset of that name at hand; set data.download=true to fetch it from the hub"
    )
    assert problem("tickets") == expected


@pytest.mark.parametrize(
    ("name", "rows"), [("seeds", {"train": 71}), ("news", {"train": 38105, "validation": 8150, "test": 8127})]
)
def test_the_shipped_data_load_by_their_card(tmp_path: Path, name: str, rows: dict[str, int]) -> None:
    import datasets

    loaded = datasets.load_dataset(str(ROOT / "data"), name, cache_dir=str(tmp_path))
    assert {split: len(part) for split, part in loaded.items()} == rows
    assert {"id", "text", "label", "article", "before", "after"} <= set(loaded["train"].column_names)


@pytest.mark.parametrize("suffix", WRITERS)
def test_truth_values_can_be_labels_whatever_the_file(tmp_path: Path, suffix: str) -> None:
    path = WRITERS[suffix](tmp_path / f"data{suffix}", [{"text": "a", "label": True}, {"text": "b", "label": False}])
    assert [row["label"] for row in load(path)] == ["True", "False"]
    assert [row["label"] for row in read_rows(path, label="label")] == ["True", "False"]


def test_whole_numbers_can_be_labels_and_ids(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [{"text": "a", "label": 0, "id": 7}, {"text": "b", "label": 1, "id": 8}])
    assert [(row["label"], row["id"]) for row in load(path)] == [("0", "7"), ("1", "8")]


def test_spaces_around_a_label_are_no_part_of_it(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "d.csv",
        [{"text": "a", "label": "R&D / HR "}, {"text": "b", "label": "R&D / HR"}, {"text": "c", "label": "\tx"}],
    )
    assert [row["label"] for row in load(path)] == ["R&D / HR", "R&D / HR", "x"]
    assert [row["label"] for row in read_rows(path, label="label")] == ["R&D / HR", "R&D / HR", "x"]


def test_labels_that_differ_in_capitals_alone_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(write_jsonl(tmp_path / "d.jsonl", [{"text": name, "label": name} for name in ("Fact", "quote", "fact")]))
    assert caplog.messages == [
        "the labels 'Fact' and 'fact' differ only in their capitals; if they mean the same, write them alike"
    ]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    for path in (write_csv(tmp_path / "d.csv", ROWS), write_jsonl(tmp_path / "d.jsonl", ROWS)):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert [row["id"] for row in load(path)] == ["1", "2", "3"]


def test_csv_of_windows_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(b'text,label\r\n\r\n"It rained,\nhe said.",quote\r\n\r\nIt was cold.,fact\r\n')
    assert [(row["text"], row["label"]) for row in load(path)] == [("It rained,\nhe said.", "quote"), ("It was cold.", "fact")]


def test_csv_with_a_cell_as_long_as_a_book(tmp_path: Path) -> None:
    rows = [{"text": "word " * 40_000, "label": "long"}, {"text": "word", "label": "short"}]
    assert [row["text"] for row in load(write_csv(tmp_path / "d.csv", rows))] == [row["text"] for row in rows]


def test_each_row_knows_which_setting_named_its_file(tmp_path: Path) -> None:
    paths = [write_jsonl(tmp_path / f"{row['id']}.jsonl", [row]) for row in ROWS]
    paths[0].write_text(paths[0].read_text(encoding="utf-8") + json.dumps({**ROWS[1], "id": "4"}), encoding="utf-8")
    found = load(paths[0], validation=str(paths[1]), test=str(paths[2]))
    assert [(row["id"], row["split"]) for row in found] == [("1", "train"), ("4", "train"), ("2", "validation"), ("3", "test")]


def test_a_dataset_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[tuple[str, str, bool]] = []

    def hub(name: str, *, split: str) -> datasets.Dataset:
        asked.append((name, split, bool(datasets.config.HF_HUB_OFFLINE)))
        features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})
        return datasets.Dataset.from_dict({"text": [f"{split} a", f"{split} b"], "label": [1, 0]}, features=features)

    monkeypatch.setattr(datasets, "load_dataset", hub)
    found = load("owner/reviews", test="owner/reviews:holdout", download=True)
    assert [(row["text"], row["label"]) for row in found] == [
        *(("train a", "good"), ("train b", "bad")),
        *(("holdout a", "good"), ("holdout b", "bad")),
    ]
    assert asked == [("owner/reviews", "train", False), ("owner/reviews", "holdout", False)]
    load("reviews")
    assert asked[-1] == ("reviews", "train", True)


@pytest.mark.parametrize(
    ("download", "remedy"), [(False, "set data.download=true to fetch it from the hub"), (True, "check the name and the network")]
)
def test_a_dataset_that_the_hub_does_not_have(monkeypatch: pytest.MonkeyPatch, download: bool, remedy: str) -> None:
    import datasets

    def hub(*arguments: Any, **options: Any) -> None:
        raise FileNotFoundError("a message of somebody else")

    monkeypatch.setattr(datasets, "load_dataset", hub)
    assert problem("owner/reviews", download=download) == (
        f"data.train: owner/reviews: no such file, and no dataset of that name at hand; {remedy}"
    )


def test_what_else_is_wrong_with_a_dataset_of_the_hub_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def hub(*arguments: Any, **options: Any) -> None:
        raise ValueError('Unknown split "train".\nShould be one of ["test"].')

    monkeypatch.setattr(datasets, "load_dataset", hub)
    expected = 'data.train: owner/reviews: datasets cannot load it: Unknown split "train". Should be one of ["test"].'
    assert problem("owner/reviews", download=True) == expected


# --- errors ---------------------------------------------------------------------------------------------------------


def test_no_such_file(tmp_path: Path) -> None:
    assert problem(tmp_path / "no.jsonl") == f"data.train: {tmp_path / 'no.jsonl'}: no such file or folder"
    assert problem("no folder at all/") == f"data.train: no folder at all/: no such file or folder in {Path.cwd()}"
    path = write_jsonl(tmp_path / "d.jsonl", ROWS)
    assert problem(path, validation="no.csv") == f"data.validation: no.csv: no such file or folder in {Path.cwd()}"
    with pytest.raises(DataError) as caught:
        read_rows(tmp_path / "no.csv")
    assert str(caught.value) == f"{tmp_path / 'no.csv'}: no such file"


def test_no_file_matches(tmp_path: Path) -> None:
    assert problem(tmp_path / "*.jsonl") == f"data.train: {tmp_path / '*.jsonl'}: no file matches"


def test_a_folder_without_data(tmp_path: Path) -> None:
    (tmp_path / "notes.md").touch()
    (tmp_path / "cwd.csv").mkdir()
    assert problem(tmp_path / "cwd.csv") == (
        f"data.train: {tmp_path / 'cwd.csv'}: expected a .jsonl, .csv or .parquet file in the folder, found none"
    )


@pytest.mark.parametrize(("name", "found"), [("data.txt", ".txt"), ("data", "no suffix"), ("data.json", ".json")])
def test_a_file_of_another_kind(tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / name).write_text("text,label\na,x\n", encoding="utf-8")
    message = f"{tmp_path / name}: expected a .jsonl, .csv or .parquet file, found {found}"
    assert problem(tmp_path / name) == problem(f"{tmp_path}/d[a]ta*") == message
    with pytest.raises(DataError) as caught:
        read_rows(tmp_path / name)
    assert str(caught.value) == message


@pytest.mark.parametrize(("name", "content"), [("d.jsonl", ""), ("d.jsonl", "\n\n"), ("d.csv", ""), ("d.csv", "text,label\n")])
def test_data_without_rows(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert problem(path) == f"data.train: {path}: expected rows, found none"
    good = write_jsonl(tmp_path / "good.jsonl", ROWS)
    assert problem(good, test=str(path)) == f"data.test: {path}: expected rows, found none"
    with pytest.raises(DataError) as caught:
        read_rows(path)
    assert str(caught.value) == f"{path}: expected rows, found none"


def test_parquet_without_rows(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": pyarrow.array([], pyarrow.string())}), tmp_path / "d.parquet")
    assert problem(tmp_path / "d.parquet") == f"data.train: {tmp_path / 'd.parquet'}: expected rows, found none"


@pytest.mark.parametrize(
    ("row", "settings", "message"),
    [
        ({"txt": "b", "label": "y"}, {}, "no column 'text'; did you mean 'txt'?"),
        ({"text": "b"}, {}, "no column 'label'; known: text"),
        ({"text": "b", "lable": "y"}, {}, "no column 'label'; did you mean 'lable'?"),
        ({"text": "b", "label": "y"}, {"group": "event"}, "no column 'event'; known: label, text"),
        ({"text": None, "label": "y"}, {}, "expected a text, found null: fill it in or leave the row out"),
        ({"text": "", "label": "y"}, {}, 'expected a text, found "": fill it in or leave the row out'),
        ({"text": " \t", "label": "y"}, {}, 'expected a text, found " \\t": fill it in or leave the row out'),
        ({"text": float("nan"), "label": "y"}, {}, "expected a text, found NaN: fill it in or leave the row out"),
        ({"text": "b", "label": None}, {}, "expected a label, found null: fill it in or leave the row out"),
        ({"text": "b", "label": ""}, {}, 'expected a label, found "": fill it in or leave the row out'),
        ({"text": "b", "label": float("nan")}, {}, "expected a label, found NaN: fill it in or leave the row out"),
        (
            {"text": ["b"], "label": "y"},
            {},
            'expected text to be a string or a whole number, found ["b"]; write it as one of them',
        ),
        ({"text": "b", "label": 1.5}, {}, "expected label to be a string or a whole number, found 1.5; write it as one of them"),
        ({"text": "b", "label": "z"}, {"labels": ("x", "y")}, "unknown label 'z'; known: x, y"),
        ({"text": "b", "label": "facts"}, {"labels": ("x", "fact")}, "unknown label 'facts'; did you mean 'fact'?"),
    ],
)
def test_a_row_that_cannot_be_used(tmp_path: Path, row: dict[str, Any], settings: dict[str, Any], message: str) -> None:
    good = {"text": "a", "label": "x"} | ({"event": "e"} if "group" in settings else {})
    path = write_jsonl(tmp_path / "d.jsonl", [good, row])
    assert problem(path, **settings) == f"{path}, line 2: {message}"


def test_half_of_a_surrogate_pair(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"text": "cut \\ud83d", "label": "x"}\n', encoding="utf-8")
    assert problem(path) == f'{path}, line 1: expected text in Unicode, found half of a surrogate pair: "cut \\ud83d"'
    path.write_text('{"text": "\\ud83d\\ude00", "label": "x"}\n{"text": "b", "label": "y"}', encoding="utf-8")
    assert load(path)[0]["text"] == "😀"


def test_a_label_that_training_does_not_have(tmp_path: Path) -> None:
    test = write_jsonl(tmp_path / "test.jsonl", [{"text": "q", "label": "quotes"}])
    path = write_jsonl(tmp_path / "d.jsonl", ROWS)
    assert problem(path, test=str(test)) == f"{test}, line 1: unknown label 'quotes'; did you mean 'quote'?"


def test_one_label_only(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [{"text": "a", "label": "x"}, {"text": "b", "label": "x"}])
    assert problem(path) == f"data.train: {path}: expected two labels or more, found only 'x'"
    assert "found only 'x'" in problem(path, labels=("x", "y"))
    test = write_jsonl(tmp_path / "t.jsonl", [{"text": "c", "label": "y"}])
    assert "found only 'x'" in problem(path, test=str(test), labels=("x", "y"))


def test_an_id_twice(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [*ROWS, {**ROWS[0], "text": "other"}])
    assert (
        problem(path)
        == f"{path}, line 4: the id '1' stands already at {path}, line 1; with data.id null, rows are known by their text"
    )
    path, test = write_jsonl(tmp_path / "d.jsonl", ROWS), write_csv(tmp_path / "t.csv", ROWS[1:2])
    assert (
        problem(path, test=str(test))
        == f"{test}, line 2: the id '2' stands already at {path}, line 2; with data.id null, rows are known by their text"
    )


def test_rows_whose_ids_are_no_ids_are_known_by_their_text(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [*ROWS, {**ROWS[0], "text": "other"}])
    ids = [row["id"] for row in load(path, id=None)]
    without = [{key: value for key, value in row.items() if key != "id"} for row in [*ROWS, {**ROWS[0], "text": "other"}]]
    assert len(set(ids)) == 4
    assert ids == [row["id"] for row in load(write_jsonl(tmp_path / "without.jsonl", without))]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "b", "label": "y"', "not valid JSON: Expecting ',' delimiter at column "),
        ("text", "not valid JSON: Expecting value at column 1"),
        ('{"text": "b"} {}', "not valid JSON: Extra data at column 15"),
        ('["text"]', "expected a JSON object, found list"),
        ("7", "expected a JSON object, found int"),
        ('{"text": "b", "n": ' + 5000 * "1" + "}", "not JSON that can be read: Exceeds the limit"),
        (100_000 * "[", "not JSON that can be read: maximum recursion depth exceeded"),
    ],
    ids=str.split("cut text two list number digits depth"),
)
def test_broken_jsonl(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(f'{{"text": "a", "label": "x"}}\n\n{line}\n', encoding="utf-8")
    assert problem(path).startswith(f"{path}, line 3: {message}")


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("text,label\na,x\nb, c,y\n", 3, "expected 2 cells; quote cells that hold commas"),
        ("text,label\na,x\nb\n", 3, "expected 2 cells; quote cells that hold commas"),
        ('text,label\n"a" b,x\n', 2, "not valid CSV: ',' expected after '\"'"),
        ('text,label\na,x\n"b,y\n', 3, "not valid CSV: unexpected end of data"),
        ('text,label\n"a\na",x\n\n"b\nb",\n', 5, 'expected a label, found "": fill it in or leave the row out'),
        ("text,label\na,x\nb,\n", 3, 'expected a label, found "": fill it in or leave the row out'),
    ],
)
def test_broken_csv(tmp_path: Path, content: str, line: int, message: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(content, encoding="utf-8")
    assert problem(path) == f"{path}, line {line}: {message}"


def test_a_column_that_stands_twice_in_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("text,label,label\na,x,y\n", encoding="utf-8")
    assert problem(path) == f"{path}: column 'label' stands twice in the header; rename one"


def test_broken_parquet(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "d.parquet", ROWS)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert problem(path).startswith(f"{path}: not valid Parquet: ")
    assert "\n" not in problem(path)
    path.write_bytes(b"")
    assert problem(path).startswith(f"{path}: not valid Parquet: ")
    path.write_bytes(whole[:-60] + b"\xff" * 40 + whole[-20:])
    assert problem(path).startswith(f"{path}: ")


def test_parquet_with_values_missing(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "d.parquet", [{"text": "a", "label": "x"}, {"text": None, "label": "y"}])
    assert problem(path) == f"{path}, row 2: expected a text, found null: fill it in or leave the row out"


@pytest.mark.parametrize(("name", "content"), [("d.jsonl", '{"text": "café", "label": "x"}'), ("d.csv", "text,label\ncafé,x\n")])
@pytest.mark.parametrize(
    ("encoding", "byte", "perhaps"), [("latin-1", "e9", "Latin-1 or Windows-1252"), ("utf-16", "ff", "UTF-16")]
)
def test_data_that_are_not_utf8(tmp_path: Path, name: str, content: str, encoding: str, byte: str, perhaps: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode(encoding))
    assert problem(path) == (
        f"{path}: expected UTF-8, found byte 0x{byte}, so it is perhaps {perhaps}; save it as UTF-8 (a spreadsheet: as CSV UTF-8)"
    )


@pytest.mark.parametrize(("mark", "named"), [(";", "';'"), ("\t", "tabs")])
def test_a_csv_that_is_not_separated_by_commas(tmp_path: Path, mark: str, named: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f"text{mark}label\nIt rained, again.{mark}fact\n", encoding="utf-8")
    assert problem(path) == f"{path}: expected columns separated by commas, it seems to have {named}; save it with commas"


def test_read_rows_needs_the_columns_it_is_asked_for(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [{"text": "a", "label": "x"}, {"text": "b"}])
    assert len(read_rows(path)) == 2
    with pytest.raises(DataError) as caught:
        read_rows(path, label="label")
    assert str(caught.value) == f"{path}, line 2: no column 'label'; known: text"


# --- identity -------------------------------------------------------------------------------------------------------


def test_the_identity_is_a_sha256(tmp_path: Path) -> None:
    found = identity(ROWS, tmp_path / "d.jsonl")
    assert len(found) == 64
    assert set(found) <= set("0123456789abcdef")


@pytest.mark.parametrize("ids", [True, False], ids=["ids", "no ids"])
@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_the_identity_is_the_same_over_formats_places_and_orders(
    tmp_path: Path, suffix: str, order: tuple[int, ...], ids: bool
) -> None:
    rows = [{key: value for key, value in row.items() if ids or key != "id"} for row in ROWS]
    (tmp_path / "elsewhere").mkdir()
    expected = identity(rows, tmp_path / "d.jsonl")
    assert identity([rows[number] for number in order], tmp_path / "elsewhere" / f"other{suffix}") == expected


def test_the_identity_is_the_same_in_one_file_and_in_several(tmp_path: Path) -> None:
    expected = identity(ROWS, tmp_path / "d.jsonl")
    (tmp_path / "parts").mkdir()
    for row in ROWS:
        write_jsonl(tmp_path / "parts" / f"{row['id']}.jsonl", [row])
    assert dataset_identity(load_dataset(DataConfig(train=str(tmp_path / "parts")))) == expected


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        *((0, "label", "quote"), (1, "label", "opinion"), (2, "label", "quote")),
        *(
            (0, "text", "It rained, a lot"),
            (2, "text", "Naïve 🎉 é"),
            (1, "article", "b"),
            (2, "before", "x"),
            (0, "after", None),
        ),
    ],
)
def test_the_identity_changes_with_any_value(tmp_path: Path, row: int, column: str, value: str | None) -> None:
    changed = [{**r, column: value} if number == row else r for number, r in enumerate(ROWS)]
    assert identity(changed, tmp_path / "changed.jsonl") != identity(ROWS, tmp_path / "d.jsonl")


def test_the_identity_changes_with_one_label_of_many_rows(tmp_path: Path) -> None:
    rows = [{"text": f"text {number}", "label": "xy"[number % 2]} for number in range(3000)]
    expected = identity(rows, tmp_path / "d.jsonl")
    for number in (0, 1500, 2999):
        changed = [*rows[:number], {**rows[number], "label": "yx"[number % 2]}, *rows[number + 1 :]]
        assert identity(changed, tmp_path / "d.jsonl") != expected


def test_the_identity_counts_rows_and_does_not_mix_up_columns(tmp_path: Path) -> None:
    row = {"text": "a", "label": "x"}
    other = {"text": "x", "label": "a"}
    expected = identity([row, other], tmp_path / "d.jsonl")
    assert identity([row, other, row], tmp_path / "d.jsonl") != expected
    assert identity([row, row, other, other], tmp_path / "d.jsonl") != expected
    swapped = identity([{"text": "a", "label": "x", "before": "b"}, other], tmp_path / "d.jsonl")
    assert swapped != identity([{"text": "a", "label": "x", "after": "b"}, other], tmp_path / "d.jsonl")


def test_the_identity_does_not_depend_on_columns_that_nobody_reads(tmp_path: Path) -> None:
    assert identity([{**row, "page": 7} for row in ROWS], tmp_path / "d.jsonl") == identity(ROWS, tmp_path / "e.jsonl")


@pytest.mark.parametrize(
    ("train", "name", "expected"),
    [
        ("data/seeds/sentences.jsonl", None, "seeds"),
        ("data/seeds/sentences.jsonl", "mine", "mine"),
        ("data/reviews.csv", None, "reviews"),
        ("data/trec6/train.jsonl", None, "trec6"),
        ("data/news/*.jsonl", None, "news"),
        ("data/news/train-*.jsonl", None, "train-*"),
        ("data/seeds", None, "seeds"),
        ("owner/reviews", None, "reviews"),
        ("owner/reviews:train", None, "reviews:train"),
        ("/train.jsonl", None, "train"),
    ],
)
def test_the_name_of_a_data_set(train: str, name: str | None, expected: str) -> None:
    assert dataset_name(DataConfig(train=train, name=name)) == expected


@pytest.mark.parametrize(
    "train", ["train.jsonl", "./train.jsonl", "*.jsonl", ".", "../news/train.jsonl", "../news", "../cwd/../news/*.jsonl"]
)
def test_the_name_of_a_data_set_is_the_same_from_inside_its_folder(
    train: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "news").mkdir()
    monkeypatch.chdir(tmp_path / "news")
    assert dataset_name(DataConfig(train=train)) == "news"


def test_the_seeds_dataset_loads() -> None:
    rows = load(ROOT / "data" / "seeds" / "sentences.jsonl", labels=("fact", "quote", "speculation", "opinion"))
    assert len(rows) == 71
    assert {row["group"] for row in rows} == {"000_c113b0458a03a85c", "001_0748971bfbbd1285"}
    assert len(set(near_duplicates([row["text"] for row in rows]))) == 71  # no two sentences say the same
    assert not conflicts([row["text"] for row in rows], [row["label"] for row in rows])


# --- duplicates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("It RAINED — a lot!", "it rained a lot"),
        ("  It\n rained, a   lot. ", "it rained a lot"),
        ("STRASSE", "straße"),
        ("👍", "👍 "),
    ],
)
def test_texts_that_read_the_same(text: str, same: str) -> None:
    assert normalize_text(text) == normalize_text(same)


@pytest.mark.parametrize(("text", "other"), [("It rained.", "It rains."), ("👍", "👎"), ("?", "!"), ("1.5", "15")])
def test_texts_that_do_not_read_the_same(text: str, other: str) -> None:
    assert normalize_text(text) != normalize_text(other)
    assert not list(similar_pairs([text], [other]))


def test_near_duplicates_are_found_and_others_are_not() -> None:
    texts = [
        "The council voted on Monday to close the harbour bridge until the end of May, officials said.",
        "The ferry was empty when it sank.",
        "The council voted on Monday to close the harbour bridge until the end of May, an official said.",
        "THE FERRY was empty, when it sank!",
        "The council voted on Tuesday to open a school.",
        "Rain.",
        "Rain",
    ]
    clusters = near_duplicates(texts)
    assert clusters[0] == clusters[2]
    assert clusters[1] == clusters[3]
    assert clusters[5] == clusters[6]
    assert len(set(clusters)) == 4
    found = {(first, second): similarity for first, second, similarity in similar_pairs(texts[2:], texts[:2])}
    assert found == {(0, 0): pytest.approx(0.9, abs=0.1), (1, 1): 1.0}
    assert found[0, 0] < 1.0


def test_near_duplicates_are_what_exact_jaccard_says() -> None:
    """Every pair well above the threshold is found, and none below it."""
    chance = random.Random(3)
    words = [f"{a}{b}" for a in ("har", "coun", "brid", "fer", "may", "storm") for b in ("bour", "cil", "ge", "ry", "or")]
    texts = [" ".join(chance.choices(words, k=25)) for _ in range(40)]
    for text in texts[:30]:
        changed = text.split()
        for _ in range(chance.randint(1, 3)):
            changed[chance.randrange(25)] = chance.choice(words)
        texts.append(" ".join(changed))

    def jaccard(first: str, second: str) -> float:
        a, b = ({text[i : i + 5] for i in range(len(text) - 4)} for text in (first, second))
        return len(a & b) / len(a | b)

    found = {(i, j): similarity for i, j, similarity in similar_pairs(texts, texts, threshold=0.7) if i < j}
    exact = {(i, j): jaccard(texts[i], texts[j]) for i, j in combinations(range(len(texts)), 2)}
    assert {pair for pair, similarity in exact.items() if similarity >= 0.75} <= set(found)
    assert found == {pair: pytest.approx(exact[pair]) for pair in found}
    assert min(found.values()) >= 0.7
    assert len(found) > 10


def test_the_threshold_counts() -> None:
    texts = ["the council voted to close the bridge on monday", "the council voted to close the bridge on friday"]
    assert list(similar_pairs(texts[:1], texts[1:], threshold=0.6))
    assert not list(similar_pairs(texts[:1], texts[1:], threshold=0.95))


def test_clusters_are_what_similar_pairs_connect() -> None:
    """Also those that a later text brings together."""
    chance = random.Random(1)
    texts = [" ".join(chance.choices([f"word{number}" for number in range(60)], k=20)) for _ in range(40)]
    for _ in range(160):
        changed = chance.choice(texts).split()
        changed[chance.randrange(20)] = f"word{chance.randrange(60)}"
        texts.append(" ".join(changed))
    chance.shuffle(texts)
    connected = list(range(200))
    for first, second, _ in similar_pairs(texts, texts):
        connected = [connected[first] if number == connected[second] else number for number in connected]
    clusters = near_duplicates(texts).tolist()
    assert len(set(zip(clusters, connected, strict=True))) == len(set(clusters)) == len(set(connected))
    assert 1 < len(set(clusters)) < 160


def test_texts_of_one_template_are_not_held_against_each_other_one_by_one() -> None:
    """All pairs of them would take close to a minute."""
    began = time.process_time()
    texts = [
        f"Dear customer, your order number {number:04d} has been shipped today and will reach you within three working days."
        for number in range(2000)
    ]
    assert len(set(near_duplicates(texts))) == 1
    assert time.process_time() - began < 10


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "b"], ["", ""]])
def test_near_duplicates_of_few_texts(texts: list[str]) -> None:
    assert len(near_duplicates(texts)) == len(texts)
    assert len(set(near_duplicates(texts))) == len(set(texts))


def test_conflicts_are_the_texts_with_two_labels() -> None:
    texts = ["It rained.", "it rained", "It snowed.", "It snowed.", "Yes!", "IT RAINED!"]
    found = conflicts(texts, ["fact", "opinion", "fact", "fact", "quote", "fact"])
    assert list(found) == ["It rained.", "it rained", "IT RAINED!"]  # as they stand in the data
    assert all(counts == {"fact": 2, "opinion": 1} for counts in found.values())


def test_toy_rows_are_no_duplicates() -> None:
    rows = toy_rows()
    assert len(set(near_duplicates([row["text"] for row in rows]))) == len(rows)
