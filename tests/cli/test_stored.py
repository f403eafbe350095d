"""`attnsearch ls` and `rm`: what is stored is listed and, once agreed, removed with its checkpoints."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers import made_runs
from helpers.hand_made import run_of, spec_of
from helpers.terminal import attnsearch, complaint

from attnsearch.cli.stored import rm
from attnsearch.runs.checkpoints import checkpoint_file
from attnsearch.runs.claims import Claim


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three finished runs of two mixers, one damaged, and a checkpoint."""
    monkeypatch.chdir(tmp_path)
    runs = [run_of(spec_of(seed=seed), [100] * 4) for seed in range(3)]
    root = made_runs.stored(tmp_path / "results", [*runs, run_of(spec_of("mlp_mixer"), [200] * 4)])
    (root / "runs" / runs[2].spec.digest / "curves.npz").write_bytes(b"damaged")
    checkpoint_file(root, spec_of(seed=9).digest).write_bytes(b"x" * 1_000)
    return root


def digest(mixer: str = "attention", seed: int = 0) -> str:
    return spec_of(mixer, seed).digest


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "runs").iterdir())


def removing(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(rm, arguments, input=answer)


@pytest.mark.usefixtures("folder")
def test_every_run_is_listed_with_its_state() -> None:
    rows = list(csv.DictReader(io.StringIO(attnsearch("ls", "--format", "csv").out)))
    states = {row["run"]: row["status"] for row in rows}
    assert states == {
        digest(seed=0)[:16]: "mastered",
        digest(seed=1)[:16]: "mastered",
        digest(seed=2)[:16]: "damaged",
        digest("mlp_mixer")[:16]: "mastered",
        digest(seed=9)[:16]: "unfinished",
    }
    (one,) = (row for row in rows if row["run"] == digest(seed=1)[:16])
    assert (one["seed"], one["steps_trained"], one["mixer"]) == ("1", "130", "attention")
    assert int(one["bytes"]) > 1_000
    text = attnsearch("ls").out
    assert "5 runs" in text
    assert "mlp_mixer" in text


def test_size_is_what_lies_on_the_disk(folder: Path) -> None:
    (one,) = json.loads(attnsearch("ls", digest()[:8], "--json").out)["runs"]
    path = folder / "runs" / digest()
    assert one["bytes"] == sum(file.stat().st_size for file in path.iterdir())
    assert one["folder"] == str(path)


def test_every_run_is_listed_with_the_standing_of_its_mixer(folder: Path) -> None:
    cell = spec_of().cell
    record = replace(made_runs.verification(cell.mixer, "failed"), width=cell.network.width)
    record.save(folder)
    rows = {row["run"]: row for row in json.loads(attnsearch("ls", "--json").out)["runs"]}
    failed, unknown = rows[digest(seed=0)[:16]], rows[digest(seed=9)[:16]]
    assert (failed["verification"], failed["verification_failed"]) == ("failed", "construction")
    assert failed["verification_reason"] == "failed verification: construction"
    assert rows[digest("mlp_mixer")[:16]]["verification"] == "verified"
    # Nobody knows the mixer of a checkpoint or of a damaged run.
    assert unknown["verification"] is rows[digest(seed=2)[:16]]["verification"] is None
    rows = csv.DictReader(io.StringIO(attnsearch("ls", "--format", "csv").out))
    assert {row["verification"] for row in rows} == {"failed", "verified", ""}
    text = attnsearch("ls").out
    assert all(word in text for word in ("verification", "failed", "construction", "verified"))


@pytest.mark.usefixtures("folder")
def test_a_condition_chooses() -> None:
    rows = json.loads(attnsearch("ls", "--where", "mlp_mixer", "--json").out)["runs"]
    assert [row["mixer"] for row in rows] == ["mlp_mixer"]
    assert "no run has mixer attentoin" in complaint("ls", "--where", "attentoin")


def test_what_is_to_be_removed_is_listed_and_asked_for(folder: Path) -> None:
    before = left(folder)
    done = removing("results", "--where", "mixer=attention", answer="n\n")
    assert "Remove 2 runs?" in done.output
    assert digest(seed=1)[:16] in done.output
    assert "nothing removed" in done.output
    assert left(folder) == before
    done = removing("results", "--where", "mixer=attention", answer="y\n")
    assert "2 runs removed" in done.output
    assert left(folder) == sorted([digest(seed=2), digest("mlp_mixer"), f".checkpoint-{digest(seed=9)}.npz"])


def test_nobody_can_be_asked_in_a_script(folder: Path) -> None:
    before = left(folder)
    done = removing("results", answer="")
    assert "give --yes" in str(done.exception)
    assert left(folder) == before


def test_a_whole_store_goes_with_its_checkpoints_and_what_is_damaged(folder: Path) -> None:
    checkpoint_file(folder, digest()).write_bytes(b"left by a kill")
    assert attnsearch("rm", "results", "--yes").out == "5 runs removed\n"
    assert left(folder) == []


def test_one_run_is_removed_by_its_digits_or_its_folder(folder: Path) -> None:
    assert attnsearch("rm", digest()[:8], "--yes").status == 0
    damaged = folder / "runs" / digest(seed=2)
    (damaged / "run.json").unlink()
    assert attnsearch("rm", str(damaged), "--yes").status == 0
    assert left(folder) == sorted([digest(seed=1), digest("mlp_mixer"), f".checkpoint-{digest(seed=9)}.npz"])


def test_a_run_in_training_is_refused(folder: Path) -> None:
    before = left(folder)
    claim = Claim.take(folder, digest(seed=9))
    assert claim is not None
    with claim:
        listed = json.loads(attnsearch("ls", "--json").out)["runs"]
        assert [row["run"] for row in listed if row["status"] == "in training"] == [digest(seed=9)[:16]]
        assert f"1 run in training, {digest(seed=9)[:16]} first" in complaint("rm", "results", "--yes")
    assert left(folder) == before


def test_what_was_removed_is_a_document_too(folder: Path) -> None:
    assert "give --yes too" in complaint("rm", digest()[:8], "--json")
    path = folder / "runs" / digest()
    assert json.loads(attnsearch("rm", digest()[:8], "--yes", "--json").out) == {"removed": [str(path)]}


def test_nothing_stored_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty" / "runs").mkdir(parents=True)
    assert "no stored runs in" in complaint("ls", str(tmp_path / "empty"))
    assert "nowhere" in complaint("rm", str(tmp_path / "nowhere"), "--yes")
