"""How a sweep is cut into shards, and what becomes of a shard that fails."""

from dataclasses import replace

import pytest
from helpers.claimed import many

from attnsearch.spec.run import RunSpec
from attnsearch.training.ray.shards import ATTEMPTS, LARGEST, Plan, Shard, checkpoint_every


def shards_of(plan: Plan, slots: int) -> list[Shard]:
    return list(iter(lambda: plan.next(slots), None))


@pytest.mark.parametrize(("runs", "slots", "smallest"), [(1, 1, 1), (100, 4, 1), (100, 4, 8), (3, 8, 2)])
def test_every_run_is_in_one_shard_and_the_last_shards_are_small(
    spec: RunSpec, runs: int, slots: int, smallest: int
):
    specs = many(spec, runs)
    sizes = []
    for shard in shards_of(Plan([specs], smallest), slots):
        assert list(shard.specs) == [specs.pop(0) for _ in shard.specs]
        sizes.append(len(shard.specs))
    assert not specs
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes[:-1], default=smallest) >= smallest
    assert sizes[-1] <= smallest


def test_a_shard_holds_runs_of_one_cohort(spec: RunSpec):
    one, other = many(spec, 5), many(replace(spec, rule_seed=1), 3)
    shards = shards_of(Plan([one, [], other], smallest=4), slots=1)
    assert [len(shard.specs) for shard in shards] == [4, 1, 3]
    assert all(set(shard.specs) <= set(one) or set(shard.specs) <= set(other) for shard in shards)


def test_a_shard_of_a_large_sweep_is_bounded(spec: RunSpec):
    shard = Plan([many(spec, 1_000)], smallest=2).next(slots=1)
    assert shard is not None
    assert len(shard.specs) == 2 * LARGEST


def test_what_is_left_of_a_failed_shard_goes_first(spec: RunSpec):
    plan = Plan([many(spec, 4)], smallest=2)
    first = plan.next(slots=1)
    assert first is not None
    plan.failed(first, ended=first.specs[:1], further=True, reason="a node died")
    assert plan.next(slots=1) == Shard(first.specs[1:], failures=1)
    assert [len(shard.specs) for shard in shards_of(plan, 1)] == [2]


def test_a_shard_that_gets_no_further_is_given_up(spec: RunSpec):
    plan = Plan([many(spec, 1)], smallest=1)
    for failure in range(ATTEMPTS):
        shard = plan.next(slots=1)
        assert shard is not None
        plan.failed(shard, ended=(), further=False, reason=f"failure {failure}")
    assert plan.next(slots=1) is None
    assert [one.reason for one in plan.given_up] == ["failure 2"]


def test_a_shard_that_gets_further_each_time_is_never_given_up(spec: RunSpec):
    plan = Plan([many(spec, 1)], smallest=1)
    for _ in range(3 * ATTEMPTS):
        shard = plan.next(slots=1)
        assert shard is not None
        plan.failed(shard, ended=(), further=True, reason="a node died")
    assert not plan.given_up


def test_a_shard_that_fails_after_its_last_run_is_done(spec: RunSpec):
    plan = Plan([many(spec, 1)], smallest=1)
    shard = plan.next(slots=1)
    assert shard is not None
    plan.failed(shard, ended=shard.specs, further=True, reason="a node died")
    assert plan.next(slots=1) is None
    assert not plan.given_up


def test_many_lanes_are_checkpointed_less_often():
    assert checkpoint_every(30, lanes=100) == 30
    assert checkpoint_every(30, lanes=1_000) == 150
    assert checkpoint_every(600, lanes=1_000) == 600
