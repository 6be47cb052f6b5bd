"""Which process makes a run, and whether it still goes on: by the lock that it holds, or else by its number."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from filelock import FileLock, Timeout

UNFINISHED = "unfinished"
"""Folder below a store's with a working folder for each run that is made; see `training.workspace`."""


def this_process() -> str:
    """The name of this process as runs keep it: `host:number`, and on Linux `host:number:start`, for numbers are given anew."""
    number = os.getpid()
    start = _start(number)
    return f"{socket.gethostname()}:{number}" + (f":{start}" if start is not None else "")


def is_here(process: str) -> bool:
    """Whether a process is one of this machine, or of a container that bears its name."""
    return process.partition(":")[0] == socket.gethostname()


def is_alive(process: str) -> bool | None:
    """Whether a process goes on; None if it is none of this machine's and cannot be known."""
    _, number, start = [*process.split(":"), "", ""][:3]
    # On Windows there is no such question: the call would end the process.
    if not is_here(process) or not number.isdigit() or sys.platform == "win32":
        return None
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    now = _start(int(number))
    return not start or now is None or now == start  # which only Linux says, and there not to everybody


def is_another(process: str) -> bool:
    """Whether a process of this machine goes on that is not this one.

    This one may bear the name of one that died, if that says no start: in a container that is begun again, numbers are given anew.
    """
    return process != this_process() and is_alive(process) is True


def work_lock(folder: Path) -> FileLock:
    """The lock of a working folder. The process that works there holds it, and the system frees it when the process ends."""
    return FileLock(folder / ".lock")


def is_held(folder: Path) -> bool | None:
    """Whether a process works in a working folder; None if there is no lock, since nobody ever did, or it is not ours."""
    if not os.access(folder / ".lock", os.W_OK):
        return None
    try:
        with work_lock(folder).acquire(blocking=False):
            return False
    except Timeout:
        return True


def _start(number: int) -> str | None:
    """When a process began, in ticks since the system did; None where that is not known."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]  # what is before the bracket is the program's name, which may hold any sign
