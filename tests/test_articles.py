"""Articles: the seeds as they ship, bytes of every sort, and which files are articles."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from conftest import ROOT

from textcls.articles import Article, check_articles, decode_article, decode_text, find_articles, read_article
from textcls.errors import DataError

SEEDS = ROOT / "seeds"

# Longer than a line of wrapped text, so what follows is one line a paragraph, as in the seeds.
OPENING = (
    "The council met on Monday to hear what the harbour master had found out about the old bridge and the ferries that pass it."
)


def make(text: str) -> Article:
    return decode_article(text.encode(), id="x", name="x.txt")


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("000_c113b0458a03a85c.txt", "74b196af28d12d87ee8437b19d0bb36f37d54adcebbf7f935fddddb1c41e86e7"),
        ("001_0748971bfbbd1285.txt", "fed0cd79666255e1f20271b3840fb2b0e25a8d148ace652a96a7401d438f5c33"),
    ],
)
def test_the_seeds_are_untouched(name: str, sha256: str) -> None:
    raw = (SEEDS / name).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == sha256
    # They have neither a byte order mark nor carriage returns, so the text read is the file, byte for byte.
    assert read_article(SEEDS / name).text.encode() == raw


# --- bytes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_are_normalised(end: str) -> None:
    lines = ["The Title", "", OPENING, "- It rained.", ""]
    assert make(end.join(lines)) == make("\n".join(lines))
    assert make(end.join(lines)).text == "\n".join(lines)


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfIt rained.")
    article = read_article(tmp_path / "a.txt")
    assert article.text == "It rained."
    assert [(s.start, s.end) for s in article.sentences] == [(0, 10)]


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n\r\n", "\ufeff"])
def test_an_empty_file_has_no_sentences(text: str) -> None:
    assert make(text).sentences == make(text).blocks == ()


@pytest.mark.parametrize("text", ["It rained.", "It rained", "no capital"])
def test_no_final_newline(text: str) -> None:
    assert [(s.text, s.block) for s in make(text).sentences] == [(text, "paragraph")]
    assert make(text).sentences == make(text + "\n").sentences


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("The Title\nIt rained.\nThe café closed.\n".encode("latin-1"))
    with pytest.raises(DataError) as caught:
        read_article(path)
    assert str(caught.value) == (
        f"{path}: expected UTF-8, found byte 0xe9 on line 3; convert the file, for example with: iconv -f windows-1252 -t utf-8"
    )


def test_bytes_that_are_utf16(tmp_path: Path) -> None:
    (tmp_path / "wide.txt").write_text("It rained.", encoding="utf-16")
    with pytest.raises(
        DataError, match=r"found byte 0xff on line 1; convert the file, for example with: iconv -f utf-16 -t utf-8$"
    ):
        read_article(tmp_path / "wide.txt")


def test_a_file_cut_within_a_character(tmp_path: Path) -> None:
    (tmp_path / "cut.txt").write_bytes("It rained…".encode()[:-1])
    with pytest.raises(DataError, match=r"cut\.txt: expected UTF-8, found byte 0xe2 on line 1; convert the file"):
        read_article(tmp_path / "cut.txt")


def test_a_missing_article(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_article(tmp_path / "no.txt")
    assert str(caught.value) == f"{tmp_path / 'no.txt'}: no such file; expected a plain-text article"
    with pytest.raises(DataError) as caught:
        read_article(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read as an article: Is a directory"


@pytest.mark.parametrize("name", ["te.csv", "TE.JSONL", "te.tsv"])
def test_a_file_of_rows_is_no_article(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("It rained.")
    with pytest.raises(DataError) as caught:
        read_article(path)
    assert str(caught.value) == f"{path}: expected a plain-text article, found a {path.suffix} file, whose rows are not prose"


def test_find_articles(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.txt", "sub/c.txt", "a.txt", "notes.md"):
        (tmp_path / name).touch()
    assert find_articles(tmp_path) == [tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "sub/c.txt"]
    assert find_articles(tmp_path / "notes.md") == [tmp_path / "notes.md"]  # who names a file means it
    assert find_articles(tmp_path / "b.txt", tmp_path / "sub") == [tmp_path / "b.txt", tmp_path / "sub/c.txt"]


def test_articles_may_have_an_upper_case_suffix(tmp_path: Path) -> None:
    (tmp_path / "A.TXT").touch()
    assert find_articles(tmp_path) == [tmp_path / "A.TXT"]


def test_what_is_hidden_and_folders_are_no_articles(tmp_path: Path) -> None:
    place = tmp_path / ".here"  # who names it means it
    for file in ("a.txt", ".venv/lib/LICENSE.txt", "._a.txt", "old.txt/b.txt", "old.txt/.git/c.txt"):
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_text("It rained.")
    assert find_articles(place) == [place / "a.txt", place / "old.txt/b.txt"]
    (place / "a.txt").unlink()
    (place / "old.txt/b.txt").unlink()
    with pytest.raises(DataError, match=r"expected a folder with .txt articles, found none in it$"):
        find_articles(place)


def test_what_a_store_of_runs_holds_is_no_article(store_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = store_folder.parent / "here"
    store = place / store_folder.name
    place.mkdir()
    store_folder.rename(store)
    for name in ("a.txt", "experiments/log.txt", "experiments/artifacts/1/environment.txt"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    left_out = f"2 .txt files in the store of runs {store}"
    assert find_articles(place) == [place / "a.txt"]
    assert caplog.messages == [f"{place}: left out {left_out}"]
    with pytest.raises(DataError) as caught:
        find_articles(store)
    assert str(caught.value) == (f"{store}: expected a folder with .txt articles, found none in it, apart from {left_out}")


@pytest.mark.parametrize("other", ["mlflow.db", "store.json"])
def test_articles_beside_what_others_store_are_articles(other: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / other).touch()
    (tmp_path / "a.txt").touch()
    assert find_articles(tmp_path) == [tmp_path / "a.txt"]
    assert caplog.messages == []


def test_two_articles_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "sub/a.txt"):
        (tmp_path / name).touch()
    for places in ([tmp_path], [tmp_path / "a.txt", tmp_path / "sub"]):
        with pytest.raises(DataError) as caught:
            find_articles(*places)
        assert str(caught.value) == (
            f"{tmp_path / 'sub' / 'a.txt'}: the article would be called 'a', as {tmp_path / 'a.txt'} is already; rename one of them"
        )


def test_an_article_that_is_named_again_is_taken_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").touch()
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    assert find_articles(b, tmp_path) == [b, a]
    assert caplog.messages == [f"{b}: named more than once; taken once"]
    caplog.clear()
    assert find_articles(tmp_path, tmp_path / ".." / tmp_path.name / "a.txt", tmp_path) == [a, b]
    assert caplog.messages == [f"{tmp_path / '..' / tmp_path.name / 'a.txt'}, {a}, {b}: named more than once; taken once"]


def test_all_articles_that_are_not_utf8_are_named_at_once(tmp_path: Path) -> None:
    places = [tmp_path / f"{name}.txt" for name in "abcd"]
    for place, encoding in zip(places, ("latin-1", "utf-8", "utf-16", "cp1252"), strict=True):
        place.write_text("The café “closed”." if encoding != "latin-1" else "A café.", encoding=encoding)
    with pytest.raises(DataError) as caught:
        check_articles(places)
    assert str(caught.value) == (
        f"3 articles are not UTF-8; convert them, for example with iconv -f windows-1252 -t utf-8: {places[0]}, {places[3]}; "
        f"with iconv -f utf-16 -t utf-8: {places[2]}"
    )
    with pytest.raises(DataError, match=r"a\.txt: expected UTF-8, found byte 0xe9 on line 1; convert the file"):
        check_articles(places[:2])


def test_articles_without_a_sentence_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    places = [tmp_path / f"{name}.txt" for name in "abc"]
    for place, text in zip(places, ("", "It rains.", "\n* * *\n"), strict=True):
        place.write_text(text)
    check_articles(places)
    assert caplog.messages == [f"no sentence in {places[0]}, {places[2]}"]
    with pytest.raises(DataError) as caught:
        check_articles([places[0], places[2]])
    assert str(caught.value) == f"{places[0]}, {places[2]}: expected sentences, found none"


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_text_may_come_in_parts(size: int) -> None:
    raw = "\ufeffDas Café.\r\n\r\nEs öffnet.\rUm drei.\n".encode()
    parts = [raw[start : start + size] for start in range(0, len(raw), size)]
    assert "".join(decode_text(parts, name="x")) == "Das Café.\n\nEs öffnet.\nUm drei.\n"
    broken = [*parts, b"\xc3"]
    with pytest.raises(DataError, match=r"^x: expected UTF-8, found byte 0xc3 on line 5; "):
        list(decode_text(broken, name="x"))


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text(OPENING, encoding="utf-8")
    shut = tmp_path / "shut"
    shut.mkdir()
    scandir = os.scandir  # the tests may be run by root, who may read anything

    def scan(place: str) -> object:
        if Path(place) == shut:
            raise PermissionError(errno.EACCES, "Permission denied", place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(DataError) as caught:
        find_articles(tmp_path)
    assert str(caught.value) == f"{shut}: cannot be read: Permission denied"


def test_find_articles_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        find_articles(tmp_path)
    assert str(caught.value) == f"{tmp_path}: expected a folder with .txt articles, found none in it"
    with pytest.raises(DataError) as caught:
        find_articles(tmp_path / "no")
    assert str(caught.value) == f"{tmp_path / 'no'}: no such file or folder; expected a .txt article or a folder of them"
