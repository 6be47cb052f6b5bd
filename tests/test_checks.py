"""Describing, parting and checking datasets: the functions, and `textcls data`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from textcls.cli import app
from textcls.config import DataConfig
from textcls.dataset import check_dataset, describe_rows, load_dataset, split_file
from textcls.dataset.parting import balanced_parts
from textcls.errors import DataError

SENTENCES = [
    "The council approved the new bridge on Tuesday evening.",
    "Farmers said that the drought had ruined most of the barley.",
    "It may be years before the ferry returns to the island.",
    "The decision was a mistake, and everybody knew it.",
]


def write(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def rows_of(prefix: str, label: str = "x") -> list[dict[str, object]]:
    return [
        {"id": f"{prefix}{n}", "text": f"{prefix} {text}", "label": label if n else "y", "article": f"{prefix}-{n % 2}"}
        for n, text in enumerate(SENTENCES)
    ]


def test_rows_are_described_by_what_one_can_count() -> None:
    rows = [
        {"text": "“Rain,” he said.", "label": "quote", "article": "a"},
        {"text": "It may rain on 4 May, can’t it?", "label": "speculation", "article": "a"},
        {"text": "The dogs’ owner isn't here.", "label": "fact", "article": "b"},
        {"text": "It rained.", "label": "fact", "article": "b"},
    ]
    described = describe_rows(rows)
    assert described["rows"] == "4"
    assert described["articles"] == "2"
    assert described["label fact"] == "50.0%"
    assert described["with a modal verb"] == "25.0%"
    assert described["with a quotation mark"] == "25.0%"
    assert described["with a digit"] == "25.0%"
    assert "distinct words per 1,000" not in described  # there are not so many
    assert describe_rows(rows * 100)["distinct words per 1,000"] == "15"
    assert described["questions"] == "25.0%"


@pytest.mark.parametrize(
    ("text", "modal", "quoted"),
    [
        ("You couldn't know.", True, False),
        ("They cannot, shan’t and won’t.", True, False),
        ("CHICAGO, May 14 — The workers' choice of the '90s", False, False),
        ("‘It is over,’ he said.", False, True),
        ("They called it 'progress'", False, True),
        ("and that was the end of it.'", False, True),
    ],
)
def test_what_counts_as_a_modal_verb_and_as_a_quotation(text: str, modal: bool, quoted: bool) -> None:
    described = describe_rows([{"text": text, "label": "x"}])
    found = [described[f"with a {name}"] == "100.0%" for name in ("modal verb", "quotation mark")]
    assert found == [modal, quoted]


def test_rows_without_a_group_are_no_group() -> None:
    rows = [{"text": "x", "label": "y", "article": article} for article in ("a", "a", None, "", " ", float("nan"), float("nan"))]
    assert describe_rows(rows)["articles"] == "1"
    assert "articles" not in describe_rows(rows[2:])


def test_no_part_is_left_empty() -> None:
    assert sorted(balanced_parts([*"abcd"], [], [0.2, 0.4, 0.4], seed=1)) in ([0, 0, 1, 2], [0, 1, 1, 2], [0, 1, 2, 2])


def test_parts_are_even_keep_groups_together_and_follow_the_seed() -> None:
    random = np.random.default_rng(0)
    groups = [f"g{n // 5}" for n in range(500)]
    desk = [f"desk {int(group[1:]) % 5}" for group in groups]
    labels = [str(value) for value in random.choice(["a", "b", "c"], 500, p=[0.7, 0.2, 0.1])]
    parts = balanced_parts(groups, [labels, desk], [0.7, 0.15, 0.15], seed=1)
    assert all(len({part for part, its in zip(parts, groups, strict=True) if its == group}) == 1 for group in set(groups))
    for part, share in enumerate([0.7, 0.15, 0.15]):
        inside = [number for number in range(500) if parts[number] == part]
        assert len(inside) == pytest.approx(500 * share)
        for name in set(desk):
            assert sum(desk[number] == name for number in inside) == pytest.approx(100 * share)
    assert parts == balanced_parts(groups, [labels, desk], [0.7, 0.15, 0.15], seed=1)
    assert parts != balanced_parts(groups, [labels, desk], [0.7, 0.15, 0.15], seed=2)


def test_fewer_groups_than_parts_is_an_error() -> None:
    with pytest.raises(DataError, match=r"^expected 3 groups or more to part, found 2$"):
        balanced_parts(["a", "b"], [], [0.5, 0.25, 0.25], seed=0)


def test_rows_without_a_group_are_parted_on_their_own() -> None:
    for groups in ([None, None, None], [None, "row 0", "row 2"]):
        assert sorted(balanced_parts(groups, [], [0.4, 0.3, 0.3], seed=1)) == [0, 1, 2]


@pytest.mark.parametrize("none", [None, float("nan"), "", " "])
def test_a_group_that_is_none_keeps_no_rows_together(none: object, tmp_path: Path) -> None:
    rows = [{"text": f"It rains {number}.", "label": "xy"[number % 2], "article": none} for number in range(40)]
    file = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    parts = split_file(file, tmp_path / "parts")
    assert parts == [("train", 28, 28), ("validation", 6, 6), ("test", 6, 6)]


def test_checks_find_leaks_conflicts_and_repetitions_of_others(tmp_path: Path) -> None:
    train, test = rows_of("Monday"), rows_of("Friday")
    test[1] = {**test[1], "text": train[1]["text"], "article": train[1]["article"]}
    train.append({"id": "again", "text": train[2]["text"], "label": "y", "article": "other"})
    config = DataConfig(train=write(tmp_path / "train.jsonl", train), test=write(tmp_path / "test.jsonl", test))
    others = write(tmp_path / "others.jsonl", [{"text": str(train[3]["text"]).upper()}])
    found = check_dataset(load_dataset(config), against=[others])
    assert [finding.problem for finding in found] == [False, True, False, True, True, True]
    assert found[1].message.startswith(
        "9 texts nearly the same as one of another split, such as Monday0 and Friday0: 'Monday The council"
    )
    assert found[2].message.startswith("2 texts nearly the same as another of the same split, such as Monday2 and again: 'Monday")
    assert found[3].message.startswith("1 text with more than one label, such as")
    assert found[4].message == "1 group in more than one split, such as Monday-1"
    assert found[5].message.startswith(f"2 texts nearly the same as one of {others}; the highest similarity is 1.00")
    dropped = check_dataset(load_dataset(config), duplicates="drop")
    assert [finding.problem for finding in dropped] == [False, False, False, False, True], "a group still leaks"
    assert dropped[1].message.endswith("(splits.duplicates is 'drop')")


def test_a_label_that_no_test_row_carries_is_found(tmp_path: Path) -> None:
    test = [{**row, "label": "x"} for row in rows_of("Friday")]
    config = DataConfig(train=write(tmp_path / "train.jsonl", rows_of("Monday")), test=write(tmp_path / "test.jsonl", test))
    found = check_dataset(load_dataset(config))[0]
    assert (found.problem, found.message) == (True, "1 label without a row in test, such as 'y'")


def test_every_row_that_cannot_be_used_is_listed(tmp_path: Path) -> None:
    test = [
        *rows_of("Friday"),
        {"id": "new", "text": "a", "label": "Y"},
        {"id": "Friday0", "text": "b", "label": "y"},
        {"label": "y"},
    ]
    config = DataConfig(train=write(tmp_path / "train.jsonl", rows_of("Monday")), test=write(tmp_path / "test.jsonl", test))
    faults: list[str] = []
    assert len(load_dataset(config, faults=faults)) == 8
    assert [re.search(r"line (\d): (unknown label|the id|no column 'text')", fault).groups() for fault in faults] == [  # type: ignore[union-attr]
        ("7", "no column 'text'"),
        ("5", "unknown label"),
        ("6", "the id"),
    ]


def test_sound_data_have_no_problem(tmp_path: Path) -> None:
    config = DataConfig(train=write(tmp_path / "train.jsonl", rows_of("Monday")))
    assert not any(finding.problem for finding in check_dataset(load_dataset(config)))


def test_data_check_prints_a_report_and_its_exit_code_serves_ci(tmp_path: Path) -> None:
    rows = [{**row, "label": "xy"[number // 2]} for number, row in enumerate(rows_of("Monday"))]
    config = write(tmp_path / "config.yaml", [])
    settings = f"data: {{train: {write(tmp_path / 'train.jsonl', rows)}}}\nsplits: {{folds: 2}}\nmodel: {{kind: tfidf}}\n"
    Path(config).write_text(settings, encoding="utf-8")
    done = CliRunner().invoke(app, ["data", "check", config])
    assert done.exit_code == 0
    assert "0 texts with more than one label" in done.stdout
    rows.append({"id": "again", "text": rows[2]["text"], "label": "x", "article": "other"})
    write(tmp_path / "train.jsonl", rows)
    failed = CliRunner().invoke(app, ["data", "check", config])
    assert "PROBLEM 1 text with more than one label" in failed.stdout
    assert re.search(
        r"PROBLEM splits of kind k-fold: \d training texts? nearly .*; 1 text with more than one label", failed.stdout
    )
    assert str(failed.exception) == "2 of 4 checks found something to mend"
    rows[0]["text"], rows[1]["label"] = " ", None
    file = write(tmp_path / "train.jsonl", rows)
    assert (
        f'PROBLEM 2 rows that cannot be used; {file}, line 1: expected a text, found " ": fill it in or leave the row out; '
        f"{file}, line 2: expected a label, found null: fill it in or leave the row out\n"
        in CliRunner().invoke(app, ["data", "check", config]).stdout
    ), "beside all other checks"


def test_data_split_writes_three_files_and_data_stats_reads_them(tmp_path: Path) -> None:
    rows = [{**row, "article": f"{day}-{row['id']}"} for day in ("Monday", "Tuesday", "Friday") for row in rows_of(day)]
    source = write(tmp_path / "all.jsonl", rows)
    done = CliRunner().invoke(app, ["data", "split", source, "--output", str(tmp_path / "parts")])
    assert done.exit_code == 0
    parts = [tmp_path / "parts" / f"{name}.jsonl" for name in ("train", "validation", "test")]
    read = [json.loads(line) for part in parts for line in part.read_text(encoding="utf-8").splitlines()]
    assert sorted(row["id"] for row in read) == sorted(str(row["id"]) for row in rows)
    write(tmp_path / "some.jsonl", [{**row, "article": row["article"] if number else None} for number, row in enumerate(rows)])
    alone = CliRunner().invoke(app, ["data", "split", str(tmp_path / "some.jsonl"), "--output", str(tmp_path / "own")])
    assert alone.exit_code == 0
    described = CliRunner().invoke(app, ["data", "stats", *map(str, parts)])
    assert described.exit_code == 0
    assert "| rows" in described.stdout
    barred = write(tmp_path / "barred.jsonl", [{**row, "label": f"{row['label']}|x"} for row in rows])
    lines = CliRunner().invoke(app, ["data", "stats", barred]).stdout.splitlines()
    assert {line.replace(r"\|", "").count("|") for line in lines if line.strip()} == {3}, "a label with a bar stays in its cell"
    misnamed = CliRunner().invoke(app, ["data", "stats", source, "--group", "artcle"])
    assert str(misnamed.exception) == f"{source}: no column 'artcle'; did you mean 'article'?"
    renamed = [{"body": row["text"], "queue": row["label"], "text": None, "article": row["article"]} for row in rows]
    other = [write(tmp_path / "other.jsonl", renamed), "--text", "body", "--label", "queue", "--output", str(tmp_path / "others")]
    assert CliRunner().invoke(app, ["data", "split", *other]).exit_code == 0
    written = [json.loads(line) for part in (tmp_path / "others").iterdir() for line in part.read_text().splitlines()]
    assert sorted(map(str, written)) == sorted(map(str, renamed))
    again = CliRunner().invoke(app, ["data", "split", source, "--output", str(tmp_path / "parts")])
    assert str(again.exception) == f"{tmp_path / 'parts'}: exists already; remove it or name another output"
