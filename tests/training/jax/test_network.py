"""The network computes only what is asked for, and that is the same as computing everything."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from attnsearch.base import AttnsearchError
from attnsearch.generators import LinearMap, LinearMapAutoregressive
from attnsearch.mixers import MIXERS, Mixer
from attnsearch.spec.run import NetworkSpec, settings
from attnsearch.training.embedding import LARGEST_ONE_HOT
from attnsearch.training.jax.network import Network, rows_of

SPEC = NetworkSpec(width=32, num_layers=1, mlp_width=64)
SETTINGS = {"attention": settings({"num_heads": 4}), "mlp_mixer": settings({})}


def network(mixer: str, layers: int = 1, generator: type = LinearMap) -> Network:
    spec = NetworkSpec(width=32, num_layers=layers, mlp_width=64)
    return Network.of(spec, MIXERS[mixer], SETTINGS[mixer], generator(4))


UNLIKE = ("attention", "mlp_mixer")
"""What surrounds a mixer is the same for all. Each of them is tried by itself in tests/mixers."""


def everywhere(one: Network) -> Network:
    """The same network asked at every position."""
    positions = tuple(range(one.context_length))
    return Network(one.spec, one.mixer, one.mixer_settings, one.vocab_size, one.context_length, positions)


@pytest.mark.parametrize("mixer", UNLIKE)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("generator", [LinearMap, LinearMapAutoregressive])
def test_logits_and_gradients_at_the_queries_are_those_of_the_whole(mixer: str, layers: int, generator: type):
    made = generator(4)
    sparse = network(mixer, layers, generator)
    dense = everywhere(sparse)
    parameters = sparse.init(jax.random.key(0))
    rule = made.init(jax.random.key(1), {"support_size": jnp.asarray(2)})
    example = made.sample(rule, jax.random.key(2))
    queries = made.query_positions

    def loss(logits: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(logits, example.answers).mean()

    def at_queries(p):
        return loss(sparse.apply(p, example.tokens))

    def at_all(p):
        return loss(dense.apply(p, example.tokens)[queries])

    np.testing.assert_allclose(
        sparse.apply(parameters, example.tokens), dense.apply(parameters, example.tokens)[queries], atol=1e-5
    )
    few, all_of_them = jax.grad(at_queries)(parameters), jax.grad(at_all)(parameters)
    chex.assert_trees_all_close(few, all_of_them, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mixer", UNLIKE)
def test_no_logit_before_a_token_moves_when_it_changes(mixer: str):
    one = everywhere(network(mixer, layers=2, generator=LinearMapAutoregressive))
    parameters = one.init(jax.random.key(0))
    tokens = jnp.array([0, 1, 1, 0, 1, 0, 0, 1])
    before = one.apply(parameters, tokens)
    for position in range(len(tokens)):
        after = one.apply(parameters, tokens.at[position].set(1 - tokens[position]))
        np.testing.assert_array_equal(after[:position], before[:position])
        assert np.abs(after[position] - before[position]).max() > 1e-4


class TestVariants(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)  # pyright: ignore[reportCallIssue]
    def test_jitted_equals_unjitted(self):
        for mixer in UNLIKE:
            one = network(mixer)
            parameters = one.init(jax.random.key(0))
            tokens = jnp.array([0, 1, 1, 0, 2, 2, 2, 2])
            logits = self.variant(one.apply)(parameters, tokens)
            np.testing.assert_allclose(logits, one.apply(parameters, tokens), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mixer", UNLIKE)
def test_every_parameter_gets_a_gradient(mixer: str):
    one = network(mixer, layers=2)
    parameters = one.init(jax.random.key(0))
    tokens = jnp.array([0, 1, 1, 0, 2, 2, 2, 2])
    weights = jax.random.normal(jax.random.key(1), (4, one.vocab_size))
    gradients = jax.grad(lambda p: (one.apply(p, tokens) * weights).sum())(parameters)
    for path, gradient in jax.tree.leaves_with_path(gradients):
        assert np.abs(gradient).max() > 0, path


def test_a_wrong_length_is_refused():
    one = network("attention")
    with pytest.raises(AssertionError, match="shape"):
        one.apply(one.init(jax.random.key(0)), jnp.zeros(5, jnp.int32))


def test_a_mixer_that_holds_more_than_parameters_is_refused():
    class Stateful(Mixer):
        def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
            self.memory = nnx.Variable(jnp.zeros(width))

        def __call__(self, x: jax.Array) -> jax.Array:
            return x + self.memory[...]

    with pytest.raises(AttnsearchError, match=r"Stateful holds variables that are not nnx.Param: .*memory"):
        Network.of(SPEC, Stateful, (), LinearMap(4))


@pytest.mark.parametrize(
    ("positions", "relative_positions", "tells_apart"),
    [("none", "none", False), ("none", "rotary", True), ("sinusoidal", "none", True)],
)
def test_without_positions_a_layer_of_attention_sees_how_often_a_token_came(
    positions: str, relative_positions: str, tells_apart: bool
):
    spec = NetworkSpec(width=32, num_layers=1, mlp_width=64, positions=positions)
    heads = settings({"num_heads": 4, "relative_positions": relative_positions})
    one = Network.of(spec, MIXERS["attention"], heads, LinearMap(4))
    parameters = one.init(jax.random.key(0))
    assert "positions" not in parameters
    some, others = (
        one.apply(parameters, jnp.array([*inputs, 2, 2, 2, 2])) for inputs in ([0, 1, 1, 0], [1, 0, 0, 1])
    )
    assert np.allclose(some, others, atol=1e-5) != tells_apart


def test_equal_settings_make_equal_networks():
    assert network("attention") == network("attention")
    assert hash(network("attention")) == hash(network("attention"))
    assert network("attention") != network("mlp_mixer")


@pytest.mark.parametrize("vocabulary", [LARGEST_ONE_HOT, LARGEST_ONE_HOT + 1])
def test_a_token_is_embedded_by_its_row_whatever_the_vocabulary(vocabulary: int):
    """And its gradient adds up over repeated tokens."""
    tokens = np.array([3, 0, 3, vocabulary - 1])
    table = np.random.default_rng(0).normal(size=(vocabulary, 8)).astype(np.float32)
    rows, pulled = jax.vjp(lambda table: rows_of(table, jnp.asarray(tokens)), jnp.asarray(table))
    np.testing.assert_array_equal(rows, table[tokens])
    expected = np.zeros_like(table)
    np.add.at(expected, tokens, np.asarray(rows))
    np.testing.assert_allclose(pulled(rows)[0], expected, rtol=1e-6)
