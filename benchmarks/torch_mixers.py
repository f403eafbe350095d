"""How long the mixers in PyTorch that ship search, on two cells of the linear map, as a page.

    .venv/bin/python benchmarks/torch_mixers.py

Needs torch and transformers. The mixers in jax that have the same names stand beside theirs.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from attnsearch.training.jax import devices

devices.use_every_core()  # before jax starts

from attnsearch.backends import Backends, run, specify  # noqa: E402
from attnsearch.results.study import Study  # noqa: E402
from attnsearch.results.table import steps  # noqa: E402
from attnsearch.runs.store import Store  # noqa: E402
from attnsearch.spec.run import NetworkSpec, Value  # noqa: E402
from attnsearch.stats.survival import Waiting  # noqa: E402
from attnsearch.training.torch.names import PREFIX, TORCH_MIXERS  # noqa: E402

STATE_SIZE = 8
SUPPORT_SIZES = (2, 3)
SEEDS = range(4)
STEPS, TOKENS_PER_STEP = 3000, 512
"""Small, for the layers that go through positions one by one are slow on a CPU."""

MIXERS = ("attention", "mlp_mixer", *(f"{PREFIX}{name}" for name in TORCH_MIXERS))

HEAD = f"""\
# How long mixers in PyTorch search

Printed by `benchmarks/torch_mixers.py`. [Mixers in PyTorch](../torch.md) says what each is.

- Linear map, S = {STATE_SIZE}, {len(SEEDS)} seeds, {TOKENS_PER_STEP} tokens a step, {STEPS:,} steps at most.
  All other settings have their defaults, among them D = {NetworkSpec.width}.
- Escape and mastery are medians in steps. So few seeds, and one learning rate for all, rank no mixers.
- Parameters are the whole network's.
- Seconds are from start to finish of the {len(SEEDS)} runs, on {{device}}.
  The machine's load average was {{load:.0f}} at the start.
- The sequences are the same in both frameworks. Initial parameters differ.

| mixer | parameters | s | escape | escaped | mastery | mastered | seconds |
|---|---:|---:|---:|---:|---:|---:|---:|"""


def rows(mixer: str, backend: Backends, store: Store) -> Iterator[str]:
    """The table's rows of a mixer."""
    values: dict[str, list[Value]] = {
        "state_size": [STATE_SIZE],
        "support_size": [*SUPPORT_SIZES],
        "steps": [STEPS],
        "tokens_per_step": [TOKENS_PER_STEP],
    }
    specs = specify(["linear_map"], [mixer], values, seeds=SEEDS, backend=backend)
    for size in SUPPORT_SIZES:
        chosen = [spec for spec in specs if dict(spec.cell.task.knobs)["support_size"] == size]
        parameters = backend.size(backend.cohorts(chosen)[0]).parameters
        started = time.perf_counter()
        (cell,) = Study(run(chosen, store, backend=backend)).cells
        seconds = time.perf_counter() - started
        yield (
            f"| `{mixer}` | {parameters:,} | {size}"
            f" | {waited(cell.plateau)} | {waited(cell.mastery)} | {seconds:.0f} |"
        )


def waited(waiting: Waiting) -> str:
    """Two cells: the median, and how many ended."""
    return f"{steps(waiting.median)} | {waiting.observed} of {waiting.runs}"


def main() -> None:
    """Print the page."""
    backend = Backends()
    (example, *_) = specify(["linear_map"], ["attention"], {}, backend=backend)
    device = backend.size(backend.cohorts([example])[0]).device
    print(HEAD.format(device=device, load=os.getloadavg()[0]), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder))
        for mixer in MIXERS:
            for row in rows(mixer, backend, store):
                print(row, flush=True)


if __name__ == "__main__":
    main()
