"""What a network is measured to read: replaced tokens, and the weights of attention heads."""

# A stub says in one line each what the properties of a generator return.
# pyright: reportIncompatibleMethodOverride=false, reportAssignmentType=false

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.maps import map_mass
from helpers.pointer import Pointer
from helpers.trainers import SPEC, inputs, trainer

from attnsearch.base import Bools
from attnsearch.generators import LinearMap, LinearMapAutoregressive
from attnsearch.generators.base import Generator
from attnsearch.mixers import MIXERS
from attnsearch.sequences.influence import map_mass as mass_of
from attnsearch.sequences.sequences import probe_sequences
from attnsearch.spec.run import settings
from attnsearch.training.jax import probes
from attnsearch.training.jax.intervention import MapBias
from attnsearch.training.jax.network import Network
from attnsearch.training.jax.trainer import RunState, Trainer


def of_network(network: object, generator: Generator) -> tuple[Trainer, RunState]:
    """A trainer round a function that stands for a network, and a state without parameters."""
    made = Trainer(generator, network, 16)  # pyright: ignore[reportArgumentType]
    given = inputs()
    rule = generator.init(jax.random.key(0), given.knobs)
    state = RunState(given, rule, {}, None, jnp.zeros((), jnp.int32))
    return made, state


def test_mass_is_measured_against_the_support_of_each_sequence():
    """A network that follows the pointer reads nothing else, though over sequences it reads every input."""

    class Follower:
        def apply(self, parameters, tokens, bias):
            return 50.0 * jax.nn.one_hot(tokens[tokens[4]], 4)[None]

    measured = probes.influence(*of_network(Follower(), Pointer()))
    assert (np.asarray(measured.mean)[0] > 0.05).all(), "in the mean every token moves the answer"
    np.testing.assert_allclose(measured.mass, 1.0, rtol=1e-6)


def test_what_is_read_beside_the_support_of_a_sequence_takes_mass_away():
    """A network that always reads input 0 is right only where the pointer names it."""

    class Stubborn:
        def apply(self, parameters, tokens, bias):
            return 50.0 * jax.nn.one_hot(tokens[0], 4)[None]

    made, state = of_network(Stubborn(), Pointer())
    tokens = probe_sequences(made.generator, state.rule, state.inputs.seed)
    measured = probes.influence(made, state)
    np.testing.assert_allclose(measured.mean[0], [1, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(measured.mass, np.mean(tokens[:, 4] == 0), rtol=1e-5)


def test_mass_of_one_map_for_all_sequences_is_the_definition():
    """On the linear map, against plain numpy; some positions replaced, some seen, some leaking."""
    made = LinearMap(8)
    knobs = {"support_size": jnp.asarray(3)}
    rule = made.init(jax.random.key(3), knobs)
    tokens = made.sample(rule, jax.random.key(0)).tokens[None]
    moved = np.random.default_rng(0).random((8, 1, 8)).astype(np.float32)
    influence = np.zeros((8, 16), np.float32)
    influence[:, :8] = moved[:, 0].T
    expected = map_mass(influence, made.truth(rule, knobs))
    np.testing.assert_allclose(mass_of(made, rule, tokens, jnp.asarray(moved)), expected, rtol=1e-5)
    assert np.isnan(mass_of(made, rule, tokens, jnp.zeros_like(moved))).all()


def test_positions_that_were_probed_stand_for_those_that_were_not():
    """`0+ 1+ 2 3 4 - - 7`: supports are probed, and two of the six other inputs stand for all six."""

    class Partly(LinearMap):
        @property
        def probed_positions(self) -> Bools:
            return np.array([1, 1, 1, 1, 1, 0, 0, 1] + [0] * 8, bool)

    rule = jnp.zeros((8, 8), bool).at[:, :2].set(True)
    tokens = jnp.zeros((1, 16), jnp.int32)
    moved = jnp.array([0.4, 0.4, 0.1, 0.1, 0.1, 0.1])[:, None, None] * jnp.ones((1, 1, 8))
    np.testing.assert_allclose(mass_of(Partly(8), rule, tokens, moved), 0.8 / (0.8 + 6 * 0.1), rtol=1e-5)


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


@pytest.mark.parametrize(
    ("reads", "moved"),
    [
        # Positions 0 to 3 hold inputs, and 4 to 7 the blanks that are asked.
        ({4: [4], 7: [3, 7]}, 0),
        ({4: [7]}, 1),
        ({6: [7]}, 1),
        ({5: [0, 6]}, 1),
    ],
    ids=["sound", "the last blank", "the last but one", "an input, and a blank too"],
)
def test_an_answer_that_moves_with_a_later_token_is_a_leak(reads: dict[int, list[int]], moved: float) -> None:
    """Also of a blank, which no map replaces, and only there."""

    class Reading:
        def apply(self, parameters, tokens, bias):
            seen = [
                sum((tokens[k] for k in reads.get(query, [])), start=jnp.zeros(())) for query in range(4, 8)
            ]
            return 50.0 * jax.nn.one_hot(jnp.asarray(seen).astype(int) % 3, 3)

    made, state = of_network(Reading(), LinearMap(4))
    assert float(probes.influence(made, state).later) == pytest.approx(moved, abs=1e-6)


def test_a_map_that_is_added_is_no_leak_of_the_network():
    """The pointer of a sequence is its last token. Where it is replaced, the map of every query moves."""

    class Told:
        def apply(self, parameters, tokens, bias):
            return 50.0 * bias[0](np.array([0, 4]))[:, :4]

    class Early(Pointer):
        query_positions = np.array([0, 4])
        mapped_targets = np.array([0, 1])
        is_target = np.array([True, True])

        def supports(self, rule, tokens, targets):
            return jnp.tile(jnp.arange(5) == tokens[4], (len(targets), 1))

    made, state = of_network(Told(), Early())
    added = MapBias(*(jnp.asarray(part) for part in ([1.0], 0, 10, False)))
    found = probes.influence(made, state._replace(inputs=state.inputs._replace(map_bias=added)))
    assert found.mean[1, 4] > 0.5
    assert found.mean[0].max() == found.later == 0
