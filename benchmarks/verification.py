"""The records that ship: the mixers in jax, with the settings and widths that tasks and suites give them.

    .venv/bin/python benchmarks/verification.py

Verifies what has no current record below attnsearch/mixers/verified/, and removes the records that speak of
other code. One of attention at width 128 took 28 seconds of a core.
"""

from __future__ import annotations

from pathlib import Path

from attnsearch.training.jax import devices

devices.use_every_core()  # before jax starts

from attnsearch.backends import Backends, specify  # noqa: E402
from attnsearch.cli.verify import conclusion  # noqa: E402
from attnsearch.mixers import MIXERS  # noqa: E402
from attnsearch.probing.verify import verify  # noqa: E402
from attnsearch.runs.standing import standing  # noqa: E402
from attnsearch.runs.verification import SHIPPED, path, read, records  # noqa: E402
from attnsearch.spec.run import CellSpec  # noqa: E402
from attnsearch.spec.suite import Suite, shipped_suites  # noqa: E402
from attnsearch.spec.task_file import shipped_tasks  # noqa: E402


def cells(backend: Backends) -> list[CellSpec]:
    """One cell for each mixer, its settings and its width that a record must speak of."""
    tasks = list(shipped_tasks().values())
    runs = specify(tasks, list(MIXERS), {}, seeds=[0], backend=backend)
    for file in shipped_suites().values():
        runs += Suite.read(file, backend.known_mixers).runs()
    return list({(run.cell.mixer, run.cell.network.width): run.cell for run in runs}.values())


def main() -> None:
    """Verify, and put the records where they ship from."""
    backend, current = Backends(), set[Path]()
    for cell in cells(backend):
        known = standing(cell, records(SHIPPED, cell.mixer.name)).record
        record = known or verify(cell.mixer, backend=backend, width=cell.network.width)
        if not record.sound:
            raise SystemExit(conclusion(record))
        print(f"{conclusion(record)}, at width {record.width}")
        current.add(path(SHIPPED, record.mixer, record.width, record.task))
        if known is None:
            record.save(SHIPPED)
    for file in set((SHIPPED / "verified").glob("*.json")) - current:
        print(f"{read(file).mixer.name}: {file} is not asked for, and is removed")
        file.unlink()


if __name__ == "__main__":
    main()
