"""Who trains which run: the runs of one output folder, shared by the processes that work on it.

A run is taken under a lock of its own, which the kernel drops when its holder dies, however it dies. Numpy
side; never imports jax. Layout under the root of a store, which never looks at hidden names::

    runs/.claim-<digest>    empty; locked while its run is being trained

A file that nobody has locked means nothing. A killed process left it, and it goes with the next claim on its
run. Processes on several computers exclude each other as far as the locks of their shared file system reach.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from attnsearch.base import AttnsearchError, Floats
from attnsearch.runs.checkpoints import Checkpoints
from attnsearch.runs.opened import Opener, without_collecting
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import RunSpec

# What a file system without locks says.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


CLAIM = ".claim-"
"""How the name of a claim's file begins; the digest of its run follows."""


class Claim:
    """The sole right to train one run, from `take` until `release` or the end of this process.

    Forked children do not have it, and cannot release it.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        _held.add(self)

    @classmethod
    def take(cls, root: Path, digest: str) -> Self | None:
        """The claim on a run in the store at `root`, by its digest, or None, at once, where another has it.

        The folder of the store must be there (`Store.open`). The last holder may have stored the run a moment
        ago: ask the store again once the claim is there. Errors: AttnsearchError where the file cannot be
        opened or locked.
        """
        path = root / "runs" / f"{CLAIM}{digest}"
        try:
            while True:
                with ExitStack() as undo:
                    # Closed in programs started from here: the lock lasts as long as anyone has it open.
                    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                    undo.callback(os.close, descriptor)
                    locked = _lock(descriptor)
                    # Removed by its holder since it was opened, it says nothing: others lock another file.
                    if _is_at(path, descriptor):
                        if locked:
                            undo.pop_all()
                        return cls(path, descriptor) if locked else None
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in _NO_LOCKS:
                raise AttnsearchError(
                    f"cannot share the runs in {root}: its file system does not support locks "
                    f"(flock: {reason}); choose a folder on a local disk with --out"
                ) from error
            raise AttnsearchError(
                f"cannot claim run {digest} in {root}: {reason}; stored runs stay readable; "
                "put that right, then give the same command again"
            ) from error

    @staticmethod
    def is_taken(root: Path, digest: str) -> bool:
        """Whether anyone has the claim on a run now, as `is_locked` tells it."""
        return is_locked(root / "runs" / f"{CLAIM}{digest}")

    def release(self) -> None:
        """Let others take the run, and remove the file. Releasing twice does nothing more."""
        try:
            _held.remove(self)
        except KeyError:
            return
        try:
            # While it is locked: who has opened it by now will lock a file that is gone, and see that. A
            # file that cannot be removed is in nobody's way.
            with suppress(OSError):
                if _is_at(self.path, self._descriptor):
                    self.path.unlink()
        finally:
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class SharedRuns:
    """The runs of one output folder, shared with any other process that works on it.

    A run is taken before it is trained, and finished or given back afterwards. What a process had taken
    when it was killed is free again at once. With `parameters`, runs are stored together with the parameters
    of their networks: a run that lacks them is `incomplete`, and is trained again.
    """

    def __init__(self, store: Store, warned: Callable[[str], None], parameters: bool = False):
        self.checkpoints = Checkpoints(store.root)
        self.incomplete: dict[RunSpec, StoredRun] = {}
        self._store, self._warned, self._parameters = store, warned, parameters
        self._taken: dict[RunSpec, Claim] = {}
        self._opened = Opener()

    def find(self, spec: RunSpec) -> StoredRun | None:
        """The stored run, measured under the thresholds of `spec`; None where it is still to be trained."""
        return self._found(spec, self._store.find(spec, self._warned))

    def find_all(self, specs: Sequence[RunSpec]) -> dict[RunSpec, StoredRun]:
        """The stored runs of `specs`, as `find` finds them, in their order.

        Arrays of runs that an index knows stay on the disk until they are asked for.
        """
        stored, found = self._store.held(specs), dict[RunSpec, StoredRun]()
        with without_collecting():
            for spec in specs:
                if spec in stored:
                    run = self._opened.known(self._store.path(spec)) or self._store.find(spec, self._warned)
                    if (run := self._found(spec, run)) is not None:
                        found[spec] = run
        return found

    def _found(self, spec: RunSpec, found: StoredRun | None) -> StoredRun | None:
        """What is stored of `spec`, with its thresholds; None where it is to be trained."""
        if found is None:
            return None
        if found.spec != spec:
            found = found.under(spec.cell.task.plateau)
        if not self._holds(spec):
            self.incomplete[spec] = found
            return None
        # Left behind by a kill between storing the run and removing its checkpoint.
        self.checkpoints.remove(spec)
        return found

    def take(self, spec: RunSpec) -> bool:
        """Whether this process is to train `spec`: no other holds it, and it is not stored meanwhile."""
        claim = Claim.take(self._store.root, spec.digest)
        if claim is None:
            return False
        if self._holds(spec):
            claim.release()
            return False
        self._taken[spec] = claim
        return True

    def finish(self, run: StoredRun, parameters: Mapping[str, Floats] | None = None) -> StoredRun:
        """Store a run that was taken, and return the stored one: the earlier one where there was one.

        In this order a kill in between costs nothing but disk space.
        """
        self._store.save(run, parameters)
        self.checkpoints.remove(run.spec)
        self.give_back(run.spec)
        stored = self.incomplete.pop(run.spec, run)
        if (before := _end(stored)) != (now := _end(run)):
            self._warned(
                f"run {run.spec.digest[:12]}, trained again for its parameters, {now}, but as it is stored"
                f" it {before}: on other devices, with other versions or thresholds runs end elsewhere"
            )
        return stored

    def without_arrays(self, run: StoredRun) -> StoredRun:
        """A run that is stored, its arrays on the disk until they are asked for."""
        return self._opened.stored(self._store.path(run.spec), run)

    def give_back(self, spec: RunSpec) -> None:
        """Let others train a run that this process does not finish."""
        claim = self._taken.pop(spec, None)
        if claim is not None:
            claim.release()

    def _holds(self, spec: RunSpec) -> bool:
        return self._store.holds(spec, parameters=self._parameters)


def is_locked(path: Path) -> bool:
    """Whether a process has locked the file at `path` for itself. What cannot be asked counts as free."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    finally:
        os.close(descriptor)
    return False


def _end(run: StoredRun) -> str:
    return f"ended {run.status} after {run.curves.step.max(initial=0):,} steps"


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether `path` still names the open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


_held: set[Claim] = set()


def _disown() -> None:
    """In a forked child: close its copies, or the locks would outlive the process that took them."""
    while _held:
        os.close(_held.pop()._descriptor)


os.register_at_fork(after_in_child=_disown)
