"""`attnsearch law` on small stores: what goes to which stream, and what is an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.hand_made import run_of, spec_of

from attnsearch.cli.main import main
from attnsearch.runs.store import Store


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three sizes of attention, and one of the other mixer."""
    store = Store.open(tmp_path / "results")
    for size, escape in ((4, 50), (8, 100), (16, 200)):
        for seed in range(4):
            spec = spec_of("attention", seed, state_size=size, support_size=1)
            store.save(run_of(spec, [escape + 10 * seed] * size))
    store.save(run_of(spec_of("mlp_mixer", 0), [None] * 4))
    return store.root


def called(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exit_info:
        main(["law", *map(str, arguments)])
    streams = capsys.readouterr()
    status = exit_info.value.code or 0
    assert isinstance(status, int)
    return status, streams.out, streams.err


def test_prints_a_law_and_a_frontier_for_each_series(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = called(capsys, results)
    assert status == 0
    lines = out.splitlines()
    assert lines[1] == "linear_map, attention"
    assert lines[2].startswith("Each added bit multiplies the plateau by ")
    assert lines[3].startswith("Nothing speaks against the law")
    assert lines[4].startswith("Frontier: beyond 4.0 bits")
    other = lines.index("linear_map, mlp_mixer")
    assert lines[other + 1].startswith("No law: there is one search space only")
    assert lines[other + 2].startswith("Frontier: below 2.6 bits")
    assert "too few for a distribution" in err
    assert "warning" not in out


def test_json_is_one_document_and_nothing_else(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = called(capsys, results, "--json")
    assert status == 0
    document = json.loads(out)
    assert [one["name"] for one in document["series"]] == ["attention", "mlp_mixer"]
    assert document["series"][0]["law"]["fits"] is True


def test_single_runs_will_do(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = sorted((results / "runs").iterdir())
    status, out, _ = called(capsys, *folders[:1])
    assert status == 0
    assert "No law: there is one search space only" in out


def test_where_there_are_no_runs_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store.open(tmp_path)
    status, out, err = called(capsys, tmp_path)
    assert (status, out) == (2, "")
    assert err.startswith("attnsearch: no stored runs in ")
    status, out, err = called(capsys, tmp_path / "nowhere")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
