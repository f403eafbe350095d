"""Stored data names code. Of the modules in the current folder, only what the user names is imported."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.stored import make_run

from attnsearch.cli.main import main
from attnsearch.mixers import MIXERS, Attention
from attnsearch.probing.ablation import trainer_of
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import MixerSpec, TaskSpec, settings
from attnsearch.training.jax.backend import JaxBackend

PLANTED = """\
from pathlib import Path
from attnsearch.generators import LinearMap
from attnsearch.mixers import Attention

Path("imported").touch()

class Mine(Attention):
    pass

class Copied(LinearMap):
    pass
"""

LINEAR_MAP = TaskSpec("linear_map", "linear_map", settings({"state_size": 4, "support_size": 2}))
ATTENTION = MixerSpec("attention", settings({"num_heads": 4}))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a planted module, in which a command is given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_planted", raising=False)
    (tmp_path / "my_planted.py").write_text(PLANTED)
    return tmp_path


def stored(task: TaskSpec, mixer: MixerSpec) -> StoredRun:
    run = make_run(0)
    return replace(run, spec=replace(run.spec, cell=replace(run.spec.cell, task=task, mixer=mixer)))


@pytest.mark.parametrize(
    ("task", "mixer", "flag"),
    [
        (LINEAR_MAP, replace(ATTENTION, name="my_planted:Mine"), "--mixer my_planted:Mine"),
        (replace(LINEAR_MAP, generator="my_planted:Copied"), ATTENTION, "--generator my_planted:Copied"),
    ],
)
def test_a_planted_module_is_imported_when_it_is_named_and_not_before(
    here: Path, capsys: pytest.CaptureFixture[str], task: TaskSpec, mixer: MixerSpec, flag: str
) -> None:
    store = Store.open(here / "results")
    store.save(stored(task, mixer))
    words = ["ablate", str(store.root), "--no-plots"]
    for more, expected in (
        ([], f"to import it, give {flag}"),
        (flag.split(), "stored without its parameters"),
    ):
        assert not (here / "imported").exists()
        with pytest.raises(SystemExit) as ended:
            main([*words, *more])
        assert ended.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert expected in line
    assert (here / "imported").exists()


def test_in_python_the_registry_is_what_the_user_names() -> None:
    backend = JaxBackend(mixers=MIXERS | {"my_planted:Mine": Attention})
    made = trainer_of(stored(LINEAR_MAP, replace(ATTENTION, name="my_planted:Mine")), backend)
    assert made.network.mixer is Attention
