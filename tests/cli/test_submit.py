"""`attnsearch submit`: what it makes of stored runs, and what it refuses to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers.made_runs import ATTENTION, MINE, SUITE, run, runs, stored, suite, verification
from helpers.maps import leaking

import attnsearch.training.cost
import attnsearch.training.jax.devices
from attnsearch.base import AttnsearchError
from attnsearch.cli.submit import submit
from attnsearch.leaderboard.entry_file import read
from attnsearch.leaderboard.shortcomings import shortcomings
from attnsearch.mixers import Attention
from attnsearch.probing.verify import sources_of
from attnsearch.runs.cost import Cost
from attnsearch.spec.run import MixerSpec, settings
from attnsearch.spec.suite import Suite

COST = Cost(16, 1_000, 2_000.0, 3_000.0, "1 x cpu")
MLP = MixerSpec("mlp_mixer", settings({"expansion": 4}))


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """The suite, in a process that measures nothing and keeps its devices."""
    monkeypatch.setattr(attnsearch.training.cost, "cost", lambda specs, registries: COST)
    monkeypatch.setattr(attnsearch.training.jax.devices, "use_every_core", lambda: None)
    return suite(tmp_path)


def invoke(folder: Path, *words: str) -> Result:
    given = [str(folder / "store"), "--suite", str(folder / "small.toml"), "-o", str(folder / "entry.json")]
    return CliRunner().invoke(submit, [*given, *words])


def refused(folder: Path, *words: str) -> str:
    done = invoke(folder, *words)
    assert isinstance(done.exception, AttnsearchError), done.output
    assert not (folder / "entry.json").exists()
    return str(done.exception)


def test_complete_runs_make_an_entry(asked: Suite, tmp_path: Path) -> None:
    stored(tmp_path / "store", runs(asked, ATTENTION))
    record = replace(verification(ATTENTION), sources=tuple(sources_of(Attention).items()))
    record.save(tmp_path / "store")
    done = invoke(tmp_path)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{tmp_path / 'entry.json'}  0.0")
    told = json.loads(invoke(tmp_path, "--json").stdout)
    assert (told["entry"], told["mixer"]) == (str(tmp_path / "entry.json"), "attention")
    assert (told["verified"], told["bytes"]) == (True, (tmp_path / "entry.json").stat().st_size)
    assert done.stderr == ""
    entry = read(tmp_path / "entry.json")
    assert shortcomings(asked, entry) == []
    assert (entry.mixer, entry.cost, entry.verification) == (ATTENTION, COST, record)


def test_one_that_is_not_verified_is_entered_and_said_to_be_listed_apart(
    asked: Suite, tmp_path: Path
) -> None:
    stored(tmp_path / "store", runs(asked, ATTENTION))
    done = invoke(tmp_path)
    assert done.exit_code == 0
    assert "attention has not been checked" in done.stderr
    checking = "attnsearch verify attention --mixer-set num_heads=3 --width 128"
    assert f"it will be listed apart; `{checking}` checks it" in done.stderr
    assert read(tmp_path / "entry.json").verification is None


def test_other_code_than_was_verified_is_not_verified(asked: Suite, tmp_path: Path) -> None:
    stored(tmp_path / "store", runs(asked, ATTENTION))
    code = (("attnsearch.mixers.attention", "0" * 64),)
    replace(verification(ATTENTION), sources=code).save(tmp_path / "store")
    done = invoke(tmp_path)
    changed = "attention has not been checked since the code of attnsearch.mixers.attention changed"
    assert changed in done.stderr
    assert "it will be listed apart" in done.stderr
    assert read(tmp_path / "entry.json").verification is None


def test_of_several_mixers_one_is_named(asked: Suite, tmp_path: Path) -> None:
    few, many = (
        replace(ATTENTION, settings=settings({"num_heads": heads, "head_width": None})) for heads in (4, 8)
    )
    stored(tmp_path / "store", [one for mixer in (few, many, MLP) for one in runs(asked, mixer)])
    known = "There are: attention, num heads 4; attention, num heads 8; mlp_mixer"
    hint = "among these runs: give --mixer, and --mixer-set for settings."
    assert refused(tmp_path) == f"several mixers are {hint} {known}"
    assert refused(tmp_path, "--mixer", "attention") == f"several mixers are {hint} {known}"
    assert refused(tmp_path, "--mixer", "atention") == f"no such mixer is {hint} {known}"
    assert invoke(tmp_path, "--mixer", "attention", "--mixer-set", "num_heads=8").exit_code == 0
    assert read(tmp_path / "entry.json").mixer == many


def test_missing_runs_are_named_with_the_command_that_runs_them(asked: Suite, tmp_path: Path) -> None:
    made = [
        one
        for one in runs(asked, MINE)
        if (one.spec.seed, one.spec.cell.optimizer.learning_rate) != (2, 3e-3)
    ]
    stored(tmp_path / "store", made)
    text = refused(tmp_path)
    assert text.startswith(
        "3 of 18 scored runs are missing:"
        " mypackage.mixers:Mine, state size 4, support size 1, learning rate 0.003: seeds 2;"
    )
    assert text.endswith(
        f"To train the missing runs, give `attnsearch sweep {tmp_path / 'small.toml'}"
        " --mixer mypackage.mixers:Mine --mixer-set gain=0.5 --mixer-set gated=true"
        f" --out {tmp_path / 'store'}`"
    )


def test_without_selection_nothing_is_chosen(asked: Suite, tmp_path: Path) -> None:
    stored(tmp_path / "store", [one for one in runs(asked, MINE) if one.spec.seed in asked.seeds])
    assert refused(tmp_path).startswith("12 of 12 selection runs are missing: ")


def test_what_was_scored_at_another_rate_does_not_count(asked: Suite, tmp_path: Path) -> None:
    made = runs(asked, ATTENTION)
    selection = [one for one in made if one.spec.seed in asked.selection_seeds]
    others = asked.reduced(None, {}, [ATTENTION]).scored({ATTENTION: 1e-3})
    stored(tmp_path / "store", [*selection, *(run(spec, 50) for spec in others)])
    assert refused(tmp_path).startswith(
        "18 of 18 scored runs are missing:"
        " attention, state size 4, support size 1, learning rate 0.003: seeds 0 to 5;"
    )


def test_runs_of_another_suite_answer_nothing(asked: Suite, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = suite(tmp_path / "other", SUITE.replace("steps = 400", "steps = 200"))
    stored(tmp_path / "store", runs(other, ATTENTION))
    assert refused(tmp_path) == f"none of these runs answers a question of {tmp_path / 'small.toml'}"


def test_a_module_that_stored_runs_name_is_imported_only_if_the_user_names_it(
    asked: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planted.py").write_text("from pathlib import Path\nPath('imported').touch()\nMine = None\n")
    planted = MixerSpec("planted:Mine", ())
    stored(tmp_path / "store", runs(asked, planted))
    verification(planted).save(tmp_path / "store")
    assert refused(tmp_path).endswith("stored data names: to import it, give --mixer planted:Mine")
    assert not (tmp_path / "imported").exists()
    assert refused(tmp_path, "--mixer", "planted:Mine").startswith(
        "planted:Mine is a NoneType, not a subclass"
    )
    assert (tmp_path / "imported").exists()


def test_runs_that_leak_are_not_entered(asked: Suite, tmp_path: Path) -> None:
    first, *others = runs(asked, ATTENTION)
    stored(tmp_path / "store", [leaking(first), *others])
    said = refused(tmp_path)
    assert said.startswith(
        "attention cannot be entered: leaks: tokens behind a query moved its answer in 1 of "
    )
