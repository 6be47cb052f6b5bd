"""The hints for misspelt names."""

from __future__ import annotations

import pytest

from textcls.wording import did_you_mean


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
