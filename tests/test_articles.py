"""Articles: the seeds as they ship, blocks, sentence boundaries, exact offsets, and bytes of every sort."""

from __future__ import annotations

import hashlib
import random
import re
import textwrap
from pathlib import Path

import pytest
from conftest import ROOT

from textcls.articles import Article, decode_article, decode_text, find_articles, read_article, segmentation_version
from textcls.errors import DataError

SEEDS = ROOT / "seeds"

# Longer than a line of wrapped text, so what follows is one line a paragraph, as in the seeds.
OPENING = (
    "The council met on Monday to hear what the harbour master had found out about the old bridge and the ferries that pass it."
)


def make(text: str) -> Article:
    return decode_article(text.encode(), id="x", name="x.txt")


def cut(text: str) -> list[str]:
    """The sentences of a text that stands in an article of longer paragraphs."""
    article = make(f"{OPENING}\n{text}\n")
    assert article.sentences[0].text == OPENING
    assert all(article.text[s.start : s.end] == s.text for s in article.sentences)
    return [sentence.text for sentence in article.sentences[1:]]


def kinds(text: str) -> list[tuple[str, str]]:
    article = make(text)
    return [(block.kind, article.text[block.start : block.end]) for block in article.blocks]


# --- the seeds ------------------------------------------------------------------------------------------------------


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


def test_blocks_of_seed_000() -> None:
    article = read_article(SEEDS / "000_c113b0458a03a85c.txt")
    assert article.id == "000_c113b0458a03a85c"
    assert [block.kind for block in article.blocks] == ["title", "heading", "heading"] + ["list-item"] * 5 + ["paragraph"] * 10
    assert [s.text for s in article.sentences[:4]] == [
        "Are North Korea and Russia Reinforcing Their Diplomatic Ties?",
        "Synopsis",
        "Key Takeaways",
        "Strengthened diplomatic ties between North Korea and Russia.",
    ]
    assert len(article.sentences) == 19  # one a block, and two in the last
    assert article.sentences[-1].text.startswith("During that encounter,")


def test_seed_000_keeps_the_attribution_on_the_next_line_with_its_quotation() -> None:
    texts = [sentence.text for sentence in read_article(SEEDS / "000_c113b0458a03a85c.txt").sentences]
    (quotation,) = [text for text in texts if "strategic choice" in text]
    assert quotation.startswith("“The strategic choice and resolve")
    assert quotation.endswith("state sovereignty and territorial integrity,”\nshe stated, as quoted by TASS.")


def test_seed_000_keeps_its_dateline_with_the_first_sentence() -> None:
    texts = [sentence.text for sentence in read_article(SEEDS / "000_c113b0458a03a85c.txt").sentences]
    (first,) = [text for text in texts if "NationPress" in text]
    assert first.startswith("Washington, July 12 (NationPress) North Korea and Russia have strengthened")
    assert first.endswith("various Russian news outlets.")


def test_blocks_of_seed_001() -> None:
    article = read_article(SEEDS / "001_0748971bfbbd1285.txt")
    by_kind: dict[str, list[str]] = {}
    for block in article.blocks:
        by_kind.setdefault(block.kind, []).append(article.text[block.start : block.end])
    assert by_kind["title"] == ["A Strategic Visit Amid Global Tensions"]
    assert by_kind["heading"] == [
        "The Context: Why Lavrov’s Visit Matters",
        "Key Details of the Visit",
        "The Growing Russia-North Korea Alliance",
        "Military Cooperation",
        "Diplomatic and Economic Ties",
        "Global Reactions and Concerns",
        "Implications for the Ukraine Conflict",
        "Broader Geopolitical Impact",
        "What to Expect from Lavrov’s Visit",
        "Why This Matters for Global Security",
        "A Partnership to Watch",
    ]
    assert [item.partition(":")[0] for item in by_kind["list-item"]] == [
        *("Date", "Location", "Purpose", "Key Meetings", "Context"),
        *("Military Support", "Economic Cooperation", "Diplomatic Alignment", "Technology Transfers"),
        *("Nuclear Proliferation", "Escalation in Ukraine", "Regional Instability", "Western Response"),
    ]
    assert len(by_kind["paragraph"]) == 15
    assert len(article.sentences) == 66


def test_seed_001_does_not_cut_after_us() -> None:
    texts = [sentence.text for sentence in read_article(SEEDS / "001_0748971bfbbd1285.txt").sentences]
    assert any(text.startswith("U.S. President Donald Trump has accused") for text in texts)
    assert any(text.startswith("Western Response: The U.S. and its allies may respond") for text in texts)


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*.txt")), ids=lambda path: path.stem[:3])
def test_offsets_of_the_seeds(path: Path) -> None:
    article = read_article(path)
    assert article.sentences
    assert_exact(article)


def assert_exact(article: Article) -> None:
    """Sentences read as the text at their offsets, in order, each within one block, and nothing falls between them."""
    outside = 0
    left = []
    for sentence in article.sentences:
        assert article.text[sentence.start : sentence.end] == sentence.text
        assert sentence.text == sentence.text.strip() != ""
        assert sentence.start >= outside
        (around,) = [block for block in article.blocks if block.start <= sentence.start and sentence.end <= block.end]
        assert sentence.block == around.kind
        left.append(article.text[outside : sentence.start])
        outside = sentence.end
    left.append(article.text[outside:])
    # Between sentences stand white space and markers only.
    assert re.fullmatch(r"(?:\s|[-*•‣▪◦–#]|\(?\d{1,2}[.)]|\([a-z]\))*", "".join(left)), left


@pytest.mark.parametrize("seed", range(40))
def test_offsets_are_exact_whatever_the_text(seed: int) -> None:
    chance = random.Random(seed)
    pieces = [
        *(
            "The mayor left. ",
            "“Will it rain?” ",
            "Ms. Tan asked. ",
            "she said",
            "’",
            "”",
            "‘",
            '"',
            "(",
            ") ",
            "! ",
            "… ",
            "...",
            ", ",
        ),
        *(
            "\n",
            "\n\n",
            "\r\n",
            "- ",
            "1. ",
            "# ",
            "Key points:\n",
            "in bed. The",
            "U.S. ",
            "a.m. ",
            "3.5 ",
            "\t",
            "\u00a0",
            "\u2028",
        ),
        *("🎉", "👨‍👩‍👧", "e\u0301", "x", " ", "日本語。", "\u200b", "word " * 30),
    ]
    assert_exact(make("".join(chance.choice(pieces) for _ in range(chance.randint(1, 60)))))


# --- sentences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quotation",
    [
        "“Don't worry!” he said.",
        "“Will it rain?” Ms. Tan asked.",
        '"Will it rain?" Ms. Tan asked.',
        "'Will it rain?' Ms. Tan asked.",
        "‘Will it rain?’ asked Ms. Tan.",
        "«Will it rain?» asked Ms. Tan.",
        "“What a day!” said John Smith, 43, a farmer from Springfield.",
        "“What a day!” President Ann B. Lee said at a rally in Ohio on Tuesday as thousands of people cheered.",
        "“Who pays for this?” the mayor asked.",
        "“Who pays for this?” Ms. Tan asked the council.",
        "“Get out!” Mr. Lee told the angry crowd.",
        "“I don't know…” Ms. Tan said.",
        "“I don't know...” Ms. Tan said.",
        "“Why?” Ms. Tan said, “I do not know.”",
        "“He told me, ‘Run!’ and I ran,” she said.",
        "“He told me, ‘Run!’” she recalled.",
        "“Did he say ‘Run!’?” she asked.",
        "“The film ‘Who Dares?’ opens on Friday,” she said.",
        "She asked ‘Will it rain?’ and left.",
        "The “Why not?” campaign began.",
        "“We are going,” he said, “and that is all.”",
        "The mayor said: “We will go.”",
    ],
)
def test_a_quotation_keeps_its_attribution(quotation: str) -> None:
    assert cut(f"{quotation} Then it ended.") == [quotation, "Then it ended."]
    # … in the first line of an article, and in the last
    assert [s.text for s in make(f"{quotation} Then it ended.\n{OPENING}").sentences] == [quotation, "Then it ended.", OPENING]
    assert cut(quotation) == [quotation]


@pytest.mark.parametrize(
    "sentences",
    [
        ["“Stop.”", "He stopped.", "“Will you go?”", "The mayor left."],
        ["“Who pays?”", "The mayor left the room."],
        ["“Stop!”", "Police said the man ran."],
        ["“Why now?”", "Police asked the man to leave."],
        ["“Go!”", "“No!”", "She left."],
        ["“Why?” Ms. Tan asked.", "“I do not know.”"],
        ["“We are done.", "We go home,” he said.", "Then he left."],
    ],
    ids=" ".join,
)
def test_a_quotation_does_not_swallow_what_follows(sentences: list[str]) -> None:
    assert cut(" ".join(sentences)) == sentences


@pytest.mark.parametrize("quotes", ["“{}”", '"{}"', "‘{}’", "«{}»"])
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize("attribution", ["she said on Monday.", "Ms. Tan said on Monday.", "said Ms. Tan, the mayor."])
def test_an_attribution_on_the_next_line_belongs_to_its_quotation(quotes: str, gap: str, attribution: str) -> None:
    sentence = f"{quotes.format('The harbour will be closed,')}{gap}{attribution}"
    assert cut(f"{sentence} Then she left.") == [sentence, "Then she left."]


@pytest.mark.parametrize("mark", ["!", "?", "…"])
def test_an_attribution_on_the_next_line_belongs_to_an_exclamation(mark: str) -> None:
    assert cut(f"“It rains{mark}”\nshe said.") == [f"“It rains{mark}”\nshe said."]


def test_a_closed_quotation_is_not_glued_to_the_next_line() -> None:
    assert cut("“It will rain.”\nMs. Tan said it had rained before.") == ["“It will rain.”", "Ms. Tan said it had rained before."]


@pytest.mark.parametrize(
    "sentences",
    [
        ["U.S. President Ann Lee met Gen. Mark Hall at 7 a.m. on Monday.", "They spoke."],
        ["Mr. Smith met Dr. Jones, Sen. Mary Lee and Lt. Col. Ray Hart on Jan. 5.", "They agreed."],
        ["The crowd left at 7 p.m.", "The mayor stayed."],
        ["He lives in the U.S.", "The mayor does not."],
        ["The U.S. Army came, i.e. the best, e.g. tanks.", "It left."],
        ["Prof. Lee et al. found it.", "The E.U. and the U.N. met."],
        ["Smith v. Jones was decided.", "See p. 12 for more."],
        ["J.K. Rowling wrote it.", "Apple Inc. said it would pay."],
        ["The No. 10 spokesman spoke in St. Louis.", "Gov. Lee left."],
        ["Prices rose 3.5 percent to $1.20.", "Rates fell by 0.25 points to 3.25%.", "It was $3.5 billion."],
        ["He waited … and waited.", "Then it ended."],
        ["Wait…", "What?", "No."],
        ["Well...", "Then it ended."],
        ["He lay in bed.", "The dog barked.", "She saw the sun.", "It rose."],  # words that nupunkt takes for abbreviations
        ["He paid the tax.", "Nobody saw the van.", "“It was so sad.”", "All left."],
        ["The plan has three parts: money, time and people.", "It is late: we go."],
        ["It rained (again!) on Monday.", "(He said so.)", "It was cold."],
    ],
    ids=" ".join,
)
def test_boundaries(sentences: list[str]) -> None:
    assert cut(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    "dateline",
    ["Washington, July 12 (NationPress) ", "LONDON, March 3 (Reuters) - ", "LONDON (AP) — ", "ST. LOUIS, Jan. 5 (AP) — "],
)
def test_a_dateline_stays_with_the_first_sentence(dateline: str) -> None:
    assert cut(f"{dateline}The bank raised rates. Shares fell.") == [f"{dateline}The bank raised rates.", "Shares fell."]


def test_offsets_count_code_points() -> None:
    # A family of five code points, an e with a combining accent, and a letter beyond the basic plane.
    text = f"{OPENING}\nThe 👨‍👩‍👧 party began. Cafe\u0301 owners cheered. The 𝒜 team won."
    sentences = make(text).sentences[1:]
    assert [(s.start - len(OPENING) - 1, s.text) for s in sentences] == [
        (0, "The 👨‍👩‍👧 party began."),
        (23, "Cafe\u0301 owners cheered."),
        (45, "The 𝒜 team won."),
    ]


def test_the_text_is_not_unicode_normalised() -> None:
    assert make("Cafe\u0301 “Ångstro\u0308m” ﬁne.").text == "Cafe\u0301 “Ångstro\u0308m” ﬁne."


# --- blocks ---------------------------------------------------------------------------------------------------------


def test_every_list_marker() -> None:
    text = "The plan:\n- One.\n* Two.\n• Three.\n– Four.\n1. Five.\n12) Six.\n(3) Seven.\n(a) Eight.\n   -  Nine.\n"
    article = make(f"{OPENING}\n{text}")
    items = [s.text for s in article.sentences if s.block == "list-item"]
    assert items == ["One.", "Two.", "Three.", "Four.", "Five.", "Six.", "Seven.", "Eight.", "Nine."]


@pytest.mark.parametrize(
    "line", ["-5 degrees were measured at night.", "3.5 percent of them left.", "2024 was warm.", "(again) it rained."]
)
def test_what_is_no_list_marker(line: str) -> None:
    assert cut(line) == [line]
    assert make(f"{OPENING}\n{line}").blocks[-1].kind == "paragraph"


def test_markdown_headings() -> None:
    assert kinds(f"# The Storm\n## What Happened\n{OPENING}") == [
        ("title", "The Storm"),
        ("heading", "What Happened"),
        ("paragraph", OPENING),
    ]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Why it matters", "heading"),
        ("What Happens Next?", "heading"),
        ("So who pays for it?", "paragraph"),
        ("Key points:", "heading"),
        ("So the talks may cover the following points:", "paragraph"),
        ("10:30 a.m.", "heading"),
        ("The bridge is closed.", "paragraph"),
        ("“It was over.”", "paragraph"),
    ],
)
def test_headings_and_paragraphs(line: str, kind: str) -> None:
    assert kinds(f"The Title\n{OPENING}\n{line}\n{OPENING}")[2] == (kind, line)


@pytest.mark.parametrize(
    "sentences",
    [
        ["他说你好。", "谢谢你来！", "真的吗？", "“你好。”他说。"],
        ["「静かに。」と彼は言った。", "次の文。"],
        ["ماذا سيحدث الآن؟", " لا أحد يعرف.", " هل هذا صحيح؟"],
        ["यह पहला वाक्य है।", " यह दूसरा है।"],
    ],
)
def test_sentences_of_other_scripts_end_at_their_full_stops_and_are_no_headings(sentences: list[str]) -> None:
    article = make(f"{OPENING}\n\n{''.join(sentences)}\n\n{sentences[-1].strip()}\n")
    assert [sentence.text for sentence in article.sentences[-len(sentences) - 1 :]] == [
        s.strip() for s in (*sentences, sentences[-1])
    ]
    assert {block.kind for block in article.blocks} == {"paragraph"}


def test_a_heading_is_never_glued_to_a_sentence() -> None:
    lines = ["The Title", OPENING, "Why it matters", "The bridge is old.", "What Happens Next?", "Nobody knows."]
    assert [s.text for s in make("\n".join(lines)).sentences] == lines


@pytest.mark.parametrize(
    "lines",
    [
        ["Council Votes To Close The Harbour Bridge", "It closes today.", "Ferries go on."],  # the longest line comes first
        [
            "Bridge Closed",
            "The harbour bridge will stay closed until May, the city said.",
            "What Happens Next",
            "The council votes.",
        ],
        ["Bridge Closed", "The list.", "- The harbour bridge stays closed until May", "Military Cooperation", "It goes on."],
    ],
    ids=["title", "paragraph", "list item"],
)
def test_short_lines_alone_are_no_wrapped_paragraph(lines: list[str]) -> None:
    assert [text for _, text in kinds("\n".join(lines))] == [line.removeprefix("- ") for line in lines]


@pytest.mark.parametrize("width", [40, 56, 72, 79, 95])
def test_a_hard_wrapped_text_has_the_sentences_of_the_unwrapped(width: int) -> None:
    paragraphs = [
        (
            "The storm that hit the coast on Monday took the roofs of forty houses and left two villages without power, the council "
            "said. Crews worked through the night to clear the roads, and the army sent two helicopters."
        ),
        (
            "“We have not seen anything like it in twenty years, and we hope that we will not see it again,” said Ms. Tan, who lives "
            "in one of them. The schools of the district stay closed until Friday. U.S. President Ann Lee sent a message."
        ),
    ]
    wrapped = "\n\n".join(["Storm Hits Coast", *(textwrap.fill(paragraph, width) for paragraph in paragraphs)])
    article = make(wrapped)
    assert_exact(article)
    plain = make("\n".join(["Storm Hits Coast", *paragraphs]))
    assert [" ".join(s.text.split()) for s in article.sentences] == [s.text for s in plain.sentences]
    assert [block.kind for block in article.blocks] == ["title", "paragraph", "paragraph"]


def test_a_text_wrapped_by_hand() -> None:
    text = "The storm took the roofs of houses\nin two villages on the coast and left them without power,\nthe council said. It rained.\n"
    assert [s.text for s in make(text).sentences] == [text.split(" It")[0], "It rained."]


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


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_text_may_come_in_parts(size: int) -> None:
    raw = "\ufeffDas Café.\r\n\r\nEs öffnet.\rUm drei.\n".encode()
    parts = [raw[start : start + size] for start in range(0, len(raw), size)]
    assert "".join(decode_text(parts, name="x")) == "Das Café.\n\nEs öffnet.\nUm drei.\n"
    broken = [*parts, b"\xc3"]
    with pytest.raises(DataError, match=r"^x: expected UTF-8, found byte 0xc3 on line 5; "):
        list(decode_text(broken, name="x"))


def test_find_articles_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        find_articles(tmp_path)
    assert str(caught.value) == f"{tmp_path}: expected a folder with .txt articles, found none in it"
    with pytest.raises(DataError) as caught:
        find_articles(tmp_path / "no")
    assert str(caught.value) == f"{tmp_path / 'no'}: no such file or folder; expected a .txt article or a folder of them"


def test_the_segmentation_names_its_version() -> None:
    assert re.fullmatch(r"nupunkt-\d+\.\d+\.\d+\+rules-\d+", segmentation_version())
