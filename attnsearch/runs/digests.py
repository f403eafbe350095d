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
from typing import TYPE_CHECKING, Any

from attnsearch.spec.run import CellSpec, RunSpec

if TYPE_CHECKING:
    from hashlib import _Hash as Hash
else:
    Hash = Any

# The keys of a specification that differ between the runs of a cell: neighbours in the order of keys.
_FIRST, _LAST = "rule_seed", "seed"

_DIGEST = re.compile(r"[0-9a-f]{64}")


def digests(specs: Iterable[RunSpec]) -> Iterator[str]:
    """The digest of each of `specs`, in their order. Seeds are whole numbers."""
    cell, begun, ending = None, hashlib.sha256(), b""
    for spec in specs:
        if spec.cell is not cell:
            cell = spec.cell
            begun, ending = _around_seeds(cell)
        whole = begun.copy()
        whole.update(b'"%s":%d,"%s":%d' % (_FIRST.encode(), spec.rule_seed, _LAST.encode(), spec.seed))
        whole.update(ending)
        yield whole.hexdigest()


def is_digest(name: str) -> bool:
    """Whether `name` can be a digest."""
    return _DIGEST.fullmatch(name) is not None


def digest(spec: RunSpec) -> str:
    """The digest of one run among many."""
    return next(digests((spec,)))


@lru_cache(maxsize=4_096)
def _around_seeds(cell: CellSpec) -> tuple[Hash, bytes]:
    """What the canonical JSON of a run holds before its seeds, hashed, and what it holds behind them."""
    document = RunSpec(cell, 0, 0).to_json()
    del document["task"]["plateau"]
    before = {key: value for key, value in document.items() if key < _FIRST}
    after = {key: value for key, value in document.items() if key > _LAST}
    assert before
    assert after
    assert len(before) + len(after) == len(document) - 2
    return hashlib.sha256(f"{_canonical(before)[:-1]},".encode()), f",{_canonical(after)[1:]}".encode()


def _canonical(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
