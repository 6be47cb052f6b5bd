"""The public names, and that importing textcls does nothing."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import textcls

NAMES = [
    "Article",
    "Config",
    "ConfigError",
    "DataError",
    "ModelError",
    "OutputError",
    "RunResult",
    "TextClassifier",
    "TextclsError",
    "TrackingError",
    "evaluate_file",
    "load",
    "load_config",
    "make_classifier",
    "predict_article",
    "predict_inputs",
    "read_article",
    "save",
    "train",
]
HEAVY = [
    "torch",
    "transformers",
    "datasets",
    "mlflow",
    "sklearn",
    "scipy",
    "numpy",
    "pandas",
    "matplotlib",
    "nupunkt",
    "typer",
    "rich",
]


def in_a_new_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_public_names() -> None:
    assert textcls.__all__ == NAMES
    assert set(NAMES) <= set(dir(textcls))


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(textcls, name)
    assert found.__name__ == {"save": "save_model"}.get(name, name)
    assert inspect.getdoc(found)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match=r"^module 'textcls' has no attribute 'trian'$"):
        textcls.trian  # noqa: B018


def test_importing_loads_nothing_heavy_and_changes_nothing() -> None:
    code = f"""
import json, logging, os, random, signal, sys, warnings
before = dict(os.environ), list(warnings.filters), list(logging.getLogger().handlers), random.getstate(), signal.getsignal(signal.SIGTERM)
import textcls
after = dict(os.environ), list(warnings.filters), list(logging.getLogger().handlers), random.getstate(), signal.getsignal(signal.SIGTERM)
print(json.dumps([before == after, [name for name in {HEAVY} if name in sys.modules]]))
"""
    assert json.loads(in_a_new_process(code)) == [True, []]


def test_python_m_textcls_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "textcls", "-h"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "train" in done.stdout
