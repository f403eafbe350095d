"""What befalls stored files: cut, overwritten, filled with other arrays, or with a trap."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
Damage = Callable[[Path], None]
"""What is done to a file."""


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def sprung(path: Path) -> Path:
    """The file that the trap in the file at `path` creates."""
    return path.parent.parent / "sprung"


def truncate(keep: Callable[[int], int]) -> Damage:
    def damage(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: keep(len(content))])

    return damage


def overwrite(byte: Callable[[int], int]) -> Damage:
    def damage(path: Path) -> None:
        path.write_bytes(bytes(byte(position) % 256 for position in range(path.stat().st_size)))

    return damage


def flip(bit_of: Callable[[bytes], int]) -> Damage:
    """Another value for the lowest bit of the byte at that place."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[bit_of(bytes(content))] ^= 1
        path.write_bytes(content)

    return damage


def turn_into_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def write(text: str) -> Damage:
    def damage(path: Path) -> None:
        path.write_text(text)

    return damage


def rewrite_json(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(path: Path) -> None:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return damage


def rewrite(change: Callable[[Arrays], object]) -> Damage:
    """A whole file, its check sums right, with other arrays."""

    def damage(path: Path) -> None:
        with np.load(path) as archive:
            arrays = dict(archive)
        change(arrays)
        np.savez(path, allow_pickle=True, **arrays)

    return damage


def rewrite_array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    return rewrite(lambda arrays: arrays.update({name: change(arrays[name])}))


def rewrite_member(name: str, change: Callable[[bytes], bytes]) -> Damage:
    """A whole file, its check sums right, round an array file that is not."""

    def damage(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        changed = change(members[f"{name}.npy"])
        assert changed != members[f"{name}.npy"]
        members[f"{name}.npy"] = changed
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)

    return damage


def set_trap(name: str) -> Damage:
    """The array called `name` is one of objects."""

    def damage(path: Path) -> None:
        trap = np.empty((), object)
        trap[()] = Trap(sprung(path))
        rewrite_array(name, lambda _: trap)(path)

    return damage
