"""Labels of people: the store, the figures of agreement against the literature, the rows that come of them, and what ships."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Done

from textcls.annotation import (
    Annotation,
    append_annotations,
    build_rows,
    current,
    measure_agreement,
    read_annotations,
    read_stores,
)
from textcls.annotation.store import Span, verify
from textcls.articles import Article, find_articles, read_article
from textcls.dataset import SKIP
from textcls.errors import DataError, OutputError

SEEDS = ROOT / "data" / "seeds"
LABELS = {"fact", "quote", "speculation", "opinion"}


def note(text: str = "It rained.", start: int = 0, **fields: Any) -> Annotation:
    """An annotation of a sentence."""
    return Annotation(
        **{
            "article": "storm",
            "start": start,
            "end": start + len(text),
            "text": text,
            "label": "fact",
            "annotator": "ann",
            "time": datetime(2026, 5, 4, 12, 30, tzinfo=UTC),
            "guidelines": "1.0",
            "segmentation": "nupunkt-0.8.0+rules-1",
            **fields,
        }
    )


# --- the store ------------------------------------------------------------------------------------------------------


def test_round_trip(tmp_path: Path) -> None:
    notes = [
        note(),
        note("“Don’t!” 🎉 Cafe\u0301", 11, label="quote", reason="The speaker’s words."),
        note('She said: "C:\\new" — it\nwent on', 40),
        note("One\u2028two\u2029three\x85four\x0bfive\x0csix\x1cseven", 90),  # what str.splitlines takes for line ends
    ]
    append_annotations(tmp_path / "a.jsonl", notes)
    assert read_annotations(tmp_path / "a.jsonl") == notes
    assert len((tmp_path / "a.jsonl").read_bytes().splitlines()) == (tmp_path / "a.jsonl").read_bytes().count(b"\n") == 4


def test_appending_keeps_what_is_there(tmp_path: Path) -> None:
    store = tmp_path / "a.jsonl"
    append_annotations(store, [note()])
    first = store.read_bytes()
    append_annotations(store, [note(label="quote")])
    assert store.read_bytes().startswith(first)
    assert [a.label for a in read_annotations(store)] == ["fact", "quote"]


def test_appending_after_an_editor_left_no_final_newline(tmp_path: Path) -> None:
    store = tmp_path / "a.jsonl"
    append_annotations(store, [note()])
    store.write_bytes(store.read_bytes().rstrip(b"\n"))
    append_annotations(store, [note(label="quote")])
    assert [a.label for a in read_annotations(store)] == ["fact", "quote"]


def test_a_store_holds_what_the_design_says(tmp_path: Path) -> None:
    append_annotations(tmp_path / "a.jsonl", [note()])
    assert json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8")) == {
        "article": "storm",
        "start": 0,
        "end": 10,
        "text": "It rained.",
        "label": "fact",
        "annotator": "ann",
        "time": "2026-05-04T12:30:00Z",
        "guidelines": "1.0",
        "segmentation": "nupunkt-0.8.0+rules-1",
    }


def test_blank_lines_and_carriage_returns_are_read_over(tmp_path: Path) -> None:
    line = note().model_dump_json()
    (tmp_path / "a.jsonl").write_bytes(f"{line}\r\n\r\n  \n{line}".encode())
    assert read_annotations(tmp_path / "a.jsonl") == [note(), note()]


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + note().model_dump_json().encode())
    append_annotations(tmp_path / "a.jsonl", [note(label="quote")])
    assert read_annotations(tmp_path / "a.jsonl") == [note(), note(label="quote")]


def test_the_newest_line_counts() -> None:
    held = current(
        [
            note(label="fact"),
            note(label="opinion", annotator="bob"),
            note("It was wet.", 11, label="fact"),
            note(label="quote", time=datetime(2020, 1, 1, tzinfo=UTC)),  # a wrong clock does not bring the older label back
        ]
    )
    assert {name: {span: a.label for span, a in spans.items()} for name, spans in held.items()} == {
        "ann": {Span("storm", 0, 10): "quote", Span("storm", 11, 22): "fact"},
        "bob": {Span("storm", 0, 10): "opinion"},
    }


def test_an_annotator_may_have_several_stores_that_do_not_differ(tmp_path: Path) -> None:
    append_annotations(tmp_path / "1.jsonl", [note(label="quote"), note(label="fact")])  # a correction
    append_annotations(tmp_path / "2.jsonl", [note(), note("It was wet.", 11), note(annotator="bob", label="opinion")])
    held = read_stores([tmp_path / "1.jsonl", tmp_path / "2.jsonl"])
    assert {name: {span.start: a.label for span, a in spans.items()} for name, spans in held.items()} == {
        "ann": {0: "fact", 11: "fact"},
        "bob": {0: "opinion"},
    }


def test_a_space_after_a_name_makes_no_other_annotator(tmp_path: Path) -> None:
    append_annotations(tmp_path / "1.jsonl", [note()])
    (tmp_path / "2.jsonl").write_text((tmp_path / "1.jsonl").read_text().replace('"ann"', '"ann "'))
    assert list(read_stores([tmp_path / "1.jsonl", tmp_path / "2.jsonl"])) == ["ann"]


@pytest.mark.parametrize("command", [("agreement",), ("adjudicate", "--decisions", "d", "--output", "o"), ("data", "build")])
def test_two_people_of_one_name_are_refused(command: tuple[str, ...], tmp_path: Path, textcls: Callable[..., Done]) -> None:
    stores = [tmp_path / f"{name}.jsonl" for name in "abc"]
    append_annotations(stores[0], [note(), note("It was wet.", 11), note("It was dry.", 23)])
    append_annotations(stores[1], [note(annotator="bob")])
    append_annotations(stores[2], [note(), note("It was wet.", 11, label="quote"), note("It was dry.", 23, label="opinion")])
    before = (ROOT / "seeds", SEEDS / "adjudicated.jsonl") if command[0] == "data" else ()
    done = textcls(*command, *before, *stores)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"error: {stores[2]}: annotator 'ann' labels 2 sentences otherwise than in {stores[0]}, the first, storm 11–22, as 'quote' and "
        "there as 'fact'; give two people two names, or put what one person has corrected into one file\n"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": None}, "label: input should be a valid string, found null"),
        ({"label": " "}, 'label: string should have at least 1 character, found " "'),
        ({"article": ""}, 'article: string should have at least 1 character, found ""'),
        ({"annotator": ""}, 'annotator: string should have at least 1 character, found ""'),
        ({"start": -1}, "start: input should be greater than or equal to 0, found -1"),
        ({"end": 9}, "end - start is 9, but the text has 10 characters"),
        ({"lable": "fact"}, "unknown key 'lable'; did you mean 'label'?"),
        ({"guidelines": ...}, "no 'guidelines'; add it"),
        ({"segmentation": ..., "segments": "x"}, "no 'segmentation'; did you mean 'segments'?"),
    ],
)
def test_a_line_that_is_no_annotation(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    good = json.loads(note().model_dump_json())
    bad = {key: value for key, value in {**good, **change}.items() if value is not ...}
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(good)}\n\n{json.dumps(bad)}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_annotations(path)
    assert str(caught.value) == f"{path}, line 3: {message}"


@pytest.mark.parametrize("line", ['{"article": "storm"', "storm", "[]"])
def test_a_line_that_is_no_json_object(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{note().model_dump_json()}\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_annotations(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")


def test_a_store_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with pytest.raises(DataError) as caught:
        read_annotations(path)
    assert str(caught.value) == f"{path}: no such file; expected annotations, one JSON object a line"
    path.write_text("\n\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_annotations(path)
    assert str(caught.value) == f"{path}: expected annotations, found none"
    path.write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"a\.jsonl: cannot be read as annotations: 'utf-8' codec can't decode byte 0xff"):
        read_annotations(path)


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        append_annotations(tmp_path, [note()])
    assert str(caught.value) == f"{tmp_path}: cannot be written: Is a directory"


def test_an_annotation_that_does_not_fit_its_article() -> None:
    article = Article("storm", "It snowed. It was “wet”.")
    verify([note("It snowed.")], {"storm": article})
    with pytest.raises(DataError) as caught:
        verify([note("It snowed."), note("It was wet.", 11)], {"storm": article})
    assert str(caught.value) == 'article \'storm\' reads "It was “wet" at 11–22, but "It was wet." was annotated there'


def test_an_annotation_beyond_the_end_of_its_article() -> None:
    with pytest.raises(DataError) as caught:
        verify([note("It rained.", 20)], {"storm": Article("storm", "It rained.")})
    assert str(caught.value) == 'article \'storm\' reads "" at 20–30, but "It rained." was annotated there'


def test_an_annotation_of_an_article_that_is_not_there() -> None:
    with pytest.raises(DataError) as caught:
        verify([note(article="strom")], {"storm": Article("storm", "It rained."), "flood": Article("flood", "It rained.")})
    assert str(caught.value) == "article 'strom' is annotated, but not there; did you mean 'storm'?"


# --- agreement ------------------------------------------------------------------------------------------------------


def hold(**labels: str) -> dict[str, dict[Span, Annotation]]:
    """What annotators hold, given a string of one-letter labels for each; a dot stands for none."""
    return current(
        note("x", number, label=label, annotator=name)
        for name, said in labels.items()
        for number, label in enumerate(said)
        if label != "."
    )


def test_cohens_kappa_by_hand() -> None:
    # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5, so kappa = 0.2 / 0.5.
    found = measure_agreement(hold(a="y" * 25 + "n" * 25, b="y" * 20 + "n" * 5 + "y" * 10 + "n" * 15))
    assert found.annotators == ["a", "b"]
    assert found.labels == ["n", "y"]
    assert found.spans == 50
    assert found.raw == pytest.approx(0.7)
    assert found.kappa == {("a", "b"): pytest.approx(0.4)}
    # With two labels, each against the other is the same question.
    assert found.per_label == {"n": pytest.approx(0.4), "y": pytest.approx(0.4)}
    # Rows are the first annotator: no/no 15, no/yes 10, yes/no 5, yes/yes 20.
    assert found.confusion.tolist() == [[15, 10], [5, 20]]
    assert found.differences == [Span("storm", n, n + 1) for n in (*range(20, 25), *range(25, 35))]


def test_krippendorffs_alpha_of_the_literature() -> None:
    # Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, section C: four observers, twelve units of which the
    # last has one value only and does not count, missing values; nominal alpha is 0.743.
    found = measure_agreement(hold(a="123321412...", b="1233224125.3", c=".3332342251.", d="1233244125" + "1."))
    assert found.spans == 11
    assert found.alpha == pytest.approx(0.743, abs=5e-4)


def test_krippendorffs_alpha_of_two_by_hand() -> None:
    # Section B of the same paper: ten units, two observers, two labels; alpha = 0.095.
    found = measure_agreement(hold(a="0100000010", b="1110010000"))
    assert found.alpha == pytest.approx(0.095, abs=5e-4)
    assert found.raw == pytest.approx(0.6)


def test_kappa_of_each_label_against_the_others() -> None:
    found = measure_agreement(hold(a="aabbcc", b="aabcbc"))
    assert found.kappa["a", "b"] == pytest.approx(0.5)  # p_o = 4/6, p_e = 3 * (1/3)²
    # a: always alike. b, c: p_o = 4/6, p_e = (1/3)² + (2/3)² = 5/9, so (6/9 - 5/9) / (4/9).
    assert found.per_label == {"a": pytest.approx(1.0), "b": pytest.approx(0.25), "c": pytest.approx(0.25)}
    assert found.confusion.tolist() == [[2, 0, 0], [0, 1, 1], [0, 1, 1]]


def test_three_annotators_that_share_some_spans() -> None:
    found = measure_agreement(hold(c="xy..", a="xyx.", b="..xy"))
    assert found.annotators == ["a", "b", "c"]
    assert found.spans == 3  # the fourth is one annotator's alone
    assert set(found.kappa) == {("a", "b"), ("a", "c")}  # b and c share nothing
    assert found.kappa["a", "c"] == 1.0
    assert math.isnan(found.kappa["a", "b"])  # who share one sentence, and so use one label
    assert found.raw == found.alpha == 1.0
    assert found.differences == []


def test_many_labels_take_neither_long_nor_much_memory() -> None:
    held = hold(a="x" * 2000, b="x" * 2000)
    for by_span in held.values():
        for number, (span, said) in enumerate(by_span.items()):
            by_span[span] = said.model_copy(update={"label": f"label {number % 800}"})
    found = measure_agreement(held)
    assert (len(found.labels), found.alpha, found.per_label["label 7"]) == (800, 1.0, 1.0)


def test_disagreement_throughout() -> None:
    found = measure_agreement(hold(a="xxyy", b="yyxx"))
    assert found.raw == 0.0
    assert found.kappa["a", "b"] == pytest.approx(-1.0)


def test_with_one_label_only_agreement_beyond_chance_is_undefined() -> None:
    found = measure_agreement(hold(a="xxx", b="xxx"))
    assert (found.raw, found.confusion.tolist()) == (1.0, [[3]])
    assert all(map(math.isnan, (found.alpha, found.kappa["a", "b"], found.per_label["x"])))
    found = measure_agreement(hold(a="xxx..", b="xxxyy", c="...yx"))
    assert math.isnan(found.kappa["a", "b"]), "though others use two"
    assert not math.isnan(found.alpha)
    assert not any(map(math.isnan, found.per_label.values()))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({}, "expected the labels of two annotators or more, found none"),
        ({"ann": "xy"}, "expected the labels of two annotators or more, found ann"),
        ({"bob": "xy..", "ann": "..xy"}, "ann, bob have no sentence in common; were they given the same articles?"),
    ],
)
def test_agreement_of_too_few(labels: dict[str, str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        measure_agreement(hold(**labels))
    assert str(caught.value) == message


# --- rows -----------------------------------------------------------------------------------------------------------

STORM = Article("storm", "Storm hits the coast\n\nBy Ann Lee\n\nIt rained. It was cold. It will be warm, she said.\n")


def label_storm(**changes: str | None) -> list[Annotation]:
    labels: dict[str, str | None] = {
        "Storm hits the coast": "fact",
        "By Ann Lee": SKIP,
        "It rained.": "fact",
        "It was cold.": "opinion",
        "It will be warm, she said.": "quote",
    }
    for name, label in changes.items():
        (text,) = [text for text in labels if name in text]
        labels[text] = label
    return [note(text, STORM.text.index(text), label=label) for text, label in labels.items() if label]


def test_a_column_does_not_take_the_place_of_a_rows_own() -> None:
    with pytest.raises(DataError) as caught:
        build_rows([STORM], label_storm(), columns={"storm": {"text": "All of the article."}})
    assert str(caught.value) == "the columns of article 'storm' hold 'text', which its sentences have themselves; rename it"


def test_columns_are_given_for_each_article_and_no_other() -> None:
    with pytest.raises(DataError) as caught:
        build_rows([STORM], label_storm(), columns={"storm": {"topic": "weather"}, "strom": {"topic": "weather"}})
    assert str(caught.value) == "columns are given for article 'strom', which is not there; did you mean 'storm'?"
    with pytest.raises(DataError) as caught:
        build_rows([STORM, Article("flood", "It rained.")], label_storm(), columns={"storm": {"topic": "weather"}})
    assert str(caught.value) == "no columns are given for 1 of 2 articles, the first 'flood'; add a row for each"


def test_rows_of_an_article() -> None:
    rows = build_rows([STORM], label_storm(), columns={"storm": {"topic": "weather"}})
    assert [(row["id"], row["label"], row["text"]) for row in rows] == [
        ("storm:0", "fact", "Storm hits the coast"),
        ("storm:34", "fact", "It rained."),
        ("storm:45", "opinion", "It was cold."),
        ("storm:58", "quote", "It will be warm, she said."),
    ]
    # A skipped line makes no row, but still stands before its neighbour.
    assert [(row["before"], row["after"]) for row in rows] == [
        (None, "By Ann Lee"),
        ("By Ann Lee", "It was cold."),
        ("It rained.", "It will be warm, she said."),
        ("It was cold.", None),
    ]
    assert {(row["article"], row["topic"]) for row in rows} == {("storm", "weather")}
    assert list(rows[0]) == ["id", "text", "label", "article", "before", "after", "topic"]


def test_rows_take_the_newest_label() -> None:
    rows = build_rows([STORM], [*label_storm(), note("It rained.", 34, label="speculation")])
    assert [row["label"] for row in rows] == ["fact", "speculation", "opinion", "quote"]


def test_rows_carry_what_annotators_said() -> None:
    said = current([note("It rained.", 34, annotator=name, label=label) for name, label in (("zoe", "quote"), ("bob", "fact"))])
    rows = build_rows([STORM], label_storm(), annotators=said)
    assert [row["annotator_labels"] for row in rows] == [[], ["fact", "quote"], [], []]


def test_rows_without_any_annotators_label_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    build_rows([STORM], label_storm(), annotators=current(label_storm()))
    assert caplog.messages == []
    build_rows([STORM], label_storm(), annotators=current(label_storm(rained=None, cold=None)))
    assert caplog.messages == ["2 of 4 rows have no annotator's label; are all stores given?"]


def test_labels_of_annotators_must_fit_the_articles() -> None:
    with pytest.raises(DataError) as caught:
        build_rows([STORM], label_storm(), annotators=current([note("It rained.", 34), note(article="strom", annotator="bob")]))
    assert str(caught.value) == "labels of annotator 'bob': article 'strom' is annotated, but not there; did you mean 'storm'?"
    with pytest.raises(DataError) as caught:
        build_rows([STORM], label_storm(), annotators=current([note("It rained.", 33)]))
    assert str(caught.value).startswith("labels of annotator 'ann': article 'storm' reads ")


def test_titles_and_headings_need_no_label_and_sentences_do() -> None:
    assert [row["id"] for row in build_rows([STORM], label_storm(By=None, Storm=None))] == ["storm:34", "storm:45", "storm:58"]
    with pytest.raises(DataError) as caught:
        build_rows([STORM], label_storm(cold=None))
    assert str(caught.value) == (
        "1 sentence has no label; it is 'It was cold.' of a paragraph at storm 45–57; label it, with 'skip' what makes no row"
    )
    with pytest.raises(DataError) as caught:
        build_rows([STORM], label_storm(cold=None, warm=None))
    assert str(caught.value) == (
        "2 sentences have no label; the first is 'It was cold.' of a paragraph at storm 45–57; label them, with 'skip' what makes no row"
    )


def test_rows_of_several_annotators_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        build_rows([STORM], [*label_storm(), note("It rained.", 34, annotator="bob")])
    assert str(caught.value) == "expected the labels of one annotator, found those of ann, bob; adjudicate them first"
    with pytest.raises(DataError) as caught:
        build_rows([STORM], [])
    assert str(caught.value) == "expected the labels of one annotator, found those of none; adjudicate them first"


def test_rows_of_an_article_that_was_changed() -> None:
    changed = Article("storm", STORM.text.replace("cold", "mild"))
    with pytest.raises(DataError) as caught:
        build_rows([changed], label_storm())
    assert str(caught.value) == ('article \'storm\' reads "It was mild." at 45–57, but "It was cold." was annotated there')


# --- what ships -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seeds() -> list[Article]:
    return [read_article(path) for path in find_articles(ROOT / "seeds")]


def test_the_seeds_dataset_is_what_build_rows_makes(seeds: list[Article]) -> None:
    annotators = current(a for name in ("annotator-a", "annotator-b") for a in read_annotations(SEEDS / f"{name}.jsonl"))
    rows = build_rows(seeds, read_annotations(SEEDS / "adjudicated.jsonl"), annotators=annotators)
    with (SEEDS / "sentences.jsonl").open(encoding="utf-8") as lines:
        assert [json.loads(line) for line in lines] == rows
    assert {row["label"] for row in rows} == LABELS
    assert {row["article"] for row in rows} == {article.id for article in seeds}


@pytest.mark.parametrize(
    ("name", "annotator"),
    [
        ("annotator-a.jsonl", "annotator-a"),
        ("annotator-b.jsonl", "annotator-b"),
        ("adjudicated.jsonl", "adjudicator"),
    ],
)
def test_every_sentence_of_the_seeds_is_labelled(seeds: list[Article], name: str, annotator: str) -> None:
    held = current(read_annotations(SEEDS / name))
    assert set(held) == {annotator}
    labelled = {span: a.text for span, a in held[annotator].items()}
    assert labelled == {Span(article.id, s.start, s.end): s.text for article in seeds for s in article.sentences}
    assert {a.label for a in held[annotator].values()} <= LABELS | {SKIP}


def test_what_annotators_agree_on_is_kept_and_what_they_differ_on_is_settled_with_a_reason() -> None:
    held = current(a for name in ("annotator-a", "annotator-b", "adjudicated") for a in read_annotations(SEEDS / f"{name}.jsonl"))
    adjudicated = held.pop("adjudicator")
    found = measure_agreement(held)
    assert found.spans == len(adjudicated) == 85
    for span, settled in adjudicated.items():
        if span in found.differences:
            assert settled.reason, span
        else:
            assert settled.label == held["annotator-a"][span].label, span
    assert 0.6 < found.alpha < 1.0  # two people: neither strangers nor copies
    assert found.alpha == pytest.approx(found.kappa["annotator-a", "annotator-b"], abs=0.02)
