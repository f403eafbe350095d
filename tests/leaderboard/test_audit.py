"""Audits: which runs are drawn, what is said of them, and what a board makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.ladder import SLOW, only
from helpers.made_runs import ATTENTION, MINE, verification
from helpers.terminal import attnsearch as command

import attnsearch.backends
import attnsearch.probing.verify
import attnsearch.training.jax.devices
import attnsearch.training.runner
from attnsearch.base import AttnsearchError
from attnsearch.leaderboard import audit_file
from attnsearch.leaderboard.audit import Audit, audited, digest_of, sample
from attnsearch.leaderboard.audit_tables import conclusion, table
from attnsearch.leaderboard.board import board
from attnsearch.leaderboard.candidates import LeftOut, gather, given
from attnsearch.leaderboard.entry import Entry
from attnsearch.leaderboard.entry_file import written
from attnsearch.leaderboard.page import page
from attnsearch.leaderboard.tables import tables
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import MixerSpec, RunSpec
from attnsearch.spec.suite import Suite

CONTENT = b"an entry"


def of(
    entry: Entry, made: Sequence[StoredRun], drawn: Sequence[RunSpec], *, sound: bool = True, seed: int = 7
) -> Audit:
    """The audit by the runs of `made` that are of the `drawn` questions."""
    by_spec = {run.spec: run for run in made}
    return audited(entry, CONTENT, seed, [by_spec[spec] for spec in drawn], sound)


def elsewhere(made: Sequence[StoredRun]) -> list[StoredRun]:
    """The runs as another machine has them: a little other."""
    environment = {"device": "gpu", "versions": {"attnsearch": "0.1.0", "jax": "0.9.0"}}
    return [
        replace(run, environment=environment, curves=run.curves._replace(loss=run.curves.loss * 0.9999))
        for run in made
    ]


def test_the_auditor_draws_the_runs(entries: dict[str, Entry]) -> None:
    entry = entries["attention"]
    scored = {run.spec for cell in entry.scored for run in cell.runs}
    drawn = sample(entry, 3, 1)
    assert len(set(drawn)) == 3
    assert set(drawn) <= scored
    assert sample(entry, 3, 1) == drawn
    assert len({tuple(sample(entry, 3, seed)) for seed in range(20)}) == 20
    # Whoever sends an entry decides the order in it, and nothing else.
    turned = replace(entry, scored=tuple(replace(cell, runs=cell.runs[::-1]) for cell in entry.scored[::-1]))
    assert sample(turned, 3, 1) == drawn
    assert sum(spec not in scored for spec in sample(entry, 8, 1)) == 2
    everything = sample(entry, 1_000, 1)
    assert len(everything) == len(set(everything)) == 16 * 4 + 2 * 8


def test_on_the_same_environment_curves_are_equal(
    entries: dict[str, Entry], made: dict[MixerSpec, list[StoredRun]]
) -> None:
    entry = entries["attention"]
    drawn = sample(entry, 4, 3)
    found = of(entry, made[ATTENTION], drawn)
    assert (found.agrees, found.same_environment, found.exact) == (True, True, True)
    assert {found.verdict(run) for run in found.runs} == {"agrees, bit for bit"}
    assert conclusion(found)[0].startswith("Trained in the environment that the entry tells: ")
    # An entry of before told less, which makes its environment no other, and its curves are not held to bits.
    silent = replace(found, told={"device": "cpu"})
    assert not silent.exact
    line = "Trained in the environment that the entry tells, though it does not tell all: "
    assert conclusion(silent)[0].startswith(line)
    assert conclusion(replace(found, told={"device": "gpu"}))[0].startswith(
        "Trained in another environment: "
    )
    # One that was made up among others that were not.
    other = [replace(one, curves=one.curves._replace(loss=one.curves.loss * 0.99)) for one in made[ATTENTION]]
    mixed = [other[number] if run.spec == drawn[0] else run for number, run in enumerate(made[ATTENTION])]
    found = of(entry, mixed, drawn)
    assert found.reasons == ["some curves are equal bit for bit, and others are not"]
    assert found.verdict(found.runs[0]) == "differs: other runs are equal bit for bit"


def test_elsewhere_curves_lie_within_the_scatter(
    entries: dict[str, Entry], made: dict[MixerSpec, list[StoredRun]]
) -> None:
    entry = entries["attention"]
    drawn = sample(entry, 3, 3)
    honest = of(entry, elsewhere(made[ATTENTION]), drawn)
    assert honest.agrees
    assert not honest.same_environment
    assert all(honest.verdict(run).startswith("within the scatter of its cell, p ") for run in honest.runs)
    # The mixer waits five times as long as the entry tells.
    slow = {one.spec: one for one in runs_like(entry, made)}
    invented = of(entry, elsewhere(list(slow.values())), drawn)
    assert not invented.agrees
    assert invented.reasons[0].startswith("the curves are too far from the curves told, p 0.0")
    assert any(invented.verdict(run).startswith("outside the scatter") for run in invented.runs)
    rows = table(invented, drawn).rows
    assert [row[1] for row in rows] == [str(run.seed) for run in invented.runs]
    assert conclusion(invented)[-1].startswith("No: the curves are too far")
    assert conclusion(honest)[-1] == "Yes: the entry agrees"


def runs_like(entry: Entry, made: dict[MixerSpec, list[StoredRun]]) -> list[StoredRun]:
    """The runs of `entry`, each with the curves that the slow mixer has there."""
    slow = {(run.spec.cell.task, run.spec.cell.optimizer, run.spec.seed): run for run in made[SLOW]}
    return [
        replace(slow[spec.cell.task, spec.cell.optimizer, spec.seed], spec=spec)
        for spec in (run.spec for run in made[ATTENTION])
    ]


def test_what_is_told_of_the_task_and_the_mixer_must_hold(
    entries: dict[str, Entry], made: dict[MixerSpec, list[StoredRun]]
) -> None:
    entry = entries["attention"]
    drawn = sample(entry, 2, 3)
    unsound = of(entry, made[ATTENTION], drawn, sound=False)
    assert unsound.reasons == ["the mixer is not sound, though the entry tells that it is"]
    assert of(replace(entry, verification=None), made[ATTENTION], drawn, sound=False).agrees
    harder = [
        replace(run, truth=run.truth._replace(bayes_loss=run.truth.bayes_loss + 0.1))
        for run in made[ATTENTION]
    ]
    found = of(entry, harder, drawn)
    assert found.reasons[0] == "a run tells another task than was trained"
    assert found.verdict(found.runs[0]).startswith("differs: its search space, chance or Bayes loss")


def test_a_board_shows_who_was_audited(
    ladder: Suite, entries: dict[str, Entry], made: dict[MixerSpec, list[StoredRun]], tmp_path: Path
) -> None:
    entry, file = entries["attention"], tmp_path / "attention.json"
    file.write_text(written(entry))
    (tmp_path / "mine.json").write_text(written(entries[MINE.name]))
    found = replace(of(entry, made[ATTENTION], sample(entry, 3, 3)), entry=digest_of(file.read_bytes()))
    saved = audit_file.save(found, file)
    assert saved.name == "attention.audit.json"
    assert audit_file.read(saved) == found
    candidates, left_out = gather(given([str(tmp_path)]), [ladder])
    assert left_out == []
    shown = board([ladder], candidates)
    (ranking, *_) = tables(shown)
    told = {row[1]: row[-1] for row in ranking.rows}
    assert told["attention"] == "agrees\n3 runs, 3 bit for bit; cpu, attnsearch 0.1.0"
    assert told[MINE.name] == "no"
    assert "3 bit for bit" in page(shown)
    assert only(shown).reference is not None
    # An audit of other content does not count, nor one whose verdict was changed.
    file.write_text(written(replace(entry, cost=None)))
    candidates, left_out = gather(given([str(tmp_path)]), [ladder])
    assert [one.audit for one in candidates] == [None, None]
    assert left_out == [LeftOut("attention.audit.json", "it is of other content than the entry has")]
    saved.write_text(saved.read_text().replace('"agrees": true', '"agrees": false'))
    with pytest.raises(AttnsearchError, match="its verdict and its numbers disagree"):
        audit_file.read(saved)


def test_the_command_trains_stores_and_answers(
    entries: dict[str, Entry],
    made: dict[MixerSpec, list[StoredRun]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("entry.json").write_text(written(entries["attention"]))
    by_spec = {run.spec: run for run in made[ATTENTION]}
    asked: list[int] = []

    def train(specs: Sequence[RunSpec], *others: object) -> list[StoredRun]:
        asked.append(len(specs))
        return [by_spec[spec] for spec in specs]

    def interrupted(*others: object) -> list[StoredRun]:
        raise KeyboardInterrupt

    monkeypatch.setattr(attnsearch.training.jax.devices, "use_every_core", lambda: None)
    # Made runs have a number of heads that no attention can have.
    monkeypatch.setattr(attnsearch.backends.Backends, "cohorts", lambda self, specs: [])
    monkeypatch.setattr(attnsearch.training.runner, "run", train)
    monkeypatch.setattr(attnsearch.probing.verify, "verify", lambda *a, **k: verification(ATTENTION))
    done = command("audit", "entry.json", "--seed", "5")
    assert (done.status, asked) == (0, [3])
    assert "Yes: the entry agrees" in done.out
    assert "Seed 5 draws 3 of the entry's runs" in done.err
    assert audit_file.read(Path("entry.audit.json")).seed == 5
    by_spec = {run.spec: run for run in runs_like(entries["attention"], made)}
    done = command("audit", "entry.json", "--runs", "6", "--seed", "5")
    assert done.status == 1
    assert not audit_file.read(Path("entry.audit.json")).agrees
    monkeypatch.setattr(attnsearch.training.runner, "run", interrupted)
    done = command("audit", "entry.json", "--seed", "6")
    assert done.status == 130
    assert "To go on: " in done.err
    assert "audit entry.json --runs 3 --seed 6 --out results/audits" in done.err


def test_code_of_others_is_imported_only_if_it_is_named(
    entries: dict[str, Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.json").write_text(written(entries[MINE.name]))
    done = command("audit", "mine.json")
    assert done.status == 2
    assert "to import it, give --mixer mypackage.mixers:Mine" in done.err
    assert "--runs 101 is more than 100" in command("audit", "mine.json", "--runs", "101").err
