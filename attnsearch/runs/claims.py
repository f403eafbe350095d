"""Who trains which run: one lock a run, which the kernel drops when its holder dies, however it dies.

Numpy side; never imports jax. Layout under the root of a store, which never looks at hidden names::

    runs/.claim-<digest>    empty; locked while its run is being trained

A file that nobody has locked means nothing: it was left by a killed process, is in nobody's way, and goes
with the next claim on its run. Processes on several computers exclude each other as far as the locks of
the file system that they share reach.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from attnsearch.base import AttnsearchError
from attnsearch.spec.run import RunSpec

# What a file system says that has no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class Claim:
    """The sole right to train one run, from `Claims.take` until `release` or the end of this process.

    Forked children do not have it, and cannot release it.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        _held.add(self)

    def release(self) -> None:
        """Let others take the run, and remove the file. What is released already stays released."""
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


@dataclass(frozen=True)
class Claims:
    """The claims on the runs of the store at `root`, whose folder must be there (`Store.open`)."""

    root: Path

    def take(self, spec: RunSpec) -> Claim | None:
        """The claim on the run of `spec`, or None, at once, where anyone else has it.

        Its last holder may have stored the run a moment ago: ask the store again once the claim is there.
        Errors: AttnsearchError where files cannot be locked, or this one not be opened.
        """
        path = self.root / "runs" / f".claim-{spec.digest}"
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
                        return Claim(path, descriptor) if locked else None
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in _NO_LOCKS:
                raise AttnsearchError(
                    f"cannot share the runs in {self.root}: its file system does not support locks "
                    f"(flock: {reason}); choose a folder on a local disk with --out"
                ) from error
            raise AttnsearchError(
                f"cannot claim run {spec.digest} in {self.root}: {reason}; what is stored already stays "
                "readable; put that right, then give the same command again"
            ) from error


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is the one that `path` names now."""
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
