"""The checks of a verification: each asks one thing of a mixer and says what it saw.

What a check proves is the first sentence of its docstring. None knows the framework of a mixer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from attnsearch.base import AttnsearchError, Floats
from attnsearch.probing import networks
from attnsearch.probing.apart import same_elsewhere
from attnsearch.probing.causality import causal, causal_in_depth, causal_slopes
from attnsearch.probing.check import Answer, Check
from attnsearch.probing.networks import looks_ahead
from attnsearch.probing.perturbation import LOUD, PROGRAMS, ROUNDING, apart, directions
from attnsearch.probing.subject import (
    EASIEST_CONTEXT,
    LONG_CONTEXT,
    TOKENS_PER_STEP,
    Subject,
    noisy,
    of_mixer,
)
from attnsearch.runs import verification
from attnsearch.runs.leaks import LEAK_MARGIN
from attnsearch.runs.outline import held
from attnsearch.spec.run import BudgetSpec

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
    arrays = of_mixer(subject.initial)
    numbers = sum(array.size for array in arrays.values())
    shape = f"f32[{subject.network.context_length}, {subject.width}]"
    return Answer(True, f"{shape} for {shape}; {len(arrays)} arrays of parameters, {numbers:,} numbers")


@_answers("contexts")
def contexts(subject: Subject) -> Answer:
    """It works at the shortest and the longest context of the task."""
    lengths = []
    for run in subject.contexts:
        network = subject.framework.network(run)
        lengths.append(network.context_length)
        shape = (2, network.context_length, subject.width)
        x, direction = np.random.default_rng(3).normal(size=shape).astype(np.float32)
        outputs, slopes = network.gradients(network.init(), x[None], direction)
        if not all(np.isfinite(result).all() for result in (outputs, *of_mixer(slopes).values())):
            return Answer(False, f"at {lengths[-1]} tokens outputs or gradients are not finite")
    return Answer(True, f"outputs and gradients are finite at {lengths[0]} and at {lengths[1]} tokens")


@_answers("queries")
def queries(subject: Subject) -> Answer:
    """A row that is asked for alone is that row of the whole."""
    asked, methods = 0, dict[str, None]()
    for network, parameters, x in subject.samples:
        choices = _choices(len(x))
        found = network.rows(parameters, x, choices)
        for method, (whole, *parts) in found.items():
            for choice, part in zip(choices, parts, strict=True):
                if not (distance := apart(whole[np.array(choice)], part)) <= PROGRAMS:
                    seen = f"{method}(x, {[*choice]}) is {distance:.2g} of a typical output off these rows"
                    return Answer(False, f"{seen} of the call on {len(x)} tokens")
        asked, methods = asked + len(choices), methods | dict.fromkeys(found)
    if not methods:
        return Answer(True, "does not apply: it is always asked for every row")
    named = " and ".join(f"{method}(x, positions)" for method in methods)
    return Answer(True, f"the rows of the call for {asked} choices of positions, by {named}")


def _choices(length: int) -> list[tuple[int, ...]]:
    """The last row, the second half, every third one, and a few at random, in rising order."""
    few = np.random.default_rng(length).choice(length, length // 4, replace=False)
    regular = [(length - 1,), tuple(range(length // 2, length)), tuple(range(0, length, 3))]
    return [*regular, tuple(sorted(map(int, few)))]


@_answers("causality at initialisation")
def causal_at_initialisation(subject: Subject) -> Answer:
    """No output moves when a later position is replaced, nor has a gradient there."""
    return causal(subject, subject.initial)


@_answers("causality when perturbed")
def causal_when_perturbed(subject: Subject) -> Answer:
    """With noise on every parameter, which opens what is closed at first, no output moves either. Nor do
    answers of whole networks.

    Gradients of many rows on a long context are looked at too.
    """
    first = causal(subject, subject.perturbed)
    if not first.holds:
        return first
    whole = looks_ahead(subject)
    if not whole.holds:
        return whole
    slopes = causal_slopes(subject)
    return slopes if not slopes.holds else Answer(True, f"{first.evidence}; logits, {whole.evidence}")


@_answers("causality after training")
def causal_after_training(subject: Subject) -> Answer:
    """After training where looking ahead would pay, no output moves either. Nor do answers of two layers that
    were trained on long sequences."""
    first = causal(subject, subject.trained.parameters)
    return causal_in_depth(subject, first.evidence) if first.holds else first


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
    # In the middle, for a batch that is taken for a sequence leaks one way alone.
    batches = [np.stack([others[0], first, others[1]]), np.stack([LOUD * others[2], first, others[3]])]
    one, other = (subject.network.batched(subject.perturbed, batch)[1] for batch in batches)
    if not (distance := apart(one, other)) <= ROUNDING:
        return Answer(
            False, f"outputs moved by {distance:.2g} of a typical one when the rest of the batch was replaced"
        )
    (alone,) = subject.network.outputs(subject.perturbed, first[None])
    if not (distance := apart(alone, one)) <= PROGRAMS:
        return Answer(False, f"outputs in a batch are {distance:.2g} of a typical one off those alone")
    return Answer(True, "outputs are the same alone, in a batch, and with the rest of the batch replaced")


@_answers("jitted and un-jitted")
def jitted(subject: Subject) -> Answer:
    """It computes the same in both modes of its framework: compiled or not, training or evaluation."""
    x = subject.inputs(1)
    distance = apart(
        subject.network.other_mode(subject.perturbed, x), subject.network.outputs(subject.perturbed, x)
    )
    return Answer(distance <= PROGRAMS, f"outputs differ by {distance:.2g} of a typical one")


@_answers("determinism")
def deterministic(subject: Subject) -> Answer:
    """Made with the same key and called with the same input, it does the same, in another process too."""
    again = of_mixer(subject.network.init())
    for name, parameter in of_mixer(subject.initial).items():
        if not np.array_equal(parameter, again[name]):
            return Answer(False, f"parameter {name} differs between two mixers made with the same key")
    one, other = (subject.network.constants() for _ in range(2))
    for name, constant in one.items():
        if not np.array_equal(constant, other[name]):
            return Answer(False, f"constant {name} differs between two mixers")
    x, network = subject.inputs(1), subject.network
    anew = (network.resized(1, network.context_length, network.query_positions) for _ in range(2))
    one, *others = (made.calls(subject.perturbed, x) for made in (network, *anew))
    distance = max(apart(one, other) for other in others)
    if not distance <= ROUNDING:
        return Answer(False, f"outputs of mixers made alike differ by {distance:.2g} of a typical one")
    seen = f"outputs of mixers made alike differ by {distance:.2g} of a typical one"
    return same_elsewhere(subject, seen)


@_answers("state between calls")
def stateless(subject: Subject) -> Answer:
    """What a call returns does not depend on earlier calls."""
    x, *others = subject.inputs(3)
    before, *_, after = subject.network.calls(subject.perturbed, np.stack([x, *others, x]))
    distance = apart(before, after)
    return Answer(
        distance <= ROUNDING,
        f"outputs before and after other calls differ by {distance:.2g} of a typical one",
    )


@_answers("gradients")
def gradients(subject: Subject) -> Answer:
    """Gradients are finite, reach every parameter, and add up over rows."""
    found: dict[str, Floats] = {}
    outputs = np.empty(0)
    *inputs, direction = subject.inputs(4)
    for parameters in (subject.initial, subject.perturbed):
        outputs, every = subject.network.gradients(parameters, np.stack(inputs), direction)
        found = of_mixer(every)
        for name, gradient in found.items():
            if not np.isfinite(gradient).all():
                return Answer(False, f"the gradient of parameter {name} is not finite")
    unused = [name for name, gradient in found.items() if not np.any(gradient)]
    if unused:
        return Answer(False, f"no gradient reaches parameter {', '.join(unused)}: no output depends on it")
    plain = subject.network.outputs(subject.perturbed, inputs[0][None])
    if not (distance := apart(plain, outputs[:1])) <= PROGRAMS:
        return Answer(
            False, f"outputs while gradients are taken are {distance:.2g} of a typical one off others"
        )
    if not (distance := _differentiated(subject)) <= PROGRAMS:
        return Answer(
            False,
            f"logits of {LONG_CONTEXT} tokens while gradients are taken are {distance:.2g} of typical ones"
            " off others",
        )
    x, other = subject.inputs(2)
    *single, whole = subject.network.slopes(subject.perturbed, x, directions(other))
    if not (distance := apart(whole, np.sum(single[: len(x)], axis=0))) <= PROGRAMS:
        return Answer(False, f"the gradient of all rows is {distance:.2g} of a typical one off their sum")
    return Answer(True, f"finite, and not zero for any of {len(found)} arrays of parameters")


@_answers("attention weights")
def weighted(subject: Subject) -> Answer:
    """Attention weights, where it has any, are shares, and lie on the past."""
    heads = 0
    for network, parameters, x in subject.samples:
        biases = [None, np.random.default_rng(6).normal(size=(len(x), len(x))).astype(np.float32)]
        for bias in biases if network.takes_bias else biases[:1]:
            weights = network.weights(parameters, x, bias)
            if not len(weights):
                continue
            heads, place = len(weights), f"on {len(x)} tokens{', with a bias' if bias is not None else ''}"
            off = np.abs(weights.sum(axis=-1) - 1).max()
            if not (off <= PROGRAMS and weights.min() >= 0):
                seen = f"rows sum to 1 give or take {off:.2g}, and the smallest weight is {weights.min():.2g}"
                return Answer(False, f"{seen}, {place}")
            ahead = np.triu(weights, 1).max()
            if not ahead <= ROUNDING:
                return Answer(False, f"a weight of {ahead:.2g} lies on a later position, {place}")
    if not heads:
        return Answer(True, "it has none")
    return Answer(True, f"rows of {heads} heads sum to 1, and nothing lies on later positions")


@_answers("learning")
def learns(subject: Subject) -> Answer:
    """It masters the easiest form of the task."""
    task = subject.sized(subject.task, EASIEST_CONTEXT)
    run = subject.run_on(task, BudgetSpec(LEARNING_STEPS, TOKENS_PER_STEP))
    recording = subject.framework.train(run).recording
    knobs = ", ".join(f"{name}={value}" for name, value in task.knobs)
    found = f"{recording.found} of {len(recording.target_loss)} targets found after {recording.step} steps"
    return Answer(recording.status == "mastered", f"{task.name} with {knobs}: {found}")


CHECKS = tuple(Check(name, _ASKED[name]) for name in verification.CHECKS)
"""In the order in which they are run; where the first does not hold, the others are not run."""


def _differentiated(subject: Subject) -> float:
    """How far logits of two layers and long sequences are from others while gradients are taken."""
    try:
        network = subject.network.resized(2, LONG_CONTEXT, range(LONG_CONTEXT))
    except AttnsearchError:
        return 0.0
    parameters, tokens = noisy(network.init(), subject.strength), networks.replaced(network)
    return apart(network.mapped(parameters, tokens)[:2], network.differentiated(parameters, tokens[:2]))
