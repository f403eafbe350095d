"""A mixer's setting may be called like a knob: then it is `mixer.<name>`, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from shlex import split

import pytest

from attnsearch.base import AttnsearchError
from attnsearch.cli import main as cli
from attnsearch.spec.command import command
from attnsearch.spec.grid import KnownMixers, Lists, grid
from attnsearch.spec.names import Names
from attnsearch.spec.run import RunSpec, Value
from attnsearch.spec.suite import Suite
from attnsearch.spec.task_file import find_task

KNOWN: KnownMixers = {
    "recurrent": {"state_size": 16, "steps": 3, "decay": 0.5},
    "attention": {"num_heads": 16},
}

SUITE = """\
name = "tiny"
title = "Tiny"
source = "nowhere"
seeds = 1

[[tasks]]
task = "linear_map"
state_size = [4, 8]

[[mixers]]
mixer = "recurrent"
state_size = [2, 32]

[training]
steps = 100
"""


def runs_of(values: Lists, mixers: tuple[str, ...] = ("recurrent",)) -> list[RunSpec]:
    return grid(["linear_map"], mixers, values, known_mixers=KNOWN, seeds=[0])


def flats(runs: list[RunSpec], *names: str) -> list[tuple[Value, ...]]:
    return [tuple(run.cell.flat()[name] for name in names) for run in runs]


def test_the_plain_name_is_the_knob_s_and_the_qualified_one_the_mixer_s() -> None:
    runs = runs_of({"state_size": [4, 8], "mixer.state_size": [2, 32], "mixer.steps": [5], "steps": [100]})
    names = ("state_size", "mixer.state_size", "steps", "mixer.steps", "decay")
    assert flats(runs, *names) == [(size, own, 100, 5, 0.5) for size in (4, 8) for own in (2, 32)]
    assert dict(runs[0].cell.mixer.settings) == {"state_size": 2, "steps": 5, "decay": 0.5}


def test_a_name_that_nothing_else_has_is_plain() -> None:
    (run,) = runs_of({"decay": [0.25]})
    assert (run.cell.flat()["decay"], "mixer.decay" in run.cell.flat()) == (0.25, False)
    assert runs_of({"mixer.decay": [0.25]}) == [run]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"decay": [0.25], "mixer.decay": [0.5]}, "give decay or mixer.decay, not both"),
        ({"mixer.state_size": ["wide"]}, "state_size 'wide' of mixer recurrent is not a whole number"),
        ({"mixer.stat_size": [1]}, "no setting 'mixer.stat_size' in linear_map, recurrent. Did you mean mix"),
        ({"mixer.num_heads": [1]}, "in linear_map, recurrent; it is a setting of mixer attention."),
        ({"mixer.state_size": []}, "mixer.state_size has no values"),
    ],
)
def test_what_does_not_fit_is_named(values: Lists, complaint: str) -> None:
    with pytest.raises(AttnsearchError) as caught:
        runs_of(values)
    assert complaint in str(caught.value)


def test_the_digest_tells_the_two_apart_and_json_gives_the_run_back() -> None:
    first, second = (
        runs_of({"state_size": [4], "mixer.state_size": [8]}),
        runs_of({"state_size": [8], "mixer.state_size": [4]}),
    )
    assert first[0].digest != second[0].digest
    for (run,) in (first, second):
        assert RunSpec.from_json(run.to_json()) == run


def test_what_differs_is_said_of_the_one_that_differs() -> None:
    cells = [run.cell for run in runs_of({"mixer.state_size": [2, 32]})]
    names = Names(cells)
    assert names.differing == ("mixer.state_size",)
    assert [names.label(cell) for cell in cells] == [
        f"recurrent, mixer state size {size}" for size in (2, 32)
    ]
    assert "state-size" in names.stem(RunSpec(cells[0], 0, 0))


def test_beside_a_task_with_that_knob_the_mixer_s_is_qualified_in_every_cell() -> None:
    cells = [run.cell for run in runs_of({"mixer.state_size": [2, 32]})]
    bare = find_task("cellular_automaton").resolve({})
    other = [cell.__class__(bare, cell.mixer, cell.network, cell.optimizer, cell.budget) for cell in cells]
    assert "mixer.state_size" in Names([*cells, *other]).differing


def test_a_suite_gives_each_in_its_own_table(tmp_path: Path) -> None:
    (path := tmp_path / "tiny.toml").write_text(SUITE)
    runs = Suite.read(path, KNOWN).runs()
    assert flats(runs, "state_size", "mixer.state_size") == [(4, 2), (4, 32), (8, 2), (8, 32)]
    assert flats(runs, "steps", "mixer.steps") == [(100, 3)] * 4


MODULE = """\
from attnsearch import Mixer

class Recurrent(Mixer):
    '''Mixes nothing.'''

    def __init__(self, width, context_length, *, rngs, state_size=16, steps=3):
        self.state_size = state_size

    def __call__(self, x):
        return x
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """What commands would train; the mixer's module lies where they are given."""
    runs: list[RunSpec] = []
    (tmp_path / "my_recurrent.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("attnsearch.cli.train.sweep", lambda specs, *rest: runs.extend(specs) or True)
    return runs


def test_the_command_of_a_cell_asks_for_that_cell_again(asked: list[RunSpec]) -> None:
    known = {"my_recurrent:Recurrent": {"state_size": 16, "steps": 3}}
    values: Lists = {"state_size": [4], "mixer.state_size": [8], "steps": [100], "mixer.steps": [7]}
    (run,) = grid(["linear_map"], list(known), values, known_mixers=known, seeds=[3])
    words = split(command(run.cell, [3]))
    assert {"--mixer-set", "state_size=8", "steps=7", "--state-size"} < set(words)
    with pytest.raises(SystemExit) as ended:
        cli.main(words[1:])
    assert ended.value.code in (0, None)
    assert asked == [run]


def test_a_flag_of_a_shipped_mixer_is_qualified_where_a_knob_has_its_name(
    tmp_path: Path, asked: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[2] / "tasks" / "linear_map.toml").read_text()
    (path := tmp_path / "mine.toml").write_text(
        text + '\n[knobs.expansion]\ndefault = 2\nminimum = 1\nmeaning = "of the universe"\n'
    )
    words = ["run", "--task", str(path), "--mixer", "mlp_mixer", "--mixer-expansion", "5"]
    with pytest.raises(SystemExit):
        cli.main(words)
    assert flats(asked[:1], "expansion", "mixer.expansion") == [(2, 5)]
    with pytest.raises(SystemExit):
        cli.main([*words, "--mixer-set", "expansion=3"])
    assert "give --mixer-expansion or --mixer-set expansion=..., not both" in capsys.readouterr().err
