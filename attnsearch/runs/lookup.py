"""Which stored runs the RUNS of a command line stand for. Numpy side; never imports jax."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attnsearch.base import AttnsearchError
from attnsearch.runs import verification
from attnsearch.runs.store import Store, StoredRun, UnreadableRun, read
from attnsearch.runs.verification import Verification
from attnsearch.spec.run import MixerSpec

_DEFAULT = Path("results")
_DIGEST = re.compile(r"[0-9a-f]{4,64}")


def collect(names: Sequence[str], warned: Callable[[str], None]) -> list[StoredRun]:
    """The runs that `names` stand for, each once, measured under the thresholds they were stored with.

    A name is a folder that was given as --out, the folder of one run, or the first digits of a run's
    digest, looked up in `results/`. Runs come in the order of names, those of one folder in that of
    settings and seeds. `warned` is told of runs that cannot be read.
    Errors: AttnsearchError for a name that stands for nothing, and if there are no runs at all.
    """
    found: dict[str, StoredRun] = {}
    for name in names:
        for run in _runs_of(name, warned):
            found.setdefault(run.spec.digest, run)
    if not found:
        raise AttnsearchError(f"no stored runs in {', '.join(names)}: `attnsearch run` and `sweep` make them")
    return list(found.values())


def finder(stores: Sequence[str]) -> Callable[[MixerSpec], Verification | None]:
    """Finds the verification of a mixer in the stores that `stores`, named as for `collect`, belong to."""
    roots = list(dict.fromkeys(map(_root, stores)))

    def find(mixer: MixerSpec) -> Verification | None:
        found = [record for root in roots if (record := verification.find(root, mixer)) is not None]
        return next((record for record in found if record.passed), found[0] if found else None)

    return find


def _root(name: str) -> Path:
    path = Path(name)
    if (path / "run.json").is_file():
        return path.resolve().parent.parent
    if path.is_dir():
        return path.parent if path.name == "runs" else path
    return _DEFAULT


def _runs_of(name: str, warned: Callable[[str], None]) -> Iterator[StoredRun]:
    path = Path(name)
    if (path / "run.json").is_file():
        yield _one(path)
    elif (path / "runs").is_dir():
        yield from sorted(Store(path).runs(warned), key=_order)
    elif path.name == "runs" and path.is_dir():
        yield from sorted(Store(path.parent).runs(warned), key=_order)
    elif path.exists() or not _DIGEST.fullmatch(name):
        raise AttnsearchError(
            f"{name} is no folder of stored runs: give what was given as --out, the folder of a run below"
            " its runs/, or the first digits of a run's digest"
        )
    else:
        folders = sorted((_DEFAULT / "runs").glob(f"{name}*"))
        if len(folders) != 1:
            known = ", ".join(folder.name[: len(name) + 4] for folder in folders[:5]) or "none"
            raise AttnsearchError(f"{name} stands for {len(folders)} runs in {_DEFAULT}, not one: {known}")
        yield _one(folders[0])


def _one(folder: Path) -> StoredRun:
    try:
        # A run's folder is named by its digest, which `.` and links are not.
        return read(folder.resolve())
    except UnreadableRun as error:
        raise AttnsearchError(str(error)) from error


def _order(run: StoredRun) -> tuple[object, ...]:
    """Settings as a table lists them: by name, numbers by size, and seeds last."""
    values = run.spec.cell.flat().values()
    return (*((str(type(v)), v) if v is not None else ("", 0) for v in values), ("", run.spec.seed))
