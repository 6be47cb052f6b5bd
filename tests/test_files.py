"""Files and folders are written whole or not at all, and never over something."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from textcls.errors import OutputError
from textcls.files import check_new, folder_bytes, new_file, new_folder


def write(kind: str, target: Path, content: str = "new") -> None:
    with opened(kind, target) as place:
        (place if kind == "file" else place / "inner.txt").write_text(content, encoding="utf-8")


def opened(kind: str, target: Path) -> AbstractContextManager[Path]:
    return new_file(target) if kind == "file" else new_folder(target)


both = pytest.mark.parametrize("kind", ["file", "folder"])


@both
def test_it_is_there_afterwards_and_nothing_else(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "deep" / "er" / "out.d"
    write(kind, target)
    assert (target if kind == "file" else target / "inner.txt").read_text(encoding="utf-8") == "new"
    assert list(target.parent.iterdir()) == [target]


@both
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_who_may_read_it_is_as_the_umask_says(tmp_path: Path, kind: str, umask: int) -> None:
    before = os.umask(umask)
    try:
        write(kind, tmp_path / "out")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == (0o666 if kind == "file" else 0o777) & ~umask


def test_whoever_may_read_a_folder_may_read_what_is_in_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with new_folder(tmp_path / "out") as place:
            (place / "weights").touch(mode=0o600)  # as safetensors makes files
            (place / "script").touch(mode=0o700)
    finally:
        os.umask(before)
    assert [(tmp_path / "out" / name).stat().st_mode & 0o777 for name in ("weights", "script")] == [0o644, 0o744]


@both
def test_it_is_not_there_while_it_is_written(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    with opened(kind, target) as place:
        assert not target.exists()
        (place if kind == "file" else place / "inner.txt").write_text("new", encoding="utf-8")
        assert not target.exists()
    assert target.exists()


@both
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_when_writing_fails(tmp_path: Path, kind: str, error: type[BaseException]) -> None:
    with pytest.raises(error), opened(kind, tmp_path / "out") as place:
        (place if kind == "file" else place / "inner.txt").write_text("half", encoding="utf-8")
        raise error
    assert not [path for path in tmp_path.iterdir() if path.name != "cwd"]


@both
@pytest.mark.parametrize("there", ["file", "folder", "dangling link"])
def test_what_is_there_stays(tmp_path: Path, kind: str, there: str) -> None:
    target = tmp_path / "out"
    match there:
        case "file":
            target.write_text("old", encoding="utf-8")
        case "folder":
            target.mkdir()
        case _:
            target.symlink_to(tmp_path / "nowhere")
    message = f"{target}: exists already; remove it or name another output"
    with pytest.raises(OutputError) as caught:
        write(kind, target)
    assert str(caught.value) == message
    with pytest.raises(OutputError) as caught:
        check_new(target)
    assert str(caught.value) == message
    assert there != "file" or target.read_text(encoding="utf-8") == "old"


@both
def test_what_comes_meanwhile_stays(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    with pytest.raises(OutputError, match="exists already"), opened(kind, target) as place:
        (place if kind == "file" else place / "inner.txt").write_text("new", encoding="utf-8")
        target.write_text("theirs", encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "theirs"
    assert [path.name for path in tmp_path.iterdir() if path.name != "cwd"] == ["out"]


@both
def test_of_several_at_once_one_is_kept_and_the_others_are_told(tmp_path: Path, kind: str) -> None:
    together = threading.Barrier(4)

    def written(number: int) -> bool:
        try:
            with opened(kind, tmp_path / "out") as place:
                (place if kind == "file" else place / "inner.txt").write_text(str(number), encoding="utf-8")
                together.wait()
        except OutputError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(written, range(4))) == 1


@both
def test_a_place_that_cannot_be_written_to(tmp_path: Path, kind: str) -> None:
    (tmp_path / "plain").write_text("a file, not a folder", encoding="utf-8")
    target = tmp_path / "plain" / "out"
    with pytest.raises(OutputError) as caught:
        write(kind, target)
    assert str(caught.value).startswith(f"{target}: cannot be written: ")


@both
def test_only_what_is_wrong_with_the_place_is_said_of_it(tmp_path: Path, kind: str) -> None:
    with pytest.raises(FileNotFoundError, match="input"), opened(kind, tmp_path / "out"):
        (tmp_path / "input").read_text()
    with pytest.raises(ConnectionResetError), opened(kind, tmp_path / "out"):
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    with pytest.raises(OutputError, match="out: cannot be written: No space left"), opened(kind, tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OutputError, match="out: cannot be written: No such file"), opened(kind, tmp_path / "out") as place:
        (place / "nowhere" / "deeper").write_text("new")


def test_size_counts_all_files(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "below" / "b").write_bytes(b"x" * 500)
    assert folder_bytes(tmp_path) == 1500


@pytest.mark.parametrize("place", ["plain", "/proc"])
def test_a_place_that_cannot_be_written_to_is_told_beforehand(place: str) -> None:
    Path("plain").write_text("a file, not a folder", encoding="utf-8")
    with pytest.raises(OutputError) as caught:
        check_new(f"{place}/x/m")
    assert str(caught.value).startswith(f"{place}/x/m: cannot be written: nothing can be put into {Path(place).absolute()}: ")


def test_a_disk_that_is_full_while_a_folder_is_copied(tmp_path: Path) -> None:
    write("folder", tmp_path / "model")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "inner.txt")

    with pytest.raises(OutputError) as caught, new_folder(tmp_path / "out") as place:
        shutil.copytree(tmp_path / "model", place, copy_function=full, dirs_exist_ok=True)
    assert str(caught.value) == f"{tmp_path / 'out'}: cannot be written: No space left on device"


def test_check_new_gives_the_path() -> None:
    assert check_new("nothing/here") == Path("nothing/here")
    assert not Path("nothing").exists()
