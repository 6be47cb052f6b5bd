"""What all reports share: one HTML page, whole in itself, for light and dark screens and for paper. Text of the data stays text."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from textcls.evaluation.bootstrap import Interval

_LONGEST_TEXT, _LONGEST_NEAR = 600, 200
"""Characters of a text, and of each of its neighbours, that a page shows."""

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin-top: 2.2rem; } h3 { font-size: 1rem; }
table { border-collapse: collapse; margin: .6rem 0; } .wide { overflow-x: auto; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
.verdict { font-size: 1.2rem; padding: .8rem 1rem; background: var(--soft); border-left: 4px solid currentColor; }
.about, .near { color: color-mix(in srgb, currentColor 70%, transparent); } .verdict { overflow-wrap: anywhere; }
td.text { overflow-wrap: anywhere; min-width: 16rem; } .weighed { font-size: .85rem; }
code { background: var(--soft); border-radius: 3px; padding: 0 .2em; display: inline-block; max-width: 100%; white-space: pre-wrap; }
@media print {
  body { max-width: none; margin: 0; font-size: 10pt; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; }
  .wide { overflow: visible; } table { font-size: 9pt; } th, td { padding: .15rem .4rem; }
  td:not(.text) { overflow-wrap: anywhere; min-width: 2cm; } img { max-height: 10cm; }
}
"""


def page(title: str, body: Iterable[str]) -> str:
    """Put parts of HTML together to a page."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def table(heads: Sequence[str], rows: Iterable[str], *, words: int = 1) -> Iterator[str]:
    """A table with rows of HTML, which scrolls where it is too wide; the first columns are words, the others numbers."""
    yield '<div class="wide"><table><tr>'
    yield "".join(f"<th{_kind(place, words)}>{escape(head)}</th>" for place, head in enumerate(heads))
    yield "</tr>"
    yield from rows
    yield "</table></div>"


def row(*cells: str, words: int = 1, text: str | None = None) -> str:
    """A row of a table; the first cells are words, the others numbers. What `marked_text` gives may stand before all of them."""
    first = "" if text is None else f'<td class="text">{text}</td>'
    return f"<tr>{first}" + "".join(f"<td{_kind(place, words)}>{escape(cell)}</td>" for place, cell in enumerate(cells)) + "</tr>"


def marked_text(its: Mapping[str, Any]) -> str:
    """A row's text, marked, between the sentences `before` and `after` it, as far as they are known; each is cut if it is long."""
    text, before, after = (str(its.get(side) or "") for side in ("text", "before", "after"))
    cut = f'<span class="near">… ({len(text):,} characters in all)</span>' if len(text) > _LONGEST_TEXT else ""
    parts = [f"<b>{escape(text[:_LONGEST_TEXT])}</b>{cut}"]
    if before:
        parts.insert(0, _near(f"…{before[-_LONGEST_NEAR:]}" if len(before) > _LONGEST_NEAR else before))
    if after:
        parts.append(_near(f"{after[:_LONGEST_NEAR]}…" if len(after) > _LONGEST_NEAR else after))
    return " ".join(parts)


def _near(text: str) -> str:
    return f'<span class="near">{escape(text)}</span>'


def picture(name: str, png: bytes) -> str:
    """A picture, within the page."""
    return f'<figure><img alt="{escape(name)}" src="data:image/png;base64,{b64encode(png).decode()}"></figure>'


def listed(items: Iterable[str]) -> str:
    """A list of parts of HTML."""
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def word_range(found: Interval | None) -> str:
    """An interval in words; nothing where there is none."""
    return f"{found.low:.3f} – {found.high:.3f}" if found else ""


def _kind(place: int, words: int) -> str:
    return "" if place < words else ' class="n"'
