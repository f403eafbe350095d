"""Every registered mixer, alike: causal, trainable throughout, the same in whole and in rows.

That it is the same jitted and not, and alone and in a batch, say the records of verification that ship.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attnsearch.base import AttnsearchError, Integers
from attnsearch.mixers import MIXERS, Attention, Mixer, MLPMixer, attention
from attnsearch.mixers.base import LogitMixer, default_settings, describe, rows
from attnsearch.mixers.slstm import SLSTM

LENGTH, WIDTH = 7, 16


def default(kind: Callable[..., Mixer]) -> Callable[[], Mixer]:
    return lambda: kind(WIDTH, LENGTH, rngs=nnx.Rngs(0))


CASES: dict[str, Callable[[], Mixer]] = {
    **{name: default(kind) for name, kind in MIXERS.items()},
    # At this width, heads by default have two features, and normalising two magnifies rounding.
    "slstm": lambda: SLSTM(WIDTH, LENGTH, rngs=nnx.Rngs(0), num_heads=2),
    "attention-one-head": lambda: Attention(WIDTH, LENGTH, rngs=nnx.Rngs(0), num_heads=1),
    "attention-wide-heads": lambda: Attention(WIDTH, LENGTH, rngs=nnx.Rngs(0), num_heads=3, head_width=9),
    "mlp_mixer-expansion-1": lambda: MLPMixer(WIDTH, LENGTH, rngs=nnx.Rngs(0), expansion=1),
}


def inputs(seed: int = 0) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), (LENGTH, WIDTH))


ASKED = ([0], [3, 4, 5], [0, 2, 6])
"""Rows that are asked for: the first, some without a gap, and some with gaps."""


class Outcome(NamedTuple):
    """What a mixer computes: its outputs, `f32[L, D]`; by `ASKED`, rows and weights; all its gradients."""

    outputs: jax.Array
    rows: list[jax.Array]
    weights: list[jax.Array]
    gradients: Any


@pytest.fixture(scope="module", params=CASES)
def outcome(request: pytest.FixtureRequest) -> Callable[[jax.Array], Outcome]:
    """Each mixer with parameters drawn from a normal distribution: at initialisation a leak may hide behind
    zeros. All that is asked of it is one program, for the tests spend their time on compiling."""
    build = CASES[request.param]
    shapes = nnx.state(nnx.eval_shape(build), nnx.Param)
    random = np.random.default_rng(1)
    drawn = jax.tree.map(lambda one: jnp.asarray(0.5 * random.normal(size=one.shape), one.dtype), shapes)
    direction = jnp.asarray(random.normal(size=(LENGTH, WIDTH)), jnp.float32)

    def made(parameters: nnx.State) -> Mixer:
        mixer = build()
        nnx.update(mixer, parameters)
        return mixer

    def along(parameters: nnx.State, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        outputs = made(parameters)(x)
        return (outputs * direction).sum(), outputs

    @jax.jit
    def computed(parameters: nnx.State, x: jax.Array) -> Outcome:
        gradients, outputs = jax.grad(along, argnums=(0, 1), has_aux=True)(parameters, x)
        mixer, asked = made(parameters), [np.array(positions) for positions in ASKED]
        return Outcome(
            outputs, [mixer.at(x, one) for one in asked], [mixer.weights(x, one) for one in asked], gradients
        )

    return lambda x: computed(drawn, x)


def test_a_token_moves_the_outputs_from_it_on_and_no_other(outcome: Callable[[jax.Array], Outcome]):
    before = outcome(inputs()).outputs
    chex.assert_shape(before, (LENGTH, WIDTH))
    for position in range(LENGTH):
        changed = inputs().at[position].set(inputs(9)[position])
        after = outcome(changed).outputs
        np.testing.assert_array_equal(after[:position], before[:position])
        assert not np.allclose(after[-1], before[-1], rtol=0, atol=1e-6), f"nothing reads {position}"


def test_some_rows_are_the_rows_of_the_whole(outcome: Callable[[jax.Array], Outcome]):
    found = outcome(inputs())
    for positions, some in zip(ASKED, found.rows, strict=True):
        np.testing.assert_allclose(some, found.outputs[np.array(positions)], rtol=2e-5, atol=2e-5)


def test_weights_are_shares_of_what_a_query_sees(outcome: Callable[[jax.Array], Outcome]):
    for positions, weights in zip(ASKED, outcome(inputs()).weights, strict=True):
        assert weights.shape[1:] == (len(positions), LENGTH)
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
        hidden = np.arange(LENGTH) > np.array(positions)[:, None]
        assert (np.asarray(weights)[:, hidden] == 0).all()


def test_every_input_and_parameter_gets_a_gradient(outcome: Callable[[jax.Array], Outcome]):
    of_parameters, of_x = outcome(inputs()).gradients
    assert np.isfinite(of_x).all()
    assert (np.abs(of_x).sum(axis=1) > 0).all()
    for path, gradient in jax.tree.leaves_with_path(of_parameters):
        assert np.isfinite(gradient).all(), path
        assert np.abs(gradient).max() > 0, path


def test_settings_are_read_from_the_constructor():
    assert default_settings(Attention) == {
        **{"num_heads": 16, "head_width": None},
        **{"relative_positions": "none", "qk_norm": False, "learned_temperature": False},
    }
    assert default_settings(MLPMixer) == {"expansion": 4}
    assert describe(MLPMixer).endswith("[expansion=4]")


def test_a_setting_without_a_default_is_refused():
    class Unfinished(Mixer):
        def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs, depth: int): ...

    with pytest.raises(AttnsearchError, match="Unfinished: setting depth has no default"):
        default_settings(Unfinished)


def test_a_mixer_without_a_call_says_so():
    class Silent(Mixer):
        pass

    with pytest.raises(TypeError, match="Silent does not define __call__"):
        Silent()(inputs())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_heads": 3}, "width 16 does not divide by num_heads 3: use num_heads in 1, 2, 4, 8, 16"),
        ({"num_heads": 0}, "num_heads 0 must be"),
        ({"head_width": 0}, "head_width 0 must be"),
        ({"head_width": "wide"}, "head_width .wide. must be a whole number"),
    ],
)
def test_bad_heads(settings: dict[str, Any], message: str):
    with pytest.raises(AttnsearchError, match=message):
        Attention(WIDTH, LENGTH, rngs=nnx.Rngs(0), **settings)


def test_bad_expansion():
    with pytest.raises(AttnsearchError, match="expansion 0 must be at least 1"):
        MLPMixer(WIDTH, LENGTH, rngs=nnx.Rngs(0), expansion=0)


def test_attention_and_its_gradients_are_those_of_an_independent_implementation():
    ours = Attention(WIDTH, LENGTH, rngs=nnx.Rngs(0), num_heads=4)
    theirs = nnx.MultiHeadAttention(4, WIDTH, use_bias=False, decode=False, rngs=nnx.Rngs(1))
    for name in ("query", "key", "value"):
        kernel = getattr(ours, name).kernel[...].reshape(WIDTH, 4, WIDTH // 4)
        getattr(theirs, name).kernel.set_value(kernel)
    theirs.out.kernel.set_value(ours.out.kernel[...].reshape(4, WIDTH // 4, WIDTH))
    mask = nnx.make_causal_mask(jnp.ones(LENGTH))
    weights = jax.random.normal(jax.random.key(4), (LENGTH, WIDTH))

    def outcome(module: nnx.Module, **more: jax.Array) -> Any:
        definition, parameters = nnx.split(module)

        def weighted(p: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
            made: Any = nnx.merge(definition, p)
            mixed = made(x, **more)
            return (mixed * weights).sum(), mixed

        gradient = jax.jit(jax.grad(weighted, argnums=(0, 1), has_aux=True))
        gradients, mixed = gradient(parameters, inputs())
        flat = {path: leaf[...].reshape(-1) for path, leaf in nnx.to_flat_state(gradients[0])}
        return mixed, gradients[1], flat

    for one, other in zip(
        jax.tree.leaves(outcome(ours)), jax.tree.leaves(outcome(theirs, mask=mask)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_rows_take_gaps_and_slices_alike():
    x = inputs()
    for positions in ([2, 3, 4], [0, 3]):
        np.testing.assert_array_equal(rows(x, np.array(positions)), x[np.array(positions)])


def test_weights_of_attention_are_those_it_mixes_with():
    # The values of one head that are the positions themselves, passed on as they are, show its weights.
    made = Attention(LENGTH, LENGTH, rngs=nnx.Rngs(0), num_heads=1)
    x = jax.random.normal(jax.random.key(2), (LENGTH, LENGTH)) + jnp.eye(LENGTH) * 3
    made.value.kernel.set_value(jnp.linalg.inv(x))
    made.out.kernel.set_value(jnp.eye(LENGTH))
    np.testing.assert_allclose(made(x), made.weights(x, np.arange(LENGTH))[0], atol=1e-4)
    assert MLPMixer(WIDTH, LENGTH, rngs=nnx.Rngs(0)).weights(inputs(), np.arange(2)).shape == (0, 2, LENGTH)


LOGIT_MIXERS = [kind for kind in MIXERS.values() if issubclass(kind, LogitMixer)]


def built(kind: type[LogitMixer]) -> LogitMixer:
    if kind is Attention:
        return Attention(WIDTH, LENGTH, rngs=nnx.Rngs(0), num_heads=4)
    return kind(WIDTH, LENGTH, rngs=nnx.Rngs(0))  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("kind", LOGIT_MIXERS)
@pytest.mark.parametrize("positions", [[3, 4, 5], [0, 2, 6]])
class TestBias:
    def test_none_at_all_changes_nothing(self, kind: type[LogitMixer], positions: list[int]):
        made, asked = built(kind), np.array(positions)
        nothing = made.biased_at(inputs(), asked, lambda queries: jnp.zeros((len(queries), LENGTH)))
        np.testing.assert_allclose(nothing, made.at(inputs(), asked), rtol=1e-6, atol=1e-6)

    def test_weights_are_multiplied_by_its_exponential(self, kind: type[LogitMixer], positions: list[int]):
        made, asked = built(kind), np.array(positions)
        bias = np.asarray(jax.random.normal(jax.random.key(9), (LENGTH, LENGTH)))
        expected = np.asarray(made.weights(inputs(), asked)) * np.exp(bias[asked])
        expected /= expected.sum(axis=-1, keepdims=True)
        found = made.biased_weights(inputs(), asked, lambda queries: jnp.asarray(bias[queries]))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)

    def test_a_large_one_leaves_one_position_to_read(self, kind: type[LogitMixer], positions: list[int]):
        made, asked = built(kind), np.array(positions)

        def first(queries: Integers | jax.Array) -> jax.Array:
            return jnp.zeros((len(queries), LENGTH)).at[:, 0].set(1e4)

        weights = np.asarray(made.biased_weights(inputs(), asked, first))
        np.testing.assert_array_equal(weights[..., 0], 1)

    def test_each_head_can_be_taken_out(self, kind: type[LogitMixer], positions: list[int]):
        made, asked = built(kind), np.array(positions)
        whole = np.asarray(made.at(inputs(), asked))
        heads = len(made.weights(inputs(), asked))
        without = [made.without_head(jnp.asarray(head)).at(inputs(), asked) for head in range(heads)]
        parts = [whole - np.asarray(rest) for rest in without]
        # Heads add up: what each of them adds, together, is everything.
        np.testing.assert_allclose(sum(parts), whole, rtol=1e-4, atol=1e-5)
        assert all(np.abs(part).max() > 1e-4 for part in parts)


@pytest.mark.parametrize(
    ("queries", "biased"),
    [([*range(12)], False), ([5, 6, 7, 8, 9, 10, 11], True), ([0, 3, 4, 9, 11], True)],
)
def test_attention_in_parts_is_attention(queries: list[int], biased: bool, monkeypatch: pytest.MonkeyPatch):
    """The memory-efficient form of a long context, at a short one: values and gradients, with a bias too."""
    made = Attention(WIDTH, 12, rngs=nnx.Rngs(0), num_heads=4)
    x = jax.random.normal(jax.random.key(1), (12, WIDTH))
    bias = jax.random.normal(jax.random.key(2), (12, 12))
    definition, parameters = nnx.split(made)

    def outcome() -> Any:
        def loss(parameters: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
            mixer, asked = nnx.merge(definition, parameters), np.array(queries)
            mixed = mixer.biased_at(x, asked, lambda asked: bias[asked]) if biased else mixer.at(x, asked)
            return (mixed**3).sum(), mixed

        return jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(parameters, x)

    whole = outcome()
    monkeypatch.setattr(attention, "LARGEST_LOGITS", 12)
    monkeypatch.setattr(attention, "FEWEST_QUERIES", 2)
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(outcome()), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_attention_in_parts_holds_the_logits_of_one(monkeypatch: pytest.MonkeyPatch):
    """Parts that were independent of one another would all be held at once, and save nothing."""
    length = 1024
    definition, parameters = nnx.split(Attention(8, length, rngs=nnx.Rngs(0), num_heads=2))

    def loss(parameters: Any, x: jax.Array) -> jax.Array:
        return (nnx.merge(definition, parameters)(x) ** 2).sum()

    def held() -> int:
        shape = jax.ShapeDtypeStruct((length, 8), jnp.float32)
        # A function of its own each time: what was traced before is remembered by its function.
        compiled = jax.jit(jax.grad(lambda p, x: loss(p, x))).lower(parameters, shape).compile()
        arrays = compiled.memory_analysis()
        assert arrays is not None
        return arrays.temp_size_in_bytes

    in_parts = held()
    monkeypatch.setattr(attention, "LARGEST_LOGITS", length**2)
    whole = held()
    assert whole > 2 * 4 * length**2
    assert in_parts < whole / 4
