"""Which of several processes this one is, as `torchrun` says by the environment; a process that it did not start is the only one."""

from __future__ import annotations

import os


def world_size() -> int:
    """How many processes share a run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that speaks for all."""
    # Other launchers number processes that share nothing by RANK too.
    return world_size() == 1 or int(os.environ.get("RANK", "0")) == 0
