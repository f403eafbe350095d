"""Task files: the shipped ones work, and a value that does not fit a knob is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.complaint import message
from helpers.task_files import GOOD, write

from attnsearch.spec.run import PlateauRule, TaskSpec, Value, settings
from attnsearch.spec.task_file import TASK_FOLDER, TaskFile, find_task, shipped_tasks


@pytest.fixture
def mine(tmp_path: Path) -> TaskFile:
    return TaskFile.read(write(tmp_path))


# What ships, and what is well-formed.


@pytest.mark.parametrize("path", sorted(TASK_FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_task_loads_and_resolves_at_its_defaults(path: Path) -> None:
    task = TaskFile.read(path)
    assert task.name == path.stem
    assert shipped_tasks()[task.name] == find_task(task.name) == find_task(str(path)) == task
    assert task.title
    assert task.source
    spec = task.resolve({})
    assert (spec.name, spec.generator, spec.plateau) == (task.name, task.generator, task.plateau)
    assert sorted(dict(spec.knobs)) == sorted(knob.name for knob in task.knobs)
    # Given in full, the same values make the same task: no default is beyond what may be given.
    assert task.resolve(dict(spec.knobs)) == spec
    for knob in task.knobs:
        assert knob.meaning
        assert knob.describe_range()


def test_tasks_ship() -> None:
    assert {"linear_map", "linear_map_autoregressive"} <= set(shipped_tasks())


def test_a_file_says_everything_of_a_task(mine: TaskFile) -> None:
    expected = settings({"state_size": 8, "loss": "targets", "support_size": 4})
    rule = PlateauRule(escape=0.9)
    assert mine.resolve({}) == TaskSpec("mine", "linear_map", expected, rule)
    assert mine.setting_names == {"state_size", "loss", "support_size", "sparsity"}
    ranges = [knob.describe_range() for knob in mine.knobs]
    assert ranges == ["at least 2", "targets or all", "1 to state_size"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 4),
        ({"state_size": 10}, 5),
        ({"sparsity": 0.375}, 3),
        ({"sparsity": 1}, 8),
        ({"sparsity": 1.0}, 8),
        ({"support_size": 1}, 1),
        ({"support_size": 8}, 8),
        # A share that decimals cannot write, as it is printed and as it is shortened.
        ({"state_size": 3, "sparsity": 0.333333}, 1),
        ({"state_size": 3, "sparsity": 0.6667}, 2),
        # In floating point 0.07 x 100 is 7.000000000000001.
        ({"state_size": 100, "sparsity": 0.07}, 7),
    ],
)
def test_a_share_stands_for_a_whole_number(mine: TaskFile, given: dict[str, Value], expected: int) -> None:
    resolved = dict(mine.resolve(given).knobs)["support_size"]
    assert resolved == expected
    assert type(resolved) is int


@pytest.mark.parametrize("state_size", [3, 7, 16, 100, 512])
def test_every_share_that_a_message_would_list_is_accepted(mine: TaskFile, state_size: int) -> None:
    for support_size in range(1, state_size + 1):
        share = float(f"{support_size / state_size:g}")
        resolved = mine.resolve({"state_size": state_size, "sparsity": share})
        assert dict(resolved.knobs)["support_size"] == support_size


BETWEEN = """
[knobs.window]
default = 10
minimum = "state_size"
maximum = 64
meaning = "positions"

[knobs.stride]
default = 9
minimum = "state_size"
maximum = "window"
meaning = "positions"

[knobs.depth]
default = 8
minimum = "state_size"
meaning = "layers of the rule"
"""


def test_a_bound_may_name_an_earlier_knob(tmp_path: Path) -> None:
    task = TaskFile.read(write(tmp_path, GOOD + BETWEEN))
    ranges = [knob.describe_range() for knob in task.knobs[3:]]
    assert ranges == ["state_size to 64", "state_size to window", "at least state_size"]
    known = dict(task.resolve({"state_size": 2, "window": 2, "stride": 2, "depth": 2}).knobs)
    assert (known["window"], known["stride"], known["depth"]) == (2, 2, 2)
    for given, complaint in (
        ({"window": 7}, "window 7 is outside state_size to 64 (state_size is 8)"),
        ({"window": 65}, "window 65 is outside state_size to 64 (state_size is 8)"),
        ({"stride": 11}, "stride 11 is outside state_size to window (state_size is 8, window is 10)"),
        ({"depth": 7}, "depth 7 must be at least state_size (state_size is 8)"),
    ):
        assert message(lambda given=given: task.resolve(given)) == complaint


def test_sizes_keep_to_the_bounds(tmp_path: Path) -> None:
    task = TaskFile.read(write(tmp_path, GOOD + BETWEEN))
    least = {"state_size": 2, "support_size": 1, "window": 2, "stride": 2, "depth": 2}
    assert task.sized({}) == least
    assert task.sized({"state_size": 6, "sparsity": 0.5}) == dict.fromkeys(least, 6) | {"support_size": 3}
    assert task.sized({"loss": "all"}, 3) == {
        **{"state_size": 5, "loss": "all", "support_size": 4},
        **{"window": 8, "stride": 8, "depth": 8},
    }
    assert task.sized({"window": 64, "state_size": 63}, 3)["stride"] == 64
    # A support of all would leave nothing to be found.
    assert [task.sized({"state_size": size}, 3)["support_size"] for size in (2, 3, 4)] == [1, 2, 3]


# What is given and does not fit.


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            {"sparsity": 3},
            "sparsity 3 is outside (0, 1]: it is a ratio; for 3 positions use --support-size 3",
        ),
        (
            {"sparsity": 3.0},
            "sparsity 3.0 is outside (0, 1]: it is a ratio; for 3 positions use --support-size 3",
        ),
        # What would be out of range as a number of positions is not suggested.
        ({"sparsity": 9}, "sparsity 9 is outside (0, 1]: it is a ratio"),
        ({"sparsity": 0}, "sparsity 0 is outside (0, 1]: it is a ratio"),
        ({"sparsity": -1}, "sparsity -1 is outside (0, 1]: it is a ratio"),
        ({"sparsity": 1.5}, "sparsity 1.5 is outside (0, 1]: it is a ratio"),
        ({"sparsity": float("nan")}, "sparsity nan is outside (0, 1]: it is a ratio"),
        ({"sparsity": float("inf")}, "sparsity inf is outside (0, 1]: it is a ratio"),
        ({"sparsity": "abc"}, "sparsity 'abc' is not a ratio in (0, 1]"),
        ({"sparsity": True}, "sparsity True is not a ratio in (0, 1]"),
        ({"sparsity": None}, "sparsity None is not a ratio in (0, 1]"),
        (
            {"sparsity": 0.3},
            "sparsity 0.3 of state_size 8 is 2.4 positions, not a whole number;"
            " these are: 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1",
        ),
        # Among hundreds only the neighbours.
        (
            {"state_size": 512, "sparsity": 0.3},
            "sparsity 0.3 of state_size 512 is 153.6 positions, not a whole number;"
            " these are: 0.298828, 0.300781",
        ),
        (
            {"state_size": 512, "sparsity": 0.001},
            "sparsity 0.001 of state_size 512 is 0.512 positions, not a whole number; these are: 0.00195312",
        ),
        (
            {"state_size": 7},
            "sparsity 0.5 of state_size 7 is 3.5 positions, not a whole number;"
            " these are: 0.142857, 0.285714, 0.428571, 0.571429, 0.714286, 0.857143, 1",
        ),
        ({"sparsity": 0.5, "support_size": 4}, "give sparsity or support_size, not both"),
        ({"support_size": 0}, "support_size 0 is outside 1 to state_size (state_size is 8)"),
        ({"support_size": 9}, "support_size 9 is outside 1 to state_size (state_size is 8)"),
        ({"support_size": 2.5}, "support_size 2.5 is not a whole number"),
        ({"support_size": 2.0}, "support_size 2.0 is not a whole number"),
        ({"support_size": True}, "support_size True is not a whole number"),
        ({"support_size": "four"}, "support_size 'four' is not a whole number"),
        ({"state_size": 1}, "state_size 1 must be at least 2"),
        ({"state_size": 4, "support_size": 5}, "support_size 5 is outside 1 to state_size (state_size is 4)"),
        ({"loss": "some"}, "loss 'some' is unknown: targets or all"),
        ({"loss": 1}, "loss 1 is unknown: targets or all"),
        (
            {"statesize": 8},
            "task mine has no knob 'statesize'. Did you mean state_size or support_size?"
            " Known: loss, sparsity, state_size, support_size.",
        ),
    ],
)
def test_a_value_that_does_not_fit(mine: TaskFile, given: dict[str, Value], complaint: str) -> None:
    assert message(lambda: mine.resolve(given)) == complaint


def test_a_threshold_that_is_not_given_has_its_default(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("[plateau]\nescape = 0.9\n", ""))
    assert TaskFile.read(path).plateau == PlateauRule()


def test_a_task_is_found_by_name_or_path(tmp_path: Path, mine: TaskFile) -> None:
    assert find_task(str(write(tmp_path))) == mine
    unknown = message(lambda: find_task("linear_mab"))
    assert unknown.startswith("unknown task 'linear_mab'. Did you mean linear_map")
    assert f"Known: {', '.join(sorted(shipped_tasks()))}. " in unknown
    assert unknown.endswith("Or a path ending in .toml.")
    assert "Did you mean" not in message(lambda: find_task("zzz"))
