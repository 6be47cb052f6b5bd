"""Texts and files in, labelled rows out."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from conftest import ROOT, Done, toy_rows, write_jsonl

from textcls.articles import read_article
from textcls.artifacts import save_model
from textcls.dataset import json_line, write_rows
from textcls.errors import DataError, ModelError, OutputError
from textcls.evaluation.abstention import NONE_ANSWERED
from textcls.models import TextClassifier, abstaining, classifier_class
from textcls.prediction import evaluate_file, load, predict_article, predict_inputs

SEED = next(iter(sorted((ROOT / "seeds").glob("*.txt"))))
ARTICLE = "Bridge opens on Monday\n\nThe council opened a bridge. “It will stay,” the mayor said.\n\nWhat Happens Next\n\nNobody knows.\n"


@pytest.fixture(scope="module")
def classifier() -> TextClassifier:
    rows = toy_rows()
    return classifier_class("tfidf")(min_df=1).fit(rows, [row["label"] for row in rows])


@pytest.fixture
def article(tmp_path: Path) -> Path:
    path = tmp_path / "bridge.txt"
    path.write_text(ARTICLE, encoding="utf-8")
    return path


def predicted(classifier: TextClassifier, *inputs: object, **options: Any) -> list[dict[str, Any]]:
    return list(predict_inputs(classifier, [str(name) for name in inputs], **options))


def feed(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))


# --- articles -------------------------------------------------------------------------------------------------------


def test_an_article_is_labelled_sentence_by_sentence_with_exact_offsets(classifier: TextClassifier, article: Path) -> None:
    rows = predicted(classifier, article)
    assert [row["text"] for row in rows] == [
        "Bridge opens on Monday",
        "The council opened a bridge.",
        "“It will stay,” the mayor said.",
        "Nobody knows.",
    ]
    for row in rows:
        assert list(row) == ["article", "start", "end", "block", "text", "label", "probabilities"]
        assert row["article"] == "bridge"
        assert ARTICLE[row["start"] : row["end"]] == row["text"]
        assert list(row["probabilities"]) == ["fact", "opinion", "quote"]
        assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert [row["block"] for row in rows] == ["title", "paragraph", "paragraph", "paragraph"]
    assert [row["label"] for row in rows[1:3]] == ["fact", "quote"]


def test_a_seed_article_is_labelled(classifier: TextClassifier) -> None:
    text = read_article(SEED).text
    rows = predicted(classifier, SEED)
    assert len(rows) > 10
    assert all(text[row["start"] : row["end"]] == row["text"] for row in rows)
    assert rows == predict_article(classifier, read_article(SEED))


def test_a_folder_is_read_by_name(classifier: TextClassifier, tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.txt").write_text("It rains.")
    (tmp_path / "notes.md").write_text("not an article")
    assert [row["article"] for row in predicted(classifier, tmp_path)] == ["a", "b", "c"]


def test_a_store_among_articles_is_told_once(
    classifier: TextClassifier, article: Path, store_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (store_folder / "log.txt").write_text("It rains.")
    assert {row["article"] for row in predicted(classifier, article.parent)} == {"bridge"}
    assert caplog.messages == [f"{article.parent}: left out 1 .txt file in the store of runs {store_folder}"]


def test_windows_line_ends_are_normalised_before_offsets_are_counted(classifier: TextClassifier, tmp_path: Path) -> None:
    (tmp_path / "windows.txt").write_bytes(b"\xef\xbb\xbfIt rains.\r\n\r\nIt snows.\r\n")
    text = "It rains.\n\nIt snows.\n"
    assert [text[row["start"] : row["end"]] for row in predicted(classifier, tmp_path)] == ["It rains.", "It snows."]


LINES = "The parcel is late.\n\nRefund not received\n\nI was charged twice on my card\n\nApp crashes at login\n"


def test_texts_that_are_taken_for_headings_are_told(
    classifier: TextClassifier, article: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said = "are headings and got no label; for one text a line, give a JSONL, CSV or Parquet file"
    feed(monkeypatch, LINES.encode())
    assert [row["text"] for row in predicted(classifier, "-")] == ["The parcel is late."]
    assert caplog.messages == [f"standard input: 3 of 4 blocks in 1 article {said}"]
    caplog.clear()
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(LINES)
    predicted(classifier, tmp_path)
    assert caplog.messages == [f"{tmp_path}: 6 of 8 blocks in 2 articles {said}"], (
        "once for both, without the article beside them"
    )
    caplog.clear()
    predict_article(classifier, read_article(tmp_path / "a.txt"))
    assert caplog.messages == [f"a: 3 of 4 blocks in 1 article {said}"]
    caplog.clear()
    mostly_stopped = (
        "It rains.\n\nIt snows.\n\nNo refund\n\nCard lost\n\nIt is late.\n\nApp slow\n\nNot there\n\nIt hails.\n\nIt stops.\n"
    )
    feed(monkeypatch, mostly_stopped.encode())
    assert len(predicted(classifier, "-")) == 5
    assert caplog.messages == [f"standard input: 4 of 9 blocks in 1 article {said}"]
    caplog.clear()
    predicted(classifier, article)
    assert caplog.messages == [], "an article with a heading is no list of texts"


# --- files with columns ---------------------------------------------------------------------------------------------

ROWS = [{"id": "x1", "text": "the council opened a bridge"}, {"id": "x2", "text": "“it rains,” the mayor said"}]


def write_as(suffix: str, folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / f"rows{suffix}"
    if suffix == ".jsonl":
        write_jsonl(path, rows)
    elif suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def test_ids_may_stand_in_any_column(classifier: TextClassifier, textcls: Callable[..., Done], tmp_path: Path) -> None:
    rows = write_as(".csv", tmp_path, [{"ticket": row["id"], "text": row["text"]} for row in ROWS])
    save_model(classifier, tmp_path / "model")
    done = textcls("predict", tmp_path / "model", rows, "--id", "ticket")
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == ["x1", "x2"]
    done = textcls("predict", tmp_path / "model", rows, "--id", "tickt")
    assert (done.code, done.err) == (1, f"error: {rows}: no column 'tickt'; did you mean 'ticket'?\n")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_rows_of_files_carry_their_ids_along(suffix: str, classifier: TextClassifier, tmp_path: Path) -> None:
    rows = predicted(classifier, write_as(suffix, tmp_path, ROWS))
    assert [(row["id"], row["text"], row["label"]) for row in rows] == [
        ("x1", ROWS[0]["text"], "fact"),
        ("x2", ROWS[1]["text"], "quote"),
    ]


def test_suffixes_may_be_in_upper_case(classifier: TextClassifier, tmp_path: Path) -> None:
    write_as(".csv", tmp_path, ROWS).rename(tmp_path / "ROWS.CSV")
    (tmp_path / "A.TXT").write_text("It rains.")
    assert [row["text"] for row in predicted(classifier, tmp_path / "ROWS.CSV", tmp_path / "A.TXT")] == [
        *(row["text"] for row in ROWS),
        "It rains.",
    ]


def test_ids_are_not_made_up(classifier: TextClassifier, tmp_path: Path) -> None:
    (row,) = predicted(classifier, write_jsonl(tmp_path / "rows.jsonl", [{"text": "it rains"}]))
    assert list(row) == ["text", "label", "probabilities"]


def test_rows_that_are_sentences_of_articles_keep_their_places(
    classifier: TextClassifier, article: Path, textcls: Callable[..., Done], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert textcls("sentences", article, "--output", tmp_path / "sentences.jsonl").code == 0
    rows = [row for row in predicted(classifier, tmp_path / "sentences.jsonl") if row["block"] != "heading"]
    assert rows == predicted(classifier, article)
    assert caplog.messages == []


def test_rows_without_ids_are_told_once(classifier: TextClassifier, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", [{"ticket": 1, "text": "it rains"}, {"ticket": 2, "text": "it snows"}])
    predicted(classifier, file)
    assert caplog.messages == [f"{file}: rows have no column 'id', so that only their order tells them apart; name one with --id"]
    caplog.clear()
    predicted(classifier, file, id="ticket")
    assert caplog.messages == []


def test_the_column_of_the_text_can_be_named(classifier: TextClassifier, tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", [{"id": 7, "body": "it rains", "text": "other"}])
    (row,) = predicted(classifier, file, text="body")
    assert (row["id"], row["text"]) == (7, "it rains")


def test_inputs_keep_their_order_past_a_batch(classifier: TextClassifier, tmp_path: Path, article: Path) -> None:
    many, more = (
        write_jsonl(tmp_path / f"{start}.jsonl", [{"id": n, "text": f"text {n}"} for n in range(start, start + 1500)])
        for start in (0, 1500)
    )
    rows = predicted(classifier, many, article, more)
    assert [row["id"] for row in rows if "id" in row] == [*range(3000)]
    assert [row["article"] for row in rows[1500:1504]] == ["bridge"] * 4


def test_rows_come_before_all_are_read(classifier: TextClassifier, tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "many.jsonl", [{"id": number, "text": "it rains"} for number in range(1100)])
    rows = predict_inputs(classifier, [str(file), "no such file.jsonl"])
    assert next(rows)["id"] == 0
    with pytest.raises(DataError):
        list(rows)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_rows_come_before_a_broken_one_further_on_is_read(suffix: str, classifier: TextClassifier, tmp_path: Path) -> None:
    rows = predict_inputs(classifier, [str(write_as(suffix, tmp_path, [{"text": "it rains"}] * 3000 + [{"text": " "}]))])
    assert [next(rows)["text"] for _ in range(2048)] == ["it rains"] * 2048
    with pytest.raises(DataError, match=r'(line|row) 300\d: expected a text, found " ": fill it in or leave the row out$'):
        list(rows)


def test_neighbours_are_looked_for_in_all_rows_of_an_input(tmp_path: Path) -> None:
    rows = toy_rows()
    texts = [{**row, "after": f"after {row['label']}"} for row in rows]
    model = classifier_class("tfidf")(min_df=1, context={"before": 0, "after": 1}).fit(texts, [row["label"] for row in rows])
    article = [{"text": f"the council opened {number}", "article": "a"} for number in range(1100)]
    found = predicted(model, write_jsonl(tmp_path / "rows.jsonl", article))
    # The 1,024th row ends a batch, and has the next one's first row after it.
    (alone,) = model.predict_proba([{**article[1023], "after": article[1024]["text"]}])
    assert list(found[1023]["probabilities"].values()) == pytest.approx(alone, abs=1e-5)


# --- standard input -------------------------------------------------------------------------------------------------


class Arriving(io.RawIOBase):
    """A pipe that gives one part after another, and calls `waited` before each."""

    def __init__(self, parts: list[bytes], waited: Callable[[int], None] = lambda number: None) -> None:
        self.parts, self.number, self.waited = parts, 0, waited

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.waited(self.number)
        part = self.parts[self.number] if self.number < len(self.parts) else b""
        self.number += 1
        buffer[: len(part)] = part
        return len(part)


def test_rows_of_standard_input_do_not_wait_for_those_to_come(
    classifier: TextClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [b"\n", b'{"text": "it ', b'rains"}\n{"text": "it snows"}\r', b'\n{"text": "it hails"}', b'\n{"text": "it ends"}']
    source = Arriving(parts)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(source)))
    rows = predict_inputs(classifier, ["-"])
    assert [(next(rows)["text"], source.number) for _ in range(4)] == [
        ("it rains", 3),
        ("it snows", 4),  # before which the carriage return may be a line end's first half
        ("it hails", 5),
        ("it ends", 6),
    ]
    assert list(rows) == []


def test_predictions_are_printed_before_more_is_waited_for(
    classifier: TextClassifier, textcls: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(classifier, tmp_path / "model")
    printed, seen = io.BytesIO(), []
    source = Arriving([b'{"text": "it rains"}\n'] * 2, lambda number: seen.append(printed.getvalue().count(b"\n")))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(source)))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed))
    assert textcls("predict", tmp_path / "model", "-").code == 0
    assert seen[:3] == [0, 1, 2]


def test_an_error_in_the_middle_says_what_was_printed_before(
    classifier: TextClassifier, textcls: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(classifier, tmp_path / "model")
    rows = write_jsonl(tmp_path / "rows.jsonl", [*[{"text": "it rains"}] * 1100, {"txt": "no text"}])
    message = f"error: {rows}, line 1101: no column 'text'; did you mean 'txt'?"
    done = textcls("predict", tmp_path / "model", rows)
    assert (done.code, done.out.count("\n"), done.err) == (1, 1024, f"{message}; predictions printed before: 1,024\n")
    done = textcls("predict", tmp_path / "model", rows, "--output", "out.jsonl")
    assert (done.code, done.out, done.err, list(Path().iterdir())) == (1, "", f"{message}\n", [])
    done = textcls("predict", tmp_path / "model", write_jsonl(tmp_path / "rows.jsonl", [{"text": "it rains"}, {"text": ""}]))
    assert (done.code, done.out) == (1, "")
    assert done.err == f'error: {rows}, line 2: expected a text, found "": fill it in or leave the row out\n'


def test_standard_input_as_an_article(classifier: TextClassifier, article: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, article.read_bytes())
    assert predicted(classifier, "-") == [{**row, "article": "-"} for row in predicted(classifier, article)]


@pytest.mark.parametrize("prefix", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_standard_input_as_jsonl(prefix: bytes, classifier: TextClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, prefix + b"".join(json.dumps(row).encode() + b"\r\n" for row in ROWS))
    assert [(row["id"], row["text"]) for row in predicted(classifier, "-")] == [("x1", ROWS[0]["text"]), ("x2", ROWS[1]["text"])]


def test_standard_input_is_cut_at_line_feeds_only(classifier: TextClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    # JSON allows these inside of a string, and `json.dumps(…, ensure_ascii=False)` writes them so.
    text = "one\u2028two\u0085three"
    feed(monkeypatch, (json.dumps({"text": text}, ensure_ascii=False) + "\n").encode())
    assert [row["text"] for row in predicted(classifier, "-")] == [text]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"title": "no text"}', "no column 'text'; known: title"),
        ('{"text": null}', "expected a text, found null: fill it in or leave the row out"),
        ('{"text": " "}', 'expected a text, found " ": fill it in or leave the row out'),
        ("{", "not valid JSON: Expecting property name enclosed in double quotes at column 2"),
        ("[1]", "expected a JSON object, found list"),
        ('"text"', "expected a JSON object, found str"),
    ],
)
def test_broken_standard_input(line: str, message: str, classifier: TextClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, f'{{"text": "fine"}}\n\n{line}\n'.encode())
    with pytest.raises(DataError) as caught:
        predicted(classifier, "-")
    assert str(caught.value) == f"standard input, line 3: {message}"


@pytest.mark.parametrize("head", ['id,"text"', "id;text;queue", "text\tid"])
def test_a_csv_on_standard_input_is_not_taken_for_an_article(
    head: str, classifier: TextClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(monkeypatch, f"{head}\r\n1,The council opened a bridge.\n".encode())
    with pytest.raises(DataError) as caught:
        predicted(classifier, "-")
    assert (
        str(caught.value)
        == f"standard input: expected an article or JSONL, found the head of a CSV, {head!r}; name the file itself"
    )


@pytest.mark.parametrize("raw", ['[{"text": "It rains."}]', '\n[\n  {\n    "text": "It rains."}]', '["It rains."]'])
def test_a_json_array_on_standard_input_is_not_taken_for_an_article(
    raw: str, classifier: TextClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(monkeypatch, raw.encode())
    with pytest.raises(DataError) as caught:
        predicted(classifier, "-")
    assert str(caught.value) == (
        "standard input: expected an article or JSONL, found a JSON array; write each object on a line of its own"
    )


@pytest.mark.parametrize("first", ["In short, text that is cut", "Rain; text; snow", "[Photo] Bridge opens"])
def test_an_article_on_standard_input_may_begin_with_any_marks(
    first: str, classifier: TextClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(monkeypatch, f"{first}\n\nNobody knows.\n".encode())
    assert [row["text"] for row in predicted(classifier, "-")] == [first, "Nobody knows."]


def test_standard_input_that_is_no_utf_8(classifier: TextClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, b"A caf\xe9 opened.\n")
    with pytest.raises(DataError, match=r"^standard input: expected UTF-8, found byte 0xe9 on line 1; "):
        predicted(classifier, "-")


# --- articles of one name -------------------------------------------------------------------------------------------


def test_articles_of_one_name_are_told_before_any_is_labelled(classifier: TextClassifier, article: Path, tmp_path: Path) -> None:
    other = tmp_path / "another folder" / article.name
    other.parent.mkdir()
    other.write_text("It rains.")
    with pytest.raises(DataError) as caught:
        next(predict_inputs(classifier, [str(article), str(other)]))
    assert str(caught.value) == (
        f"{other}: the article would be called {article.stem!r}, as {article} is already; rename one of them"
    )


def test_an_article_that_is_named_again_is_labelled_once(
    classifier: TextClassifier, article: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "rain.txt").write_text("It rains.")
    once = predicted(classifier, article)
    assert predicted(classifier, article, article) == once
    assert caplog.messages == [f"{article}: named more than once; taken once"]
    assert predicted(classifier, article, tmp_path) == [*once, *predicted(classifier, tmp_path / "rain.txt")]


def test_rows_that_are_named_again_are_labelled_once(
    classifier: TextClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rows, same = tmp_path / "rows.jsonl", tmp_path / "there" / ".." / "rows.jsonl"
    rows.write_text('{"id": 1, "text": "It rains."}\n')
    (tmp_path / "there").mkdir()
    assert predicted(classifier, rows, same, rows, rows) == predicted(classifier, rows)
    assert caplog.messages == [f"{same}, {rows}: named more than once; taken once"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"It rains.")))
    assert [row["article"] for row in predicted(classifier, "-", "-")] == ["-"]


def test_articles_that_hold_no_sentence_or_cannot_be_read_are_told_before_any_is_labelled(
    classifier: TextClassifier, article: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "empty.txt").touch()
    assert {row["article"] for row in predicted(classifier, article, tmp_path / "empty.txt")} == {"bridge"}
    assert caplog.messages == [f"no sentence in {tmp_path / 'empty.txt'}"]
    for name in "xy":
        (tmp_path / f"{name}.txt").write_bytes(b"A caf\xe9.")
    with pytest.raises(DataError, match=r"^2 articles are not UTF-8; .*x\.txt, .*y\.txt$"):
        next(predict_inputs(classifier, [str(tmp_path)]))


# --- what cannot be read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "nothing: no such file or folder"),
        ("nothing.txt", "nothing.txt: no such file or folder; expected a .txt article or a folder of them"),
        ("nothing.jsonl", "nothing.jsonl: no such file"),
        ("picture.png", "picture.png: expected a .txt article, a folder of them, or a .jsonl, .csv, .parquet file"),
        ("empty.jsonl", "empty.jsonl: expected rows, found none"),
        ("empty", "empty: expected a folder with .txt articles, found none in it"),
        ("other.jsonl", "other.jsonl, line 1: no column 'text'; did you mean 'texts'?"),
    ],
)
def test_inputs_that_cannot_be_used(name: str, message: str, classifier: TextClassifier) -> None:
    Path("picture.png").write_bytes(b"")
    Path("empty.jsonl").write_text("")
    Path("empty").mkdir()
    write_jsonl(Path("other.jsonl"), [{"texts": "it rains"}])
    with pytest.raises(DataError) as caught:
        predicted(classifier, name)
    assert str(caught.value) == message


# --- writing --------------------------------------------------------------------------------------------------------


def test_jsonl_is_written_as_it_is_predicted(classifier: TextClassifier, article: Path, tmp_path: Path) -> None:
    rows = predicted(classifier, article)
    assert write_rows(iter(rows), tmp_path / "out" / "rows.jsonl") == 4
    content = (tmp_path / "out" / "rows.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in content.splitlines()] == rows
    assert "“" in content


def flat(row: dict[str, Any]) -> dict[str, Any]:
    probabilities = {f"probability_{label}": value for label, value in row["probabilities"].items()}
    return {key: value for key, value in row.items() if key != "probabilities"} | probabilities


def test_csv_has_a_column_for_each_probability(classifier: TextClassifier, article: Path, tmp_path: Path) -> None:
    rows = predicted(classifier, article)
    assert write_rows(rows, tmp_path / "rows.csv") == 4
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as lines:
        assert list(csv.DictReader(lines)) == [{key: str(value) for key, value in flat(row).items()} for row in rows]


def test_ids_of_several_types_stay_what_they_are_in_parquet(tmp_path: Path) -> None:
    write_rows([{"id": "7", "start": 0}, {"id": 8, "start": "0"}, {"id": None, "start": {"a": 1}}], tmp_path / "rows.parquet")
    columns = pyarrow.parquet.read_table(tmp_path / "rows.parquet").to_pydict()
    assert columns == {"id": ["7", "8", None], "start": ["0", "0", '{"a": 1}']}


def test_half_of_a_surrogate_pair_is_kept_where_it_can_be(tmp_path: Path) -> None:
    rows = [{"text": "cut", "more": "\ud83d"}]
    write_rows(rows, tmp_path / "rows.jsonl")
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()] == rows
    with pytest.raises(OutputError, match="half of a surrogate pair"):
        write_rows(rows, tmp_path / "rows.csv")
    assert [*tmp_path.glob("*.csv")] == []


def test_parquet_has_a_column_for_each_probability(classifier: TextClassifier, article: Path, tmp_path: Path) -> None:
    rows = predicted(classifier, article)
    assert write_rows(rows, tmp_path / "rows.parquet") == 4
    assert pyarrow.parquet.read_table(tmp_path / "rows.parquet").to_pylist() == [flat(row) for row in rows]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_columns_of_all_inputs_are_kept(suffix: str, classifier: TextClassifier, article: Path, tmp_path: Path) -> None:
    rows = predicted(classifier, write_jsonl(tmp_path / "rows.jsonl", ROWS), article)
    out = tmp_path / f"out{suffix}"
    write_rows(rows, out)
    if suffix == ".csv":
        with out.open(encoding="utf-8", newline="") as lines:
            found = [{key: value for key, value in row.items() if value} for row in csv.DictReader(lines)]
    else:
        found = [
            {key: value for key, value in row.items() if value is not None} for row in pyarrow.parquet.read_table(out).to_pylist()
        ]
    assert [set(row) for row in found] == [set(flat(row)) for row in rows]


def test_csv_holds_lists_and_objects_as_json(tmp_path: Path) -> None:
    held = {"list": ["a", 1], "object": {"a": "é"}}
    write_rows([held], tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as lines:
        (row,) = csv.DictReader(lines)
    assert {name: json.loads(cell) for name, cell in row.items()} == held


def test_what_is_missing_is_null_in_json_and_nothing_in_csv(
    classifier: TextClassifier, textcls: Callable[..., Done], tmp_path: Path
) -> None:
    save_model(classifier, tmp_path / "model")
    file = write_as(".parquet", tmp_path, [{"id": 1.5, "text": "It rained."}, {"id": float("nan"), "text": "It snowed."}])
    printed = textcls("predict", tmp_path / "model", file)
    assert [line.partition(",")[0] for line in printed.out.splitlines()] == ['{"id": 1.5', '{"id": null']
    assert textcls("predict", tmp_path / "model", file, "--output", "p.csv").code == 0
    assert [line.partition(",")[0] for line in Path("p.csv").read_text().splitlines()] == ["id", "1.5", ""]
    assert json_line([1, {"a": (float("inf"), "NaN")}]) == '[1, {"a": [null, "NaN"]}]'


def test_an_id_that_is_a_date_is_printed_as_it_is_written(
    classifier: TextClassifier, textcls: Callable[..., Done], tmp_path: Path
) -> None:
    save_model(classifier, tmp_path / "model")
    file = write_as(".parquet", tmp_path, [{"id": date(2026, 5, 4), "text": "It rained."}])
    printed = textcls("predict", tmp_path / "model", file)
    assert textcls("predict", tmp_path / "model", file, "--output", "p.jsonl").code == 0
    assert printed.out == Path("p.jsonl").read_text()
    assert json.loads(printed.out)["id"] == "2026-05-04"


def test_another_suffix_is_refused_before_anything_is_predicted(tmp_path: Path) -> None:
    def never() -> Any:
        raise AssertionError("rows were asked for")
        yield

    for name, found in {"out.xlsx": ".xlsx", "out": "no suffix"}.items():
        with pytest.raises(OutputError) as caught:
            write_rows(never(), tmp_path / name)
        assert str(caught.value) == (f"{tmp_path / name}: expected a name that ends in .jsonl, .csv, .parquet, found {found}")
    (tmp_path / "out.csv").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        write_rows(never(), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "precious"


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_nothing_is_left_of_rows_that_break_off(suffix: str, tmp_path: Path) -> None:
    def rows() -> Any:
        yield {"text": "a", "label": "fact", "probabilities": {"fact": 1.0}}
        raise DataError("the second input is broken")

    with pytest.raises(DataError):
        write_rows(rows(), tmp_path / "out" / f"rows{suffix}")
    assert list((tmp_path / "out").iterdir()) == []


def test_probabilities_are_written_to_nine_digits_however_small_they_are(
    classifier: TextClassifier, article: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = np.array([1.23456789012e-9, 0.4, 0.6 - 1.23456789012e-9])
    monkeypatch.setattr(type(classifier), "predict_proba", lambda _, rows: np.tile(small, (len(rows), 1)))
    assert predicted(classifier, article)[0]["probabilities"] == {"fact": 1.23456789e-9, "opinion": 0.4, "quote": 0.599999999}


# --- evaluating -----------------------------------------------------------------------------------------------------


def test_a_file_is_measured(classifier: TextClassifier, tmp_path: Path) -> None:
    rows = toy_rows("a")
    rows[0]["label"] = "quote"
    evaluation, intervals, ceiling, wrong, answered = evaluate_file(classifier, write_jsonl(tmp_path / "rows.jsonl", rows))
    assert evaluation.rows == 6
    assert evaluation.accuracy == pytest.approx(5 / 6)
    assert (intervals.unit, intervals.n_units, intervals.metrics) == ("article", 1, {})
    assert (ceiling, answered) == (None, None)
    assert [(row["id"], row["prediction"], row["label"]) for row in wrong] == [("a:fact:0", "fact", "quote")]


def test_what_is_answered_is_measured_where_the_policy_is_to_abstain(
    classifier: TextClassifier, textcls: Callable[..., Done], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows("a"))
    least = float(np.median(classifier.predict_proba(toy_rows("a")).max(axis=1)))
    for name, below, coverage, risk in (("half", least, 0.5, 0), ("none", 0.999, 0, None)):
        save_model(abstaining(classifier, below), tmp_path / name)
        caplog.clear()
        done = textcls("evaluate", tmp_path / name, rows)
        found = json.loads(done.out)
        assert found["answered"] == {"abstain_below": below, "coverage": coverage, "risk": risk}
        assert found["accuracy"] == 1, "of all rows, answered or not"
        assert (NONE_ANSWERED in caplog.messages) is (risk is None)


@pytest.mark.parametrize(("suffix", "blank"), [(".csv", ""), (".jsonl", " "), (".parquet", None), (".parquet", float("nan"))])
def test_a_blank_article_is_none(suffix: str, blank: Any, classifier: TextClassifier, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{**row, "article": blank} for row in toy_rows("a")]
    rows[0]["label"] = "quote"
    measured = evaluate_file(classifier, write_as(suffix, tmp_path, rows))
    assert (measured.intervals.unit, measured.intervals.n_units) == ("row", 6)
    assert [row["article"] for row in measured.wrong] == [None]


def test_rows_are_known_by_their_id_or_else_their_number(classifier: TextClassifier, tmp_path: Path) -> None:
    rows = [
        {**row, "id": id, "label": "quote"} for row, id in zip(toy_rows("a"), (7, None, float("nan"), " ", "e", "f"), strict=True)
    ]
    wrong = evaluate_file(classifier, write_as(".jsonl", tmp_path, rows)).wrong
    assert {row["id"] for row in wrong} == {"7", "2", "3", "4"}


def test_annotators_are_measured_beside_the_model(classifier: TextClassifier, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{**row, "annotator_labels": [row["label"], row["label"]]} for row in toy_rows("a")]
    rows[0]["annotator_labels"] = ["fact", "quote"]
    ceiling = evaluate_file(classifier, write_jsonl(tmp_path / "rows.jsonl", rows)).ceiling
    assert ceiling is not None
    assert (ceiling.rows, ceiling.agreement, ceiling.accuracy) == (6, pytest.approx(5 / 6), pytest.approx(11 / 12))


def test_columns_of_a_measured_file_can_be_named(classifier: TextClassifier, tmp_path: Path) -> None:
    rows = [{"body": row["text"], "class": row["label"]} for row in toy_rows("a")]
    evaluation, intervals, *_ = evaluate_file(classifier, write_jsonl(tmp_path / "rows.jsonl", rows), text="body", label="class")
    assert evaluation.accuracy == 1
    assert (intervals.unit, intervals.n_units) == ("row", 6)


def test_a_model_that_reads_context_on_one_side(article: Path, tmp_path: Path) -> None:
    rows = toy_rows()
    texts = [{**row, "before": f"before {row['label']}"} for row in rows]
    one_sided = classifier_class("tfidf")(min_df=1, context={"before": 1}).fit(texts, [row["label"] for row in rows])
    save_model(one_sided, tmp_path / "model")
    assert predicted(load(tmp_path / "model"), article) == predict_article(one_sided, read_article(article)) != []


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_neighbour_that_is_no_sentence_is_none_as_in_training(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = toy_rows()
    texts = [{**row, "before": f"2026-05-04 before {row['label']}"} for row in rows]
    model = classifier_class("tfidf")(min_df=1, context={"before": 1, "after": 0}).fit(texts, [row["label"] for row in rows])
    alone = [{"id": number, "text": row["text"], "label": row["label"]} for number, row in enumerate(rows)]
    for value, shown in ((3, "3"), (float("nan"), None), ("2026-05-04", "'2026-05-04'")):
        file = write_as(suffix, tmp_path, alone)
        without = predicted(model, file), evaluate_file(model, file).evaluation
        file = write_as(suffix, tmp_path, [{**row, "before": value} for row in alone])
        caplog.clear()
        assert (predicted(model, file), evaluate_file(model, file).evaluation) == without
        said = f"{file} has a column 'before', in which {shown} is no sentence and is left out; rename it to keep it"
        assert [message for message in caplog.messages if "column" in message] == ([said, said] if shown else [])


def test_a_label_that_the_classifier_does_not_know(classifier: TextClassifier, tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", [{"text": "a", "label": "facts"}])
    with pytest.raises(DataError) as caught:
        evaluate_file(classifier, file)
    assert str(caught.value) == f"{file}, row 1: unknown label 'facts'; did you mean 'fact'?"


# --- loading --------------------------------------------------------------------------------------------------------


def test_a_model_is_loaded_from_its_folder(classifier: TextClassifier, tmp_path: Path) -> None:
    save_model(classifier, tmp_path / "model")
    assert load(tmp_path / "model").predict(["it rains"]).tolist() == classifier.predict(["it rains"]).tolist()
    assert load(str(tmp_path / "model")).classes_.tolist() == ["fact", "opinion", "quote"]


def test_a_file_is_no_model(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", toy_rows())
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "rows.jsonl")
    assert str(caught.value) == f"{tmp_path / 'rows.jsonl'}: expected a model folder, found a file"


def test_inputs_are_a_list_also_of_paths(classifier: TextClassifier, article: Path) -> None:
    for one in (article, str(article)):
        with pytest.raises(DataError) as caught:
            next(predict_inputs(classifier, one))  # type: ignore[arg-type]
        assert str(caught.value) == f"expected a list of inputs, found {str(article)!r} alone; pass [{str(article)!r}]"
    assert list(predict_inputs(classifier, [article])) == list(predict_inputs(classifier, [str(article)]))


def test_a_model_that_is_neither_a_folder_nor_a_run() -> None:
    with pytest.raises(ModelError) as caught:
        load("models/nothing")
    assert str(caught.value) == (
        "models/nothing: no such model folder; and as a run: "
        "experiments: no runs here; expected a folder that `textcls train` has tracked runs in"
    )
    assert not Path("experiments").exists()


# --- what weighed ---------------------------------------------------------------------------------------------------


def test_what_weighed_comes_with_the_label(classifier: TextClassifier, article: Path, tmp_path: Path) -> None:
    rows = predicted(classifier, article, explain=True)
    assert list(rows[0]) == ["article", "start", "end", "block", "text", "label", "probabilities", "weighed"]
    strongest = rows[1]["weighed"][0]
    assert strongest["piece"].strip() in rows[1]["text"].lower()
    assert strongest["weight"] > 0
    for name in ("rows.csv", "rows.parquet"):
        write_rows(rows, tmp_path / name)
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as lines:
        assert [json.loads(row["weighed"]) for row in csv.DictReader(lines)] == [row["weighed"] for row in rows]
    kept = pyarrow.parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [row["weighed"] for row in kept] == [row["weighed"] for row in rows]


def test_a_model_that_cannot_say_what_weighed(classifier: TextClassifier, article: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(classifier), "explain", TextClassifier.explain)
    with pytest.raises(ModelError, match=r"^a model of kind 'tfidf' cannot explain its predictions; leave out --explain$"):
        predicted(classifier, article, explain=True)
