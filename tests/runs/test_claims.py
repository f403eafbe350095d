"""Claims: a run is one process's at a time, and free at once when that process ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import attnsearch.base
from attnsearch.base import AttnsearchError
from attnsearch.runs.claims import Claim
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Store.open(tmp_path / "results").root


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "runs").iterdir())


def taken(root: Path, spec: RunSpec) -> Claim:
    claim = Claim.take(root, spec)
    assert claim is not None
    return claim


def many(spec: RunSpec, count: int) -> list[RunSpec]:
    return [replace(spec, seed=seed) for seed in range(count)]


# In one process.


def test_a_run_is_taken_once(root: Path, spec: RunSpec) -> None:
    with taken(root, spec) as claim:
        assert claim.path.read_bytes() == b""
        assert names(root) == [f".claim-{spec.digest}"]
        assert Claim.take(root, spec) is None
    with taken(root, spec):
        assert Claim.take(root, spec) is None


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
        assert Claim.take(root, spec) is None


def test_a_claim_that_nobody_keeps_is_still_held(root: Path, spec: RunSpec) -> None:
    path = taken(root, spec).path
    assert Claim.take(root, spec) is None
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
        assert Claim.take(root, spec) is None
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
        assert Claim.take(root, spec) is None
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
        Claim.take(root, spec)
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
        Claim.take(root, spec)
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
        assert Claim.take(root, spec) is None
        assert_closed(opened)


def test_where_there_is_no_store_there_are_no_claims(tmp_path: Path, spec: RunSpec) -> None:
    with pytest.raises(AttnsearchError) as caught:
        Claim.take(tmp_path / "nowhere", spec)
    assert str(caught.value) == (
        f"cannot claim run {spec.digest} in {tmp_path / 'nowhere'}: No such file or directory; "
        "stored runs stay readable; put that right, then give the same command again"
    )


# Several processes.

CHILD = """
import os, pickle, subprocess, sys, time
from pathlib import Path
from attnsearch.runs.claims import Claim

root, specs = Path(sys.argv[1]), pickle.load(sys.stdin.buffer)
say = lambda *words: print(*words, flush=True)
say("ready")
"""

ON_DEMAND = """
held = {}
for line in sys.stdin:
    verb, number = line.split()
    if verb == "take":
        claim = Claim.take(root, specs[int(number)])
        if claim is not None:
            held[number] = claim
        say("no" if claim is None else "yes")
    else:
        held.pop(number).release()
        say("released")
"""

# While it has the claim, a process makes a file that must not be there, and removes it again.
HAMMER = """
guard, won, lost = Path(sys.argv[1], "guard"), 0, 0
sys.stdin.readline()
end = time.monotonic() + 1
while time.monotonic() < end:
    claim = Claim.take(root, specs[0])
    if claim is None:
        lost += 1
        continue
    os.close(os.open(guard, os.O_CREAT | os.O_EXCL))
    assert claim.path.exists()
    guard.unlink()
    claim.release()
    won += 1
say(won, lost)
"""

FORK = """
claim = Claim.take(root, specs[0])
if os.fork() == 0:
    claim.release()
    assert claim.path.exists()
    say("started")
    sys.stdin.read()
    os._exit(0)
time.sleep(20)
"""

EXEC = """
claim = Claim.take(root, specs[0])
grandchild = [sys.executable, "-c", "import sys; print('started', flush=True); sys.stdin.read()"]
subprocess.Popen(grandchild, close_fds=False)
time.sleep(20)
"""


@contextmanager
def child(script: str, root: Path, specs: Sequence[RunSpec]) -> Iterator[subprocess.Popen[bytes]]:
    """Python running `script` after `CHILD`, ready to begin; ended on leaving."""
    package_parent = str(Path(attnsearch.base.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", CHILD + script, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Without its own threads, so that it may fork.
        env=os.environ | {"PYTHONPATH": package_parent, "OPENBLAS_NUM_THREADS": "1"},
    )
    with process:
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(list(specs)))
        process.stdin.flush()
        assert heard(process) == "ready"
        try:
            yield process
        finally:
            process.kill()


def tell(process: subprocess.Popen[bytes], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode() + b"\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    assert process.wait(timeout=60) == -9


def test_two_processes_share_the_claims_and_one_inherits_what_the_other_had(
    root: Path, spec: RunSpec
) -> None:
    specs = many(spec, 200)
    with child(ON_DEMAND, root, specs) as one, child(ON_DEMAND, root, specs) as other:
        both, won = (one, other), {one: set[int](), other: set[int]()}
        for number in range(200):
            # Both are on their way before either has answered; who is told first alternates.
            for process in both[:: 1 - 2 * (number % 2)]:
                tell(process, f"take {number}")
            answers = [heard(process) for process in both]
            assert sorted(answers) == ["no", "yes"], number
            won[both[answers.index("yes")]].add(number)
        assert len(names(root)) == 200

        victim, heir = sorted(both, key=lambda process: len(won[process]), reverse=True)
        assert len(won[victim]) >= 100
        for number in range(200):
            tell(heir, f"take {number}")
            assert heard(heir) == "no", number
        kill(victim)
        for number in range(200):
            tell(heir, f"take {number}")
            assert heard(heir) == ("yes" if number in won[victim] else "no"), number

        for number in range(200):
            tell(heir, f"release {number}")
            assert heard(heir) == "released"
        assert names(root) == []


def test_a_claim_is_one_process_s_at_a_time_while_others_take_and_release_it(
    root: Path, spec: RunSpec
) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(child(HAMMER, root, [spec])) for _ in range(3)]
        for process in processes:
            tell(process, "go")
        counts = [[int(word) for word in heard(process).split()] for process in processes]
        assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    # Every process had its turns, and they met.
    assert min(won for won, _ in counts) > 10
    assert sum(lost for _, lost in counts) > 10
    assert names(root) == []
    assert not (root / "guard").exists()


@pytest.mark.parametrize("script", [FORK, EXEC], ids=["forked", "started"])
def test_a_claim_does_not_live_on_in_the_children_of_its_holder(
    root: Path, spec: RunSpec, script: str
) -> None:
    with child(script, root, [spec]) as process:
        assert heard(process) == "started"
        assert Claim.take(root, spec) is None
        kill(process)
        assert names(root) == [f".claim-{spec.digest}"]
        taken(root, spec).release()
        assert names(root) == []
        # Alive until now: its end of the pipe was open.
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        assert process.stdout.read() is None
