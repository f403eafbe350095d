"""Modules of a user's own: mixers in the folder where one stands, and installed packages."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

MODULE = """\
from attnsearch import Mixer

class Mine(Mixer):
    '''Mixes nothing.'''

    def __init__(self, width, context_length, *, rngs, depth=2, gated=False, kind="plain"):
        self.depth = depth

    def __call__(self, x):
        return x

class Plain:
    class Inner(Mixer):
        pass

def function():
    pass
"""

SUITE = """\
name = "tiny"
title = "Tiny"
source = "nowhere"
seeds = 1

[[tasks]]
task = "linear_map"
state_size = 4
support_size = 2

[[mixers]]
mixer = "{mixer}"
"""


@contextmanager
def standing_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`folder` as the current one, with the module; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (folder / "my_mixers.py").write_text(MODULE)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


def describe(folder: Path, group: str, points: Mapping[str, str]) -> None:
    """The metadata of a package with these entry points in `folder`, which becomes a place to import from."""
    info = folder / "my_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")
    sys.path.insert(0, str(folder))


def install(folder: Path, group: str, **points: str) -> None:
    """A package as installers leave it: its metadata beside its modules."""
    site = folder / "site"
    describe(site, group, points)
    (site / "my_installed.py").write_text(MODULE.replace("depth", "height"))
    (site / "my_broken.py").write_text("import my_missing_dependency\n")
