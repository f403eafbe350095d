"""The map given away: added to the logits of the queries, where and when it is asked for."""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attnsearch.backends import specify
from attnsearch.base import AttnsearchError, Floats, Integers
from attnsearch.generators import CellularAutomaton, LinearMap
from attnsearch.generators.base import Generator
from attnsearch.mixers import MIXERS, LogitMixer
from attnsearch.mixers.base import LogitBias
from attnsearch.spec.run import InterventionSpec, NetworkSpec, settings
from attnsearch.training.jax import probes
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.compiled import CompiledLanes, stacked
from attnsearch.training.jax.network import Network
from attnsearch.training.jax.trainer import MapBias, RunInputs, RunState, Trainer

GENERATORS: dict[str, Generator] = {
    "linear map": LinearMap(8),
    "automaton": CellularAutomaton(8, 3, 3, 1, 3, rule_pool=4),
}


def trainer(generator: Generator, num_layers: int = 2) -> Trainer:
    spec = NetworkSpec(width=32, num_layers=num_layers, mlp_width=64)
    network = Network.of(spec, MIXERS["attention"], settings({"num_heads": 4}), generator)
    return Trainer(generator, network, batch_size=8, biased=True)


def bias(*strength: float, first: int = 0, last: int = 100, placebo: bool = False) -> MapBias:
    return MapBias(jnp.array(strength), jnp.asarray(first), jnp.asarray(last), jnp.asarray(placebo))


def begun(made: Trainer, given: MapBias | None, step: jax.Array | int = 0) -> RunState:
    inputs = RunInputs(
        seed=jnp.asarray(0),
        rule_seed=jnp.asarray(0),
        knobs={name: jnp.asarray(2) for name in made.generator.traced_knobs},
        learning_rate=jnp.asarray(1e-3),
        weight_decay=jnp.asarray(0.01),
        warmup_steps=jnp.asarray(20),
        map_bias=given,
    )
    return made.begin(inputs)._replace(step=jnp.asarray(step))


@pytest.fixture(scope="module", params=GENERATORS)
def subject(request: pytest.FixtureRequest) -> Trainer:
    return trainer(GENERATORS[request.param])


@pytest.fixture(scope="module")
def mass(subject: Trainer) -> Callable[..., Floats]:
    """The mass of every head under a bias, `f32[A, K]`."""

    @jax.jit
    def measured(given: MapBias, step: int) -> jax.Array:
        return probes.heads(subject, begun(subject, given, step))[1]

    def of_bias(given: MapBias, step: int = 0) -> Floats:
        return np.asarray(measured(given, step))

    return of_bias


def test_a_strong_bias_leaves_the_heads_nothing_but_the_support(mass: Callable[..., Floats]):
    found = mass(bias(50.0, 50.0))
    np.testing.assert_allclose(found, 1, atol=1e-4)
    assert len(found) == 2 * 4


def test_a_placebo_leaves_them_nothing_of_it(mass: Callable[..., Floats]):
    np.testing.assert_allclose(mass(bias(50.0, 50.0, placebo=True)), 0, atol=1e-4)


def test_layers_without_strength_are_left_alone(subject: Trainer, mass: Callable[..., Floats]):
    plain = np.asarray(jax.jit(lambda: probes.heads(subject, begun(subject, None))[1])())
    first, second = mass(bias(50.0, 0.0)), mass(bias(0.0, 50.0))
    np.testing.assert_allclose(first[:4], 1, atol=1e-4)
    assert first[4:].max() < 0.9
    np.testing.assert_allclose(second[:4], plain[:4], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second[4:], 1, atol=1e-4)
    np.testing.assert_allclose(mass(bias(0.0, 0.0)), plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("step", "active"), [(9, False), (10, True), (19, True), (20, False)])
def test_it_holds_from_the_first_step_to_the_one_before_the_last(
    mass: Callable[..., Floats], step: int, active: bool
):
    plain, found = mass(bias(0.0, 0.0)), mass(bias(50.0, 50.0, first=10, last=20), step)
    expected = np.ones_like(plain) if active else plain
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_tokens_that_answer_nothing_have_no_bias():
    # With all weight of every query on one input, what an input reads itself must not have changed: the
    # second layer sees the same inputs, so that influence beyond the support comes from these alone.
    made = trainer(LinearMap(8), num_layers=1)
    state = begun(made, bias(1e4))
    influence = np.asarray(jax.jit(lambda: probes.influence(made, state).mean)())
    support = np.asarray(made.generator.truth(np.asarray(state.rule), state.inputs.knobs).attention_map)
    assert (influence[~support] == 0).all()
    assert (influence[support] > 0).all()


def test_a_bias_of_nothing_trains_as_without():
    made = trainer(LinearMap(4), num_layers=1)
    plain, nothing = (jax.jit(made.advance)(begun(made, given))[1] for given in (None, bias(0.0)))
    np.testing.assert_allclose(plain.loss, nothing.loss, rtol=1e-5)


def test_strengths_steps_layers_and_placebo_are_lanes_of_one_compilation():
    values = {
        "map_bias": [1.0, 4.0],
        "map_bias_layers": ["0", "all"],
        "map_bias_steps": ["all", "0:50"],
        "map_bias_placebo": [False, True],
        "num_layers": [2],
        "width": [32],
        "num_heads": [4],
    }
    specs = specify(["linear_map"], ["attention"], values, seeds=range(1))
    assert len(specs) == 16
    (cohort,) = JaxBackend().cohorts(specs)
    inputs = [cohort.inputs(spec).map_bias for spec in specs]
    assert len({tuple(map(str, jax.tree.leaves(one))) for one in inputs}) == 16
    # One without has no place for it in its program, and is as fast as it was.
    plain = specify(["linear_map"], ["attention"], {**values, "map_bias": [0.0]}, seeds=range(1))
    assert len(plain) == 1
    (other,) = JaxBackend().cohorts(plain)
    assert other.trainer != cohort.trainer
    assert other.inputs(plain[0]).map_bias is None


def test_lanes_take_biases_as_they_are():
    made = trainer(LinearMap(4), num_layers=1)
    lanes = CompiledLanes(made, jax.local_devices()[:1], 2)
    one, other = (begun(made, bias(strength)).inputs for strength in (0.0, 50.0))
    states = lanes.begin(stacked([jax.tree.map(np.asarray, inputs) for inputs in (one, other)]))
    mass = lanes.look(states, np.ones(2, bool)).mass
    assert mass[0].max() < 0.9
    np.testing.assert_allclose(mass[1], 1, atol=1e-4)


def test_a_mixer_without_logits_is_refused_in_python_too():
    specs = specify(["linear_map"], ["mlp_mixer"], {"map_bias": [1.0]}, seeds=range(1))
    with pytest.raises(AttnsearchError, match=r"--map-bias works with attention$"):
        JaxBackend().cohorts(specs)


class Halfway(LogitMixer):
    """Forms logits, but does not say how a bias is added to them."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        self.out = nnx.Linear(width, width, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(x)


class Transposed(Halfway):
    """Says it, with a weight for every position of every position."""

    def biased_at(self, x: jax.Array, positions: Integers, bias: LogitBias) -> jax.Array:
        return self(x)[positions] + bias(positions).sum()

    def biased_weights(self, x: jax.Array, positions: Integers, bias: LogitBias) -> jax.Array:
        return jnp.zeros((1, len(x), len(positions)))


@pytest.mark.parametrize(
    ("mixer", "said"),
    [
        (Halfway, r"mixer Halfway, biased_at\(x, positions, bias\), cannot be called on f32\[8, 128\]:"),
        (
            Transposed,
            r"biased_weights\(x, positions, bias\), returned f32\[1, 8, 4\] .* expected f32\[H, 4, 8\]",
        ),
    ],
)
def test_a_mixer_that_cannot_add_a_bias_says_so_before_it_is_trained(mixer: type[LogitMixer], said: str):
    backend = JaxBackend(mixers={"mine": mixer})
    (plain,) = specify(["linear_map"], ["mine"], {"state_size": [4]}, seeds=[0], backend=backend)
    assert len(backend.cohorts([plain])) == 1
    biased = replace(plain, cell=replace(plain.cell, intervention=InterventionSpec(map_bias=4.0)))
    with pytest.raises(AttnsearchError, match=said):
        backend.cohorts([biased])
