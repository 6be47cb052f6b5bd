"""The neighbouring sentences of each row, for models that read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]


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


def _article(row: Mapping[str, Any]) -> str | None:
    for found in (row.get("article"), row.get("group")):
        # Of files to predict, in which it may be anything: 0 is a name too, and NaN, which is not equal to itself, is none.
        if found is not None and found == found and str(found).strip():
            return str(found)
    return None


def _nearest(own: str | None, others: Sequence[str], count: int) -> Iterator[str]:
    near = [own] if own and (not others or others[0] != own) else []
    yield from [*near, *others][:count]
