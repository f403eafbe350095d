"""What commands say at their ends: where things are, and what to do next."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers.hand_made import run_of
from helpers.terminal import attnsearch

from attnsearch.cli.output import program
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec


def test_a_program_is_named_as_the_user_has_to_call_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "of mine" / "attnsearch"
    inside.parent.mkdir()
    inside.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(inside)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == f"'{inside}'"
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), str(inside.parent)]))
    assert program() == "attnsearch"
    monkeypatch.setattr(sys, "argv", ["/usr/lib/python/pytest"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == "attnsearch"


@pytest.mark.parametrize("sizes", ["2", "1,2,3,4"])
def test_a_path_stands_on_its_line_and_the_last_line_says_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: str
) -> None:
    def trained(specs: Sequence[RunSpec], *others: Any) -> list[StoredRun]:
        return [run_of(spec, [10, 20, 30, 40]) for spec in specs]

    def drawn(study: object, folder: Path) -> list[Path]:
        return [folder / f"cell-{number}-losses.png" for number in range(2 * len(sizes.split(",")) + 1)]

    monkeypatch.setattr("attnsearch.cli.train.run", trained)
    monkeypatch.setattr("attnsearch.cli.train.gallery.draw", drawn)
    command = ["run", "--task", "linear_map", "--state-size", "4", "--support-size", sizes, "--seeds", "8"]
    out = tmp_path / "a folder"
    done = attnsearch(*command, "--out", str(out), "--quiet")
    cells = len(sizes.split(","))
    *_, runs, pictures, rest = done.out.partition(f"{8 * cells} runs in {out / 'runs'}\n")
    lines = rest.splitlines()
    assert runs or pictures
    assert lines[0] == f"{2 * cells + 1} pictures in {out / 'pictures'}"
    if cells == 1:
        assert lines[1:4] == [f"  cell-{number}-losses.png" for number in range(3)]
    else:
        assert lines[1:3] == ["  cell-8-losses.png", "  and 8 more, two of each cell"]
    assert lines[-2:] == ["Look at every run on one page:", f"  attnsearch report '{out}/'"]
