"""Another process that trains a sweep, with a checkpoint at every recorded point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.sweeps import BOTH

# It says which runs it trains, and when it has come to the named point, where it waits.
_WORKER = """
import json, re, sys
from pathlib import Path

from attnsearch.runs.store import Store
from attnsearch.training.backend import TrainingSettings
from attnsearch.backends import run, specify
from attnsearch.training.observer import Observer

root, values, stop = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[5]
seeds, lanes = map(int, sys.argv[3:5])

def reached(event, arguments):
    if stop and re.fullmatch(stop, " ".join([event, *(str(argument) for argument in arguments[:2])])):
        print("reached", flush=True)
        sys.stdin.read()

class Log(Observer):
    trained = set()

    def preparing(self, runs, num_lanes, work):
        reached("compiling", ())

    def advanced(self, running, num_lanes):
        for digest in {at.spec.digest for at in running} - self.trained:
            print(digest, flush=True)
            self.trained.add(digest)

    def warned(self, message):
        print(message, file=sys.stderr, flush=True)

sys.addaudithook(reached)
specs = specify(["linear_map"], ["attention"], values, seeds=range(seeds))
settings = TrainingSettings(lanes, checkpoint_every=0.0)
run(specs, Store.open(root), observer=Log(), settings=settings)
"""


@contextmanager
def worker(
    root: Path, *, seeds: int = 4, lanes: int = 2, stop: str = "", **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """A process that trains `BOTH` into the store at `root`; ended on leaving.

    stop:  where it says `reached` and waits for its end, a regular expression for the name of an audit event
           and its first two arguments; `compiling` is one
    """
    words = [str(root), json.dumps(BOTH), str(seeds), str(lanes), stop]
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _WORKER, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
