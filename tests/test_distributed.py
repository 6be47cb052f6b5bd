"""Two processes under torchrun share a fit, and track and write as one."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from accelerate.data_loader import BatchSamplerShard
from conftest import Done, Forked, textcls_main, toy_rows, write_jsonl

from textcls.artifacts import load_model
from textcls.models.finetuning import LengthBatches
from textcls.torchrun import is_first
from textcls.tracking import Store


def _torchrun(worker: Callable[[list[str]], None], *arguments: str) -> None:
    """What `torchrun` does with these arguments, but that its two workers are forked: to import torch anew takes each long."""
    from torch.distributed import run

    given = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--nproc-per-node", "2", "-m", "textcls", "train"]
    config, _, rest = run.config_from_args(run.parse_args([*given, *arguments]))
    config.start_method = "fork"
    run.elastic_launch(config, worker)(rest[rest.index("textcls") + 1 :])


def _watched(arguments: list[str]) -> None:
    """`textcls …`, which notes in `rows-RANK.json` of how many rows each loss is that the process learns from."""
    _with_loss(_Noted)(arguments)


def _broken(arguments: list[str]) -> None:
    """`textcls …`, in whose second process the loss is no number in bf16."""
    _with_loss(_NoNumber)(arguments)


def _with_loss(kind: type[Any]) -> Callable[[list[str]], None]:
    from textcls.models import transformer

    tune = transformer.fine_tune

    def tuned(model: Any, tokenizer: Any, settings: Any, *, loss: Any, **rest: Any) -> Any:
        return tune(model, tokenizer, settings, loss=kind(loss, settings.precision), **rest)

    transformer.fine_tune = tuned  # in a process of its own
    return textcls_main


class _Noted:
    def __init__(self, loss: Any, precision: str) -> None:
        self.loss, self.rows = loss, []

    def __call__(self, logits: Any, true: Any) -> Any:
        if logits.requires_grad:
            self.rows.append(len(true))
            Path(f"rows-{os.environ['RANK']}.json").write_text(json.dumps(self.rows))
        return self.loss(logits, true)


class _NoNumber:
    def __init__(self, loss: Any, precision: str) -> None:
        self.loss, self.broken = loss, precision == "bf16" and os.environ["RANK"] == "1"

    def __call__(self, logits: Any, true: Any) -> Any:
        return self.loss(logits, true) * (float("nan") if self.broken else 1)


@pytest.fixture
def config(tiny_encoder: str, store_folder: Path, tmp_path: Path) -> dict[str, Any]:
    rows = {"train": toy_rows("abcdef") + toy_rows("i")[:2], "validation": toy_rows("g"), "test": toy_rows("h")}
    model = {
        "kind": "transformer",
        "encoder": tiny_encoder,
        "epochs": 16,
        "batch_size": 8,
        "learning_rate": 0.01,
        "max_length": 48,
    }
    return {
        "seed": 1,
        "data": {"name": "toy"} | {part: str(write_jsonl(tmp_path / f"{part}.jsonl", its)) for part, its in rows.items()},
        "splits": {"duplicates": "warn"},
        "model": model,
        "tracking": {"folder": str(store_folder)},
    }


@pytest.fixture
def train(tmp_path: Path, fork: Callable[..., Forked]) -> Callable[..., Any]:
    def trained(worker: Callable[[list[str]], None], config: dict[str, Any], *arguments: str) -> Any:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        return fork(_torchrun, worker, str(tmp_path / "config.yaml"), *arguments).wait()

    return trained


@pytest.mark.parametrize(
    ("rows", "batch_size", "processes"), [(70, 16, 2), (99, 16, 2), (20, 32, 2), (1000, 128, 4), (50, 16, 8), (3, 8, 8)]
)
def test_every_row_is_learnt_from_in_every_epoch_by_one_of_the_processes(rows: int, batch_size: int, processes: int) -> None:
    share = batch_size // processes
    batches = LengthBatches(range(rows), share, seed=1, short_last=True)
    for epoch in range(6):
        batches.set_epoch(epoch)
        # As accelerate deals them out.
        dealt = [list(BatchSamplerShard(batches, processes, process)) for process in range(processes)]  # type: ignore[arg-type]
        assert {len(its) for its in dealt} == {math.ceil(rows / batch_size)}
        assert {len(batch) for its in dealt for batch in its} == {share}
        assert {row for its in dealt for batch in its for row in batch} == set(range(rows))


@pytest.mark.parametrize(
    ("size", "rank", "first"), [(None, None, True), ("1", "0", True), ("2", "0", True), ("2", "1", False), (None, "1", True)]
)
def test_the_first_of_several_processes_speaks_for_all(
    size: str | None, rank: str | None, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number alone, as other launchers give it to processes that share nothing, says nothing."""
    for name, value in (("WORLD_SIZE", size), ("RANK", rank)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert is_first() == first


def test_a_process_that_another_launcher_numbers_tracks_and_writes(
    config: dict[str, Any], textcls: Callable[..., Done], store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "3")
    config["model"] = {"kind": "tfidf"}
    Path("config.yaml").write_text(yaml.safe_dump(config))
    done = textcls("train", "config.yaml", "--output", "model")
    assert "macro-F1" in done.out
    assert len(Store(store_folder).runs()) == 1
    assert Path("model").is_dir()


@pytest.mark.slow
def test_two_processes_train_one_model(
    config: dict[str, Any], train: Callable[..., Any], store_folder: Path, tmp_path: Path
) -> None:
    done = train(_watched, config, "--output", str(tmp_path / "model"))
    assert done.code == 0, done.err
    store = Store(store_folder)
    (run,) = store.runs()
    assert (run.status, run.tags["textcls.processes"]) == ("FINISHED", "2")
    assert not list(store_folder.glob("unfinished/*"))
    test = toy_rows("h")
    predicted = load_model(tmp_path / "model").predict(test)
    assert (predicted == [row["label"] for row in test]).mean() > 0.8
    # Of 38 rows in batches of eight, each process learns from half of each batch, and once from what is filled up.
    epochs = len(store.client.get_metric_history(run.id, "eval/macro_f1"))
    for process in range(2):
        rows = json.loads(Path(f"rows-{process}.json").read_text())
        assert (len(rows), set(rows)) == (5 * epochs, {4})


@pytest.mark.slow
def test_a_loss_that_is_no_number_in_one_process_starts_the_training_of_all_again(
    config: dict[str, Any], train: Callable[..., Any], store_folder: Path
) -> None:
    config["model"] |= {"precision": "bf16", "epochs": 1}
    done = train(_broken, config)
    assert done.code == 0, done.err
    store = Store(store_folder)
    (run,) = store.runs()
    assert (run.status, run.tags["textcls.precision"]) == ("FINISHED", "fp32")
    assert b"the loss became NaN or infinite in bf16; training starts again in fp32" in (store.artifact(run, "log.txt") or b"")


@pytest.mark.slow
def test_a_batch_that_two_processes_cannot_share_is_told(config: dict[str, Any], train: Callable[..., Any]) -> None:
    config["model"]["batch_size"] = 7
    done = train(textcls_main, config)
    assert done.code != 0
    message = "error: model.batch_size is 7, which 2 processes cannot share evenly; set it to a multiple of 2\n"
    assert message in done.err
