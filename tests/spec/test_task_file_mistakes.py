"""A task file that is wrong says in one line where, and what would be right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.complaint import message
from helpers.task_files import GOOD, write

from attnsearch.spec.task_file import TaskFile

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
        ("minimum = 2", 'minimum = "2"', r"knobs\.state_size: minimum '2' must name an earlier knob"),
        ("minimum = 1", 'minimum = "loss"', r"knobs\.support_size: minimum 'loss' must name an earlier knob"),
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
    tmp_path: Path, right: str, wrong: str, complaint: str
) -> None:
    assert GOOD.count(right) == 1
    path = write(tmp_path, GOOD.replace(right, wrong))
    text = message(lambda: TaskFile.read(path))
    assert text.startswith(f"{path}: ")
    assert re.search(complaint, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.toml"
    assert message(lambda: TaskFile.read(absent)).startswith(f"{absent}: cannot be read: ")
    assert message(lambda: TaskFile.read(tmp_path)) == f"{tmp_path}: cannot be read: Is a directory"
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"name = '\xff'")
    assert message(lambda: TaskFile.read(binary)).startswith(f"{binary}: not TOML: 'utf-8' codec")
