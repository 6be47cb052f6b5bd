"""The hints for misspelt names, and long texts in one line."""

from __future__ import annotations

import pytest

from textcls.wording import did_you_mean, one_line, quoted, shortened


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("lable", ["text", "label"], "did you mean 'label'?"),
        ("xyz", ["text", "label"], "known: label, text"),
        ("label", {"labels": 1, "text": 2}, "did you mean 'labels'?"),
        ("x", [], "known: "),
    ],
)
def test_did_you_mean(name: str, known: list[str], hint: str) -> None:
    assert did_you_mean(name, known) == hint


def test_long_texts_are_cut_alike() -> None:
    assert [shortened("abcd", width) for width in (4, 3)] == ["abcd", "ab…"]
    assert one_line(" a\n b\x1bcd", 5) == "a b�…"
    assert quoted(" a\n bcd", 4) == "'a b…'"
