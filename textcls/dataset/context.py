"""The neighbouring sentences of each row, for models that read them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from textcls.dataset.sources import Row
from textcls.dataset.values import is_blank
from textcls.wording import one_line

logger = logging.getLogger(__name__)

_NUMBERS = re.compile(r"[\W\d_TZ]*")
"""Numbers, and dates and times, of which ISO 8601 writes some with a T and a Z."""
_MOST_SHOWN = 60
"""Characters of a value that are shown."""


def add_context(rows: Sequence[Mapping[str, Any]], *, before: int, after: int) -> list[Row]:
    """Give each row the sentences around it as `before` and `after`, each one string; empty where there are none.

    The nearest sentence is the row's own `before` or `after` where it has one, since a heading between two rows is no row;
    what lies further off are the texts of the rows of the same article, which must be in its order.

    Args:
        rows: rows with a `text`, the article as `article` or else as `group`, and perhaps `before` and `after`, of one sentence each.
        before: how many sentences before each.
        after: how many after.
    """
    texts_of: dict[Any, list[str]] = {}
    place = []
    for row in rows:
        texts = texts_of.setdefault(_article(row), [])
        place.append(len(texts))
        texts.append(row["text"])
    found = []
    for row, here in zip(rows, place, strict=True):
        texts = texts_of[_article(row)] if _article(row) is not None else [row["text"]]
        here = here if len(texts) > 1 else 0
        preceding = list(_nearest(row.get("before"), texts[max(0, here - before) : here][::-1], before))
        following = list(_nearest(row.get("after"), texts[here + 1 : here + 1 + after], after))
        found.append({**row, "before": " ".join(reversed(preceding)), "after": " ".join(following)})
    return found


def only_sentences(rows: Sequence[Mapping[str, Any]], source_of: Callable[[Mapping[str, Any]], str]) -> list[Row]:
    """Keep of what rows hold as `before` and `after` the sentences, for data may call something else so; of that it warns.

    No sentence is what is no string. Where a column has but numbers, dates or times, it has no sentences, though each may be one.

    Args:
        rows: all rows of the data.
        source_of: what to call the data that a row is from.

    Returns:
        the rows, all of them with `before` and `after`, each None where there is no sentence.
    """
    beside = {}
    for side in ("before", "after"):
        values = [row.get(side) for row in rows]
        found = [value if isinstance(value, str) and not is_blank(value) else None for value in values]
        if all(_NUMBERS.fullmatch(sentence) for sentence in found if sentence is not None):
            found = [None] * len(rows)
        lost = [place for place, value in enumerate(values) if found[place] is None and not is_blank(value)]
        if lost:
            logger.warning(
                "%s has a column %r, in which %s is no sentence and is left out; rename it to keep it",
                source_of(rows[lost[0]]),
                side,
                one_line(repr(values[lost[0]]), _MOST_SHOWN),
            )
        beside[side] = found
    return [{**row, "before": before, "after": after} for row, before, after in zip(rows, *beside.values(), strict=True)]


def _article(row: Mapping[str, Any]) -> str | None:
    for found in (row.get("article"), row.get("group")):
        if not is_blank(found):  # of files to predict, in which it may be anything: 0 is a name too
            return str(found)
    return None


def _nearest(own: str | None, others: Sequence[str], count: int) -> Iterator[str]:
    near = [own] if own and (not others or others[0] != own) else []
    yield from [*near, *others][:count]
