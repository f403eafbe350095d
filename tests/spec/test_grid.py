"""A grid is every combination once, in order and paired by seed; what does not fit is named in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import get_type_hints

import numpy as np
import pytest

from attnsearch.base import AttnsearchError
from attnsearch.spec.grid import DEFAULT_SEEDS, LARGEST_SEED, grid
from attnsearch.spec.run import (
    BudgetSpec,
    CellSpec,
    InterventionSpec,
    NetworkSpec,
    OptimizerSpec,
    PlateauRule,
    RunSpec,
    Value,
    settings,
)
from attnsearch.spec.settings import LARGEST_VALUE, SETTINGS
from attnsearch.spec.task_file import TASK_FOLDER, Knob, TaskFile, find_task

Values = Mapping[str, Sequence[Value]]

KNOWN_MIXERS: dict[str, dict[str, Value]] = {
    "attention": {"num_heads": 16, "head_width": None, "scale": 1.0, "gated": False, "position": "learned"},
    "mlp_mixer": {"expansion": 4},
    "identity": {},
}


def task(name: str, *knobs: Knob) -> TaskFile:
    return TaskFile(name, "", "", "linear_map", "", PlateauRule(), knobs)


STATE = Knob(name="state_size", meaning="cells", default=8, minimum=2)
SUPPORT = Knob(
    name="support_size",
    meaning="inputs",
    minimum=1,
    maximum="state_size",
    ratio="sparsity",
    default_ratio=0.5,
)
LINEAR = task("linear", STATE, SUPPORT)
WORDY = task(
    "wordy", STATE, Knob(name="loss", meaning="what is scored", default="targets", choices=("targets", "all"))
)


def runs_of(
    values: Values,
    tasks: Sequence[TaskFile] = (LINEAR,),
    mixers: Sequence[str] = ("attention",),
    seeds: Iterable[int] = (0,),
    rule_seed: int | None = None,
) -> list[RunSpec]:
    return grid(tasks, mixers, values, known_mixers=KNOWN_MIXERS, seeds=seeds, rule_seed=rule_seed)


def columns(runs: Sequence[RunSpec], *names: str) -> list[tuple[Value, ...]]:
    """The settings `names` of each run; "-" where it has none."""
    return [tuple(run.cell.flat().get(name, "-") for name in names) for run in runs]


# What is in a grid.


def test_one_cell_with_defaults_is_a_seed_after_another() -> None:
    runs = grid(["linear_map"], ["attention"], {}, known_mixers=KNOWN_MIXERS)
    assert [run.seed for run in runs] == [run.rule_seed for run in runs] == list(range(DEFAULT_SEEDS))
    (cell,) = {run.cell for run in runs}
    assert cell.task == find_task("linear_map").resolve({})
    assert dict(cell.mixer.settings) == KNOWN_MIXERS["attention"]
    assert (cell.network, cell.optimizer, cell.budget) == (NetworkSpec(), OptimizerSpec(), BudgetSpec())


def test_tasks_are_named_by_name_by_path_or_given_as_read() -> None:
    path = TASK_FOLDER / "linear_map.toml"
    every_way = ["linear_map", path, str(path), TaskFile.read(path)]
    for way in every_way:
        assert grid([way], ["identity"], {}, known_mixers=KNOWN_MIXERS) == grid(
            ["linear_map"], ["identity"], {}, known_mixers=KNOWN_MIXERS
        )
    # One task named four times is one task.
    assert len(grid(every_way, ["identity"], {}, known_mixers=KNOWN_MIXERS, seeds=[0])) == 1


def test_lists_multiply_in_order_tasks_outermost_and_seeds_innermost() -> None:
    runs = runs_of(
        {"support_size": [1, 2], "learning_rate": [0.1, 0.2], "num_heads": [4]},
        mixers=["mlp_mixer", "attention"],
        seeds=[9, 3],
    )
    found = columns(runs, "support_size", "learning_rate", "mixer")
    assert found == [
        (support_size, learning_rate, mixer)
        for support_size in (1, 2)
        for learning_rate in (0.1, 0.2)
        for mixer in ("mlp_mixer", "attention")
        for _seed in range(2)
    ]
    assert [run.seed for run in runs] == [9, 3] * 8


def test_runs_are_paired_by_seed_across_cells() -> None:
    runs = runs_of({"sparsity": [0.25, 0.5]}, mixers=list(KNOWN_MIXERS), seeds=range(5))
    grouped: dict[CellSpec, list[tuple[int, int]]] = {}
    for run in runs:
        grouped.setdefault(run.cell, []).append((run.seed, run.rule_seed))
    assert len(grouped) == 6
    assert all(seeds == [(seed, seed) for seed in range(5)] for seeds in grouped.values())
    assert len({run.digest for run in runs}) == len(runs)


def test_one_rule_may_be_fixed_for_all_runs() -> None:
    runs = runs_of({"sparsity": [0.25, 0.5]}, seeds=range(3), rule_seed=11)
    assert [(run.seed, run.rule_seed) for run in runs] == [(0, 11), (1, 11), (2, 11)] * 2


def test_a_setting_multiplies_only_what_has_it() -> None:
    runs = runs_of(
        {"num_heads": [2, 4], "expansion": [1, 2, 3], "sparsity": [0.25, 0.5], "loss": ["all", "targets"]},
        tasks=[LINEAR, WORDY],
        mixers=["attention", "mlp_mixer", "identity"],
    )
    found = columns(runs, "task", "support_size", "loss", "mixer", "num_heads", "expansion")
    mixers = [("attention", 2, "-"), ("attention", 4, "-")]
    mixers += [("mlp_mixer", "-", 1), ("mlp_mixer", "-", 2), ("mlp_mixer", "-", 3), ("identity", "-", "-")]
    tasks = [("linear", 2, "-"), ("linear", 4, "-"), ("wordy", "-", "all"), ("wordy", "-", "targets")]
    assert found == [(*task, *mixer) for task in tasks for mixer in mixers]


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        ({"support_size": [2, 4, 2]}, 2),
        # Two shares, as decimals round them, of one number of positions.
        ({"state_size": [3], "sparsity": [0.333333, 0.33333333]}, 1),
        ({"steps": [100, 100]}, 1),
        ({"learning_rate": [1, 1.0, 2]}, 2),
        ({"scale": [1, 1.0]}, 1),
        ({"num_heads": [4, 4, 8], "width": [32, 32]}, 2),
        # A list that says what is the default anyway.
        ({"num_heads": [16], "state_size": [8]}, 1),
    ],
)
def test_what_is_named_twice_is_there_once(values: Values, cells: int) -> None:
    runs = runs_of(values, mixers=["attention", "attention"], tasks=[LINEAR, LINEAR], seeds=[1, 1])
    assert len(runs) == len({run.digest for run in runs}) == cells


def test_equal_numbers_have_one_type_hence_one_digest() -> None:
    (run,) = runs_of({"learning_rate": [1], "weight_decay": [0], "scale": [2]})
    flat = run.cell.flat()
    assert [type(flat[name]) for name in ("learning_rate", "weight_decay", "scale")] == [float] * 3


def test_seeds_from_numpy_are_seeds() -> None:
    # A Python user's range is np.arange, whose members JSON does not know.
    (run,) = runs_of({}, seeds=np.arange(3, 4), rule_seed=np.int64(5))  # pyright: ignore[reportArgumentType]
    assert run.digest == runs_of({}, seeds=[3], rule_seed=5)[0].digest


def test_every_setting_has_a_home_and_its_default() -> None:
    homes = (NetworkSpec, OptimizerSpec, BudgetSpec, InterventionSpec)
    assert {name: setting.default for name, setting in SETTINGS.items()} == {
        name: value for home in homes for name, value in asdict(home()).items()
    }
    types = {name: kind for home in homes for name, kind in get_type_hints(home).items()}
    for name, setting in SETTINGS.items():
        other: Value = not setting.default if types[name] is bool else LARGEST_VALUE // 10 * 10
        words = {"positions": "none", "map_bias_layers": "0", "map_bias_steps": "0:500"}
        other = words.get(name, other)
        # Without a bias, how it is given makes no difference.
        with_bias: dict[str, list[Value]] = {"map_bias": [1.5]} if name.startswith("map_bias_") else {}
        (run,) = runs_of({**with_bias, name: [other]}, mixers=["identity"])
        flat = run.cell.flat()
        assert flat.pop(name) == other
        assert type(other) is types[name] or types[name] is float
        # What is given goes where it belongs and nowhere else.
        (plain,) = runs_of(with_bias, mixers=["identity"])
        assert flat == {key: value for key, value in plain.cell.flat().items() if key != name}
        assert setting.meaning


def test_a_width_of_the_hidden_layer_may_be_a_multiple_of_the_width() -> None:
    found = runs_of({"mlp_width": [256, "4x", "0.5x"], "width": [16, 64]})
    widths = [(run.cell.network.width, run.cell.network.mlp_width) for run in found]
    # The same network once, however it was asked for.
    assert widths == [(16, 256), (64, 256), (16, 64), (16, 8), (64, 32)]
    assert found[2].digest == runs_of({"mlp_width": [64], "width": [16]})[0].digest
    # Of the usual width, and of a task's own.
    assert runs_of({"mlp_width": ["4x"]})[0].cell.network.mlp_width == 512
    narrow = replace(LINEAR, defaults=settings({"width": 24, "mlp_width": "1.5x"}))
    assert [run.cell.network.mlp_width for run in runs_of({}, tasks=[narrow])] == [36]
    assert [run.cell.network.mlp_width for run in runs_of({"width": [32]}, tasks=[narrow])] == [48]


def test_a_multiple_of_a_width_that_is_wrong_blames_the_width() -> None:
    assert message({"mlp_width": ["4x"], "width": ["wide"]}) == "width 'wide' is not a whole number"


# What does not fit.


def message(
    values: Values,
    tasks: Sequence[TaskFile | str] = (LINEAR,),
    mixers: Sequence[str] = ("attention",),
    seeds: Iterable[int] = (0,),
    rule_seed: int | None = None,
) -> str:
    with pytest.raises(AttnsearchError) as caught:
        grid(tasks, mixers, values, known_mixers=KNOWN_MIXERS, seeds=seeds, rule_seed=rule_seed)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("steps", 0, "steps 0 must be at least 10"),
        ("steps", -10, "steps -10 must be at least 10"),
        ("steps", 5, "steps 5 must be at least 10"),
        ("steps", 15, "steps 15 is not a multiple of 10: use 10 or 20"),
        (
            "steps",
            10_001,
            "steps 10001 is not a multiple of 10: use 10000 or 10010",
        ),
        ("steps", 100.0, "steps 100.0 is not a whole number"),
        ("steps", "many", "steps 'many' is not a whole number"),
        ("steps", True, "steps True is not a whole number"),
        ("steps", 2**31, "steps 2147483648 must be at most 2147483647"),
        ("warmup_steps", -1, "warmup_steps -1 must be at least 0"),
        ("warmup_steps", 10**400, f"warmup_steps {10**400} must be at most 2147483647"),
        ("tokens_per_step", 0, "tokens_per_step 0 must be at least 1"),
        ("tokens_per_step", float("inf"), "tokens_per_step inf is not a whole number"),
        ("learning_rate", 0, "learning_rate 0 must be above 0"),
        ("learning_rate", 0.0, "learning_rate 0.0 must be above 0"),
        ("learning_rate", -1e-3, "learning_rate -0.001 must be above 0"),
        ("learning_rate", float("nan"), "learning_rate nan is not a number"),
        ("learning_rate", float("inf"), "learning_rate inf is not a number"),
        ("learning_rate", 1e300, "learning_rate 1e+300 must be at most 2147483647"),
        ("learning_rate", 10**400, f"learning_rate {10**400} must be at most 2147483647"),
        ("learning_rate", "fast", "learning_rate 'fast' is not a number"),
        ("learning_rate", None, "learning_rate None is not a number"),
        ("weight_decay", -0.1, "weight_decay -0.1 must be at least 0"),
        ("width", 0, "width 0 must be at least 1"),
        ("num_layers", 0, "num_layers 0 must be at least 1"),
        ("mlp_width", 1.5, "mlp_width 1.5 is not a whole number"),
        # As a multiple of the width, 128 unless given.
        ("mlp_width", "4", "mlp_width '4' is neither a whole number nor a multiple of the width, as in 4x"),
        ("mlp_width", "x", "mlp_width 'x' is neither a whole number nor a multiple of the width, as in 4x"),
        (
            "mlp_width",
            "4 x",
            "mlp_width '4 x' is neither a whole number nor a multiple of the width, as in 4x",
        ),
        ("mlp_width", "0x", "mlp_width 0x of width 128: mlp_width 0 must be at least 1"),
        ("mlp_width", "-2x", "mlp_width -2x of width 128: mlp_width -256 must be at least 1"),
        ("mlp_width", "0.3x", "mlp_width 0.3x of width 128: mlp_width 38.4 is not a whole number"),
        (
            "mlp_width",
            "9999999999x",
            "mlp_width 9999999999x of width 128: mlp_width 1279999999872 must be at most 2147483647",
        ),
        ("width", "4x", "width '4x' is not a whole number"),
        ("positions", "rotary", "positions 'rotary' is unknown. Known: learned, none, sinusoidal."),
        (
            "positions",
            "sinus",
            "positions 'sinus' is unknown. Did you mean sinusoidal? Known: learned, none, sinusoidal.",
        ),
        ("positions", True, "positions True is unknown. Known: learned, none, sinusoidal."),
        ("early_stopping", 1, "early_stopping 1 is neither true nor false"),
        ("early_stopping", "no", "early_stopping 'no' is neither true nor false"),
        # Settings of a mixer are of the type of their default.
        ("num_heads", "abc", "num_heads 'abc' of mixer attention is not a whole number"),
        ("num_heads", 2.5, "num_heads 2.5 of mixer attention is not a whole number"),
        ("num_heads", 8.0, "num_heads 8.0 of mixer attention is not a whole number"),
        ("num_heads", True, "num_heads True of mixer attention is not a whole number"),
        ("scale", "big", "scale 'big' of mixer attention is not a number"),
        ("scale", float("nan"), "scale nan of mixer attention is not a number"),
        ("head_width", float("inf"), "head_width inf of mixer attention is not a number"),
        ("gated", 1, "gated 1 of mixer attention is not true or false"),
        ("position", 3, "position 3 of mixer attention is not a word"),
        # Those of a task by its own rules.
        ("support_size", 9, "support_size 9 is outside 1 to state_size (state_size is 8)"),
        ("sparsity", 3, "sparsity 3 is outside (0, 1]: it is a ratio; for 3 positions use --support-size 3"),
    ],
)
def test_a_value_out_of_range(name: str, value: Value, complaint: str) -> None:
    assert message({name: [value]}) == complaint
    # Also where it stands behind one that is right.
    good = {**KNOWN_MIXERS["attention"], "head_width": 8, "support_size": 2, "sparsity": 0.5}
    first = good[name] if name in good else SETTINGS[name].default
    assert message({name: [first, value]}) == complaint


@pytest.mark.parametrize(
    ("seeds", "rule_seed", "complaint"),
    [
        ([], None, "seeds is 0: at least 1 run is needed, 8 for a distribution"),
        ([-1], None, "seed -1 is outside 0 to 2147483647"),
        ([0, LARGEST_SEED + 1], None, "seed 2147483648 is outside 0 to 2147483647"),
        ([0], -3, "seed -3 is outside 0 to 2147483647"),
    ],
)
def test_seeds_out_of_range(seeds: list[int], rule_seed: int | None, complaint: str) -> None:
    assert message({}, seeds=seeds, rule_seed=rule_seed) == complaint


def test_names_that_nobody_knows() -> None:
    assert message({}, mixers=["attentoin"]) == (
        "unknown mixer 'attentoin'. Did you mean attention? Known: attention, identity, mlp_mixer."
    )
    assert message({}, tasks=["linear_mab"]).startswith("unknown task 'linear_mab'. Did you mean linear_map")
    unknown = message({"learning_rates": [0.1]})
    assert unknown.startswith("no setting 'learning_rates' in linear, attention. Did you mean learning_rate?")
    known = {*KNOWN_MIXERS["attention"], *SETTINGS, "state_size", "support_size", "sparsity"}
    assert unknown.partition(" Known: ")[2] == f"{', '.join(sorted(known))}."


def test_a_setting_of_a_mixer_that_was_not_asked_for_names_that_mixer() -> None:
    text = message({"expansion": [2]})
    assert text.startswith("no setting 'expansion' in linear, attention; it is a setting of mixer mlp_mixer.")
    assert runs_of({"expansion": [2]}, mixers=["attention", "mlp_mixer"])


def test_a_setting_without_values_would_make_an_empty_grid() -> None:
    assert message({"steps": []}) == "steps has no values"


def test_both_ways_of_giving_a_knob() -> None:
    assert message({"sparsity": [0.5], "support_size": [4]}) == "give sparsity or support_size, not both"


def test_a_knob_may_not_have_the_name_of_a_setting_of_every_run() -> None:
    wide = task("wide", Knob(name="width", meaning="of the grid", default=3, minimum=1))
    assert message({}, tasks=[wide]) == (
        "knob 'width' of task wide is called like a setting of every run: rename the knob"
    )
    # Tasks share knobs, as mixers may share settings: there the name means the same.
    assert len(runs_of({"state_size": [4, 6]}, tasks=[LINEAR, WORDY])) == 4
