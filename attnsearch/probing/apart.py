"""Is a mixer the same in another process? What is drawn when a module is imported differs there.

So does whatever depends on the hashes of texts, on a counter, or on what this process did before.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from attnsearch.base import AttnsearchError, Floats
from attnsearch.probing.check import Answer
from attnsearch.probing.perturbation import PROGRAMS, apart
from attnsearch.probing.subject import Subject, of_mixer
from attnsearch.spec.run import RunSpec

_MOST_SECONDS = 300.0

_ANSWERING = "attnsearch.probing.answering"
"""The module that the other process runs."""


class Elsewhere(NamedTuple):
    """A mixer as another process makes it: its parameters and constants by name, and what it returns."""

    parameters: dict[str, Floats]
    constants: dict[str, npt.NDArray[np.generic]]
    outputs: Floats


def importable(kind: type) -> bool:
    """Whether another process can have the class: it stands in a module, and not in a function."""
    return kind.__module__ != "__main__" and "<locals>" not in kind.__qualname__


def elsewhere(run: RunSpec, x: Floats) -> Elsewhere:
    """The mixer of `run`, whose name is its `package.module:Class`, made and called in a process that is
    started for it.

    x:  `f32[N, L, D]`, inputs of the mixer

    Errors: AttnsearchError where that process cannot make or call it.
    """
    # Where it runs on a GPU, this process has taken the memory.
    surroundings = {"JAX_PLATFORMS": "cpu", "PYTHONHASHSEED": "random"}
    places = os.pathsep.join(filter(None, sys.path))
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", f"from {_ANSWERING} import answer; answer()"],
            input=pickle.dumps((run, x, folder)),
            capture_output=True,
            timeout=_MOST_SECONDS,
            env=os.environ | surroundings | {"PYTHONPATH": places},
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["without a word"]
            raise AttnsearchError(f"another process cannot make it: {said[-1]}")
        parameters, constants, outputs = (
            {part: np.asarray(array) for part, array in np.load(Path(folder, f"{name}.npz")).items()}
            for name in Elsewhere._fields
        )
    return Elsewhere(parameters, constants, outputs["outputs"])


def same_elsewhere(subject: Subject, seen: str) -> Answer:
    """Whether another process makes the same mixer; `seen` is the evidence so far."""
    name = subject.framework.found_at(subject.mixer.name)
    if name is None:
        return Answer(True, f"{seen}; no other process was asked, for its class has no module of its own")
    x, cell = subject.inputs(1), subject.probe.cell
    run = replace(subject.probe, cell=replace(cell, mixer=replace(cell.mixer, name=name)))
    there, initial = elsewhere(run, x), subject.initial
    for kind, here, other in (
        ("parameter", of_mixer(initial), there.parameters),
        ("constant", subject.network.constants(), there.constants),
        ("its", {"output": subject.network.calls(initial, x)}, {"output": there.outputs}),
    ):
        for part, array in here.items():
            distance = apart(np.asarray(array, np.float64), np.asarray(other[part], np.float64))
            if not distance <= PROGRAMS:
                return Answer(
                    False, f"{kind} {part} differs in another process, by {distance:.2g} of a typical one"
                )
    return Answer(True, f"{seen}, and another process makes the same")
