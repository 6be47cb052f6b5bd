"""Segmentation: the sentences of the seeds, blocks, sentence boundaries, exact offsets."""

from __future__ import annotations

import random
import re
import textwrap
from pathlib import Path

import pytest
from conftest import ROOT

from textcls.articles import Article, decode_article, read_article
from textcls.segmentation import segmentation_version

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
    wordless = {line for line in article.text.split("\n") if not re.search(r"\w", line)}
    for sentence in article.sentences:
        assert article.text[sentence.start : sentence.end] == sentence.text
        assert sentence.text == sentence.text.strip() != ""
        assert sentence.start >= outside
        (around,) = [block for block in article.blocks if block.start <= sentence.start and sentence.end <= block.end]
        assert sentence.block == around.kind
        left.append(article.text[outside : sentence.start])
        outside = sentence.end
    left.append(article.text[outside:])
    # Between sentences stand white space, markers, and lines without a word only.
    lines = [line for between in left for line in between.split("\n") if line not in wordless]
    assert re.fullmatch(r"(?:\s|[-+*•·●○◦▪■‣►▶➤–#>]|\(?\d{1,2}[.)]|\(?[a-z]\))*", "".join(lines)), left


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
            "> ",
            "=====\n",
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
        '"Stop!", the man said.',
        "\"Did he say 'Run!'?\" she asked.",
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
        [
            "The fire began shortly after 2:15 a.m.",
            "Karrasch, who was on call, came at 3 a.m. Tuesday.",
            "Police came at 4 a.m. Eastern time.",
        ],
        ["The crowd left by 10 p.m.", "“We are tired,” she said.", "It ended at 8 p.m. ET."],
        ["The gates open at 10 P.M.", "Officials said so.", "They close at 9 A.M. Tuesday."],
        ["Doors open at 6 p.m.", "Tickets cost $20."],
        ["He was still in bed.", "By 5 p.m. Israeli forces had left."],
        ["She moved to the U.S.", "“We were poor,” she said."],
        ["Outside, people shouted “Guilty!”", "The trial continues Monday."],
        ["Toyota Motor Corp.", "It sold three million cars."],
        ["It took forty houses.[1]", "The mayor said so.[2][3]", "It was late.[a]"],
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


# Words and names that nupunkt takes for abbreviations, beside some that it does not.
NO_ABBREVIATIONS = re.findall(
    r"\w+",
    """
    Al Ann Art Barb Ben Brad Cole Dan Doug Ed Hugh Ida Jan Jeff John Lu Pat Phil Rob Sol Theo Will Zoe
    Altman Buchanan Carpenter Chase Clarke Cox Feldmann Gibson Guthrie Hughes Kerry Larsen Lowell Mason McHenry McLean Murphy Paine
    Paulsen Payne Robbins Sanchez Sprague Wall Ware Wiley Woods
    York Park Hall West South Bank Low Story Stock Day Sun Met Fed Human
    Andorra Dubrovnik Grenada Idaho Iowa London Monaco Poland Saigon Tonga Utah
    AP CEO CFO EU FAA FDA FEMA HR ID LA MBA NATO OK SEC TV UK UN US
    """,
)


@pytest.mark.parametrize(
    "following",
    [
        "Police came.",
        "A man came.",
        "The man came.",
        "In May it ended.",
        "“It is late,” he said.",
        '"Go home," she said.',
        "(It was late.)",
    ],
)
def test_a_sentence_ends_at_a_capitalised_word_that_is_no_abbreviation(following: str) -> None:
    missed = [word for word in NO_ABBREVIATIONS if cut(f"She thanked {word}. {following}") != [f"She thanked {word}.", following]]
    assert missed == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Jos. A. Bank Inc. Chief Ann Lee met Supt. Ray Hart and Det. Cole.",
        "The Dist. Atty. Gen. Mark Hall of Ill. Gov. Lee asked Asst. Prof. Tan.",
        "GULFPORT, Miss. (AP) — It rained on Monday.",
        "The firm, Lee Bros. Mfg. Corp. Ltd. Inc. Co., is in St. Louis, near Ste. Marie.",
        "On Mon. Jan. 5 and Fri. Feb. 6, the Univ. Hosp. Dept. (Vol. II) met.",
        "U.S. Ambassador Ann Lee said that it rained.",
        "In St. Mary it rained.",
        "On Tuesday at 4 p.m. Prime Minister Lee spoke.",
        "On Tuesday night at about 9 p.m. Officer Lee heard shots.",
        "Shortly before midnight and again at 2 a.m. Israeli jets came.",
        "She was to begin at 2 p.m. Christmas Day, and he at 8 p.m. Moscow time.",
        "Just before 6 a.m. Ukrainian drones struck the port.",
        "The crowd was told to leave by 3 p.m. UTC on Friday.",
        "Former Gov. L.D. “Doug” Wilder said that it rained.",
        "Delta Air Lines Inc. Chairman Ann Lee said that it rained.",
        "Ice on the upper St. John River broke up early, and in the parishes of Orne and St. Mary it rained.",
        "CAIRO, Nov. 12 — Delta Cement S.A.E. (“Delta” or “the Group”), a producer of cement, met the mayor.",
    ],
)
def test_a_sentence_goes_on_after_an_abbreviation(sentence: str) -> None:
    assert cut(sentence) == [sentence]


def test_a_sentence_ends_at_a_street() -> None:
    assert cut("She lives on Orne St. He lives in St. Mary.") == ["She lives on Orne St.", "He lives in St. Mary."]


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
    text = "The plan:\n- One.\n* Two.\n• Three.\n– Four.\n1. Five.\n12) Six.\n(3) Seven.\n(a) Eight.\n   -  Nine.\n● Ten.\n► Eleven.\nb) Twelve.\n"
    article = make(f"{OPENING}\n{text}")
    items = [s.text for s in article.sentences if s.block == "list-item"]
    assert items == [
        "One.",
        "Two.",
        "Three.",
        "Four.",
        "Five.",
        "Six.",
        "Seven.",
        "Eight.",
        "Nine.",
        "Ten.",
        "Eleven.",
        "Twelve.",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "-5 degrees were measured at night.",
        "3.5 percent of them left.",
        "2024 was warm.",
        "(again) it rained.",
        "10:05 p.m. Police arrive.",
    ],
)
def test_what_is_no_list_marker(line: str) -> None:
    assert cut(line) == [line]
    assert make(f"{OPENING}\n{line}").blocks[-1].kind == "paragraph"


@pytest.mark.parametrize("lead", ["She would resign, the mayor said. “I have made mistakes.”", "(She was elected in 2020.)"])
def test_a_first_paragraph_that_ends_as_a_sentence_is_no_title(lead: str) -> None:
    assert kinds(f"{lead}\n\n{OPENING}") == [("paragraph", lead), ("paragraph", OPENING)]


def test_markdown_headings() -> None:
    assert kinds(f"# The Storm\n## What Happened\n{OPENING}") == [
        ("title", "The Storm"),
        ("heading", "What Happened"),
        ("paragraph", OPENING),
    ]


def test_markdown_rules_are_no_blocks_and_quotations_lose_their_marker() -> None:
    text = f"The Storm\n=========\n\n{OPENING}\n\n* * *\n\nWhat closes\n-----------\n> The bridge.\n> > It is old.\n>\n> - The quay.\n"
    assert kinds(text) == [
        ("title", "The Storm"),
        ("paragraph", OPENING),
        ("heading", "What closes"),
        ("paragraph", "The bridge."),
        ("paragraph", "It is old."),
        ("paragraph", "- The quay."),
    ]
    assert_exact(make(text))


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
        ("It took forty houses.[1]", "paragraph"),
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


def test_the_segmentation_names_its_version() -> None:
    assert re.fullmatch(r"nupunkt-\d+\.\d+\.\d+\+rules-\d+", segmentation_version())
