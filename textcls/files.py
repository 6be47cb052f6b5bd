"""Write files and folders whole or not at all: beside the place they are for, then renamed into it; and measure folders."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from tempfile import mkdtemp

from textcls.errors import OutputError

_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What the disk says when a file that is open cannot be written on."""


def check_new(path: str | Path) -> Path:
    """Check that nothing is at a path and that it can be written to, before work is spent on what is to go there.

    Raises:
        OutputError: something is there, or nothing can be put into the folder that it would lie in.
    """
    if os.path.lexists(path):
        raise OutputError(f"{path}: exists already; remove it or name another output")
    there = next(parent for parent in Path(path).absolute().parents if parent.exists())
    try:
        Path(mkdtemp(prefix=".textcls-", dir=there)).rmdir()  # permissions do not say: /proc has them, and so has a full disk
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: nothing can be put into {there}: {error.strerror}") from error
    return Path(path)


def folder_bytes(folder: Path) -> int:
    """Size of all files of a folder, in bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty folder to write into, which takes its place at `path` only if all went well.

    Whoever may read the folder may read the files in it.

    Raises:
        OutputError: something is at `path`, or it cannot be written to.
    """
    target = check_new(path)
    with _beside(target) as scratch:
        yield scratch
        readable = 0o444 & scratch.stat().st_mode
        for file in scratch.rglob("*"):
            if file.is_file() and not file.is_symlink():  # safetensors makes files that are the owner's alone
                file.chmod(file.stat().st_mode | readable)
        scratch.rename(check_new(target))


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """Give a path to write a file to, which takes its place at `path` only if all went well.

    Raises:
        OutputError: something is at `path`, or it cannot be written to.
    """
    target = check_new(path)
    with _beside(target) as scratch:
        yield scratch / target.name
        _put(scratch / target.name, target)


def _put(file: Path, target: Path) -> None:
    """Give a file its place, over nothing that came there meanwhile, which a rename would replace."""
    try:
        os.link(file, target)
    except FileExistsError:
        check_new(target)
        raise
    except OSError:  # a file system without links
        file.rename(check_new(target))


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    scratch = target.parent / f".{target.name}.{token_hex(4)}"
    try:
        scratch.mkdir(parents=True)  # not by mkdtemp, whose folders are the owner's alone whatever the umask
        yield scratch
    except OSError as error:
        if not _about_the_place(error, scratch.absolute()):
            raise  # it is about something that was read meanwhile
        raise OutputError(f"{target}: cannot be written: {_reason(error)}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _about_the_place(error: OSError, scratch: Path) -> bool:
    if error.filename is None:  # in writing to a file that is open
        return error.errno is None or error.errno in _WRITING
    path = Path(str(error.filename)).absolute()
    return path.is_relative_to(scratch) or scratch.is_relative_to(path)  # in it, or a folder that it was to be made in


def _reason(error: OSError) -> str:
    if isinstance(error, shutil.Error):  # of many files: their names and the words of what befell each
        number = re.match(r"\[Errno (\d+)\]", str(error.args[0][0][2]))
        return os.strerror(int(number[1])) if number else str(error.args[0][0][2])
    return error.strerror or str(error)
