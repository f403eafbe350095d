"""What lies in a store and is read by no command any more: how it is found, and how it is removed.

Numpy side; never imports jax.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from attnsearch import files
from attnsearch.runs.checkpoints import checkpoint_file, why_not_read
from attnsearch.runs.claims import Claim
from attnsearch.runs.digests import is_digest
from attnsearch.runs.opened import Opener
from attnsearch.runs.plans import PLAN, is_abandoned, is_followed
from attnsearch.runs.run_files import UnreadableRun

PARTIAL = "partial"
"""Of a run that was being written when its process was killed, over a day ago."""

ASIDE = "set aside"
"""A damaged run that a sweep has moved away and trained again."""

UNREADABLE = "unreadable"
"""A run that cannot be read: every command leaves it out, and a sweep trains it again."""

OLD_CHECKPOINT = "old checkpoint"
"""Of a run that is stored by now, or one that today's code does not go on from."""

OLD_CLAIM = "old claim"
"""That a killed process left; it is empty."""

OLD_PLAN = "old plan"
"""That a killed process left. It is of many runs, and of no one run."""

_HIDDEN = re.compile(r"\.(?:unreadable|claim|checkpoint)-([0-9a-f]{64})(?:-\d+|\.npz)?")


@dataclass(frozen=True)
class Leftover:
    """Something that no command reads.

    root:      of the store
    digest:    of the run it belongs to; "" for a plan
    path:      a folder or a file
    kind:      one of the words above
    reason:    why it is not read
    size:      bytes
    modified:  when it was written, in seconds since 1970
    """

    root: Path
    digest: str
    path: Path
    kind: str
    reason: str
    size: int
    modified: float


def leftovers(root: Path) -> list[Leftover]:
    """What no command reads in the store at `root`, by kind and name, without what a living process claims.

    Rows of its index whose runs are gone are dropped at once: the index follows the folders.

    Errors: AttnsearchError where `root` is not a store.
    """
    with files.explaining(f"cannot read {root}", "name a folder that was given as --out"):
        paths = sorted((root / "runs").iterdir())
        abandoned = set(files.abandoned(root / "runs"))
    found, opened = list[Leftover](), Opener()
    opened.forget_others(root / "runs", [path.name for path in paths])
    for path in paths:
        digest, is_plan = _digest(path), path.name.startswith(PLAN)
        if not is_plan and (not digest or Claim.is_taken(root, digest)):
            continue
        told = (PARTIAL, "its process was killed") if path in abandoned else _told(root, path, opened)
        # What is gone by now was removed by another process.
        if told is not None and (seen := _seen(path)) is not None:
            found.append(Leftover(root, digest, path, *told, *seen))
    return sorted(found, key=lambda one: one.kind)


def remove(leftover: Leftover) -> bool:
    """Remove a leftover; False where a living process has claimed its run by now.

    Errors: AttnsearchError where it cannot be removed.
    """
    path = leftover.path
    explained = f"cannot remove {path}", "see who may write there"
    if leftover.kind == OLD_PLAN:
        with files.explaining(*explained):
            if is_followed(path):
                return False
            path.unlink(missing_ok=True)
            return True
    claim = Claim.take(leftover.root, leftover.digest)
    if claim is None:
        return False
    with claim, files.explaining(*explained):
        if leftover.kind == OLD_CLAIM:
            # It goes with the claim on its run.
            return True
        if path.is_dir() and not path.is_symlink():
            # What a kill leaves of it is never taken for a run.
            name = f"{files.PARTIAL}{leftover.digest}-{os.getpid()}-{secrets.token_hex(4)}"
            shutil.rmtree(path.rename(path.with_name(name)))
        else:
            path.unlink(missing_ok=True)
    return True


def _digest(path: Path) -> str:
    """The digest of the run that a name belongs to; "" for names of others."""
    if path.name.startswith(files.PARTIAL):
        digest = path.name.removeprefix(files.PARTIAL).partition("-")[0]
    else:
        hidden = _HIDDEN.fullmatch(path.name)
        digest = path.name if hidden is None else hidden[1]
    return digest if is_digest(digest) else ""


def _told(root: Path, path: Path, opened: Opener) -> tuple[str, str] | None:
    """The kind of what lies at `path`, and why nobody reads it; None where somebody does."""
    kind = path.name.lstrip(".").partition("-")[0] if path.name.startswith(".") else ""
    match kind:
        case "":
            try:
                opened(path)
            except UnreadableRun as error:
                return UNREADABLE, str(error)
        case "unreadable":
            return ASIDE, "a sweep has moved it away and trained it again"
        case "claim":
            return OLD_CLAIM, "its process was killed"
        case "plan" if is_abandoned(path):
            return OLD_PLAN, "its process was killed"
        case "checkpoint":
            return _told_of_checkpoint(root, path)
    return None


def _told_of_checkpoint(root: Path, path: Path) -> tuple[str, str] | None:
    digest = _digest(path)
    if path != checkpoint_file(root, digest):
        return None
    if (reason := why_not_read(path)) is not None:
        return OLD_CHECKPOINT, reason
    try:
        # One that is younger is of a run that is trained again for its parameters.
        stored = (root / "runs" / digest / "run.json").stat().st_mtime
        return (OLD_CHECKPOINT, "its run is stored") if path.stat().st_mtime <= stored else None
    except OSError:
        return None


def _seen(path: Path) -> tuple[int, float] | None:
    """Bytes, and when it was written; None where it is gone."""
    try:
        parts = list(path.rglob("*")) if path.is_dir() else [path]
        return sum(part.stat().st_size for part in parts), path.stat().st_mtime
    except FileNotFoundError:
        return None
