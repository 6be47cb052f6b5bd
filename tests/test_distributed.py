"""Two processes under torchrun share a fit, and track and write as one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import toy_rows, write_jsonl

from textcls.artifacts import load_model
from textcls.tracking import Store


@pytest.mark.slow
def test_two_processes_train_one_model(tiny_encoder: str, store_folder: Path, tmp_path: Path) -> None:
    test = toy_rows("h")
    model = {
        "kind": "transformer",
        "encoder": tiny_encoder,
        "epochs": 16,
        "batch_size": 4,
        "learning_rate": 0.01,
        "max_length": 48,
    }
    config = {
        "seed": 1,
        "data": {
            "name": "toy",
            "train": str(write_jsonl(tmp_path / "train.jsonl", toy_rows("abcdef"))),
            "validation": str(write_jsonl(tmp_path / "validation.jsonl", toy_rows("g"))),
            "test": str(write_jsonl(tmp_path / "test.jsonl", test)),
        },
        "splits": {"duplicates": "warn"},
        "model": model,
        "tracking": {"folder": str(store_folder)},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "textcls"]
    done = subprocess.run(
        [*command, "train", str(tmp_path / "config.yaml"), "--output", str(tmp_path / "model")],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    (run,) = Store(store_folder).runs()
    assert run.status == "FINISHED"
    assert not list(store_folder.glob("unfinished/*"))
    predicted = load_model(tmp_path / "model").predict(test)
    assert (predicted == [row["label"] for row in test]).mean() > 0.8
