"""What a suite stands for: runs to choose by, runs that are scored, and a suite reduced from outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.complaint import message
from helpers.suite_files import GOOD, KNOWN_MIXERS, cells, read, write

from attnsearch.spec.grid import grid
from attnsearch.spec.run import MixerSpec, Value
from attnsearch.spec.suite import Suite
from attnsearch.spec.task_file import TASK_FOLDER


def test_everything_is_crossed_tasks_outermost_and_seeds_innermost(tmp_path: Path) -> None:
    runs = read(write(tmp_path, GOOD)).runs()
    names = ("state_size", "support_size", "learning_rate", "mixer", "num_heads")
    assert [(*(run.cell.flat().get(name, "-") for name in names), run.seed) for run in runs] == [
        (*task, learning_rate, *mixer, seed)
        for task in ((4, 2), (8, 2), (16, 4))
        for learning_rate in (1e-3, 3e-3)
        for mixer in (("mlp_mixer", "-"), ("attention", 4), ("attention", 8))
        for seed in range(3)
    ]
    assert {(run.cell.budget.steps, run.rule_seed) for run in runs} == {(500, 7)}


def test_its_runs_are_those_of_the_grid(tmp_path: Path) -> None:
    text = GOOD.replace('[[tasks]]\ntask = "linear_map"\nstate_size = 16\nsparsity = 0.25\n', "")
    values = {
        "state_size": [4, 8],
        "support_size": [2],
        "num_heads": [4, 8],
        "steps": [500],
        "learning_rate": [1e-3, 3e-3],
    }
    mixers = ["mlp_mixer", "attention"]
    assert read(write(tmp_path, text)).runs() == grid(
        ["linear_map"], mixers, values, known_mixers=KNOWN_MIXERS, seeds=range(3), rule_seed=7
    )


def test_what_two_tables_have_in_common_is_there_once(tmp_path: Path) -> None:
    text = GOOD.replace("state_size = 16\nsparsity = 0.25", "state_size = 8\nsupport_size = [2, 3]")
    text = text.replace('mixer = "mlp_mixer"', 'mixer = "attention"\nnum_heads = [8, 16]')
    found = [
        (cell.flat()["state_size"], cell.flat()["support_size"], cell.flat()["num_heads"])
        for cell in cells(read(write(tmp_path, text)).runs())
        if cell.optimizer.learning_rate == 1e-3
    ]
    assert found == [(*task, heads) for task in ((4, 2), (8, 2), (8, 3)) for heads in (8, 16, 4)]


def test_what_may_be_left_out(tmp_path: Path) -> None:
    text = (
        GOOD.partition("[training]")[0].replace("rule_seed = 7\n", "").replace("seeds = 3", "seeds = [5, 2]")
    )
    runs = read(write(tmp_path, text)).runs()
    assert [(run.seed, run.rule_seed) for run in runs[:3]] == [(5, 5), (2, 2), (5, 5)]
    assert runs[0].cell.budget.steps == 10_000


def test_selection_takes_every_learning_rate_and_what_is_scored_the_chosen_one(tmp_path: Path) -> None:
    suite = read(write(tmp_path, GOOD.replace("seeds = 3", "seeds = [5, 2]\nselection_seeds = 2")))
    assert suite.seeds == (5, 2)
    assert list(suite.selection_seeds) == [6, 7]
    assert suite.selection() == suite.reduced((6, 7), {}).runs()
    mixer, few, many = suite.mixers
    scored = suite.scored({mixer: 3e-3, few: 1e-3, many: 3e-3})
    assert scored == [
        run
        for one, rate in ((mixer, 3e-3), (few, 1e-3), (many, 3e-3))
        for run in suite.reduced(None, {"learning_rate": (rate,)}, [one]).runs()
    ]
    assert set(scored) < set(suite.runs())
    assert {run.seed for run in scored} == {5, 2}


def test_where_nothing_is_chosen_there_is_no_selection(tmp_path: Path) -> None:
    assert read(write(tmp_path, GOOD)).selection() == []
    # Nor among one rate.
    one = GOOD.replace("seeds = 3", "seeds = 3\nselection_seeds = 2").replace("[1e-3, 3e-3]", "1e-3")
    assert read(write(tmp_path, one)).selection() == []


def test_selection_seeds_are_a_list_too_and_no_others_than_those_that_are_scored(tmp_path: Path) -> None:
    suite = read(write(tmp_path, GOOD.replace("seeds = 3", "seeds = 3\nselection_seeds = [9, 7]")))
    assert [run.seed for run in suite.selection()[:2]] == [9, 7]
    text = message(lambda: suite.reduced((7,), {}).selection())
    assert text.startswith("seed 7 is both scored and a selection seed")


def test_a_suite_may_be_read_for_other_mixers(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace('mixer = "mlp_mixer"', 'mixer = "unheard.of:Mixer"\nsetting = 3'))
    suite = Suite.read(path, None)
    assert suite.mixers == ()
    assert suite.runs() == []
    mine = MixerSpec("mine", ())
    assert len(suite.reduced(None, {}, [mine]).runs()) == 3 * 2 * 3


def test_a_task_file_is_found_from_the_folder_of_the_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    task = (TASK_FOLDER / "linear_map.toml").read_text().replace('name = "linear_map"', 'name = "own"')
    (tmp_path / "own" / "task.toml").write_text(task)
    monkeypatch.chdir("/")
    for name in ("own/task.toml", str(tmp_path / "own" / "task.toml")):
        suite = read(write(tmp_path, GOOD.replace('task = "linear_map"', f'task = "{name}"')))
        assert {task.name for task in suite.tasks} == {"own"}


def test_a_suite_is_reduced_from_outside(tmp_path: Path) -> None:
    suite = read(write(tmp_path, GOOD))
    assert suite.reduced(None, {}) == suite
    runs = suite.reduced((4,), {"steps": (40,), "learning_rate": (0.1, 0.2, 0.3), "width": (32,)}).runs()
    assert len(runs) == 3 * 3 * 3
    assert {(run.seed, run.cell.budget.steps, run.cell.network.width) for run in runs} == {(4, 40, 32)}
    # What is not given stays as the suite has it.
    assert cells(suite.reduced(range(1), {}).runs()) == cells(suite.runs())
    assert {run.cell.optimizer.learning_rate for run in suite.reduced(None, {"steps": (10,)}).runs()} == {
        1e-3,
        3e-3,
    }


def test_a_hidden_layer_scales_with_the_width_of_each_run(tmp_path: Path) -> None:
    text = GOOD.replace("steps = 500", 'steps = 500\nwidth = [10, 20]\nmlp_width = [40, "0.1x"]')
    suite = read(write(tmp_path, text))

    def widths(suite: Suite) -> list[tuple[int, int]]:
        found = [(cell.network.width, cell.network.mlp_width) for cell in cells(suite.runs())]
        return list(dict.fromkeys(found))

    assert widths(suite) == [(10, 40), (10, 1), (20, 40), (20, 2)]
    # Flags replace either: a multiple is then of the other's value, not of the usual one.
    assert widths(suite.reduced(None, {"mlp_width": ("0.2x",)})) == [(10, 2), (20, 4)]
    assert widths(suite.reduced(None, {"width": (40,)})) == [(40, 40), (40, 4)]
    assert suite.learning_rates == [1e-3, 3e-3]


@pytest.mark.parametrize(
    ("seeds", "training", "complaint"),
    [
        (range(0), {}, "seeds is 0: at least 1 run is needed, 8 for a distribution"),
        ((-1,), {}, "seed -1 is outside"),
        (None, {"steps": (15,)}, "steps 15 is not a multiple of 10"),
        (None, {"learning_rate": ("fast",)}, "learning_rate 'fast' is not a number"),
        (None, {"mlp_width": ("1.5x",), "width": (3,)}, "mlp_width 1.5x of width 3: mlp_width 4.5 is not a"),
    ],
)
def test_a_reduction_that_does_not_fit_does_not_blame_the_file(
    tmp_path: Path, seeds: tuple[int, ...] | None, training: dict[str, tuple[Value, ...]], complaint: str
) -> None:
    suite = read(write(tmp_path, GOOD))
    assert message(lambda: suite.reduced(seeds, training).runs()).startswith(complaint)
