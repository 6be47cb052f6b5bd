"""What is done at the steps of the Trainer: curves told, checkpoints marked, the best weights kept."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from textcls.models.base import Listener

BEST = "best.safetensors"
"""The best weights so far, in the folder of the checkpoints."""
COMPLETE = "complete"
"""What a checkpoint holds that was written to its end: the sizes of what it is gone on from."""
_SECONDS_BETWEEN_CHECKPOINTS = 60.0


class Tell(TrainerCallback):
    """Pass the Trainer's curves and steps on to a listener."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Pass on values of curves."""
        names = {
            "loss": "train/loss",
            "embedding_loss": "train/loss",  # as setfit calls it
            "learning_rate": "train/learning_rate",
            "eval_loss": "eval/loss",
            "eval_macro_f1": "eval/macro_f1",
        }
        for name, value in (logs or {}).items():
            if name in names:
                self.listener.metric(names[name], value, state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Pass on how far the training is."""
        self.listener.progress(state.global_step, state.max_steps)


class Save(TrainerCallback):
    """Write a checkpoint at the end of a step if the last is long ago, and tell the listener; the one before it goes.

    Not after the last step of an epoch: the Trainer would resume with the next one, and leave out the evaluation between the two.
    """

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.saved = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for a checkpoint when it is time for one."""
        due = time.monotonic() - self.saved > _SECONDS_BETWEEN_CHECKPOINTS
        control.should_save = due and not float(state.epoch or 0).is_integer()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Mark the checkpoint as written to its end."""
        self.saved = time.monotonic()
        if state.is_world_process_zero:
            _mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        self.listener.saved()


class KeepBest(TrainerCallback):
    """Keep the weights that do best on the validation rows, and stop when `patience` evaluations brought none better."""

    def __init__(self, folder: Path, patience: int) -> None:
        self.folder, self.patience = folder, patience

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: torch.nn.Module, **kwargs: Any
    ) -> None:
        """Keep the weights if they are the best so far; stop if there were none for long."""
        # The Trainer's own history, which its checkpoints hold, tells a resumed run what was before.
        scores = [entry["eval_macro_f1"] for entry in state.log_history if "eval_macro_f1" in entry]
        best = scores.index(max(scores))
        if best == len(scores) - 1 and state.is_world_process_zero:
            inner = getattr(model, "module", model)
            scratch = self.folder / f".{BEST}"
            save_file({name: tensor.contiguous() for name, tensor in inner.state_dict().items()}, scratch)
            scratch.replace(self.folder / BEST)
        control.should_training_stop = control.should_training_stop or len(scores) - 1 - best >= self.patience


def damaged_files(checkpoint: Path) -> list[str]:
    """Name the files of a checkpoint that are gone, or have another size than when it was marked as written to its end."""
    try:
        sizes: dict[str, int] = json.loads((checkpoint / COMPLETE).read_text(encoding="utf-8"))
        return [name for name, size in sizes.items() if _size(checkpoint / name) != size]
    except ValueError:
        return [COMPLETE]


def _mark_complete(checkpoint: Path) -> None:
    # The best weights may be replaced by better ones before the next checkpoint; their size stays. Digests of the files, as opposed to
    # their sizes, would take several times as long as to write them.
    files = [*(path for path in checkpoint.rglob("*") if path.is_file()), checkpoint.parent / BEST]
    sizes = {os.path.relpath(file, checkpoint): _size(file) for file in files if file.is_file()}
    scratch = checkpoint / f".{COMPLETE}"
    scratch.write_text(json.dumps(sizes), encoding="utf-8")
    scratch.replace(checkpoint / COMPLETE)


def _size(file: Path) -> int | None:
    return file.stat().st_size if file.is_file() else None
