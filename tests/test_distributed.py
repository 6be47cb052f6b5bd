"""Two processes under torchrun share a fit, and track and write as one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import Forked, textcls_main, toy_rows, write_jsonl

from textcls.artifacts import load_model
from textcls.tracking import Store


def _torchrun(*arguments: str) -> None:
    """What `torchrun` does with these arguments, but that its two workers are forked: to import torch anew takes each long."""
    from torch.distributed import run

    config, _, rest = run.config_from_args(run.parse_args(arguments))
    config.start_method = "fork"
    run.elastic_launch(config, textcls_main)(rest[rest.index("textcls") + 1 :])


@pytest.mark.slow
def test_two_processes_train_one_model(
    tiny_encoder: str, store_folder: Path, tmp_path: Path, fork: Callable[..., Forked]
) -> None:
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
    command = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--nproc-per-node", "2", "-m", "textcls", "train"]
    done = fork(_torchrun, *command, str(tmp_path / "config.yaml"), "--output", str(tmp_path / "model")).wait()
    assert done.code == 0, done.err
    (run,) = Store(store_folder).runs()
    assert run.status == "FINISHED"
    assert not list(store_folder.glob("unfinished/*"))
    predicted = load_model(tmp_path / "model").predict(test)
    assert (predicted == [row["label"] for row in test]).mean() > 0.8
