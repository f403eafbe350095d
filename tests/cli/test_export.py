"""`attnsearch export`: what it says, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.terminal import attnsearch, complaint

SMALL = ["export", "--task", "linear_map", "--state-size", "4", "--support-size", "2", "--sequences", "1e2"]


def test_one_rule_has_fresh_sequences_by_another_seed(tmp_path: Path) -> None:
    train = attnsearch(*SMALL, "--seed", "3", "-o", str(tmp_path / "deep" / "train.npz"))
    assert train.status == 0
    assert train.err == ""
    assert "train.npz: 100 sequences of 8 tokens, supports once, for all; 0.0" in train.out
    fresh = ["--seed", "4", "--rule-seed", "3", "-o", str(tmp_path / "test.npz"), "--json"]
    told = json.loads(attnsearch(*SMALL, *fresh).out)
    assert told["bytes"] == (tmp_path / "test.npz").stat().st_size
    assert (told["sequences"], told["seed"], told["rule_seed"]) == (100, 4, 3)
    assert (told["context_length"], told["queries"], told["supports_differ"]) == (8, 4, False)
    with np.load(tmp_path / "deep/train.npz") as one, np.load(tmp_path / "test.npz") as other:
        assert json.loads(one["about"].item())["rule"] == json.loads(other["about"].item())["rule"]
        assert not np.array_equal(one["tokens"], other["tokens"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "data.csv"], "data.csv: its ending says no form: use .parquet or .npz"),
        (["-o", "data.npz", "--tokens-per-step", "4"], "tokens_per_step 4 is less than one sequence"),
        (["-o", "data.npz", "--state-size", "4,8"], "export writes one task: give state_size one value"),
        (["-o", "data.npz", "--seed", "3000000000"], "seed 3000000000 is outside 0 to"),
        (["-o", "file/data.npz"], "cannot write file/data.npz: File exists; choose another place"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert message in complaint(*SMALL, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_parquet_names_the_extra_that_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    said = complaint(*SMALL, "-o", str(tmp_path / "data.parquet"))
    assert "pip install 'attnsearch[frames]'" in said
