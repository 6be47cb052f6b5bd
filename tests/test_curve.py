"""Learning curves, from Python and from the command line."""

from __future__ import annotations

import csv
import re
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
    assert "\nthe last step: " in done.out
    assert "(there are 2 articles only, too few for a permutation test to show any difference)\n" in done.out
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


def test_shares_that_hold_the_same_rows_are_one_point_and_no_step(
    config: Path, textcls: Callable[..., Done], caplog: pytest.LogCaptureFixture
) -> None:
    done = textcls("curve", config, "--share", "0.9", "--share", "1", "--set", "tracking.enabled=false")
    assert "the shares 0.9 and 1 hold the same rows, since there are few groups, and are one point; take shares" in caplog.text
    assert re.findall(r"(\d+) +(\d+)% ", done.out) == [("48", "100")]
    assert "the last step" not in done.out


def test_the_last_step_is_compared_as_two_runs_are(config: Path) -> None:
    found = learning_curve(config, shares=[0.1, 0.13], overrides=["tracking.enabled=false", "splits.repeats=2"])
    assert [(point.share, point.rows) for point in found.points] == [(0.1, 6), (0.13, 12)]
    step = found.step
    assert step is not None
    assert (step.a, step.b, step.rows, step.seeds) == ("the model of 6 rows", "the model of 12 rows", 12, (2, 2))
    its = step.metrics["macro_f1"]
    assert (its.a, its.b) == pytest.approx([point.macro_f1 for point in found.points[-2:]])
    assert "predict the same label" in step.verdict  # six rows are enough to learn the toy


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
