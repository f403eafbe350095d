"""Commands that reproduce: the flags of a line ask for exactly the same runs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

import pytest
from helpers.hand_made import spec_of

from attnsearch.cli.run import run as run_command
from attnsearch.spec.command import commands
from attnsearch.spec.run import InterventionSpec, RunSpec


def asked(line: str) -> list[RunSpec]:
    """The runs that `attnsearch run` would make of a command line."""
    from attnsearch.backends import specify
    from attnsearch.cli.flags import given as given_values
    from attnsearch.cli.flags import tasks_of
    from attnsearch.cli.options import mixer_lists, names_in
    from attnsearch.training.jax.backend import JaxBackend

    program, name, *arguments = shlex.split(line)
    assert (program, name) == ("attnsearch", "run")
    context = run_command.make_context("run", arguments)
    given = context.params
    mixers = names_in(given["mixers"])
    lists = {
        **given_values(context),
        **mixer_lists(mixers, given["mixer_settings"], JaxBackend().known_mixers),
    }
    return specify(tasks_of(context), mixers, lists, seeds=given["seeds"], rule_seed=given["rule_seed"])


def with_rules(spec: RunSpec, seeds: Sequence[int], rule: int | None) -> list[RunSpec]:
    return [replace(spec, seed=seed, rule_seed=seed if rule is None else rule) for seed in seeds]


@pytest.mark.parametrize(
    ("seeds", "rule", "flag"),
    [
        (range(8), None, "--seeds 8"),
        (range(8, 16), None, "--seeds 8:16"),
        ([5], None, "--seeds 5:6"),
        ([0], None, "--seeds 1"),
        ([9, 3, 5], None, "--seeds 3,5,9"),
        (range(4), 2, "--seeds 4 --rule-seed 2"),
        ([3], 7, "--seeds 3:4 --rule-seed 7"),
    ],
)
def test_a_command_asks_for_the_same_runs(seeds: Sequence[int], rule: int | None, flag: str) -> None:
    values = {
        "learning_rate": 3e-5,
        "weight_decay": 0.0,
        "num_layers": 2,
        "num_heads": 8,
        "early_stopping": False,
    }
    specs = with_rules(spec_of("attention", **values), seeds, rule)
    (line,) = commands(specs)
    assert line.endswith(flag)
    assert "--no-early-stopping" in line
    assert {one.digest for one in asked(line)} == {one.digest for one in specs}


@pytest.mark.parametrize("placebo", [False, True])
def test_a_command_makes_the_same_intervention(placebo: bool) -> None:
    given = InterventionSpec(4.5, map_bias_layers="0", map_bias_steps="10:50", map_bias_placebo=placebo)
    plain = spec_of("attention", num_heads=8)
    specs = with_rules(replace(plain, cell=replace(plain.cell, intervention=given)), range(2), None)
    (line,) = commands(specs)
    assert ("--map-bias-placebo" in line) == placebo
    assert {one.digest for one in asked(line)} == {one.digest for one in specs}


def test_a_cell_of_both_kinds_of_rules_takes_two_commands() -> None:
    spec = spec_of("mlp_mixer", expansion=2, width=32)
    specs = [*with_rules(spec, range(4), None), *with_rules(spec, range(4), 2)]
    # Seed 2 with rule 2 is the same run either way.
    wanted = {one.digest for one in specs}
    assert len(wanted) == 7
    lines = commands(specs)
    assert len(lines) == 2
    assert {one.digest for line in lines for one in asked(line)} == wanted
