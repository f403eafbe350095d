"""A run's data, training and measured map depend on its own seeds and steps alone."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.trainers import inputs, trainer

from attnsearch.base import RECORDING_INTERVAL


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


def distance(before: Any, after: Any) -> float:
    """Between two sets of parameters, in doubles."""
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    return float(np.sqrt(sum(np.sum((np.float64(new) - np.float64(old)) ** 2) for old, new in pairs)))


@pytest.mark.parametrize("mixer", ["attention", "mlp_mixer"])
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

    losses, moved = [], []
    gradient = jax.jit(jax.value_and_grad(loss_of, has_aux=True))
    for step in range(RECORDING_INTERVAL):
        batch = subject.batch(state._replace(step=jnp.asarray(step)))
        (_, loss), gradients = gradient(parameters, batch)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, parameters)
        before, parameters = parameters, optax.apply_updates(parameters, updates)
        losses.append(loss)
        moved.append(distance(before, parameters))
    trained, record = jax.jit(subject.advance)(state)
    np.testing.assert_allclose(record.loss, np.mean(losses, axis=0), rtol=1e-4)
    # Weight decay and warm-up are in it.
    np.testing.assert_allclose(record.update_norm, np.mean(moved), rtol=1e-3)
    for ours, plain in zip(jax.tree.leaves(trained.parameters), jax.tree.leaves(parameters), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-3, atol=2e-5)


def test_a_batch_in_parts_trains_as_the_whole():
    whole = trainer()
    state = whole.begin(inputs(learning_rate=3e-3))
    one, record = jax.jit(whole.advance)(state)
    other, in_parts = jax.jit(replace(whole, parts=4).advance)(state)
    np.testing.assert_allclose(record.loss, in_parts.loss, rtol=1e-4)
    np.testing.assert_allclose(record.accuracy, in_parts.accuracy, atol=1e-6)
    np.testing.assert_allclose(record.update_norm, in_parts.update_norm, rtol=1e-3)
    for ours, theirs in zip(jax.tree.leaves(one.parameters), jax.tree.leaves(other.parameters), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=2e-5)
