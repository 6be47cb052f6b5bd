"""The exception tree."""

from __future__ import annotations

import inspect

from textcls import errors
from textcls.errors import TextclsError


def test_there_is_one_tree_and_it_is_drawn() -> None:
    found = {name for name, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__}
    assert found == {"TextclsError", "ConfigError", "DataError", "ModelError", "TrackingError", "OutputError"}
    for name in found:
        assert issubclass(getattr(errors, name), TextclsError)
        assert name in (errors.__doc__ or "")
    assert TextclsError.__bases__ == (Exception,)
