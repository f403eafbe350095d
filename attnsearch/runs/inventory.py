"""What a store holds on the disk, finished, damaged or unfinished, and how it is removed.

Numpy side; never imports jax.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from attnsearch import files
from attnsearch.runs import lookup
from attnsearch.runs.checkpoints import checkpoint_file, checkpointed
from attnsearch.runs.claims import Claim
from attnsearch.runs.digests import is_digest
from attnsearch.runs.opened import Opener, without_collecting
from attnsearch.runs.run_files import UnreadableRun
from attnsearch.runs.store import StoredRun

DAMAGED, UNFINISHED, IN_TRAINING = "damaged", "unfinished", "in training"
"""States of what is not a finished run: unreadable; a checkpoint that nobody goes on with; one in use."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A run in a store, or the checkpoint of one that has not ended.

    root:      of the store
    path:      its folder; of an unfinished run the checkpoint's file
    run:       None where it cannot be read or has not ended
    state:     how the run ended, or one of the states above
    size:      bytes, its checkpoint's with them
    modified:  when it was written, in seconds since 1970
    """

    root: Path
    digest: str
    path: Path
    run: StoredRun | None
    state: str
    size: int
    modified: float

    @property
    def steps(self) -> int | None:
        """Steps trained, where they are known."""
        return None if self.run is None else self.run.summary.steps_trained


def inventory(names: Sequence[str]) -> list[Entry]:
    """What `names`, as `lookup.collect` takes them, stand for, each once. Errors: AttnsearchError."""
    reading = Opener()
    found: dict[str, Entry] = {}
    for name in names:
        root = lookup.store_at(Path(name))
        paths = [_folder(name)] if root is None else list(_entries(root))
        # Once for all of a store: to resolve each of a million takes longer than to read what is known of it.
        runs = {folder: folder.resolve() for folder in {path.parent for path in paths}}
        with without_collecting():
            for path in paths:
                key = os.path.realpath(path) if path.is_symlink() else f"{runs[path.parent]}/{path.name}"
                if key not in found and (entry := _entry(path, reading)) is not None:
                    found[key] = entry
    return list(found.values())


def remove(entry: Entry) -> bool:
    """Remove a run and its checkpoint, as a whole; False where it is in training.

    Errors: AttnsearchError where it cannot be removed.
    """
    claim = Claim.take(entry.root, entry.digest)
    if claim is None:
        return False
    with claim, files.explaining(f"cannot remove {entry.path}", "see who may write there"):
        checkpoint_file(entry.root, entry.digest).unlink(missing_ok=True)
        if entry.path.is_dir():
            # What a kill leaves of it is never taken for a run.
            gone = entry.path.with_name(f"{files.PARTIAL}{entry.digest}-{os.getpid()}-{secrets.token_hex(4)}")
            entry.path.rename(gone)
            shutil.rmtree(gone)
    return True


def _folder(name: str) -> Path:
    """The folder of one run, also where nothing in it can be read."""
    path = Path(name)
    if path.is_dir() and path.resolve().parent.name == "runs" and is_digest(path.resolve().name):
        return path.resolve()
    return lookup.folder_of(name)


def _entries(root: Path) -> Iterator[Path]:
    """Folders of runs, then checkpoints of runs that are not stored."""
    with files.explaining(f"cannot read {root}"):
        paths = sorted((root / "runs").iterdir())
    stored = {path.name for path in paths if not path.name.startswith(".")}
    yield from (path for path in paths if path.name in stored)
    yield from (path for path in paths if (digest := checkpointed(path)) and digest not in stored)


def _entry(path: Path, reading: Callable[[Path], StoredRun]) -> Entry | None:
    """None where it is gone by now."""
    root, digest, run = path.parent.parent, checkpointed(path) or path.name, None
    state = UNFINISHED
    if path.name == digest:
        try:
            run = reading(path)
            state = run.status
        except UnreadableRun:
            state = DAMAGED
    if Claim.is_taken(root, digest):
        state = IN_TRAINING
    try:
        checkpoint = checkpoint_file(root, digest)
        size = checkpoint.stat().st_size if checkpoint.exists() else 0
        if path != checkpoint:
            size += _size(path)
        return Entry(root, digest, path, run, state, size, path.stat().st_mtime)
    except FileNotFoundError:
        return None


def _size(folder: Path | os.DirEntry[str]) -> int:
    """Bytes of all files in `folder`. Errors: FileNotFoundError where something is gone by now."""
    with os.scandir(folder) as parts:
        return sum(_size(part) if part.is_dir() else part.stat().st_size for part in parts)
