"""A suite file that is wrong says in one line where, and what would be right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.complaint import message
from helpers.suite_files import GOOD, read, write

from attnsearch.spec.grid import LARGEST_SEED
from attnsearch.spec.task_file import TASK_FOLDER


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        # The file as a whole.
        ('title = "Mine"', "title = Mine", r"not TOML: .*line 2"),
        ('name = "mine"\n', "", r"missing key 'name'$"),
        ('source = "nowhere"\n', "", r"missing key 'source'$"),
        ("seeds = 3\n", "", r"missing key 'seeds'$"),
        ('title = "Mine"', "title = 3", r"title: 3 is not a text$"),
        ("rule_seed", "rule_sed", r"unknown key 'rule_sed'\. Did you mean rule_seed.*Known: mixers, name,"),
        ("[training]", "[trainning]", r"unknown key 'trainning'\. Did you mean training\?"),
        ("seeds = 3", 'seeds = "3"', r"seeds: '3' is not a whole number or a list$"),
        ("seeds = 3", "seeds = true", r"seeds: True is not a whole number or a list$"),
        ("seeds = 3", "seeds = [1, 2.5]", r"seeds\[1\]: 2\.5 is not a whole number$"),
        ("seeds = 3", "seeds = 0", r"seeds is 0: at least 1 run is needed"),
        ("seeds = 3", "seeds = 1_000_000_000_000", r"seeds: 1000000000000 must be at most 100000$"),
        ("seeds = 3", "seeds = []", r"seeds is 0: at least 1 run is needed"),
        ("seeds = 3", "seeds = [-2]", r"seed -2 is outside 0 to"),
        ("rule_seed = 7", "rule_seed = 0.5", r"rule_seed: 0\.5 is not a whole number$"),
        ("rule_seed = 7", 'selection_seeds = "4"', r"selection_seeds: '4' is not a whole number or a list$"),
        ("rule_seed = 7", "selection_seeds = 0", r"selection_seeds: 0 chooses nothing: give 1 or more"),
        ("rule_seed = 7", "selection_seeds = []", r"selection_seeds: a list of 0 chooses nothing"),
        ("rule_seed = 7", "selection_seeds = [2, 3]", r"seed 2 is both scored and a selection seed"),
        ("rule_seed = 7", "selection_seeds = [-1]", r"seed -1 is outside 0 to"),
        ("rule_seed = 7", f"rule_seed = {LARGEST_SEED + 1}", r"seed 2147483648 is outside 0 to"),
        (
            'name = "mine"',
            'name = "m\u0456ne"',
            r"name: the name 'm\\u0456ne' holds \\u0456 \(CYR",
        ),
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
            r"\[\[tasks\]\] number 2: task: a list of 1 is not a text$",
        ),
        (
            "support_size = 2",
            "suport_size = 2",
            r"\[\[tasks\]\] number 1: unknown key 'suport_size'\. Did you mean support_size.*Known: modulus",
        ),
        (
            "support_size = 2",
            "support_size = [2, 5]",
            r"\[\[tasks\]\] number 1: support_size 5 is outside 1 to state_size \(state_size is 4\)$",
        ),
        (
            "support_size = 2",
            "support_size = []",
            r"\[\[tasks\]\] number 1: support_size: a list of 0 must have at least 1 item$",
        ),
        (
            "support_size = 2",
            "support_size = [[2]]",
            r"\[\[tasks\]\] number 1: support_size\[0\]: a list of 1 is not a number, a text or true",
        ),
        (
            "support_size = 2",
            "support_size = 2026-01-01",
            r"\[\[tasks\]\] number 1: support_size: datetime\.date\(2026, 1, 1\) is not a number,",
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
        (
            "steps = 500",
            'steps = 500\nwidth = [4, 6]\nmlp_width = "0.25x"',
            r"\[training\]: mlp_width 0\.25x of width 6: mlp_width 1\.5 is not a whole number$",
        ),
        ("[1e-3, 3e-3]", "[1e-3, nan]", r"\[training\]: learning_rate nan is not a number$"),
    ],
)
def test_a_malformed_suite_is_refused_by_name_and_place(
    tmp_path: Path, right: str, wrong: str, complaint: str
) -> None:
    assert GOOD.count(right) == 1
    path = write(tmp_path, GOOD.replace(right, wrong))
    text = message(lambda: read(path))
    assert text.startswith(f"{path}: ")
    assert re.search(complaint, text), text


@pytest.mark.parametrize("key", ["tasks", "mixers"])
@pytest.mark.parametrize("value", ["[]", '"linear_map"', '["linear_map"]', "{}"])
def test_tasks_and_mixers_are_lists_of_tables(tmp_path: Path, key: str, value: str) -> None:
    kept = re.sub(rf"\[\[{key}\]\]\n(.+\n)+", "", GOOD)
    path = write(tmp_path, f"{key} = {value}\n{kept}")
    expected = f"{path}: {key} is not a list of tables: write [[{key}]] above each"
    assert message(lambda: read(path)) == expected


def test_training_is_a_table(tmp_path: Path) -> None:
    path = write(tmp_path, "training = 3\n" + GOOD.partition("[training]")[0])
    assert message(lambda: read(path)) == f"{path}: training: 3 is not a table of keys and values"


def test_a_knob_may_not_have_the_name_of_a_setting_of_every_run(tmp_path: Path) -> None:
    task = (TASK_FOLDER / "linear_map.toml").read_text() + (
        '\n[knobs.width]\ndefault = 3\nminimum = 1\nmeaning = "of the grid"\n'
    )
    (tmp_path / "wide.toml").write_text(task)
    path = write(tmp_path, GOOD.replace('"linear_map"\nstate_size = 16', '"wide.toml"\nstate_size = 16'))
    text = message(lambda: read(path))
    assert (
        text
        == f"{path}: knob 'width' of task linear_map is called like a setting of every run: rename the knob"
    )
