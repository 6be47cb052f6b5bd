"""Learning curves, from Python and from the command line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Done, toy_rows, write_jsonl
from PIL import Image

from textcls.errors import ConfigError, OutputError
from textcls.tracking import Store
from textcls.training.curve import learning_curve


@pytest.fixture
def config(tmp_path: Path, store_folder: Path, model_settings: Callable[[str], dict[str, Any]]) -> Path:
    settings = {
        "data": {
            "name": "toy",
            "train": str(write_jsonl(tmp_path / "train.jsonl", toy_rows("abcdefgh"))),
            "test": str(write_jsonl(tmp_path / "test.jsonl", toy_rows("ij"))),
        },
        "model": model_settings("tfidf"),
        "tracking": {"folder": str(store_folder)},
    }
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return file


def test_a_curve_is_tracked_drawn_and_printed(
    config: Path, store_folder: Path, textcls: Callable[..., Done], tmp_path: Path
) -> None:
    done = textcls("curve", config, "--share", "0.25", "--share", "1", "--output", tmp_path / "curve.png")
    assert done.code == 0, done.err
    assert "the last step, from 12 to 48 rows, brought " in done.out
    assert Image.open(tmp_path / "curve.png").format == "PNG"

    store = Store(store_folder)
    (parent,) = store.runs()
    children = [run for run in store.runs(children=True) if run.kind == "trial"]
    assert parent.status == "FINISHED"
    assert sorted((run.name, run.metrics["n_train"]) for run in children) == [
        ("100%, tfidf-C100-s42", 48),
        ("25%, tfidf-C100-s42", 12),
    ]
    points = store.client.get_metric_history(parent.id, "curve/macro_f1")
    table = [*csv.DictReader((store.artifact(parent, "learning_curve.csv") or b"").decode().splitlines())]
    assert [(point.step, round(point.value, 6)) for point in points] == [
        (int(float(row["rows"])), round(float(row["macro_f1"]), 6)) for row in table
    ]


def test_a_share_may_be_drawn_by_several_seeds(config: Path) -> None:
    overrides = ["tracking.enabled=false", "splits.repeats=3"]
    small, whole = learning_curve(config, shares=[1, 0.13], overrides=overrides).points
    assert (small.share, small.rows, whole.share, whole.rows) == (0.13, 12, 1, 48)
    assert None not in (small.spread, whole.spread)


def test_shares_that_hold_the_same_rows_are_told(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    learning_curve(config, shares=[0.9, 1], overrides=["tracking.enabled=false"])
    assert "the shares 0.9 and 1 hold the same rows, since there are few groups; take shares further apart" in caplog.text


@pytest.mark.parametrize("shares", [[0, 1], [1.5], []])
def test_shares_that_are_none(config: Path, shares: list[float]) -> None:
    with pytest.raises(ConfigError, match=r"^expected shares above 0 and up to 1, found "):
        learning_curve(config, shares=shares)


def test_what_is_there_stays(config: Path, tmp_path: Path) -> None:
    (tmp_path / "curve.png").write_text("old", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already"):
        learning_curve(config, output=tmp_path / "curve.png")


def test_processes_under_torchrun_cannot_share_a_curve(
    config: Path, textcls: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = textcls("curve", config)
    assert done.code == 1
    assert done.err == (
        "error: a learning curve makes many runs, which the 2 processes of torchrun cannot share; start it without torchrun\n"
    )
