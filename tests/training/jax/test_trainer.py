"""A run's data, training and measured map depend on its own seeds and steps alone."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.trainers import SPEC, inputs, trainer

from attnsearch.base import RECORDING_INTERVAL
from attnsearch.generators import LinearMap
from attnsearch.mixers import MIXERS
from attnsearch.spec.run import settings
from attnsearch.training.jax import devices
from attnsearch.training.jax.lanes import Lanes
from attnsearch.training.jax.network import Network
from attnsearch.training.jax.trainer import RunInputs, Trainer


def stacked(*runs: RunInputs) -> RunInputs:
    return jax.tree.map(lambda *scalars: np.stack(scalars), *runs)


def test_runs_of_one_seed_see_the_same_states_whatever_they_train_with():
    plain = trainer()
    first = plain.begin(inputs(seed=3))
    other_rate = plain.begin(inputs(seed=3, learning_rate=1e-2, support_size=3))
    other_mixer = trainer("mlp_mixer")
    np.testing.assert_array_equal(plain.batch(first).tokens, plain.batch(other_rate).tokens)
    np.testing.assert_array_equal(
        plain.batch(first).tokens, other_mixer.batch(other_mixer.begin(inputs(seed=3))).tokens
    )
    np.testing.assert_array_equal(first.rule, other_mixer.begin(inputs(seed=3)).rule)
    other_seed = plain.begin(inputs(seed=4))
    assert not np.array_equal(plain.batch(first).tokens, plain.batch(other_seed).tokens)


def test_a_fixed_rule_seed_gives_every_seed_one_rule():
    plain = trainer()
    one, two = (plain.begin(inputs(seed=seed, rule_seed=7)) for seed in (0, 1))
    np.testing.assert_array_equal(one.rule, two.rule)
    assert not np.array_equal(plain.begin(inputs(seed=0)).rule, plain.begin(inputs(seed=1)).rule)


def test_every_step_sees_fresh_sequences():
    plain = trainer()
    state = plain.begin(inputs())
    later, _ = jax.jit(plain.advance)(state)
    assert int(later.step) == RECORDING_INTERVAL
    assert not np.array_equal(plain.batch(state).tokens, plain.batch(later).tokens)


@pytest.mark.parametrize("mixer", MIXERS)
def test_a_segment_is_ten_plain_steps_of_optax(mixer: str):
    """The same training written out: one batch, one gradient, one AdamW update at a time."""
    subject = trainer(mixer)
    state = subject.begin(inputs(learning_rate=3e-3))
    optimizer = optax.adamw(lambda count: 3e-3 * jnp.minimum(1.0, (count + 1) / 20), weight_decay=0.01)
    parameters, optimizer_state = state.parameters, optimizer.init(state.parameters)

    def loss_of(parameters, batch):
        logits = jax.vmap(subject.network.apply, (None, 0))(parameters, batch.tokens)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.answers)
        return losses.mean(), losses.mean(axis=0)

    losses = []
    gradient = jax.jit(jax.value_and_grad(loss_of, has_aux=True))
    for step in range(RECORDING_INTERVAL):
        batch = subject.batch(state._replace(step=jnp.asarray(step)))
        (_, loss), gradients = gradient(parameters, batch)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        losses.append(loss)
    trained, record = jax.jit(subject.advance)(state)
    np.testing.assert_allclose(record.loss, np.mean(losses, axis=0), rtol=1e-4)
    for ours, plain in zip(jax.tree.leaves(trained.parameters), jax.tree.leaves(parameters), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-3, atol=2e-5)


def test_a_batch_in_parts_trains_as_the_whole():
    whole = trainer()
    state = whole.begin(inputs(learning_rate=3e-3))
    one, record = jax.jit(whole.advance)(state)
    other, in_parts = jax.jit(replace(whole, parts=4).advance)(state)
    np.testing.assert_allclose(record.loss, in_parts.loss, rtol=1e-4)
    np.testing.assert_allclose(record.accuracy, in_parts.accuracy, atol=1e-6)
    for ours, theirs in zip(jax.tree.leaves(one.parameters), jax.tree.leaves(other.parameters), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize(
    ("batch_size", "context_length", "parts"),
    [(128, 16, 4), (256, 32, 16), (3, 1000, 3), (7, 100, 1), (1, 8, 1)],
)
def test_parts_divide_the_batch_and_hold_enough_tokens(batch_size: int, context_length: int, parts: int):
    assert devices.gradient_parts("cpu", batch_size, context_length) == parts
    assert devices.gradient_parts("gpu", batch_size, context_length) == 1


def test_lanes_do_not_influence_one_another():
    subject = trainer()
    lanes = Lanes(subject, jax.local_devices()[:1], 3)
    everyone = np.ones(3, dtype=bool)
    together, _ = lanes.advance(lanes.begin(stacked(inputs(0), inputs(1), inputs(2))), everyone)
    # The middle run again, with a neighbour that diverges and one that idles.
    wild = lanes.begin(stacked(inputs(5, learning_rate=1e30), inputs(1), inputs(6)))
    apart, record = lanes.advance(wild, np.array([True, True, False]))
    for one, other in zip(
        jax.tree.leaves(together.parameters), jax.tree.leaves(apart.parameters), strict=True
    ):
        np.testing.assert_array_equal(one[1], other[1])
    assert np.isfinite(np.asarray(record.loss)[1]).all()
    assert np.asarray(apart.step).tolist() == [RECORDING_INTERVAL, RECORDING_INTERVAL, 0]


def test_refilling_a_lane_begins_its_run_and_leaves_the_others():
    subject = trainer()
    lanes = Lanes(subject, jax.local_devices()[:1], 2)
    states, _ = lanes.advance(lanes.begin(stacked(inputs(0), inputs(1))), np.ones(2, dtype=bool))
    kept = [np.asarray(leaf)[0] for leaf in jax.tree.leaves(states.parameters)]
    refilled = lanes.refill(states, stacked(inputs(0), inputs(9)), np.array([False, True]))
    assert np.asarray(refilled.step).tolist() == [RECORDING_INTERVAL, 0]
    for before, after in zip(kept, jax.tree.leaves(refilled.parameters), strict=True):
        np.testing.assert_array_equal(before, after[0])
    alone = lanes.begin(stacked(inputs(9), inputs(9)))
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
    lanes = Lanes(subject, jax.local_devices()[:1], 1)
    on = np.ones(1, dtype=bool)
    states = lanes.begin(stacked(inputs(0, support_size=1)))
    states, _ = lanes.advance(states, on)
    after_first = len(traces)
    for seed, support_size, rate in ((1, 2, 1e-3), (2, 3, 1e-2), (3, 4, 3e-4)):
        states = lanes.refill(states, stacked(inputs(seed, support_size, rate)), on)
        states, _ = lanes.advance(states, on)
        assert np.asarray(states.rule).sum() == 4 * support_size
    assert len(traces) == after_first
