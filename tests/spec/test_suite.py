"""Suites: the shipped ones are what they should be; every other says in one line what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from attnsearch.base import AttnsearchError
from attnsearch.spec.grid import LARGEST_SEED, grid
from attnsearch.spec.run import CellSpec, MixerSpec, RunSpec, Value
from attnsearch.spec.suite import Suite, find_suite
from attnsearch.spec.task_file import TASK_FOLDER

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

KNOWN_MIXERS: dict[str, dict[str, Value]] = {
    "attention": {"num_heads": 16, "head_width": None},
    "mlp_mixer": {"expansion": 4},
}

GOOD = """\
name = "mine"
title = "Mine"
source = "nowhere"
seeds = 3
rule_seed = 7

[[tasks]]
task = "linear_map"
state_size = [4, 8]
support_size = 2

[[tasks]]
task = "linear_map"
state_size = 16
sparsity = 0.25

[[mixers]]
mixer = "mlp_mixer"

[[mixers]]
mixer = "attention"
num_heads = [4, 8]

[training]
steps = 500
learning_rate = [1e-3, 3e-3]
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def read(path: Path) -> Suite:
    return Suite.read(path, KNOWN_MIXERS)


def cells(runs: list[RunSpec]) -> list[CellSpec]:
    return list(dict.fromkeys(run.cell for run in runs))


def message(call: Callable[[], object]) -> str:
    """The one line in which `call` complains."""
    with pytest.raises(AttnsearchError) as caught:
        call()
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


# What ships.

SHIPPED = {
    "smoke": (8, 8 * 8, 400),
    "sparsity": (2 * (8 + 16 + 17), 2 * (8 + 16 + 17) * 16, 10_000),
    "context": (6 + 5 + 6, (6 + 5 + 6) * 16, 10_000),
    "heads": (8 + 3 * 6, (8 + 3 * 6) * 16, 10_000),
    "automaton": (6 * 3, 6 * 3 * 8, 10_000),
    "mixers": (10 * 2 * 3, 10 * 2 * (3 * 2 + 8), 2_000),
}
"""Cells, the runs of a sweep, and the budget of each."""


def test_every_shipped_suite_is_expected_here() -> None:
    assert {path.stem for path in BENCHMARKS.glob("*.toml")} == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_suite_is_what_its_readme_says(name: str) -> None:
    from attnsearch.training.jax.backend import JaxBackend

    suite = Suite.read(BENCHMARKS / f"{name}.toml", JaxBackend().known_mixers)
    runs = suite.runs()
    swept = [*suite.selection(), *suite.scored(dict.fromkeys(suite.mixers, 1e-3))]
    swept = swept if suite.selection_seeds else runs
    expected, number, budget = SHIPPED[name]
    assert (suite.name, len(cells(runs)), len(swept)) == (name, expected, number)
    assert len({run.digest for run in swept}) == len(swept)
    assert all(run.seed == run.rule_seed for run in swept)
    assert f"| {expected:,} | {number:,} |" in _line(BENCHMARKS / "README.md", f"`{name}.toml`")
    assert suite.title
    assert "arXiv:2606.25010" in suite.source
    assert {run.cell.budget.steps for run in swept} == {budget}
    # Nothing in it is refused by a generator or a mixer.
    fewer = suite.reduced((0,), {"learning_rate": (1e-3,)}).runs()
    assert sum(len(cohort.specs) for cohort in JaxBackend().cohorts(fewer)) == len(fewer)


def _line(path: Path, words: str) -> str:
    (line,) = (
        line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {words}")
    )
    return line


def test_the_example_of_the_readme_is_a_suite(write: Write) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (BENCHMARKS / "README.md").read_text(), flags=re.DOTALL)
    suite = read(write(example))
    assert len(suite.runs()) == (4 + 1) * 3 * 2 * 16
    assert len(suite.selection()) == (4 + 1) * 3 * 2 * 4


# What a suite stands for.


def test_everything_is_crossed_tasks_outermost_and_seeds_innermost(write: Write) -> None:
    runs = read(write(GOOD)).runs()
    names = ("state_size", "support_size", "learning_rate", "mixer", "num_heads")
    assert [(*(run.cell.flat().get(name, "-") for name in names), run.seed) for run in runs] == [
        (*task, learning_rate, *mixer, seed)
        for task in ((4, 2), (8, 2), (16, 4))
        for learning_rate in (1e-3, 3e-3)
        for mixer in (("mlp_mixer", "-"), ("attention", 4), ("attention", 8))
        for seed in range(3)
    ]
    assert {(run.cell.budget.steps, run.rule_seed) for run in runs} == {(500, 7)}


def test_its_runs_are_those_of_the_grid(write: Write) -> None:
    text = GOOD.replace('[[tasks]]\ntask = "linear_map"\nstate_size = 16\nsparsity = 0.25\n', "")
    values = {
        "state_size": [4, 8],
        "support_size": [2],
        "num_heads": [4, 8],
        "steps": [500],
        "learning_rate": [1e-3, 3e-3],
    }
    mixers = ["mlp_mixer", "attention"]
    assert read(write(text)).runs() == grid(
        ["linear_map"], mixers, values, known_mixers=KNOWN_MIXERS, seeds=range(3), rule_seed=7
    )


def test_what_two_tables_have_in_common_is_there_once(write: Write) -> None:
    text = GOOD.replace("state_size = 16\nsparsity = 0.25", "state_size = 8\nsupport_size = [2, 3]")
    text = text.replace('mixer = "mlp_mixer"', 'mixer = "attention"\nnum_heads = [8, 16]')
    found = [
        (cell.flat()["state_size"], cell.flat()["support_size"], cell.flat()["num_heads"])
        for cell in cells(read(write(text)).runs())
        if cell.optimizer.learning_rate == 1e-3
    ]
    assert found == [(*task, heads) for task in ((4, 2), (8, 2), (8, 3)) for heads in (8, 16, 4)]


def test_what_may_be_left_out(write: Write) -> None:
    text = (
        GOOD.partition("[training]")[0].replace("rule_seed = 7\n", "").replace("seeds = 3", "seeds = [5, 2]")
    )
    runs = read(write(text)).runs()
    assert [(run.seed, run.rule_seed) for run in runs[:3]] == [(5, 5), (2, 2), (5, 5)]
    assert runs[0].cell.budget.steps == 10_000


def test_selection_takes_every_learning_rate_and_what_is_scored_the_chosen_one(write: Write) -> None:
    suite = read(write(GOOD.replace("seeds = 3", "seeds = [5, 2]\nselection_seeds = 2")))
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


def test_where_nothing_is_chosen_there_is_no_selection(write: Write) -> None:
    assert read(write(GOOD)).selection() == []
    # Nor among one rate.
    one = GOOD.replace("seeds = 3", "seeds = 3\nselection_seeds = 2").replace("[1e-3, 3e-3]", "1e-3")
    assert read(write(one)).selection() == []


def test_selection_seeds_are_a_list_too_and_no_others_than_those_that_are_scored(write: Write) -> None:
    suite = read(write(GOOD.replace("seeds = 3", "seeds = 3\nselection_seeds = [9, 7]")))
    assert [run.seed for run in suite.selection()[:2]] == [9, 7]
    text = message(lambda: suite.reduced((7,), {}).selection())
    assert text.startswith("seed 7 is both scored and a selection seed")


def test_a_suite_may_be_read_for_other_mixers(write: Write) -> None:
    path = write(GOOD.replace('mixer = "mlp_mixer"', 'mixer = "unheard.of:Mixer"\nsetting = 3'))
    suite = Suite.read(path, None)
    assert suite.mixers == ()
    assert suite.runs() == []
    mine = MixerSpec("mine", ())
    assert len(suite.reduced(None, {}, [mine]).runs()) == 3 * 2 * 3


def test_a_task_file_is_found_from_the_folder_of_the_suite(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    task = (TASK_FOLDER / "linear_map.toml").read_text().replace('name = "linear_map"', 'name = "own"')
    (tmp_path / "own" / "task.toml").write_text(task)
    monkeypatch.chdir("/")
    for name in ("own/task.toml", str(tmp_path / "own" / "task.toml")):
        suite = read(write(GOOD.replace('task = "linear_map"', f'task = "{name}"')))
        assert {task.name for task in suite.tasks} == {"own"}


def test_a_suite_is_reduced_from_outside(write: Write) -> None:
    suite = read(write(GOOD))
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


@pytest.mark.parametrize(
    ("seeds", "training", "complaint"),
    [
        (range(0), {}, "seeds is 0: at least 1 run is needed, 8 for a distribution"),
        ((-1,), {}, "seed -1 is outside"),
        (None, {"steps": (15,)}, "steps 15 is not a multiple of 10"),
        (None, {"learning_rate": ("fast",)}, "learning_rate 'fast' is not a number"),
    ],
)
def test_a_reduction_that_does_not_fit_does_not_blame_the_file(
    write: Write, seeds: tuple[int, ...] | None, training: dict[str, tuple[Value, ...]], complaint: str
) -> None:
    suite = read(write(GOOD))
    assert message(lambda: suite.reduced(seeds, training).runs()).startswith(complaint)


# What is refused.


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        # The file as a whole.
        ('title = "Mine"', "title = Mine", r"not TOML: .*line 2"),
        ('name = "mine"\n', "", r"missing key 'name'$"),
        ('source = "nowhere"\n', "", r"missing key 'source'$"),
        ("seeds = 3\n", "", r"missing key 'seeds'$"),
        ('title = "Mine"', "title = 3", r"title = 3 is not text$"),
        ("rule_seed", "rule_sed", r"unknown key 'rule_sed'\. Did you mean rule_seed.*Known: mixers, name,"),
        ("[training]", "[trainning]", r"unknown key 'trainning'\. Did you mean training\?"),
        ("seeds = 3", 'seeds = "3"', r"seeds = '3' is neither a count nor a list of whole numbers$"),
        ("seeds = 3", "seeds = true", r"seeds = True is neither"),
        ("seeds = 3", "seeds = [1, 2.5]", r"seeds = \[1, 2\.5\] is neither"),
        ("seeds = 3", "seeds = 0", r"seeds is 0: at least 1 run is needed"),
        ("seeds = 3", "seeds = []", r"seeds is 0: at least 1 run is needed"),
        ("seeds = 3", "seeds = [-2]", r"seed -2 is outside 0 to"),
        ("rule_seed = 7", "rule_seed = 0.5", r"rule_seed = 0\.5 is not a whole number$"),
        ("rule_seed = 7", 'selection_seeds = "4"', r"selection_seeds = '4' is neither a count nor a list"),
        ("rule_seed = 7", "selection_seeds = 0", r"selection_seeds = 0 chooses nothing: give 1 or more"),
        ("rule_seed = 7", "selection_seeds = []", r"selection_seeds = \[\] chooses nothing"),
        ("rule_seed = 7", "selection_seeds = [2, 3]", r"seed 2 is both scored and a selection seed"),
        ("rule_seed = 7", "selection_seeds = [-1]", r"seed -1 is outside 0 to"),
        ("rule_seed = 7", f"rule_seed = {LARGEST_SEED + 1}", r"seed 2147483648 is outside 0 to"),
        # Tasks.
        (
            'task = "linear_map"\nstate_size = 16',
            "state_size = 16",
            r"\[\[tasks\]\] number 2: missing key 'task'",
        ),
        (
            'task = "linear_map"\nstate_size = 16',
            'task = "linear_mop"\nstate_size = 16',
            r"\[\[tasks\]\] number 2: unknown task 'linear_mop'\. Did you mean linear_map",
        ),
        (
            'task = "linear_map"\nstate_size = 16',
            'task = "no/such.toml"\nstate_size = 16',
            r"\[\[tasks\]\] number 2: .*no/such\.toml: cannot be read",
        ),
        (
            'task = "linear_map"\nstate_size = 16',
            'task = ["linear_map"]\nstate_size = 16',
            r"\[\[tasks\]\] number 2: task = \['linear_map'\] is not text$",
        ),
        (
            "support_size = 2",
            "suport_size = 2",
            r"\[\[tasks\]\] number 1: unknown key 'suport_size'\. Did you mean support_size.*Known: spar",
        ),
        (
            "support_size = 2",
            "support_size = [2, 5]",
            r"\[\[tasks\]\] number 1: support_size 5 is outside 1 to state_size \(state_size is 4\)$",
        ),
        ("support_size = 2", "support_size = []", r"\[\[tasks\]\] number 1: support_size has no values$"),
        (
            "support_size = 2",
            "support_size = [[2]]",
            r"\[\[tasks\]\] number 1: support_size = \[\[2\]\] is neither a value nor a list of values$",
        ),
        (
            "support_size = 2",
            "support_size = 2026-01-01",
            r"\[\[tasks\]\] number 1: support_size = .* is neither a value nor a list",
        ),
        (
            "support_size = 2",
            "support_size = 2\nsparsity = 0.5",
            r"\[\[tasks\]\] number 1: give sparsity or support_size, not both$",
        ),
        ("sparsity = 0.25", "sparsity = 3", r"\[\[tasks\]\] number 2: sparsity 3 is outside \(0, 1\]"),
        ("sparsity = 0.25", "num_heads = 4", r"\[\[tasks\]\] number 2: unknown key 'num_heads'"),
        # Mixers.
        (
            'mixer = "attention"',
            'mixer = "atention"',
            r"\[\[mixers\]\] number 2: unknown mixer 'atention'\. Did you mean attention\?",
        ),
        (
            "num_heads = [4, 8]",
            "heads = [4, 8]",
            r"\[\[mixers\]\] number 2: unknown key 'heads'\. Did you mean num_heads.*Known: head_wid",
        ),
        (
            "num_heads = [4, 8]",
            "num_heads = [4, 8.5]",
            r"\[\[mixers\]\] number 2: num_heads 8\.5 of mixer attention is not a whole number$",
        ),
        # Training.
        (
            "learning_rate =",
            "learning_rates =",
            r"\[training\]: unknown key 'learning_rates'\. Did you mean learning_rate\?",
        ),
        ("steps = 500", "steps = 505", r"\[training\]: steps 505 is not a multiple of 10.*use 500 or 510$"),
        ("[1e-3, 3e-3]", "[1e-3, 0]", r"\[training\]: learning_rate 0 must be above 0$"),
        ("[1e-3, 3e-3]", "[1e-3, nan]", r"\[training\]: learning_rate nan is not a number$"),
    ],
)
def test_a_malformed_suite_is_refused_by_name_and_place(
    write: Write, right: str, wrong: str, complaint: str
) -> None:
    assert GOOD.count(right) == 1
    path = write(GOOD.replace(right, wrong))
    text = message(lambda: read(path))
    assert text.startswith(f"{path}: ")
    assert re.search(complaint, text), text


@pytest.mark.parametrize("key", ["tasks", "mixers"])
@pytest.mark.parametrize("value", ["[]", '"linear_map"', '["linear_map"]', "{}"])
def test_tasks_and_mixers_are_lists_of_tables(write: Write, key: str, value: str) -> None:
    kept = re.sub(rf"\[\[{key}\]\]\n(.+\n)+", "", GOOD)
    path = write(f"{key} = {value}\n{kept}")
    expected = f"{path}: {key} is not a list of tables: write [[{key}]] above each"
    assert message(lambda: read(path)) == expected


def test_training_is_a_table(write: Write) -> None:
    path = write("training = 3\n" + GOOD.partition("[training]")[0])
    assert message(lambda: read(path)) == f"{path}: [training]: training = 3 is not a table"


def test_a_knob_may_not_have_the_name_of_a_setting_of_every_run(write: Write, tmp_path: Path) -> None:
    task = (TASK_FOLDER / "linear_map.toml").read_text() + (
        '\n[knobs.width]\ndefault = 3\nminimum = 1\nmeaning = "of the grid"\n'
    )
    (tmp_path / "wide.toml").write_text(task)
    path = write(GOOD.replace('"linear_map"\nstate_size = 16', '"wide.toml"\nstate_size = 16'))
    text = message(lambda: read(path))
    assert (
        text
        == f"{path}: knob 'width' of task linear_map is called like a setting of every run: rename the knob"
    )


# What a suite is called.


def test_a_suite_is_found_by_its_path(write: Write) -> None:
    path = write(GOOD)
    assert find_suite(str(path)) == path


def test_what_is_no_file_is_answered_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bare = "no suite 'smoke': give the path of a suite file, which ends in .toml"
    assert message(lambda: find_suite("smoke")) == bare
    assert message(lambda: find_suite(str(tmp_path))).startswith(f"no suite '{tmp_path}': give the path")
    monkeypatch.chdir(BENCHMARKS.parent)
    for name in ("smoke", "smoke.toml", "benchmarks/smok", "benchmarks/smoke", "benchmarks/smokes.toml"):
        text = message(lambda name=name: find_suite(name))
        assert text.startswith(f"no suite '{name}': give the path of a suite file.")
        assert " Did you mean benchmarks/smoke.toml" in text
        assert " Known: benchmarks/automaton.toml, benchmarks/context.toml, " in text
