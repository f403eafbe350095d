"""What another process does that `probing.apart` starts: make a mixer, call it, and leave what came of it."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np

from attnsearch.backends import Backends
from attnsearch.probing.apart import Elsewhere
from attnsearch.probing.subject import of_mixer
from attnsearch.probing.verify import framework_of


def answer() -> None:
    """Make and call what standard input holds, and leave the arrays in its folder."""
    run, x, folder = pickle.loads(sys.stdin.buffer.read())
    network = framework_of(run.cell.mixer.name, Backends()).network(run)
    parameters = network.init()
    found = Elsewhere(of_mixer(parameters), dict(network.constants()), network.calls(parameters, x))
    for name, arrays in zip(Elsewhere._fields, (*found[:2], {"outputs": found.outputs}), strict=True):
        np.savez(Path(folder, f"{name}.npz"), allow_pickle=False, **arrays)
