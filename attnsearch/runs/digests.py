"""The digests of many runs, as `RunSpec.digest` has them, for a tenth of the time.

Most of a digest's time goes into the canonical JSON of its cell, which the runs of a cell share. Numpy side;
never imports jax.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from attnsearch.spec.run import CellSpec, RunSpec

# The keys of a specification that differ between the runs of a cell: neighbours in the order of keys.
_FIRST, _LAST = "rule_seed", "seed"

CELLS = 2**16
"""Cells of which something is kept: as many as a store of a million runs has with sixteen seeds."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


class CellDigests:
    """The digests of the runs of one cell."""

    def __init__(self, cell: CellSpec):
        document = RunSpec(cell, 0, 0).to_json()
        del document["task"]["plateau"]
        before = {key: value for key, value in document.items() if key < _FIRST}
        after = {key: value for key, value in document.items() if key > _LAST}
        assert before
        assert after
        assert len(before) + len(after) == len(document) - 2
        self._begun = hashlib.sha256(f"{_canonical(before)[:-1]},".encode())
        self._ending = f",{_canonical(after)[1:]}".encode()

    def of(self, seed: int, rule_seed: int) -> str:
        """The digest of the run with these seeds, whole numbers."""
        whole = self._begun.copy()
        whole.update(f'"{_FIRST}":{rule_seed:d},"{_LAST}":{seed:d}'.encode() + self._ending)
        return whole.hexdigest()


def digests(specs: Iterable[RunSpec]) -> Iterator[str]:
    """The digest of each of `specs`, in their order. Seeds are whole numbers."""
    cell, of_cell = None, None
    for spec in specs:
        if of_cell is None or spec.cell is not cell:
            cell = spec.cell
            of_cell = digests_of(cell)
        yield of_cell.of(spec.seed, spec.rule_seed)


def is_digest(name: str) -> bool:
    """Whether `name` can be a digest."""
    return _DIGEST.fullmatch(name) is not None


def digest(spec: RunSpec) -> str:
    """The digest of one run among many."""
    return next(digests((spec,)))


@lru_cache(maxsize=CELLS)
def digests_of(cell: CellSpec) -> CellDigests:
    """The digests of the runs of `cell`."""
    return CellDigests(cell)


def _canonical(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
