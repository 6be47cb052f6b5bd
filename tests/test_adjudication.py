"""Settling differences between annotators, and confident learning."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import Done, write_jsonl

from textcls.annotation import (
    Annotation,
    Span,
    adjudicate,
    append_annotations,
    build_rows,
    current,
    differences,
    labelled_once,
    read_annotations,
    read_suspects,
    undecided_suspects,
)
from textcls.articles import find_articles, read_article
from textcls.config import make_config
from textcls.dataset import load_dataset, read_columns, read_rows
from textcls.errors import DataError
from textcls.training import suspected_errors

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def note(annotator: str, label: str, *, start: int = 0, reason: str | None = None) -> Annotation:
    return Annotation(
        article="a",
        start=start,
        end=start + 4,
        text="Rain",
        label=label,
        annotator=annotator,
        time=NOW,
        guidelines="1.0",
        segmentation="s",
        reason=reason,
    )


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Say what is typed on the terminal."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    return lambda answers: monkeypatch.setattr("sys.stdin", Terminal(answers))


def test_only_what_differs_is_a_difference() -> None:
    held = current([note("x", "fact"), note("y", "quote"), note("x", "fact", start=9), note("y", "fact", start=9)])
    assert [(span.start, sorted(said)) for span, said in differences(held).items()] == [(0, ["x", "y"])]


def test_decisions_settle_differences_and_override_agreement_with_their_reasons() -> None:
    held = current([note("x", "fact"), note("y", "quote"), note("x", "fact", start=9), note("y", "fact", start=9)])
    decisions = [note("judge", "opinion", reason="a verdict"), note("judge", "skip", start=9, reason="a heading")]
    merged = adjudicate(held, decisions, annotator="all")
    assert [(a.start, a.label, a.annotator, a.reason) for a in merged] == [
        (0, "opinion", "all", "a verdict"),
        (9, "skip", "all", "a heading"),
    ]


def test_the_same_stores_make_the_same_labels_in_any_order() -> None:
    notes = [note("x", "fact", reason="it is counted"), note("y", "fact", reason="it is dated")]
    assert adjudicate(current(notes), [], annotator="all") == adjudicate(current(notes[::-1]), [], annotator="all")


def test_an_undecided_difference_is_named() -> None:
    held = current([note("x", "fact"), note("y", "quote")])
    with pytest.raises(DataError) as caught:
        adjudicate(held, [], annotator="all")
    assert str(caught.value) == (
        "1 difference is undecided, the first at a 0–4; decide on a terminal, or add a line for each to the file of decisions"
    )


def test_an_answer_that_is_none_is_told(tmp_path: Path, textcls: Callable[..., Done], typed: Callable[[str], None]) -> None:
    append_annotations(tmp_path / "x.jsonl", [note("x", "fact")])
    append_annotations(tmp_path / "y.jsonl", [note("y", "quote")])

    typed("fcat\n\nfact\n \n\nbecause\n")
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    done = textcls("adjudicate", *stores, "--decisions", "decisions.jsonl", "--output", "all.jsonl")
    assert done.code == 0, done.err
    assert "no label 'fcat'; did you mean 'fact'?" in done.out
    assert "no label ''; known: fact, quote, skip" in done.out
    assert done.out.count("a decision needs a reason") == 2
    (decision,) = read_annotations("decisions.jsonl")
    assert (decision.label, decision.reason) == ("fact", "because")


def test_a_sentence_is_shown_where_it_stands(tmp_path: Path, textcls: Callable[..., Done], typed: Callable[[str], None]) -> None:
    texts = ["Rain", "Snow", "Hail", "Wind"]
    for name, labels in (("x", ["fact"] * 4), ("y", ["quote", "fact", "quote", "fact"])):
        notes = [note(name, label, start=9 * number) for number, label in enumerate(labels)]
        notes = [said.model_copy(update={"text": text}) for said, text in zip(notes, texts, strict=True)]
        elsewhere = note(name, "fact").model_copy(update={"article": "0", "text": "Heat"})
        append_annotations(tmp_path / f"{name}.jsonl", [*notes, elsewhere])
    typed("fact\nas it is\n" * 2)
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    done = textcls("adjudicate", *stores, "--decisions", "decisions.jsonl", "--output", "all.jsonl")
    assert done.code == 0, done.err
    assert "1 of 2   a 0–4\nRain\n(Snow)\nx: fact   y: quote\n" in done.out
    assert "2 of 2   a 18–22\n(Snow)\nHail\n(Wind)\nx: fact   y: quote\n" in done.out


def test_a_new_label_is_taken_if_it_is_typed_twice_and_is_known_from_then_on(
    tmp_path: Path, textcls: Callable[..., Done], typed: Callable[[str], None]
) -> None:
    for name, label in (("x", "fact"), ("y", "quote")):
        append_annotations(tmp_path / f"{name}.jsonl", [note(name, label, start=start) for start in (0, 9)])
    typed("fcat\nsatire\n satire \nit mocks\nsatire\nso does this\n")
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    done = textcls("adjudicate", *stores, "--decisions", "decisions.jsonl", "--output", "all.jsonl")
    assert done.code == 0, done.err
    assert "no label 'satire'; known: fact, quote, skip\na new label is taken if you type it again\n" in done.out
    assert "label (fact, quote, satire, skip): " in done.out
    assert [a.label for a in read_annotations("all.jsonl")] == ["satire", "satire"]


def test_a_label_that_no_annotator_used_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    held = current([note(name, label, start=start) for name, label in (("x", "fact"), ("y", "quote")) for start in (0, 9, 18)])
    decided = ((0, "oppinion"), (9, "skip"), (18, "oppinion"), (18, "fact"))
    adjudicate(held, [note("j", label, start=start, reason="a verdict") for start, label in decided], annotator="all")
    assert caplog.messages == ["no annotator used the label of 1 decision: 'oppinion' (1, at a 0–4)"]
    caplog.clear()
    adjudicate(held, [note("j", "fact", start=start, reason="a count") for start in (0, 9, 18)], annotator="all")
    assert caplog.messages == []


def test_the_first_place_of_a_new_label_is_named(caplog: pytest.LogCaptureFixture) -> None:
    held = current([note(name, label, start=start) for name, label in (("x", "fact"), ("y", "quote")) for start in (0, 9, 18)])
    decided = ((18, "fcat"), (9, "fcat"), (0, "satire"))
    adjudicate(held, [note("j", label, start=start, reason="a verdict") for start, label in decided], annotator="all")
    assert caplog.messages == [
        "no annotator used the label of 3 decisions: 'fcat' (2, the first at a 9–13), 'satire' (1, at a 0–4)"
    ]


def test_skip_is_a_choice_before_anybody_used_it(
    tmp_path: Path, textcls: Callable[..., Done], typed: Callable[[str], None]
) -> None:
    append_annotations(tmp_path / "x.jsonl", [note("x", "fact")])
    append_annotations(tmp_path / "y.jsonl", [note("y", "quote")])
    typed("skip\na byline\n")
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    done = textcls("adjudicate", *stores, "--decisions", "decisions.jsonl", "--output", "all.jsonl")
    assert (done.code, "no label" in done.out) == (0, False), done.err
    assert [a.label for a in read_annotations("all.jsonl")] == ["skip"]


def test_an_answer_can_be_taken_back(tmp_path: Path, textcls: Callable[..., Done], typed: Callable[[str], None]) -> None:
    for name, label in (("x", "fact"), ("y", "quote")):
        append_annotations(tmp_path / f"{name}.jsonl", [note(name, label, start=start) for start in (0, 9, 18)])
    steps = [
        "<",  # there is nothing yet
        *("fcat", "fcat", "mistyped"),
        *("quote", "her words"),
        *("<", "<"),  # from the third to the second, and to the first
        *("fact", "a count"),
        *("quote", "her own words"),  # the second once more
        *("quote", "<", "fact", "another count"),  # from the reason to the label
    ]
    typed("".join(f"{step}\n" for step in steps))
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    done = textcls("adjudicate", *stores, "--decisions", "decisions.jsonl", "--output", "all.jsonl")
    assert done.code == 0, done.err
    assert done.out.startswith("Ctrl-C stops and keeps the answers; < goes back, ")
    assert done.out.count("Ctrl-C") == done.out.count("there is nothing to go back to; ") == 1
    places = [
        "1 of 3   a 0–4",
        "1 of 3   a 0–4",
        "2 of 3   a 9–13",
        "3 of 3   a 18–22",
        "2 of 3   a 9–13",
        "1 of 3   a 0–4",
        "2 of 3   a 9–13",
    ]
    assert re.findall(r"^\d of \d .*", done.out, re.MULTILINE) == [*places, "3 of 3   a 18–22"]
    assert [(a.start, a.label, a.reason) for a in read_annotations("all.jsonl")] == [
        (0, "fact", "a count"),
        (9, "quote", "her own words"),
        (18, "fact", "another count"),
    ]
    assert "label (fact, quote, skip): why" in done.out.rpartition("3 of 3")[2], "without what was taken back"


def test_decisions_without_a_reason_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    held = current([note(name, label, start=start) for name, label in (("x", "fact"), ("y", "quote")) for start in (0, 9, 18)])
    decisions = [note("j", "fact"), note("j", "fact", start=9, reason=" "), note("j", "fact", start=18, reason="a count")]
    adjudicate(held, decisions, annotator="all")
    assert caplog.messages == ["2 of 3 decisions have no reason, which readers will look for"]
    caplog.clear()
    adjudicate(
        held, [*decisions, note("j", "fact", reason="a date"), note("j", "fact", start=9, reason="a name")], annotator="all"
    )
    assert caplog.messages == []


def test_bytes_that_are_no_text_are_asked_for_again(
    tmp_path: Path, textcls: Callable[..., Done], typed: Callable[[str], None]
) -> None:
    append_annotations(tmp_path / "x.jsonl", [note("x", "fact")])
    append_annotations(tmp_path / "y.jsonl", [note("y", "quote")])
    typed("fa\udce9ct\nfact\na caf\udce9\na café\n")  # as a terminal in UTF-8 gives the byte 0xe9
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    done = textcls("adjudicate", *stores, "--decisions", "decisions.jsonl", "--output", "all.jsonl")
    assert done.code == 0, done.err
    assert done.out.count("that holds bytes that are no text in this terminal's encoding; type it again") == 2
    assert [(a.label, a.reason) for a in read_annotations("decisions.jsonl")] == [("fact", "a café")]


def test_who_stops_is_told_what_is_kept(tmp_path: Path, textcls: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, label in (("x", "fact"), ("y", "quote")):
        append_annotations(tmp_path / f"{name}.jsonl", [note(name, label, start=start) for start in (0, 9)])

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, *size: Any) -> str:
            if line := super().readline(*size):
                return line
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Terminal("fact\na count\nquote\n"))
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    done = textcls("adjudicate", *stores, "--decisions", "decisions.jsonl", "--output", "all.jsonl")
    assert done.code == 130
    assert done.err == "\nstopped: 1 answer kept in decisions.jsonl; the same command asks for the rest\n"
    assert [(a.start, a.label) for a in read_annotations("decisions.jsonl")] == [(0, "fact")]


@pytest.mark.parametrize("name", ["", " ", "J\udce9"])
def test_a_name_that_no_line_can_have_is_refused_before_anybody_is_asked(
    name: str, tmp_path: Path, textcls: Callable[..., Done], typed: Callable[[str], None]
) -> None:
    append_annotations(tmp_path / "x.jsonl", [note("x", "fact")])
    append_annotations(tmp_path / "y.jsonl", [note("y", "quote")])
    typed("fact\na count\n")
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    done = textcls("adjudicate", *stores, "--decisions", "decisions.jsonl", "--output", "all.jsonl", "--annotator", name)
    assert (done.code, done.out) == (2, "")
    assert "expected a name" in done.err


def test_what_somebody_else_decides_meanwhile_is_not_asked_and_counts(
    tmp_path: Path, textcls: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, label in (("x", "fact"), ("y", "quote")):
        append_annotations(tmp_path / f"{name}.jsonl", [note(name, label, start=start) for start in (0, 9, 18)])

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, *size: Any) -> str:
            if not Path("decisions.jsonl").exists():  # the first question is on Ann's screen
                append_annotations("decisions.jsonl", [note("bob", "quote", start=start, reason="his") for start in (0, 9)])
            return super().readline(*size)

    monkeypatch.setattr("sys.stdin", Terminal("fact\nhers\nfact\nhers\n"))
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    done = textcls("adjudicate", *stores, "--decisions", "decisions.jsonl", "--annotator", "ann", "--output", "all.jsonl")
    assert done.code == 0, done.err
    assert [line for line in done.out.splitlines() if " of " in line] == ["1 of 3   a 0–4", "2 of 2   a 18–22"]
    assert done.out.count("bob decided this meanwhile: quote (his); the later answer counts") == 1
    assert "ann decided" not in done.out
    assert [(a.start, a.label, a.reason) for a in read_annotations("all.jsonl")] == [
        (0, "fact", "hers"),
        (9, "quote", "his"),
        (18, "fact", "hers"),
    ]


def test_what_one_annotator_alone_has_labelled_is_not_agreed_on() -> None:
    held = current([note("x", "fact"), note("y", "fact"), note("x", "fact", start=9), note("y", "quote", start=18)])
    assert [(span.start, list(said)) for span, said in labelled_once(held).items()] == [(9, ["x"]), (18, ["y"])]
    with pytest.raises(DataError) as caught:
        adjudicate(held, [], annotator="all")
    assert str(caught.value) == (
        "2 spans are labelled by one annotator only, the first at a 9–13; decide them, or keep these labels with --keep-single"
    )
    kept = adjudicate(held, [], annotator="all", keep_single=True)
    assert [(a.start, a.label) for a in kept] == [(0, "fact"), (9, "fact"), (18, "quote")]
    decided = adjudicate(held, [note("j", "skip", start=9), note("j", "quote", start=18)], annotator="all")
    assert [(a.start, a.label) for a in decided] == [(0, "fact"), (9, "skip"), (18, "quote")]


@pytest.mark.parametrize("decided", ["", "\n"])
def test_a_file_of_decisions_may_hold_none_yet(decided: str, tmp_path: Path, textcls: Callable[..., Done]) -> None:
    for name in "xy":
        append_annotations(tmp_path / f"{name}.jsonl", [note(name, "fact")])
    Path("decisions.jsonl").write_text(decided)
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    done = textcls("adjudicate", *stores, "--decisions", "decisions.jsonl", "--output", "all.jsonl")
    assert (done.code, done.err) == (0, "1 labels written to all.jsonl, 0 of them decided\n")


def test_single_labels_are_kept_when_told_and_counted(tmp_path: Path, textcls: Callable[..., Done]) -> None:
    append_annotations(tmp_path / "x.jsonl", [note("x", "fact"), note("x", "fact", start=9)])
    append_annotations(tmp_path / "y.jsonl", [note("y", "fact")])
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl", "--decisions", "decisions.jsonl", "--output", "all.jsonl")
    done = textcls("adjudicate", *stores)
    assert (done.code, Path("all.jsonl").exists()) == (1, False)
    assert "1 spans are labelled by one annotator only, the first at a 9–13; " in done.err
    done = textcls("adjudicate", *stores, "--keep-single")
    assert (done.code, done.err) == (0, "2 labels written to all.jsonl, 0 of them decided, 1 of one annotator only\n")
    assert [a.start for a in read_annotations("all.jsonl")] == [0, 9]


def test_the_last_decision_of_a_span_counts_whoever_made_it_and_whenever() -> None:
    held = current([note("x", "fact"), note("y", "quote")])
    earlier = NOW.replace(year=2020)  # a wrong clock does not bring the older decision back
    decisions = [note("j", "fact", reason="1"), note("k", "quote", reason="2").model_copy(update={"time": earlier})]
    (merged,) = adjudicate(held, decisions, annotator="all")
    assert (merged.label, merged.reason) == ("quote", "2")
    (merged,) = adjudicate(held, decisions[::-1], annotator="all")
    assert (merged.label, merged.reason) == ("fact", "1")


def test_a_decision_on_what_nobody_labelled_is_refused() -> None:
    held = current([note("x", "fact"), note("y", "fact")])
    with pytest.raises(DataError, match="a 50–54 was decided, but no annotator labelled it"):
        adjudicate(held, [note("j", "fact", start=50)], annotator="all")


def test_labels_for_no_sentence_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Rain fell on the town all day.", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"^1 labels are for no sentence of nupunkt-.*, made with s, for a 0–4; annotate these anew$"
    ):
        build_rows([read_article(path)], [note("x", "fact")])


def test_the_news_corpus_is_what_its_stores_make() -> None:
    news = ROOT / "data" / "news"
    stores = sorted((news / "annotations").glob("annotator-*.jsonl"))
    held = current(a for store in stores for a in read_annotations(store))
    kept = read_annotations(news / "annotations" / "adjudicated.jsonl")
    decisions = read_annotations(news / "annotations" / "decisions.jsonl")
    assert adjudicate(held, decisions, annotator="adjudicated") == kept
    assert differences(held).keys() <= {a.span for a in decisions if a.annotator != "readers"}, "all, before anything was doubted"
    assert all(a.reason for a in decisions)
    articles = [read_article(path) for path in find_articles(news / "articles")]
    built = build_rows(articles, kept, columns=read_columns(news / "articles.jsonl", key="article"), annotators=held)
    published = [row for split in ("train", "validation", "test") for row in read_rows(news / f"{split}.jsonl", label="label")]
    assert sorted(built, key=lambda row: row["id"]) == sorted(published, key=lambda row: row["id"])
    assert all(len(row["annotator_labels"]) == 2 for row in built)
    assert all(sum(a.span in spans for spans in held.values()) == 2 for a in kept)


@pytest.fixture
def mislabelled(tmp_path: Path) -> Path:
    """Forty rows that two words tell apart, one of them with the other's label."""
    lines = [
        f'{{"id": "{n}", "text": "{"rain wind storm" if n % 2 else "goal match team"} number {n}", "label": "{"weather" if n % 2 else "sport"}"}}'
        for n in range(40)
    ]
    lines[7] = lines[7].replace('"weather"', '"sport"')
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_confident_learning_finds_the_planted_error(mislabelled: Path) -> None:
    config = make_config({"data": {"train": str(mislabelled)}, "model": {"kind": "tfidf", "C": 10.0}})
    suspects = suspected_errors(config, load_dataset(config.data))
    assert [(row["id"], row["label"], row["suggestion"]) for row in suspects] == [("7", "sport", "weather")]


def test_neither_the_share_nor_the_kind_of_splits_bears_on_suspects(mislabelled: Path) -> None:
    """With a tenth of the rows to learn from, most labels would be doubted, or none."""
    settings = {"data": {"train": str(mislabelled)}, "model": {"kind": "tfidf", "C": 10.0}}
    found = []
    for splits in ({}, {"kind": "hash", "share": 0.1, "repeats": 3}):
        config = make_config({**settings, "splits": splits})
        found.append([(row["id"], row["score"]) for row in suspected_errors(config, load_dataset(config.data))])
    assert found[0] == found[1] != []


def test_labels_that_stand_in_one_article_only_are_not_suspected(
    mislabelled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{**row, "article": number // 4} for number, row in enumerate(read_rows(mislabelled))]
    rows += [{"id": f"{n}", "text": f"goal match team number {n}", "label": "chess", "article": "only"} for n in range(40, 46)]
    for searched, suspected in ((rows, ["7"]), ([{**row, "label": f"of {int(row['id']) // 8}"} for row in rows], [])):
        given = {"train": str(write_jsonl(tmp_path / "articles.jsonl", searched)), "group": "article" if suspected else "label"}
        config = make_config({"data": given, "model": {"kind": "tfidf", "C": 10.0}})
        assert [row["id"] for row in suspected_errors(config, load_dataset(config.data))] == suspected
    assert [record.getMessage() for record in caplog.records] == [
        "6 of 46 rows are not searched for label errors: their labels stand in their own fold only",
        "46 of 46 rows are not searched for label errors: their labels stand in their own fold only",
    ]


def test_rare_labels_hinder_no_search_for_errors(mislabelled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [*read_rows(mislabelled), {"id": "40", "text": "king queen rook", "label": "chess"}]
    for file, expected in (("one", ["7"]), ("all", None)):
        config = make_config(
            {"data": {"train": str(write_jsonl(tmp_path / f"{file}.jsonl", rows))}, "model": {"kind": "tfidf", "C": 10.0}}
        )
        if expected:
            assert [row["id"] for row in suspected_errors(config, load_dataset(config.data))] == expected
            rows = [{**row, "label": row["id"]} for row in rows]
        else:
            with pytest.raises(
                DataError, match=r"need two rows and the rows two groups, but fewer than two labels have two rows$"
            ):
                suspected_errors(config, load_dataset(config.data))
    assert [record.getMessage() for record in caplog.records] == [
        "1 of 41 rows are not searched for label errors: their labels have fewer than 5 rows",
    ]


def test_a_suspect_names_its_article_as_the_stores_do(mislabelled: Path, tmp_path: Path) -> None:
    rows = [{**row, "article": number // 4} for number, row in enumerate(read_rows(mislabelled))]
    given = {"train": str(write_jsonl(tmp_path / "articles.jsonl", rows)), "group": "id"}
    config = make_config({"data": given, "model": {"kind": "tfidf", "C": 10.0}})
    assert [row["article"] for row in suspected_errors(config, load_dataset(config.data))] == ["1"]


# --- suspects as a queue --------------------------------------------------------------------------------------------


def doubt(**fields: Any) -> dict[str, Any]:
    """What `suspected_errors` writes of a row."""
    return {
        "id": "a:0",
        "text": "Rain",
        "label": "fact",
        "suggestion": "quote",
        "score": 0.03,
        "article": "a",
        "before": None,
        "after": "It fell.",
        "time": "2026-01-01T00:00:00+00:00",
        **fields,
    }


def test_what_is_suspected_can_be_read_as_a_queue(mislabelled: Path, tmp_path: Path) -> None:
    config = make_config({"data": {"train": str(mislabelled)}, "model": {"kind": "tfidf", "C": 10.0}})
    (suspect,) = suspected_errors(config, load_dataset(config.data))
    file = write_jsonl(tmp_path / "suspects.jsonl", [{**suspect, "article": "a"}])
    text = suspect["text"]
    held = current([note("x", "sport").model_copy(update={"text": text, "end": len(text)})])
    ((span, found),) = read_suspects(file, held).items()
    assert span == Span("a", 0, len(text))
    assert (found.label, found.suggestion, found.score) == ("sport", "weather", suspect["score"])


def test_a_text_that_stands_twice_is_told_apart_by_its_place(tmp_path: Path) -> None:
    held = current([note("x", "fact"), note("y", "fact"), note("x", "quote", start=9)])
    file = write_jsonl(tmp_path / "suspects.jsonl", [doubt(id="a:9")])
    assert [span.start for span in read_suspects(file, held)] == [9]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (doubt(text="Snow"), "no annotator labelled 'Snow' of article 'a'; the stores and the suspects do not belong together"),
        (doubt(time="soon"), "time: Input should be a valid datetime"),
        (
            {"id": "a:0", "text": "Rain"},
            "article: Field required; expected suspects as `textcls data check --suspects` writes them",
        ),
    ],
)
def test_a_queue_that_does_not_fit(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "suspects.jsonl", [row])
    with pytest.raises(DataError) as caught:
        read_suspects(file, current([note("x", "fact")]))
    assert str(caught.value).startswith(f"{file}, row 1: {message}")


def test_a_suspect_is_answered_by_what_is_decided_later_and_with_a_reason(tmp_path: Path) -> None:
    held = current([note("x", "fact"), note("x", "fact", start=9)])
    earlier = "2026-01-03T00:00:00+00:00"  # than the decisions, which are of January 2
    file = write_jsonl(tmp_path / "suspects.jsonl", [doubt(), doubt(id="a:9", time=earlier)])
    suspects = read_suspects(file, held)
    decisions = [note("judge", "fact", reason="as it is"), note("judge", "quote", start=9, reason="before it was doubted")]
    assert [span.start for span in undecided_suspects(suspects, decisions)] == [9]
    with pytest.raises(DataError, match=r"^a 0–4: the suspected label error was decided without a reason; give one$"):
        undecided_suspects(suspects, [note("judge", "fact")])


def test_a_suspect_is_answered_for_good_where_the_same_label_was_suggested(tmp_path: Path) -> None:
    held = current([note("x", "fact"), note("x", "fact", start=9)])
    later = "2026-03-01T00:00:00+00:00"
    rows = [doubt(time=later), doubt(id="a:9", time=later, suggestion="opinion")]
    suspects = read_suspects(write_jsonl(tmp_path / "suspects.jsonl", rows), held)
    kept = [note("judge", "fact", start=start, reason="as it is") for start in (0, 9)]
    assert [span.start for span in undecided_suspects(suspects, kept)] == [0, 9]
    decisions = [decision.model_copy(update={"suggestion": "quote"}) for decision in kept]
    assert [span.start for span in undecided_suspects(suspects, decisions)] == [9]


def test_a_missing_reason_is_mended_by_a_line_below(tmp_path: Path) -> None:
    held = current([note("x", "fact")])
    suspects = read_suspects(write_jsonl(tmp_path / "suspects.jsonl", [doubt()]), held)
    assert undecided_suspects(suspects, [note("judge", "fact"), note("judge", "fact", reason="as it is")]) == {}


def test_suspects_are_decided_in_rounds(tmp_path: Path, textcls: Callable[..., Done], typed: Callable[[str], None]) -> None:
    append_annotations(tmp_path / "x.jsonl", [note("x", "fact")])
    append_annotations(tmp_path / "y.jsonl", [note("y", "quote")])
    command = ("adjudicate", tmp_path / "x.jsonl", tmp_path / "y.jsonl", "--decisions", "decisions.jsonl", "--output")
    typed("quote\nher words\n")
    assert textcls(*command, "0.jsonl").code == 0
    rounds = [
        ("2999-01-01", "quote", "fact", "fact\nnobody said it\n"),
        ("2999-01-02", "fact", "opinion", "fact\na count\n"),
        ("2999-01-03", "fact", "opinion", ""),  # the same question as before
    ]
    for number, (time, label, suggestion, answers) in enumerate(rounds, 1):
        row = doubt(time=f"{time}T00:00:00Z", label=label, suggestion=suggestion)
        write_jsonl(tmp_path / "suspects.jsonl", [row])
        typed(answers)
        done = textcls(*command, f"{number}.jsonl", "--suspects", tmp_path / "suspects.jsonl", "--annotator", f"Jo {number}")
        assert done.code == 0, done.err
        assert ("a classifier doubts" in done.out) == bool(answers)
    done = textcls(*command, "after.jsonl")
    assert (done.code, done.err) == (0, "1 labels written to after.jsonl, 1 of them decided\n")
    (settled,) = read_annotations("after.jsonl")
    assert (settled.label, settled.reason) == ("fact", "a count")


def test_decisions_that_belong_to_no_store_are_refused_before_anybody_is_asked(
    tmp_path: Path, textcls: Callable[..., Done], typed: Callable[[str], None]
) -> None:
    append_annotations(tmp_path / "x.jsonl", [note("x", "fact")])
    append_annotations(tmp_path / "y.jsonl", [note("y", "quote")])
    append_annotations("decisions.jsonl", [note("j", "fact", start=50, reason="elsewhere")])
    typed("quote\nher words\n")
    stores = (tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    done = textcls("adjudicate", *stores, "--decisions", "decisions.jsonl", "--output", "all.jsonl")
    assert (done.code, done.out) == (1, "")
    assert "a 50–54 was decided, but no annotator labelled it" in done.err
