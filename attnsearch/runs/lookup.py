"""Which stored runs the RUNS of a command line stand for. Numpy side; never imports jax."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from attnsearch.base import AttnsearchError
from attnsearch.runs import verification
from attnsearch.runs.opened import without_collecting
from attnsearch.runs.run_files import UnreadableRun
from attnsearch.runs.standing import Standing, standing
from attnsearch.runs.store import Store, StoredRun, read
from attnsearch.spec.run import CellSpec

DEFAULT_STORE = Path("results")
"""The store of a command that names none."""

_DIGITS = re.compile(r"[0-9a-f]{4,64}")


def collect(
    names: Sequence[str], warned: Callable[[str], None], reading: Callable[[Path], StoredRun] = read
) -> list[StoredRun]:
    """The runs that `names` stand for, each once, as `collect_by_folder` finds them.

    Of a run that lies in several folders the first one's counts. `warned` is told where others have other
    curves.
    """
    found: dict[str, tuple[StoredRun, str]] = {}
    for folder, runs in collect_by_folder(names, warned, reading).items():
        firsts = [(run, *found.setdefault(run.digest, (run, folder))) for run in runs]
        differing = Counter(first for run, known, first in firsts if not same_curves(known, run))
        for first, number in differing.items():
            warned(
                f"{number} of the runs in {folder} have other curves than in {first}, which count here:"
                f" `attnsearch compare {first} {folder}` compares them"
            )
    return [run for run, _ in found.values()]


def same_curves(one: StoredRun, other: StoredRun) -> bool:
    """Whether two runs of one specification are copies, or went the same way."""
    return one is other or np.array_equal(one.curves.loss, other.curves.loss, equal_nan=True)


def collect_by_folder(
    names: Sequence[str], warned: Callable[[str], None], reading: Callable[[Path], StoredRun] = read
) -> dict[str, list[StoredRun]]:
    """The runs that `names` stand for, by the folder that was given as --out.

    A name is such a folder, the folder of one run, or the first digits of a run's digest, looked up in
    `DEFAULT_STORE`. Folders come in the order of names, the runs of a whole folder in the order of settings
    and seeds. A folder is read once, and has its runs once. `warned` is told of runs that cannot be read;
    `reading` reads the run of a folder, as `read` or `Opener()` do.
    Errors: AttnsearchError for a name that stands for nothing, and where not one run is found.
    """
    roots: dict[Path, str] = {}
    found: dict[str, dict[str, StoredRun]] = {}
    read_whole = set[Path]()
    for name in names:
        store, root = store_at(Path(name)), _root(name)
        folder = roots.setdefault(root.resolve(), str(root))
        runs = found.setdefault(folder, {})
        if store is None:
            alone = one(name)
            runs.setdefault(alone.digest, alone)
        elif store.resolve() not in read_whole:
            read_whole.add(store.resolve())
            with without_collecting():
                every = in_order(Store(store).runs(warned, reading))
            for run in every:
                runs.setdefault(run.digest, run)
    if not any(found.values()):
        raise AttnsearchError(f"no stored runs in {', '.join(names)}: `attnsearch run` and `sweep` make them")
    return {folder: list(runs.values()) for folder, runs in found.items() if runs}


def one(name: str, store: Path = DEFAULT_STORE) -> StoredRun:
    """The run that `name` stands for, as for `folder_of`. Errors: AttnsearchError."""
    try:
        return read(folder_of(name, store))
    except UnreadableRun as error:
        raise AttnsearchError(str(error)) from error


def folder_of(name: str, store: Path = DEFAULT_STORE) -> Path:
    """The folder of the one run that `name` stands for. Digits are looked up in `store`.

    A name is as for `collect`; a folder that was given as --out must hold one run.
    Errors: AttnsearchError for a name that stands for no run, or for several.
    """
    path = Path(name)
    if _is_run(path):
        # It is named by its digest, which `.` and links are not.
        return path.resolve()
    if (root := store_at(path)) is not None:
        return _only(root, "")
    if path.exists() or not _DIGITS.fullmatch(name):
        raise AttnsearchError(
            f"{name} does not stand for stored runs: give a folder that was given as --out, the folder of a"
            " run below its runs/, or the first digits of a run's digest"
        )
    return _only(store, name)


def stands_for_runs(name: str) -> bool:
    """Whether `name` is a folder of runs or the digits of a digest, as `collect` takes them."""
    path = Path(name)
    return _is_run(path) or store_at(path) is not None or _DIGITS.fullmatch(name) is not None


def standings(names: Sequence[str]) -> Callable[[CellSpec], Standing]:
    """Says how the mixer of a cell stands, by the records in the stores that `names`, as for `collect`,
    belong to. Records in `DEFAULT_STORE` count too, and records that ship with attnsearch."""
    roots = dict.fromkeys([*map(_root, names), DEFAULT_STORE, verification.SHIPPED])
    records = cache(lambda name: [record for root in roots for record in verification.records(root, name)])
    return cache(lambda cell: standing(cell, records(cell.mixer.name)))


def _is_run(path: Path) -> bool:
    return (path / "run.json").is_file()


def store_at(path: Path) -> Path | None:
    """The root of the store that `path` names, itself or its runs/; None where it names none."""
    if (path / "runs").is_dir():
        return path
    return path.parent if path.name == "runs" and path.is_dir() else None


def _root(name: str) -> Path:
    path = Path(name)
    if _is_run(path):
        return path.resolve().parent.parent
    return store_at(path) or (path if path.is_dir() else DEFAULT_STORE)


def _only(store: Path, digits: str) -> Path:
    """The folder of the one run in `store` whose digest begins with `digits`."""
    folders = [path for path in Store(store).folders() if path.name.startswith(digits)]
    if len(folders) == 1:
        return folders[0].resolve()
    if not folders:
        raise AttnsearchError(f"no stored run in {store}" + (f" begins with {digits}" if digits else ""))
    known = ", ".join(folder.name[: len(digits) + 6] for folder in folders[:5])
    more = f" and {len(folders) - 5} more" if len(folders) > 5 else ""
    raise AttnsearchError(
        f"{digits or store} stands for {len(folders)} runs ({known}{more}): give the folder of one below"
        f" {store / 'runs'}, or more digits of its digest"
    )


def in_order(runs: Iterable[StoredRun]) -> list[StoredRun]:
    """`runs` in the order of settings and seeds."""

    def settings(cell: CellSpec) -> tuple[tuple[str, Any], ...]:
        # As a table lists them: by name, numbers by size.
        return tuple((str(type(v)), v) if v is not None else ("", 0) for v in cell.flat().values())

    every = list(runs)
    of_cell = {cell: settings(cell) for cell in dict.fromkeys(run.spec.cell for run in every)}
    # Settings are compared once for all runs of a cell: they are many, and mostly equal.
    place = {one: number for number, one in enumerate(sorted(set(of_cell.values())))}
    number = {cell: place[one] for cell, one in of_cell.items()}
    return sorted(every, key=lambda run: (number[run.spec.cell], run.spec.seed))
