"""Exported sequences are those that a run sees, whole or not at all, whatever the form of the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.pointer import Pointer
from pyarrow import parquet

from attnsearch.backends import specify
from attnsearch.generators import GENERATORS, LinearMap
from attnsearch.sequences import source as exported
from attnsearch.sequences.npz import write_npz
from attnsearch.sequences.parquet import write_parquet
from attnsearch.sequences.sequences import Sequences
from attnsearch.sequences.source import Source, depends_on_tokens
from attnsearch.spec.run import RunSpec
from attnsearch.training.jax.backend import JaxBackend

Values = Mapping[str, list[Any]]
Write = Callable[[Source, Path, Callable[[int], None]], None]
TASKS: Mapping[str, Values] = {
    "linear_map": {"state_size": [4], "support_size": [2]},
    "cellular_automaton": {"state_size": [8], "num_states": [3]},
}


def spec_of(task: str, tokens_per_step: int = 256) -> RunSpec:
    values = {**TASKS[task], "tokens_per_step": [tokens_per_step]}
    (spec,) = specify([task], ["mlp_mixer"], values, seeds=[3], rule_seed=5)
    return spec


def source_of(task: str, count: int) -> Source:
    spec = spec_of(task)
    return Source(JaxBackend().generator(spec.cell.task), spec, count)


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What is known of the sequences, and their arrays."""
    if path.suffix == ".npz":
        with np.load(path) as stored:
            arrays = dict(stored)
        return json.loads(arrays.pop("about").item()), arrays
    table = parquet.read_table(path)
    columns = {name: np.array(table[name].to_pylist()) for name in ("tokens", "answers")}
    return json.loads(table.schema.metadata[b"attnsearch"]), columns


FORMS: Mapping[str, Write] = {".parquet": write_parquet, ".npz": write_npz}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("task", TASKS)
def test_a_file_holds_what_the_run_sees(
    task: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Parts of two steps, the last of which is not whole.
    source = source_of(task, 100)
    monkeypatch.setattr(exported, "LARGEST_PART", 2 * 256 + 10)
    written: list[int] = []
    FORMS[form](source, tmp_path / f"data{form}", written.append)
    assert sum(written) == 100
    assert len(written) > 1
    about, arrays = read(tmp_path / f"data{form}")
    seen = Sequences.of(source.made, source.spec)
    tokens, answers = (part.reshape(-1, part.shape[-1])[:100] for part in seen.steps(0, 20))
    np.testing.assert_array_equal(arrays["tokens"], tokens)
    np.testing.assert_array_equal(arrays["answers"], answers)
    supports = seen.supports(tokens[:1], np.arange(source.made.num_targets))[0]
    assert about["supports"] == [np.flatnonzero(row).tolist() for row in supports]
    np.testing.assert_array_equal(about["rule"], seen.rule)
    assert (about["task"], about["seed"], about["rule_seed"], about["sequences"]) == (task, 3, 5, 100)
    assert about["query_positions"] == source.made.query_positions.tolist()
    if form == ".npz":
        np.testing.assert_array_equal(arrays["supports"], supports)


@pytest.mark.parametrize("form", FORMS)
def test_sequences_with_maps_of_their_own_have_their_supports(form: str, tmp_path: Path) -> None:
    source = Source(Pointer(), spec_of("linear_map"), 60)
    path = tmp_path / f"data{form}"
    FORMS[form](source, path, lambda count: None)
    about, arrays = read(path)
    assert about["supports"] is None
    expected = [sorted({4, int(tokens[4])}) for tokens in arrays["tokens"]]
    if form == ".npz":
        assert arrays["supports"].shape == (60, 1, 5)
        assert [np.flatnonzero(rows[0]).tolist() for rows in arrays["supports"]] == expected
    else:
        found = parquet.read_table(path)["supports"].to_pylist()
        assert found == [[positions] for positions in expected]


def test_whether_maps_differ_is_told_from_the_generator() -> None:
    assert depends_on_tokens(Pointer(), ())
    assert not depends_on_tokens(LinearMap(4), jnp.ones((4, 4), bool))
    for task in TASKS:
        assert not source_of(task, 1).maps_differ
    assert GENERATORS


@pytest.mark.parametrize("form", FORMS)
def test_an_interrupted_export_leaves_nothing(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exported, "LARGEST_PART", 256)

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FORMS[form](source_of("linear_map", 100), tmp_path / f"data{form}", interrupted)
    assert list(tmp_path.iterdir()) == []


def test_a_part_holds_as_many_numbers_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "LARGEST_PART", 1_000)
    assert {part.tokens.size for part in source_of("linear_map", 320).parts()} == {768, 256}
    # Supports count where each sequence has its own.
    spec = spec_of("linear_map")
    assert max(part.tokens.size for part in Source(Pointer(), spec, 500).parts()) <= 1_000
