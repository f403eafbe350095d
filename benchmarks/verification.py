"""The records that ship: the mixers in jax, with the settings and widths that tasks and suites give them.

    .venv/bin/python benchmarks/verification.py

Verifies what has no current record below attnsearch/mixers/verified/, in networks as deep and on sequences as
long as tasks and suites have, and removes the records that it replaces. A mixer that is added while it runs
keeps its records.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable
from pathlib import Path

from attnsearch.training.jax import devices

devices.use_every_core()  # before jax starts

import jax  # noqa: E402

from attnsearch import mixers  # noqa: E402
from attnsearch.backends import Backends, specify  # noqa: E402
from attnsearch.cli.verify import conclusion  # noqa: E402
from attnsearch.mixers import MIXERS  # noqa: E402
from attnsearch.probing.verify import verify  # noqa: E402
from attnsearch.runs.coverage import context_length  # noqa: E402
from attnsearch.runs.standing import standing  # noqa: E402
from attnsearch.runs.verification import SHIPPED, path, records  # noqa: E402
from attnsearch.spec.run import CellSpec  # noqa: E402
from attnsearch.spec.suite import Suite, shipped_suites  # noqa: E402
from attnsearch.spec.task_file import shipped_tasks  # noqa: E402


def asked(backend: Backends) -> list[list[CellSpec]]:
    """For each mixer, its settings and its width: the cells that one record must speak of."""
    tasks = list(shipped_tasks().values())
    runs = specify(tasks, list(MIXERS), {}, seeds=[0], backend=backend)
    for file in shipped_suites().values():
        runs += Suite.read(file, backend.known_mixers).runs()
    found: dict[object, dict[CellSpec, None]] = {}
    for run in runs:
        found.setdefault((run.cell.mixer, run.cell.network.width), {})[run.cell] = None
    return [list(cells) for cells in found.values()]


def outdated(there: Iterable[Path], current: Collection[Path], known: Collection[str]) -> list[Path]:
    """Records that were there before and are not `current`, but for mixers that were added meanwhile, which
    are `known` now."""
    others = sorted(set(there) - set(current))
    return [file for file in others if (name := file.stem.rpartition("-")[0]) in MIXERS or name not in known]


def main() -> None:
    """Verify, and put the records where they ship from."""
    backend, current = Backends(), set[Path]()
    there = list((SHIPPED / "verified").glob("*.json"))
    for cells in asked(backend):
        mixer, width = cells[0].mixer, cells[0].network.width
        said = [standing(cell, records(SHIPPED, mixer.name)).record for cell in cells]
        record = said[0]
        if record is None or said != [record] * len(said):
            layers = max(cell.network.num_layers for cell in cells)
            tokens = max(context_length(cell.task) or 0 for cell in cells)
            record = verify(mixer, backend=backend, width=width, max_layers=layers, max_context=tokens)
            record.save(SHIPPED)
        if not record.sound:
            raise SystemExit(conclusion(record))
        current.add(path(SHIPPED, record))
        # A process may map only so much memory, and hundreds of compiled programs fill it.
        jax.clear_caches()
        sizes = f"{record.max_layers} layers and {record.max_context:,} tokens"
        print(f"{conclusion(record)}, at width {width}, up to {sizes}", flush=True)
    for file in outdated(there, current, importlib.reload(mixers).MIXERS):
        print(f"{file} is replaced, or not asked for, and is removed")
        file.unlink()


if __name__ == "__main__":
    main()
