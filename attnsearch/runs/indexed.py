"""What the index of a store keeps of a run: all that is said of many runs together.

Numpy side; never imports jax.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from attnsearch.base import Plateaus
from attnsearch.generators import base
from attnsearch.runs.digests import CELLS, CellDigests, digest
from attnsearch.runs.index import Row
from attnsearch.runs.measures import Measures
from attnsearch.runs.run_files import LAYOUTS, Status
from attnsearch.runs.summary import MapSummary, Summary, Weighed
from attnsearch.spec.run import CellSpec, RunSpec

_FILES = frozenset(["run.json", *(f"{stem}.npz" for stem in LAYOUTS)])

_COMPUTED_BY = ("indexed", "index", "escape", "leaks", "measures", "outline", "summary")
"""The modules that decide what a row says. So do generators, by the shortcuts below which a run escapes."""

# Of all arrays that are kept. A number in a row stands for one of them, so new ones come last.
_DTYPES = tuple(map(np.dtype, ("<i8", "<i4", "<f8", "<f4", "?")))


class Known(NamedTuple):
    """What is kept of a run: the attributes of these names of a `StoredRun`."""

    spec: RunSpec
    status: Status
    environment: Mapping[str, Any]
    leaking: bool
    measures: Measures
    summary: Summary
    map_summary: MapSummary


@cache
def version() -> int:
    """A number that changes with the code that computes what is kept."""
    modules = [Path(__file__).with_name(f"{module}.py") for module in _COMPUTED_BY]
    made = sorted(Path(base.__file__).parent.glob("*.py"))
    sources = [module.read_bytes() for module in (*modules, *made)]
    # Positive, in 31 bits, and never 0, which an empty file has.
    return zlib.crc32(b"".join(sources)) % (2**31 - 1) + 1


def stamp(folder: Path) -> bytes:
    """16 bytes that change with the names, sizes and times of a run's files. Errors: OSError."""
    seen = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in _FILES:
                status = entry.stat()
                seen.append(f"{entry.name} {status.st_size} {status.st_mtime_ns}")
    return hashlib.blake2b("/".join(sorted(seen)).encode(), digest_size=16).digest()


def row(known: Known, stamped: bytes) -> Row:
    """The row of a run whose files had this stamp before they were read."""
    spec = known.spec.to_json()
    seeds = spec.pop("seed"), spec.pop("rule_seed")
    return Row(
        bytes.fromhex(digest(known.spec)),
        json.dumps(spec, sort_keys=True),
        json.dumps(dict(known.environment), sort_keys=True),
        stamped,
        msgspec.msgpack.encode((*seeds, known.status, *known[3:]), enc_hook=_packed),
    )


def known(row: Row) -> Known | None:
    """What is kept in `row`; None where it is of another run than it says."""
    seed, rule_seed, status, leaking, measures, summary, maps = _DECODER.decode(row.content)
    cell, digests = _cell(row.cell)
    # Asked of the cell as it was read: equal ones may be written otherwise, as 1 and 1.0 are.
    if digests.of(seed, rule_seed) != row.digest.hex():
        return None
    waits = {name: Plateaus(*measures.pop(name)) for name in ("plateau", "mastery", "found")}
    map_summary = MapSummary(*maps)
    weighed = map_summary.weighed
    return Known(
        RunSpec(cell, seed, rule_seed),
        status,
        _environment(row.environment),
        leaking,
        Measures(**waits, **measures),
        Summary(*summary),
        map_summary._replace(
            rise=Plateaus(*map_summary.rise), weighed=None if weighed is None else Weighed(*weighed)
        ),
    )


def _packed(array: Any) -> msgspec.msgpack.Ext:
    """Errors: ValueError for an array of another dtype."""
    return msgspec.msgpack.Ext(_DTYPES.index(array.dtype), array.tobytes())


@lru_cache(maxsize=2**16)
def _array(code: int, content: bytes) -> np.ndarray:
    """One array for all runs with this content: runs of a cell share many. It cannot be written."""
    return np.frombuffer(content, _DTYPES[code])


# Without a copy of their bytes, arrays would hold the whole row in memory.
_DECODER = msgspec.msgpack.Decoder(ext_hook=lambda code, content: _array(code, bytes(content)))


@lru_cache(maxsize=CELLS)
def _cell(text: str) -> tuple[CellSpec, CellDigests]:
    """The cell of a row, and the digests of its runs."""
    cell = RunSpec.from_json(json.loads(text) | {"seed": 0, "rule_seed": 0}).cell
    return cell, CellDigests(cell)


@lru_cache(maxsize=4_096)
def _environment(text: str) -> dict[str, Any]:
    return json.loads(text)
