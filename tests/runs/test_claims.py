"""Claims within a process: a run is taken once, and what cannot be claimed is told in one line."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers.claimed import many, names, taken

from attnsearch.base import AttnsearchError
from attnsearch.runs.claims import Claim
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec


def test_a_run_is_taken_once(root: Path, spec: RunSpec) -> None:
    with taken(root, spec) as claim:
        assert claim.path.read_bytes() == b""
        assert names(root) == [f".claim-{spec.digest}"]
        assert Claim.take(root, spec.digest) is None
    with taken(root, spec):
        assert Claim.take(root, spec.digest) is None


def test_one_run_says_nothing_of_another(root: Path, spec: RunSpec) -> None:
    first, second = many(spec, 2)
    with taken(root, first), taken(root, second):
        assert len(names(root)) == 2
    assert names(root) == []


def test_what_is_released_leaves_nothing_behind(root: Path, spec: RunSpec) -> None:
    specs = many(spec, 20)
    for _ in range(2):
        held = [taken(root, one) for one in specs]
        assert len(names(root)) == 20
        for claim in held:
            claim.release()
        assert names(root) == []


def test_the_claim_ends_with_its_block_even_if_that_fails(root: Path, spec: RunSpec) -> None:
    with pytest.raises(ZeroDivisionError), taken(root, spec):
        _ = 1 / 0
    assert names(root) == []
    taken(root, spec).release()


def test_releasing_twice_does_not_touch_the_next_claim(root: Path, spec: RunSpec) -> None:
    first = taken(root, spec)
    first.release()
    with taken(root, spec) as second:
        first.release()
        assert second.path.exists()
        assert Claim.take(root, spec.digest) is None


def test_a_claim_that_nobody_keeps_is_still_held(root: Path, spec: RunSpec) -> None:
    path = taken(root, spec).path
    assert Claim.take(root, spec.digest) is None
    # Clean up behind it: the lock itself ends with this process.
    path.unlink()


def test_a_store_does_not_see_claims(root: Path, spec: RunSpec) -> None:
    with taken(root, spec) as claim:
        store = Store.open(root)
        assert list(store.runs(pytest.fail)) == []
        assert claim.path.exists()


def test_a_folder_that_was_removed_meanwhile_is_no_error(root: Path, spec: RunSpec) -> None:
    claim = taken(root, spec)
    claim.path.unlink()
    with taken(root, spec) as another:
        # The file is there again, but it is another's.
        claim.release()
        assert another.path.exists()
        assert Claim.take(root, spec.digest) is None
    claim = taken(root, spec)
    claim.path.unlink()
    claim.path.parent.rmdir()
    claim.release()


# Between opening a file and locking it, its holder may remove it.


def test_a_file_that_is_removed_before_it_is_locked_is_not_the_claim(
    root: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, flock = taken(root, spec), fcntl.flock
    opened: list[int] = []

    def late(descriptor: int, operation: int) -> None:
        opened.append(descriptor)
        holder.release()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with taken(root, spec) as claim:
        assert len(opened) == 2
        assert claim.path.exists()
        assert Claim.take(root, spec.digest) is None
    assert names(root) == []


def test_a_removed_file_that_another_has_locked_is_nobodys_claim(
    root: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flock = root / "runs" / f".claim-{spec.digest}", fcntl.flock
    attempts: list[int] = []

    def beaten_once(descriptor: int, operation: int) -> None:
        attempts.append(descriptor)
        if len(attempts) == 1:
            path.unlink()
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", beaten_once)
    with taken(root, spec) as claim:
        assert len(attempts) == 2
        assert claim.path.exists()


# What cannot be had is said in one line.


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(
    root: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    opened: list[int] = []

    def unsupported(descriptor: int, operation: int) -> None:
        opened.append(descriptor)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(AttnsearchError) as caught:
        Claim.take(root, spec.digest)
    assert str(caught.value) == (
        f"cannot share the runs in {root}: its file system does not support locks "
        f"(flock: {os.strerror(number)}); choose a folder on a local disk with --out"
    )
    assert_closed(opened)


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL])
def test_other_errors_are_not_taken_for_a_claim_of_another(
    root: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    opened: list[int] = []

    def failing(descriptor: int, operation: int) -> None:
        opened.append(descriptor)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", failing)
    with pytest.raises(AttnsearchError, match=os.strerror(number)):
        Claim.take(root, spec.digest)
    assert_closed(opened)


def assert_closed(descriptors: Sequence[int]) -> None:
    (descriptor,) = descriptors
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_claim_of_another_leaves_no_file_open(
    root: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, flock = [], fcntl.flock
    with taken(root, spec):
        monkeypatch.setattr(
            fcntl, "flock", lambda *arguments: (opened.append(arguments[0]), flock(*arguments))
        )
        assert Claim.take(root, spec.digest) is None
        assert_closed(opened)


def test_where_there_is_no_store_there_are_no_claims(tmp_path: Path, spec: RunSpec) -> None:
    with pytest.raises(AttnsearchError) as caught:
        Claim.take(tmp_path / "nowhere", spec.digest)
    assert str(caught.value) == (
        f"cannot claim run {spec.digest} in {tmp_path / 'nowhere'}: No such file or directory; "
        "stored runs stay readable; put that right, then give the same command again"
    )
