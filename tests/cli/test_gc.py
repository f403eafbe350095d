"""`attnsearch gc`: what no command reads is listed, and removed when asked; what is claimed or read stays."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import made_runs
from helpers.hand_made import run_of, spec_of
from helpers.stored import unexpected
from helpers.terminal import attnsearch, complaint

from attnsearch import files
from attnsearch.base import RECORDING_INTERVAL
from attnsearch.cli.gc import gc
from attnsearch.runs.checkpoints import CHECKPOINT_VERSION, checkpoint_file
from attnsearch.runs.claims import Claim
from attnsearch.runs.plans import PLAN, planning
from attnsearch.runs.store import Store

YESTERDAY = 25 * 3600


def checkpoint(root: Path, seed: int, version: int = CHECKPOINT_VERSION) -> Path:
    """Of a run that goes on, as far as gc looks."""
    document = json.dumps({"checkpoint_version": version, "step": RECORDING_INTERVAL}).encode()
    path = checkpoint_file(root, spec_of(seed=seed).digest)
    path.write_bytes(files.packed({"document": np.frombuffer(document, np.uint8)}, compressed=False))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two readable runs, and one of each kind that is not read."""
    runs = [run_of(spec_of(seed=seed), [100] * 4) for seed in range(4)]
    root = made_runs.stored(tmp_path / "results", runs)
    store = Store(root)
    (store.path(runs[2].spec) / "curves.npz").write_bytes(b"damaged")
    (store.path(runs[3].spec) / "run.json").write_text("{")
    store.find(runs[3].spec, lambda _: None)
    partial = root / "runs" / f".partial-{spec_of(seed=4).digest}-1-ab"
    partial.mkdir()
    (partial / "run.json").write_bytes(b"x" * 2_000)
    old = time.time() - YESTERDAY
    os.utime(partial, (old, old))
    (root / "runs" / f".claim-{spec_of(seed=5).digest}").touch()
    checkpoint(root, 6)
    checkpoint(root, 7, CHECKPOINT_VERSION - 1)
    checkpoint_file(root, spec_of(seed=8).digest).write_bytes(b"damaged")
    os.utime(checkpoint(root, 0), (old, old))
    checkpoint(root, 1)
    return root


LISTED = {
    (0, "old checkpoint", "its run is stored"),
    (2, "unreadable", "curves.npz"),
    (3, "set aside", "trained it again"),
    (4, "partial", "killed"),
    (5, "old claim", "killed"),
    (7, "old checkpoint", f"version {CHECKPOINT_VERSION - 1}, expected {CHECKPOINT_VERSION}"),
    (8, "old checkpoint", "not a zip file"),
}


def left(root: Path) -> set[str]:
    return {path.name for path in (root / "runs").iterdir()}


def test_what_no_command_reads_is_listed_and_stays(root: Path) -> None:
    before = left(root)
    document = json.loads(attnsearch("gc", str(root), "--json").out)
    found = {one["run"]: one for one in document["leftovers"]}
    assert len(found) == len(LISTED)
    for seed, kind, reason in LISTED:
        one = found[spec_of(seed=seed).digest[:16]]
        assert one["kind"] == kind
        assert reason in one["reason"]
    assert document["bytes"] == sum(one["bytes"] for one in document["leftovers"])
    assert found[spec_of(seed=4).digest[:16]]["bytes"] == 2_000
    assert document["removed"] == []
    assert left(root) == before
    text = attnsearch("gc", str(root)).out
    assert "7 leftovers" in text
    assert "old checkpoint, all" in text


def test_it_is_removed_when_asked_and_nothing_else(root: Path) -> None:
    assert CliRunner().invoke(gc, [str(root), "--remove"], input="n\n").exit_code == 0
    assert len(json.loads(attnsearch("gc", str(root), "--json").out)["leftovers"]) == len(LISTED)
    done = CliRunner().invoke(gc, [str(root), "--remove"], input="y\n")
    assert "7 leftovers" in done.output
    kept = {spec_of(seed=seed).digest for seed in (0, 1)}
    kept |= {checkpoint_file(root, spec_of(seed=seed).digest).name for seed in (1, 6)}
    assert left(root) == kept
    assert len(list(Store(root).runs(unexpected))) == 2
    assert "0 leftovers" in attnsearch("gc", str(root)).out


def test_what_a_living_process_claims_is_not_touched(root: Path) -> None:
    claims = [Claim.take(root, spec_of(seed=seed).digest) for seed in range(9)]
    assert all(claims)
    before = left(root)
    document = json.loads(attnsearch("gc", str(root), "--remove", "--yes", "--json").out)
    assert document == {"leftovers": [], "bytes": 0, "removed": []}
    assert left(root) == before
    for claim in claims:
        assert claim is not None
        claim.release()


def test_the_plan_of_a_killed_process_is_removed_and_a_followed_one_never(root: Path) -> None:
    dead = root / "runs" / f"{PLAN}1-dead"
    with planning(root, [spec_of(seed=9)]):
        (alive,) = (root / "runs").glob(f"{PLAN}*")
        dead.write_bytes(alive.read_bytes())
        # One that is being written is empty until it is locked.
        (root / "runs" / f"{PLAN}2-new").touch()
        found = json.loads(attnsearch("gc", str(root), "--json").out)["leftovers"]
        (old,) = (one for one in found if one["kind"] == "old plan")
        assert (old["path"], old["run"], old["reason"]) == (str(dead), "", "its process was killed")
        assert old["bytes"] == dead.stat().st_size
        removed = json.loads(attnsearch("gc", str(root), "--remove", "--yes", "--json").out)["removed"]
        assert str(dead) in removed
        assert {name for name in left(root) if name.startswith(PLAN)} == {alive.name, f"{PLAN}2-new"}


def test_a_partial_folder_of_today_is_not_listed(root: Path) -> None:
    (root / "runs" / f".partial-{spec_of(seed=9).digest}-1-ab").mkdir()
    assert "partial-" + spec_of(seed=9).digest not in attnsearch("gc", str(root), "--json").out


def test_json_does_not_ask(root: Path) -> None:
    assert "give --yes too" in complaint("gc", str(root), "--remove", "--json")


def test_a_folder_that_is_not_a_store_is_an_error(tmp_path: Path) -> None:
    assert "is not a folder of runs" in complaint("gc", str(tmp_path))
