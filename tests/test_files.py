"""A file is written as a whole or not at all, and never in the place of what is not a file."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from pathlib import Path

import pytest

from attnsearch import files
from attnsearch.base import AttnsearchError


def test_missing_folders_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    assert files.write_whole(path, "naïve \ud800") == path
    assert path.read_bytes() == "naïve ?".encode()
    files.write_whole(path, b"again\r\n")
    assert path.read_bytes() == b"again\r\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_earlier_file_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.txt"
    path.write_bytes(b"earlier")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(AttnsearchError, match=r"^cannot write .*kept\.txt: No space left .*; choose an"):
            files.write_whole(path, b"later")
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]
    for name in ("kept.txt/below", "x" * 300):
        with pytest.raises(AttnsearchError, match=f"^cannot write {tmp_path / name}: "):
            files.write_whole(tmp_path / name, b"")
    with pytest.raises(AttnsearchError, match="directory"):
        files.write_whole(tmp_path, b"")


def test_a_link_is_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    files.write_whole(link, b"through")
    assert link.is_symlink()
    assert target.read_bytes() == b"through"


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write_whole(pipe, b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


# Folders that are being written.


def long_ago(path: Path) -> None:
    then = path.stat().st_mtime - 25 * 3600
    os.utime(path, (then, then))


def test_what_a_living_process_writes_is_not_abandoned_however_old_it_looks(tmp_path: Path) -> None:
    with files.partial_folder(tmp_path, "name", {"a": b"1", "b": b"2"}) as partial:
        long_ago(partial)
        files.remove_abandoned(tmp_path)
        assert sorted(path.name for path in partial.iterdir()) == ["a", "b"]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_after_a_day_of_the_file_systems_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, empty = tmp_path / ".partial-name-1-2", tmp_path / ".partial-name-3-4"
    for folder in (left, empty):
        folder.mkdir()
    (left / "a").write_bytes(b"1")
    (tmp_path / "finished").mkdir()
    long_ago(tmp_path / "finished")
    # A computer whose own clock is wrong.
    monkeypatch.setattr(time, "time", lambda: left.stat().st_mtime + 1e6)
    files.remove_abandoned(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    for folder in (left, empty):
        long_ago(folder)
    files.remove_abandoned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["finished"]


def test_without_locks_nothing_is_taken_for_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with files.partial_folder(tmp_path, "name", {"a": b"1"}) as partial:
        long_ago(partial)
        files.remove_abandoned(tmp_path)
        assert (partial / "a").read_bytes() == b"1"
