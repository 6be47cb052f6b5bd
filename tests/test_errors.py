"""The exception tree, and the hints for misspelt names."""

from __future__ import annotations

import inspect

import pytest

from textcls import errors
from textcls.errors import TextclsError, did_you_mean


def test_there_is_one_tree_and_it_is_drawn() -> None:
    found = {name for name, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__}
    assert found == {"TextclsError", "ConfigError", "DataError", "ModelError", "TrackingError", "OutputError"}
    for name in found:
        assert issubclass(getattr(errors, name), TextclsError)
        assert name in (errors.__doc__ or "")
    assert TextclsError.__bases__ == (Exception,)


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
