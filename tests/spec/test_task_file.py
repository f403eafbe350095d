"""Task files: the shipped ones work, and every other says in one line what is wrong with it and where."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from attnsearch.base import AttnsearchError
from attnsearch.spec.run import PlateauRule, TaskSpec, Value, settings
from attnsearch.spec.task_file import TASK_FOLDER, TaskFile, find_task, shipped_tasks

GOOD = """\
name = "mine"
title = "Mine"
family = "position-keyed"
generator = "linear_map"
source = "nowhere"

[plateau]
escape = 0.9

[knobs.state_size]
default = 8
minimum = 2
meaning = "cells"

[knobs.loss]
default = "targets"
choices = ["targets", "all"]
meaning = "what is trained"

[knobs.support_size]
default_ratio = 0.5
ratio = "sparsity"
minimum = 1
maximum = "state_size"
meaning = "inputs"
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def mine(write: Write) -> TaskFile:
    return TaskFile.read(write(GOOD))


def message(call: Callable[[], object]) -> str:
    """The one line in which `call` complains."""
    with pytest.raises(AttnsearchError) as caught:
        call()
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


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


# Files that are wrong.

KNOB = "[knobs.support_size]\n"


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("default = 8", "default = = 8", r"not TOML: .*line 11, column 11"),
        ("default = 8", "default = 8\ndefault = 9", r"not TOML: .*line 12"),
        ('meaning = "cells"', 'meaning = "cells', r"not TOML: .*line 13"),
        (GOOD, "", "missing key 'name'"),
        # Keys.
        (
            'family = "',
            'familly = "',
            r"unknown key 'familly'\. Did you mean family\? Known: defaults, family, .*title\.$",
        ),
        ('source = "nowhere"\n', "", "missing key 'source'$"),
        ("[plateau]", "[plateaus]", r"unknown key 'plateaus'\. Did you mean plateau or defaults\?"),
        ("escape =", "escapes =", r"plateau: unknown key 'escapes'\. Did you mean escape\? Known: e"),
        ('maximum = "', 'maximun = "', r"knobs\.support_size: unknown key 'maximun'\. Did you mean maximum"),
        ('meaning = "inputs"', "", r"knobs\.support_size: missing key 'meaning'$"),
        (KNOB, f'{KNOB}name = "s"\n', r"knobs\.support_size: unknown key 'name'\."),
        # Types.
        ('title = "Mine"', "title = 3", "title: 3 is not a text$"),
        ('name = "mine"', "name = [1]", "name: a list of 1 is not a text$"),
        ("[plateau]\nescape = 0.9", "plateau = 0.9", r"plateau: 0\.9 is not a table of keys and values$"),
        ("[plateau]", "[[plateau]]", "plateau: a list of 1 is not a table of keys and values$"),
        (GOOD.partition("[knobs")[1] + GOOD.partition("[knobs")[2], "", "missing key 'knobs'"),
        (KNOB, "[knobs]\nextra = 4\n" + KNOB, r"knobs\.extra: 4 is not a table of keys and values$"),
        ("minimum = 2", 'minimum = "2"', r"knobs\.state_size\.minimum: '2' is not a whole number"),
        ("minimum = 2", "minimum = 2.0", r"knobs\.state_size\.minimum: 2\.0 is not a whole number"),
        ("minimum = 2", "minimum = true", r"knobs\.state_size\.minimum: True is not a whole number"),
        (
            "default = 8",
            "default = 8.5",
            r"knobs\.state_size\.default: 8\.5 is not a whole number or a text",
        ),
        (
            "default = 8",
            "default = [8]",
            r"knobs\.state_size\.default: a list of 1 is not a whole number or a text",
        ),
        (
            'maximum = "state_size"',
            "maximum = 4.5",
            r"knobs\.support_size\.maximum: 4\.5 is not a whole number",
        ),
        ('["targets", "all"]', '"targets"', r"knobs\.loss\.choices: 'targets' is not a list$"),
        (
            '["targets", "all"]',
            '["targets", 1]',
            r"knobs\.loss\.choices\[1\]: 1 is not a text$",
        ),
        (
            "default_ratio = 0.5",
            'default_ratio = "half"',
            r"knobs\.support_size\.default_ratio: 'half' is not a number$",
        ),
        ('ratio = "sparsity"', "ratio = 0.5", r"knobs\.support_size\.ratio: 0\.5 is not a text$"),
        ('meaning = "cells"', "meaning = 8", r"knobs\.state_size\.meaning: 8 is not a text$"),
        # Values.
        ("escape = 0.9", "escape = 1.3", r"plateau\.escape: 1\.3 must be at most 1$"),
        ("escape = 0.9", "escape = 0", r"plateau\.escape: 0 must be above 0$"),
        ("escape = 0.9", "escape = nan", r"plateau\.escape: nan must be above 0$"),
        ("escape = 0.9", "escape = true", r"plateau\.escape: True is not a number$"),
        ("escape = 0.9", "mastery = -0.1", r"plateau\.mastery: -0\.1 must be above 0$"),
        ("escape = 0.9", 'found = "half"', r"plateau\.found: 'half' is not a number$"),
        (
            'maximum = "state_size"',
            'maximum = "state_sise"',
            r"knobs\.support_size: maximum 'state_sise' must name an earlier knob that is a number\."
            r" Did you mean state_size\? Known: state_size\.$",
        ),
        (
            'maximum = "state_size"',
            'maximum = "support_size"',
            r"knobs\.support_size: maximum 'support_size' must name an earlier",
        ),
        (
            'maximum = "state_size"',
            'maximum = "loss"',
            r"knobs\.support_size: maximum 'loss' must name an earlier knob",
        ),
        (
            "minimum = 2",
            'minimum = 2\nmaximum = "support_size"',
            r"knobs\.state_size: maximum 'support_size' must name .* number\.$",
        ),
        (
            'maximum = "state_size"',
            "maximum = 4",
            r"knobs\.support_size: ratio needs a maximum that names another",
        ),
        (
            'maximum = "state_size"\n',
            "",
            r"knobs\.support_size: ratio needs a maximum that names another knob",
        ),
        ('ratio = "sparsity"\n', "", r"knobs\.support_size: default_ratio needs a ratio"),
        ("default_ratio = 0.5\n", "", r"knobs\.support_size: give either default or default_ratio"),
        (
            "default_ratio = 0.5",
            "default_ratio = 0.5\ndefault = 4",
            r"knobs\.support_size: give either default or",
        ),
        ("minimum = 1\n", "", r"knobs\.support_size: give choices or a minimum"),
        ('choices = ["targets", "all"]', "choices = []", r"knobs\.loss: give choices or a minimum"),
        (
            'ratio = "sparsity"',
            'ratio = "state_size"',
            r"knobs\.support_size: give each knob and each ratio a name of its own",
        ),
        (
            'ratio = "sparsity"',
            'ratio = "support_size"',
            r"knobs\.support_size: give each knob and each ratio a name of its own",
        ),
        # Defaults that no one could give.
        ("default = 8", "default = 1", "state_size 1 must be at least 2"),
        ("default = 8", 'default = "eight"', "state_size 'eight' is not a whole number"),
        (
            "default_ratio = 0.5",
            "default = 9",
            r"support_size 9 is outside 1 to state_size \(state_size is 8\)",
        ),
        ("default_ratio = 0.5", "default_ratio = 0.3", "sparsity 0.3 of state_size 8 is 2.4 positions"),
        ("default_ratio = 0.5", "default_ratio = 4", "sparsity 4.0 is outside"),
        ('default = "targets"', 'default = "none"', "loss 'none' is unknown: targets or all"),
        (
            "[plateau]",
            "[defaults]\nwidth = [1, 2]\n[plateau]",
            r"defaults\.width: a list of 2 is not a number, a text or true or false$",
        ),
    ],
)
def test_a_malformed_file_is_refused_by_name_and_place(
    write: Write, right: str, wrong: str, complaint: str
) -> None:
    assert GOOD.count(right) == 1
    path = write(GOOD.replace(right, wrong))
    text = message(lambda: TaskFile.read(path))
    assert text.startswith(f"{path}: ")
    assert re.search(complaint, text)


def test_a_threshold_that_is_not_given_has_its_default(write: Write) -> None:
    path = write(GOOD.replace("[plateau]\nescape = 0.9\n", ""))
    assert TaskFile.read(path).plateau == PlateauRule()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.toml"
    assert message(lambda: TaskFile.read(absent)).startswith(f"{absent}: cannot be read: ")
    assert message(lambda: TaskFile.read(tmp_path)) == f"{tmp_path}: cannot be read: Is a directory"
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"name = '\xff'")
    assert message(lambda: TaskFile.read(binary)).startswith(f"{binary}: not TOML: 'utf-8' codec")


def test_a_task_is_found_by_name_or_path(write: Write, mine: TaskFile) -> None:
    assert find_task(str(write(GOOD))) == mine
    unknown = message(lambda: find_task("linear_mab"))
    assert unknown.startswith("unknown task 'linear_mab'. Did you mean linear_map")
    assert "Known: cellular_automaton, linear_map, linear_map_autoregressive" in unknown
    assert unknown.endswith("Or a path ending in .toml.")
    assert "Did you mean" not in message(lambda: find_task("zzz"))
