"""Cut the text of an article into blocks, and these into sentences whose offsets are exact.

A block is a title, a heading, a paragraph or a list item, and a sentence never crosses from one into another. Sentence boundaries
come from nupunkt; the rules on top of it undo its false abbreviations and keep a quotation together with its attribution,
`“Will it rain?” Ms. Tan asked.` being one sentence. Where texts come from is left to `articles`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import Literal

BlockKind = Literal["title", "heading", "paragraph", "list-item"]

RULES = 6
"""Version of the rules in this module. Raise it with every change that moves a boundary: labels are stored with it."""


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of an article, `text[start:end]`, without the marker of a list item, or of a Markdown heading or quotation."""

    kind: BlockKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an article; `article.text[start:end] == text`, in Unicode code points."""

    start: int
    end: int
    text: str
    block: BlockKind


def segmentation_version() -> str:
    """Name the segmenter and the rules that made an article's sentences, such as `nupunkt-0.8.0+rules-1`."""
    return f"nupunkt-{version('nupunkt')}+rules-{RULES}"


# --- blocks ---------------------------------------------------------------------------------------------------------

_MARKER = re.compile(r"(?P<item>(?:[-+*•·●○◦▪■‣►▶➤–]|\(?\d{1,2}[.)]|\(?[a-z]\))[ \t]+)|(?P<heading>#{1,6}[ \t]+)|(?:>[ \t]+)+")
_WORD = re.compile(r"\w")
_FULL_STOPS = "。！？؟۔।॥"
"""Ends of sentences in Chinese, Japanese, Arabic, Urdu and Hindi, which the segmenter does not know."""
_CLOSING = "\"'”’»)\\]」』）》"
_ENDS_SENTENCE = re.compile(rf"[.!?…:;,—{_FULL_STOPS}：；，、،؛][{_CLOSING}]*$")
_ENDS_STATEMENT = re.compile(rf"[.,:;{_FULL_STOPS}][{_CLOSING}]*$")  # as no title does
_ENDS_IN_OPEN_QUOTATION = re.compile(r",[\"'”’»]+$")
_ENDS_IN_QUOTATION = re.compile(r"[,!?…][\"'”’»]+$")
_NOTES = r"(?:\[(?:\d{1,3}|[a-z]|citation needed)\])+"  # “forty houses.[1]”
_NOTES_AT_END = re.compile(rf"(?<=[\w.!?{_CLOSING}]){_NOTES}$")
_TIME = re.compile(r"\d{1,2}[:.]\d{2}(?: ?[ap]\.?m\.?)?", re.IGNORECASE)
_WRAPPED_WIDTH = 100
_HEADING_WORDS = 14


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str
    marker: re.Match[str] | None
    after_blank: bool


def _lines(text: str) -> Iterator[_Line]:
    position, after_blank = 0, True
    for raw in text.split("\n"):
        content = raw.strip()
        if not _WORD.search(content):  # a rule, or what underlines a heading, parts blocks as an empty line does
            content = ""
        if content:
            start = position + raw.index(content[0])
            yield _Line(start, start + len(content), content, _MARKER.match(content), after_blank)
        after_blank = not content
        position += len(raw) + 1


def find_blocks(text: str) -> Iterator[Block]:
    """Find the blocks of a text, in its order."""
    lines = list(_lines(text))
    width = _wrapped_width(lines)
    groups: list[list[_Line]] = []
    for line in lines:
        if groups and _continues(groups[-1][-1], line, width):
            groups[-1].append(line)
        else:
            groups.append([line])
    for index, group in enumerate(groups):
        first, last = group[0], group[-1]
        start = first.start + (first.marker.end() if first.marker else 0)
        if start < last.end:
            yield Block(_kind(text[start : last.end], first, index == 0, index + 1 < len(groups)), start, last.end)


def _wrapped_width(lines: list[_Line]) -> int | None:
    """The width that a text is wrapped to, or None. The longest line alone is no sign of one, but a full line is whose sentence
    goes on in the next."""
    width = max((len(line.text) for line in lines), default=0)
    broken = any(
        _fills(line, following, width) and following.text[0].islower() and not _ENDS_IN_QUOTATION.search(line.text)
        for line, following in pairwise(lines)
    )
    return width if broken and width <= _WRAPPED_WIDTH else None


def _fills(line: _Line, following: _Line, width: int) -> bool:
    """Whether the first word of the next line would not have fitted any more."""
    adjacent = not following.after_blank and not following.marker
    return adjacent and len(line.text) + 1 + len(following.text.split()[0]) > width


def _continues(line: _Line, following: _Line, width: int | None) -> bool:
    """Whether two lines belong to one block: a quotation and its attribution, or a paragraph wrapped to a width."""
    if following.marker:
        return False
    goes_on = following.text[0].islower()
    if goes_on and _ENDS_IN_QUOTATION.search(line.text):
        return True
    if _ENDS_IN_OPEN_QUOTATION.search(line.text) and _ATTRIBUTION.match(following.text):
        return True
    return width is not None and not following.after_blank and (goes_on or _fills(line, following, width))


def _kind(content: str, line: _Line, first: bool, more: bool) -> BlockKind:
    if line.marker and line.marker["item"]:
        return "list-item"
    if line.marker and line.marker["heading"]:
        return "title" if first else "heading"
    content = _NOTES_AT_END.sub("", content)
    words = content.split()
    if first and more and len(content) <= 200 and not _ENDS_STATEMENT.search(content):
        return "title"
    unfinished = not _ENDS_SENTENCE.search(content)
    names_what_follows = content.endswith(":") and len(words) <= 4 and words[0][0].isupper()
    # "What Happens Next?" is a heading, "So who pays?" a sentence of its own.
    asks_in_title_case = content.endswith("?") and len(words) > 1 and all(w[0].isupper() for w in words if len(w) > 3)
    alone = first and not more
    heads = unfinished or asks_in_title_case or (names_what_follows and more) or _TIME.fullmatch(content)
    return "heading" if heads and not alone and len(words) <= _HEADING_WORDS else "paragraph"


# --- sentences ------------------------------------------------------------------------------------------------------

# nupunkt takes many a word for an abbreviation (“in bed. The”, “in New York. Police”), which it is only if it stands here.
_SMALL = "vs?|cf|al|eds?|viz|feat|ca|approx|nos?|pp?|vol|fig|ft|sp|spp"
_CAPITALISED = (
    # titles and forenames, but for those in _TITLE_CUT_OFF
    "Amb|Asst|Assoc|Atty|Benj|Brig|Comm|Cong|Con|Const|Cpl|Dem|Dep|Det|Dir|Drs|Edw|Esq|Geo|Insp|Jas|Jos|Lcd[ao]|Lib|Lic|Messrs|Mlles|Ofc|"
    "Pres|Prin|Pvt|Repub|Robt|Sec|Sens|Spec|Srta|Supt|Tech|Thos|Treas|"
    # days and months, of which Jan is a name more often: a number follows the month
    "Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|"
    # places
    "Ala|Ariz|Ark|Calif|Colo|Conn|Del|Fla|Ill|Ind|Kans?|Mass|Mich|Minn|Miss|Mont|Neb|Nev|Okla|Ore|Penn|Phila|Que|Sask|Tenn|Tex|Wash|"
    "Wis|Wyo|Apt|Ave|Bldg|Blvd|Cty|Dist|Fwy|Hwy|Pkwy|Prov|Ste|Sto|Terr|Twp|"
    # firms and offices
    "Acad|Admin|Assn|Bhd|Bros|Cie|Coll|Coop|Corp|Dept|Div|Fdn|Govt|Hosp|Inc|Incorp|Inst|Ltd|Mfg|Mgmt|Plc|Pte|Sch|Soc|Univ|"
    # print
    "Biol|Chem|Eds|Eng|Est|Etc|Exec|Ext|Figs?|Nos|Proc|Pub|Ref|Res|Sci|Ser|Supp|Vols?|"
    # in this project's corpus a sentence that ends in one of these is labelled together with the next
    "Burr|Sur"
)
_ACRONYMS = "AD|AM|AP|CEO|CFO|COO|CTO|DC|DEA|FAA|FDA|FEMA|HR|ID|LA|MBA|OK|PR|SEC|UN|VP"
_MISSED = re.compile(
    rf"(?<![\w.])(?:(?!(?:{_SMALL})\.)[a-z]{{2,}}|(?!(?:{_CAPITALISED})\.)(?:Mc)?[A-Z][a-z]{{2,}}|Al|Ed|Lu|{_ACRONYMS})"
    r"\.[\"'”’»)]*\s+(?=[\"“‘'(«]?[A-Z])"
)
# “Police came at 10 p.m. | Nobody was hurt”, but neither “at 10 p.m. Monday”, nor “9 a.m. ET”, nor “3 p.m. Moscow time”.
_MISSED_AT_TIME = re.compile(
    r"\b(?:at|by|before|after|until|till|to|from|around|about|nearly|since|past|and)\s+\d{1,2}(?:[:.]\d\d)?\s(?:[ap]\.m|[AP]\.M)\.[\"'”’»)]*\s+(?=[\"“‘]?(?!"
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b|(?:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\b|"
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b|"
    r"(?:Eastern|Central|Mountain|Pacific)\b(?! [A-Z])|(?:Christmas|Thanksgiving|New Year)\b|(?:UTC|[A-Z]{1,3}T)\b|(?:[A-Z]\w+ ){1,2}[Tt]ime\b"
    r")[A-Z])"
)
# A time at the head of a sentence ends none: “On Tuesday night at about 9 p.m. Officer Lee heard shots.”
_TELLS_WHEN = re.compile(
    r"[\"“‘]?(?:About|Again|After|Also|Around|As|At|Before|Beginning|Between|Both|But|By|Daily|During|Each|Early|Every|Exactly|From|In|Just|Late|Later|"
    r"Nearly|On|Only|Sometime|Shortly|Since|Soon|Starting|Then|Till|Until|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)\b"
)
_MISSED_AT_QUOTATION = re.compile(r"(?<![\w.])(?:[A-Z]\.){2,}\s+(?=“[A-Z][^”]*[.,!?…]”)")  # “… in the U.S. | “We …,” she said”
_MISSED_AT_NOTES = re.compile(rf"(?<=[.!?…\"'”’)]){_NOTES}\s+(?=[\"“‘'(]?[A-Z])")
_FULL_STOP = re.compile(rf"[{_FULL_STOPS}]+(?![{_CLOSING}{_FULL_STOPS}])\s*")  # at a closing mark a speaker may follow
_MISSED_ENDS = (_MISSED, _MISSED_AT_QUOTATION, _MISSED_AT_NOTES, _FULL_STOP)
_TITLE_CUT_OFF = re.compile(r"(?<!\w)(?:Mr|Mrs|Ms|Dr|Lt|Cmdr|Spc|Msgr|Pfc|Sgt|Capt|Col|Maj|Gen|Adm|Rev|Sen|Rep|Gov|Prof|Hon)\.$")
# “In St. | Mary”, “the upper St. | John River”, but not “on Main St. | He …”.
_SAINT_CUT_OFF = re.compile(r"(?:^(?:(?:In|At|Near|On|From|To|For)\s+)?|(?<![\w.’'-])[a-z]+\s+)St\.$")
# No sentence: “U.S. | Ambassador Ann Lee …”; nor, before an office, “Delta Air Lines Inc. | Chairman Ann Lee …”.
_INITIALS = re.compile(r"(?:[A-Z]\.){2,}")
_FIRM = re.compile(r"(?:[A-Z][\w&.’'-]*\s+(?:&\s+)?){1,4}(?:Inc|Corp|Ltd|Co)\.")
_OFFICER = re.compile(r"(?:Chair(?:man|woman)?|Chief|CEO|President|Vice|(?:Co-)?[Ff]ounder|Managing|Executive|Director|Senior)\b")
# In brackets, and the sentence goes on: “Delta S.A.E. | (“Delta”), a producer …”.
_ASIDE = re.compile(r"\([^()]*[^().!?…]\)(?:,|\s+[a-z])")
_CLOSED_BY_EXCLAMATION = re.compile(r"(?:[!?…]|\.\.\.)\s?[\"'”’»]+$")
_SPEECH = (
    "said|says|asked|asks|added|adds|told|replied|wrote|writes|cried|shouted|yelled|screamed|called|answered|explained|"
    "recalled|insisted|warned|joked|laughed|muttered|whispered|continued|demanded|declared|exclaimed|argued|wondered|"
    "tweeted|posted|quipped|remarked|noted|concluded|urged|boasted|sang|chanted|read|snapped|observed|announced"
)
# A speaker of at most seven words, the verb, and no clause of what is said: `Ms. Tan asked.`, `Said the coach, 41:`,
# `Ms. Tan asked the council.`
_ATTRIBUTION = re.compile(
    rf"(?!“|\"|‘)(?:[\w.’'-]+,?\s+){{0,7}}?(?:(?:{_SPEECH})\b"
    r"(?!\s+(?:that|the|a|an|he|she|it|they|we|you|his|her|there|no)\b)(?:[\s,][^“\"‘]{0,60})?[.:,!?…]*"
    r"|(?:asked|told)\s+(?:the|an?|his|her)(?:\s+(?!(?:to|that|whether|if|about|for|how|what|why)\b)[\w’'-]+){1,4}[.:])(?:\s|$)"
)
_GOES_ON = re.compile(rf"[,;”’»)\]]|[\"'](?:[\s,;:.!?”’»)\]]|$)|{_NOTES}$")
_FIRST_WORD = re.compile(r"[^\W\d_]+(?:\S*)")


def find_sentences(text: str, blocks: Iterable[Block]) -> Iterator[Sentence]:
    """Cut the blocks of a text into sentences."""
    for block in blocks:
        for start, end in _cut(text[block.start : block.end]):
            place = block.start + start, block.start + end
            yield Sentence(*place, text[slice(*place)], block.kind)


def _cut(content: str) -> list[tuple[int, int]]:
    import nupunkt  # here, because it loads its model

    merged: list[tuple[int, int]] = []
    for span_start, span_end in nupunkt.sent_spans(content):
        for start, end in _stretches(content, span_start, span_end):
            end = start + len(content[start:end].rstrip())
            start = end - len(content[start:end].lstrip())
            if start == end:
                continue
            if merged and _belongs_together(content[slice(*merged[-1])], content[start:end]):
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((start, end))
    return merged


def _stretches(content: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Part what the segmenter took for one sentence where it missed an end."""
    cuts = sorted(match.end() for ends in _MISSED_ENDS for match in ends.finditer(content, start, end))
    for begin, stop in pairwise([start, *cuts, end]):
        times = () if _TELLS_WHEN.match(content, begin) else _MISSED_AT_TIME.finditer(content, begin, stop)
        yield from pairwise([begin, *(match.end() for match in times), stop])


def _belongs_together(sentence: str, following: str) -> bool:
    """Whether the segmenter cut too early between two stretches of a block."""
    if (
        _GOES_ON.match(following)
        or _TITLE_CUT_OFF.search(sentence)
        or _SAINT_CUT_OFF.search(sentence)
        or _INITIALS.fullmatch(sentence)
        or (_FIRM.fullmatch(sentence) and _OFFICER.match(following))
        or _ASIDE.match(following)
    ):
        return True
    word = _FIRST_WORD.match(following)
    if word and word[0].islower():
        return True
    return bool(_CLOSED_BY_EXCLAMATION.search(sentence) and _ATTRIBUTION.match(following))
