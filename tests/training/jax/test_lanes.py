"""CompiledLanes: many runs in one program, none of which sees another."""

import jax
import numpy as np
import pytest
from helpers.trainers import SPEC, inputs, trainer

from attnsearch.base import RECORDING_INTERVAL
from attnsearch.generators import LinearMap
from attnsearch.mixers import MIXERS
from attnsearch.spec.run import settings
from attnsearch.training.jax import compiled as lanes_module
from attnsearch.training.jax.compiled import CompiledLanes, stacked
from attnsearch.training.jax.network import Network
from attnsearch.training.jax.trainer import Trainer


def test_lanes_do_not_influence_one_another():
    subject = trainer()
    lanes = CompiledLanes(subject, jax.local_devices()[:1], 3)
    everyone = np.ones(3, dtype=bool)
    together, _ = lanes.advance(lanes.begin(stacked([inputs(0), inputs(1), inputs(2)])), everyone)
    # The middle run again, with a neighbour that diverges and one that idles.
    wild = lanes.begin(stacked([inputs(5, learning_rate=1e30), inputs(1), inputs(6)]))
    apart, record = lanes.advance(wild, np.array([True, True, False]))
    for one, other in zip(
        jax.tree.leaves(together.parameters), jax.tree.leaves(apart.parameters), strict=True
    ):
        np.testing.assert_array_equal(one[1], other[1])
    assert np.isfinite(np.asarray(record.loss)[1]).all()
    assert np.asarray(apart.step).tolist() == [RECORDING_INTERVAL, RECORDING_INTERVAL, 0]


def test_refilling_a_lane_begins_its_run_and_leaves_the_others():
    subject = trainer()
    lanes = CompiledLanes(subject, jax.local_devices()[:1], 2)
    states, _ = lanes.advance(lanes.begin(stacked([inputs(0), inputs(1)])), np.ones(2, dtype=bool))
    kept = [np.asarray(leaf)[0] for leaf in jax.tree.leaves(states.parameters)]
    refilled = lanes.refill(states, stacked([inputs(0), inputs(9)]), np.array([False, True]))
    assert np.asarray(refilled.step).tolist() == [RECORDING_INTERVAL, 0]
    for before, after in zip(kept, jax.tree.leaves(refilled.parameters), strict=True):
        np.testing.assert_array_equal(before, after[0])
    alone = lanes.begin(stacked([inputs(9), inputs(9)]))
    for ours, fresh in zip(
        jax.tree.leaves(refilled.parameters), jax.tree.leaves(alone.parameters), strict=True
    ):
        np.testing.assert_array_equal(ours[1], fresh[1])


def test_sparsity_rates_and_seeds_share_one_compilation():
    traces = []

    class Counted(LinearMap):
        def sample(self, rule, key):
            traces.append(1)
            return super().sample(rule, key)

    made = Counted(4)
    subject = Trainer(made, Network.of(SPEC, MIXERS["attention"], settings({"num_heads": 4}), made), 16)
    lanes = CompiledLanes(subject, jax.local_devices()[:1], 1)
    on = np.ones(1, dtype=bool)
    states = lanes.begin(stacked([inputs(0, support_size=1)]))
    states, _ = lanes.advance(states, on)
    after_first = len(traces)
    for seed, support_size, rate in ((1, 2, 1e-3), (2, 3, 1e-2), (3, 4, 3e-4)):
        states = lanes.refill(states, stacked([inputs(seed, support_size, rate)]), on)
        states, _ = lanes.advance(states, on)
        assert np.asarray(states.rule).sum() == 4 * support_size
    assert len(traces) == after_first


def test_an_accelerator_trains_in_one_product_what_a_cpu_trains_in_turn(monkeypatch: pytest.MonkeyPatch):
    """The same to rounding: a lane that idles and one that begins later, 30 steps, and what is looked at."""
    subject = trainer()
    in_turn = CompiledLanes(subject, jax.local_devices()[:1], 3)
    with monkeypatch.context() as accelerator:
        accelerator.setattr(lanes_module, "_map_in_turn", jax.vmap)
        accelerator.setattr(lanes_module, "gradient_parts", lambda platform, batch_size, context_length: 1)
        at_once = CompiledLanes(subject, jax.local_devices()[:1], 3)
    everyone, later = np.ones(3, bool), np.array([False, False, True])
    given = stacked([inputs(0, 1, 3e-3), inputs(1, 2, 1e-3), inputs(2, 3, 3e-3)])

    def trained(lanes: CompiledLanes):
        states, curves = lanes.begin(given), []
        for active in (np.array([True, False, True]), everyone):
            states, record = lanes.advance(states, active)
            curves.append(record)
        states = lanes.refill(states, stacked([inputs(7, 2, 3e-3)] * 3), later)
        states, record = lanes.advance(states, everyone)
        return states, [*curves, record], lanes.look(states, everyone)

    (ours, our_curves, our_maps), (theirs, their_curves, their_maps) = map(trained, (in_turn, at_once))
    assert np.asarray(ours.step).tolist() == np.asarray(theirs.step).tolist() == [30, 20, 10]
    for one, other in zip(our_curves, their_curves, strict=True):
        np.testing.assert_allclose(one.loss, other.loss, rtol=1e-3)
        np.testing.assert_allclose(one.accuracy, other.accuracy, atol=0.01)
    for one, other in zip(our_maps, their_maps, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-3)
