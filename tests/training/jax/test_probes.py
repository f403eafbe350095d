"""What a network is measured to read: replaced tokens, and the weights of attention heads."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from helpers.trainers import SPEC, inputs, trainer

from attnsearch.generators import LinearMap, LinearMapAutoregressive
from attnsearch.mixers import MIXERS
from attnsearch.spec.run import settings
from attnsearch.training.jax import probes
from attnsearch.training.jax.network import Network
from attnsearch.training.jax.trainer import Trainer


def test_influence_is_where_a_token_matters():
    """A network that looks inputs up: with the unembedding reading position 0 alone nothing else moves."""
    subject = trainer()
    state = subject.begin(inputs())
    influence = np.asarray(probes.influence(subject, state).mean)
    assert influence.shape == (4, 8)
    assert (influence[:, :4] > 0).all()
    assert (influence[:, 4:] == 0).all(), "blanks are never replaced"
    assert (influence <= 1).all()
    np.testing.assert_array_equal(influence, probes.influence(subject, state).mean)


def test_influence_respects_causality_in_the_published_arrangement():
    subject = trainer(generator=LinearMapAutoregressive, loss="all")
    influence = np.asarray(probes.influence(subject, subject.begin(inputs())).mean)
    assert influence.shape == (4, 8)
    for target, row in enumerate(influence):
        assert (row[: 4 + target] > 0).all()
        assert (row[4 + target :] == 0).all()


def test_influence_of_a_known_function_is_exact():
    """For a network that answers target r by input r alone, the map is the identity."""
    subject = trainer()

    class Copier:
        vocab_size, context_length, query_positions = 3, 8, (4, 5, 6, 7)

        def init(self, key):
            return {}

        def apply(self, parameters, tokens, bias):
            return 50.0 * jax.nn.one_hot(tokens[:4], 3)

    copier = Trainer(subject.generator, Copier(), 16)  # pyright: ignore[reportArgumentType]
    state = subject.begin(inputs())._replace(parameters={})
    np.testing.assert_allclose(probes.influence(copier, state).mean[:, :4], np.eye(4), atol=1e-6)


def test_heads_of_known_weights_have_their_mass_and_entropy():
    """One head looks everywhere alike, the other at the first position alone."""
    subject = trainer()

    class Looking:
        vocab_size, context_length, query_positions = 3, 8, (4, 5, 6, 7)

        def weights(self, parameters, tokens, positions, bias):
            assert positions.tolist() == [4, 5, 6, 7]
            return jnp.stack([jnp.full((4, 8), 1 / 8), jnp.zeros((4, 8)).at[:, 0].set(1.0)])

    state = subject.begin(inputs())
    looking = Trainer(subject.generator, Looking(), 16)  # pyright: ignore[reportArgumentType]
    weights, mass, entropy = probes.heads(looking, state._replace(parameters={}))
    np.testing.assert_allclose(weights[0], 1 / 8, rtol=1e-6)
    np.testing.assert_allclose(mass[0], 2 / 8, rtol=1e-6)
    np.testing.assert_array_equal(mass[1], np.asarray(state.rule)[:, 0])
    np.testing.assert_allclose(entropy, np.stack([np.full(4, np.log(8)), np.zeros(4)]), rtol=1e-6)


def test_heads_of_every_layer_are_recorded_and_those_of_no_mixer_without():
    made = LinearMap(4)
    deep = Network.of(replace(SPEC, num_layers=2), MIXERS["attention"], settings({"num_heads": 4}), made)
    subject = Trainer(made, deep, 16)
    record = probes.look(subject, subject.begin(inputs()))
    assert (record.weights.shape, record.mass.shape, record.entropy.shape) == ((8, 4, 8), (8, 4), (8, 4))
    np.testing.assert_allclose(record.weights.sum(axis=-1), 1, rtol=1e-5)
    assert not np.allclose(record.weights[:4], record.weights[4:], atol=1e-3)
    subject = trainer("mlp_mixer")
    assert probes.look(subject, subject.begin(inputs())).mass.shape == (0, 4)
