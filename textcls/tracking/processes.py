"""Which process makes a run, and whether it still goes on."""

from __future__ import annotations

import os
import socket


def this_process() -> str:
    """The name of this process as runs keep it: `host:number`."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_alive(process: str) -> bool | None:
    """Whether a process goes on; None if it is none of this machine's and cannot be known."""
    host, _, number = process.rpartition(":")
    if host != socket.gethostname() or not number.isdigit():
        return None
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def is_another(process: str) -> bool:
    """Whether a process of this machine goes on that is not this one.

    This one may bear the name of one that died: in a container that is begun again, numbers are given anew.
    """
    return process != this_process() and is_alive(process) is True
