"""Who trains a run: this process, or one that is started for it and told what to do through a pipe.

A process of its own loads torch and numpy, and no jax. It ends when its pipe does, so that none outlives the
process that started it.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import traceback
from collections import deque
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol

from attnsearch.base import AttnsearchError

KEEPING_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**26),
}
"""For the C library of Linux: what a step has freed stays with the process, for the next step. Otherwise the
system clears every page again, which takes up to a tenth of a step. Numbers stay the same."""


class Worker(Protocol):
    """Does one thing after another, in the order in which it was told, and keeps what `begin` gave it."""

    def tell(self, method: str, *arguments: Any) -> None:
        """Call a method of what is kept, or `begin` with the function that makes it. Waits for nothing."""
        ...

    def answer(self) -> Any:
        """What the earliest call returned that was not asked for. Errors: what the call raised."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Here:
    """A worker in this process."""

    def __init__(self) -> None:
        self._kept: Any = None
        self._answers: deque[Any] = deque()

    def tell(self, method: str, *arguments: Any) -> None:
        """The work is done before this returns."""
        self._kept, answer = _done(self._kept, method, arguments)
        self._answers.append(answer)

    def answer(self) -> Any:
        """As in `Worker`; errors were raised by `tell`."""
        return self._answers.popleft()

    def close(self) -> None:
        """Nothing is left open."""


class _Failure(NamedTuple):
    """What a call raised in another process. `error` is None for what cannot be sent."""

    error: Exception | None
    trace: str


class Apart:
    """A worker in a process of its own."""

    def __init__(self) -> None:
        mine, its = socket.socketpair()
        with its:
            # Whatever a mixer prints belongs with the messages, not into the output of a command.
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"import {__name__} as worker; worker.serve({its.fileno()})"],
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,
                env=KEEPING_MEMORY | os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._pipe = Connection(mine.detach())

    def tell(self, method: str, *arguments: Any) -> None:
        """As in `Worker`. Errors: AttnsearchError where the process has ended."""
        try:
            self._pipe.send_bytes(pickle.dumps((method, arguments)))
        except OSError as error:
            raise self._ended() from error

    def answer(self) -> Any:
        """As in `Worker`. Errors: AttnsearchError where the process has ended."""
        try:
            answer = pickle.loads(self._pipe.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._ended() from error
        if isinstance(answer, _Failure):
            if isinstance(answer.error, AttnsearchError):
                raise answer.error
            raise AttnsearchError(
                f"a process that trains in PyTorch failed: {answer.trace.strip().splitlines()[-1]}"
            ) from RuntimeError(answer.trace)
        return answer

    def close(self) -> None:
        """It reads the end of its pipe. One that is still at work is not waited for."""
        self._pipe.close()
        try:
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ended(self) -> AttnsearchError:
        status = self._process.wait()
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        return AttnsearchError(
            f"a process that trains in PyTorch {how}; memory may have run out: its run goes on from its last"
            " checkpoint when the same command is given again, with a smaller --lanes if need be"
        )


def can_be_sent(value: Any, kind: type) -> bool:
    """Whether another process can have `value`, which is made of the class `kind`, and find that class."""
    try:
        pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return kind.__module__ != "__main__"


def serve(descriptor: int) -> None:
    """The life of another process: do what the pipe says until it ends."""
    # An interruption is for the process that started this one: it asks for a checkpoint first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe, kept = Connection(descriptor), None
    while True:
        try:
            sent = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            method, arguments = pickle.loads(sent)
            kept, answer = _done(kept, method, arguments)
            answer = pickle.dumps(answer)
        except Exception as error:
            answer = _packed(error)
        try:
            pipe.send_bytes(answer)
        except OSError:
            return


def _packed(error: Exception) -> bytes:
    trace = traceback.format_exc()
    try:
        return pickle.dumps(_Failure(error, trace))
    except Exception:
        return pickle.dumps(_Failure(None, trace))


def _done(kept: Any, method: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
    """What is kept from now on, and the answer."""
    if method == "begin":
        make, *given = arguments
        return make(*given), None
    return kept, getattr(kept, method)(*arguments)
