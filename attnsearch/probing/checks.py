"""The checks of a verification: each asks one thing of a mixer and says what it saw.

What a check proves is the first sentence of its docstring.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Floats
from attnsearch.probing.check import Answer, Check
from attnsearch.probing.perturbation import LOUD, apart, movements
from attnsearch.probing.subject import (
    EASIEST_CONTEXT,
    LONGEST_CONTEXT,
    TOKENS_PER_STEP,
    Subject,
    forward,
    train,
)
from attnsearch.results.warnings import LEAK_MARGIN
from attnsearch.runs import verification
from attnsearch.runs.measures import held
from attnsearch.spec.run import BudgetSpec
from attnsearch.training.jax.network import Network, Parameters

ROUNDING = 1e-5
"""Movement that rounding explains where the same program runs twice, as in a Fourier transform."""

PROGRAMS = 1e-2
"""Difference that rounding explains between two programs for the same thing, products in TF32 included."""

LEARNING_STEPS = 2_000
"""Steps within which the easiest form of a task is to be mastered; sound mixers took 70 to 960."""


_ASKED: dict[str, Callable[[Subject], Answer]] = {}


def _answers(check: str) -> Callable[[Callable[[Subject], Answer]], Callable[[Subject], Answer]]:
    """What says whether the check of that name, one of `runs.verification.CHECKS`, is passed."""

    def noted(ask: Callable[[Subject], Answer]) -> Callable[[Subject], Answer]:
        _ASKED[check] = ask
        return ask

    return noted


@_answers("construction")
def constructed(subject: Subject) -> Answer:
    """It is built and called, returns the right shapes, and holds nothing but parameters."""
    arrays = _of_mixer(subject.initial)
    numbers = sum(array.size for array in arrays.values())
    shape = f"f32[{subject.network.context_length}, {subject.width}]"
    return Answer(True, f"{shape} for {shape}; {len(arrays)} arrays of parameters, {numbers:,} numbers")


@_answers("contexts")
def contexts(subject: Subject) -> Answer:
    """It works at the shortest and the longest context of the task."""
    lengths = []
    for tokens in (0, LONGEST_CONTEXT):
        network = subject.run_on(subject.sized(subject.task, tokens), BudgetSpec()).trainer.network
        lengths.append(network.context_length)
        inputs = np.random.default_rng(3).normal(size=(2, lengths[-1], subject.width)).astype(np.float32)
        outputs, slopes = _outputs_and_gradients(network, network.init(jax.random.key(0)), inputs)
        if not all(np.isfinite(result).all() for result in (outputs, *_of_mixer(slopes).values())):
            return Answer(False, f"at {lengths[-1]} tokens outputs or gradients are not finite")
    return Answer(True, f"outputs and gradients are finite at {lengths[0]} and at {lengths[1]} tokens")


@_answers("queries")
def queries(subject: Subject) -> Answer:
    """A row that is asked for alone is that row of the whole."""
    length = subject.network.context_length
    choices = [(length - 1,), tuple(range(length // 2, length)), tuple(range(0, length, 3))]
    whole, *parts = _rows(subject.network, subject.perturbed, subject.inputs(1)[0], tuple(choices))
    for choice, part in zip(choices, parts, strict=True):
        if not (distance := apart(whole[np.array(choice)], part)) <= PROGRAMS:
            return Answer(
                False, f"at(x, {[*choice]}) is {distance:.2g} of a typical output off these rows of the call"
            )
    return Answer(
        True, f"at(x, positions) gives the rows of the call for {len(choices)} choices of positions"
    )


@_answers("causality at initialisation")
def causal_at_initialisation(subject: Subject) -> Answer:
    """No output moves when a later position is replaced, nor has a gradient there."""
    return _causal(subject, subject.initial)


@_answers("causality when perturbed")
def causal_when_perturbed(subject: Subject) -> Answer:
    """With noise on every parameter, which opens what is closed at first, no output moves either."""
    return _causal(subject, subject.perturbed)


@_answers("causality after training")
def causal_after_training(subject: Subject) -> Answer:
    """After training where looking ahead would pay, no output moves either."""
    return _causal(subject, subject.trained.parameters)


@_answers("unpredictable targets")
def unpredictable(subject: Subject) -> Answer:
    """Trained on tokens that nothing before them tells, its loss stays at chance."""
    recording = subject.trained.recording
    if recording.status == "diverged":
        return Answer(False, f"after {recording.step} steps the loss is not finite")
    unknown = np.flatnonzero(~recording.truth.is_target)
    shares = np.stack(recording.loss)[:, unknown] / float(recording.truth.chance_loss)
    seen = held(shares < LEAK_MARGIN).any(axis=0)
    if seen.any():
        lowest = int(shares[-1].argmin())
        token = int(recording.truth.query_positions[unknown[lowest]]) + 1
        return Answer(
            False,
            f"{seen.sum()} of {len(unknown)} losses fell: after {recording.step} steps the loss of token"
            f" {token} is {shares[-1, lowest]:.2f} of chance",
        )
    last = shares[-1]
    return Answer(True, f"after {recording.step} steps {last.min():.2f} to {last.max():.2f} of chance")


@_answers("sequences of a batch")
def sequences(subject: Subject) -> Answer:
    """No sequence of a batch influences another."""
    first, *others = subject.inputs(5)
    batches = [np.stack([first, *others[:2]]), np.stack([first, LOUD * others[2], others[3]])]
    one, other = (_batched(subject.network, subject.perturbed, batch)[0] for batch in batches)
    if not (distance := apart(one, other)) <= ROUNDING:
        return Answer(
            False, f"outputs moved by {distance:.2g} of a typical one when the rest of the batch was replaced"
        )
    alone = forward(subject.network, subject.perturbed, first)
    if not (distance := apart(alone, one)) <= PROGRAMS:
        return Answer(False, f"outputs in a batch are {distance:.2g} of a typical one off those alone")
    return Answer(True, "outputs are the same alone, in a batch, and with the rest of the batch replaced")


@_answers("jitted and un-jitted")
def jitted(subject: Subject) -> Answer:
    """Compiled, it computes what it does operation by operation."""
    x = subject.inputs(1)[0]
    step_by_step = subject.network.first_mixer(subject.perturbed)(jnp.asarray(x))
    distance = apart(step_by_step, forward(subject.network, subject.perturbed, x))
    return Answer(distance <= PROGRAMS, f"outputs differ by {distance:.2g} of a typical one")


@_answers("determinism")
def deterministic(subject: Subject) -> Answer:
    """Made with the same key and called with the same input, it does the same."""
    again = _of_mixer(subject.network.init(jax.random.key(0)))
    for name, parameter in _of_mixer(subject.initial).items():
        if not np.array_equal(parameter, again[name]):
            return Answer(False, f"parameter {name} differs between two mixers made with the same key")
    one, other = (subject.network.contract.constants() for _ in range(2))
    for name, constant in one.items():
        if not np.array_equal(constant, other[name]):
            return Answer(False, f"constant {name} differs between two mixers")
    x = jnp.asarray(subject.inputs(1)[0])
    one, other = (subject.network.first_mixer(subject.perturbed)(x) for _ in range(2))
    distance = apart(one, other)
    return Answer(
        distance <= ROUNDING, f"outputs of two mixers made alike differ by {distance:.2g} of a typical one"
    )


@_answers("state between calls")
def stateless(subject: Subject) -> Answer:
    """What a call returns does not depend on earlier calls."""
    x, *others = map(jnp.asarray, subject.inputs(3))
    try:
        mixer = subject.network.first_mixer(subject.perturbed)
        before = mixer(x)
        for other in others:
            mixer(other)
        distance = apart(before, mixer(x))
    except jax.errors.UnexpectedTracerError:
        return Answer(False, "it holds on to an array of an earlier call, which was compiled")
    return Answer(
        distance <= ROUNDING,
        f"outputs before and after other calls differ by {distance:.2g} of a typical one",
    )


@_answers("gradients")
def gradients(subject: Subject) -> Answer:
    """Gradients are finite and reach every parameter."""
    found: dict[str, Floats] = {}
    for parameters in (subject.initial, subject.perturbed):
        found = _of_mixer(_outputs_and_gradients(subject.network, parameters, subject.inputs(4))[1])
        for name, gradient in found.items():
            if not np.isfinite(gradient).all():
                return Answer(False, f"the gradient of parameter {name} is not finite")
    unused = [name for name, gradient in found.items() if not np.any(gradient)]
    if unused:
        return Answer(False, f"no gradient reaches parameter {', '.join(unused)}: no output depends on it")
    return Answer(True, f"finite, and not zero for any of {len(found)} arrays of parameters")


@_answers("attention weights")
def weighted(subject: Subject) -> Answer:
    """Attention weights, where it has any, are shares, and lie on the past."""
    weights = np.asarray(_weights(subject.network, subject.perturbed, subject.inputs(1)[0]))
    if not len(weights):
        return Answer(True, "it has none")
    off = np.abs(weights.sum(axis=-1) - 1).max()
    if not (off <= PROGRAMS and weights.min() >= 0):
        return Answer(
            False, f"rows sum to 1 give or take {off:.2g}, and the smallest weight is {weights.min():.2g}"
        )
    ahead = np.triu(weights, 1).max()
    if ahead > ROUNDING:
        return Answer(False, f"a weight of {ahead:.2g} lies on a later position")
    return Answer(True, f"rows of {len(weights)} heads sum to 1, and nothing lies on later positions")


@_answers("learning")
def learns(subject: Subject) -> Answer:
    """It masters the easiest form of the task."""
    task = subject.sized(subject.task, EASIEST_CONTEXT)
    recording = train(subject.run_on(task, BudgetSpec(LEARNING_STEPS, TOKENS_PER_STEP))).recording
    knobs = ", ".join(f"{name}={value}" for name, value in task.knobs)
    found = f"{recording.found} of {len(recording.target_loss)} targets found after {recording.step} steps"
    return Answer(recording.status == "mastered", f"{task.name} with {knobs}: {found}")


CHECKS = tuple(Check(name, _ASKED[name]) for name in verification.CHECKS)
"""In the order in which they are run; where the first does not hold, the others are not run."""


def _causal(subject: Subject, parameters: Parameters) -> Answer:
    """Every position replaced in turn, of inputs and of tokens."""
    network = subject.network
    x, other = subject.inputs(2)
    tokens = np.random.default_rng(2).integers(0, network.vocab_size, len(x), dtype=np.int32)
    seen = movements(network, parameters, x, other, tokens)
    columns = np.arange(len(x))
    furthest = 0.0
    for moved, rows, words in (
        (seen.ordinary, columns, "output {} moved by {:.2g} of a typical one when input {} was replaced"),
        (seen.loud, columns, "output {} moved by {:.2g} of a typical one when input {} became loud"),
        (seen.gradient, columns, "output {} has {:.2g} of a typical gradient with respect to input {}"),
        (
            seen.tokens,
            np.array(network.query_positions),
            "logits at {} moved by {:.2g} of typical ones when token {} was replaced",
        ),
    ):
        if np.isnan(moved).all():
            return Answer(False, "outputs are not finite")
        # What must not move; what is no number has moved.
        ahead = np.where(rows[:, None] < columns, np.nan_to_num(moved, nan=np.inf), 0.0)
        row, column = np.unravel_index(ahead.argmax(), ahead.shape)
        share = float(ahead[row, column])
        if not share <= ROUNDING:
            return Answer(False, words.format(rows[row], share, column))
        furthest = max(furthest, share)
    most = f"at most {furthest:.1g} of a typical one"
    return Answer(True, f"with each of {len(x)} positions replaced, earlier outputs moved by {most}")


@partial(jax.jit, static_argnums=0)
def _batched(network: Network, parameters: Parameters, x: jax.Array) -> jax.Array:
    return jax.vmap(network.first_mixer(parameters))(x)


@partial(jax.jit, static_argnums=(0, 3))
def _rows(
    network: Network, parameters: Parameters, x: jax.Array, choices: tuple[tuple[int, ...], ...]
) -> list[jax.Array]:
    """All rows, then the rows of each of `choices`."""
    mixer = network.first_mixer(parameters)
    return [mixer(x), *(mixer.at(x, np.array(choice)) for choice in choices)]


@partial(jax.jit, static_argnums=0)
def _weights(network: Network, parameters: Parameters, x: jax.Array) -> jax.Array:
    return network.first_mixer(parameters).weights(x, np.arange(len(x)))


@partial(jax.jit, static_argnums=0)
def _outputs_and_gradients(
    network: Network, parameters: Parameters, inputs: jax.Array
) -> tuple[jax.Array, Parameters]:
    """The mixer's outputs for all `inputs` but the last, and their gradients, seen in the direction of it."""

    def seen(parameters: Parameters) -> tuple[jax.Array, jax.Array]:
        mixer = network.first_mixer(parameters)
        outputs = jax.lax.map(mixer, inputs[:-1])
        return (outputs * inputs[-1]).sum(), outputs

    gradients, outputs = jax.grad(seen, has_aux=True)(parameters)
    return outputs, gradients


def _of_mixer(parameters: Parameters) -> dict[str, Floats]:
    """The arrays of the first mixer, on the host, by the names of its attributes."""
    found = {}
    for path, leaf in jax.tree.leaves_with_path(parameters):
        names = [str(getattr(entry, "key", getattr(entry, "name", entry))) for entry in path]
        if "mixer" in names:
            found[".".join(names[names.index("mixer") + 1 :]).removesuffix(".value")] = np.asarray(leaf)
    return found
