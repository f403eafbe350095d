"""A file is written as a whole or not at all, and never in the place of what is not a file."""

from __future__ import annotations

import os
import stat
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
