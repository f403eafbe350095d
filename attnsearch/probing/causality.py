"""Does a mixer look ahead? In one layer, by outputs and by gradients; and in layers that learned to."""

from __future__ import annotations

import numpy as np

from attnsearch.base import AttnsearchError
from attnsearch.probing import networks
from attnsearch.probing.check import Answer
from attnsearch.probing.networks import cuts
from attnsearch.probing.perturbation import ROUNDING, movements
from attnsearch.probing.subject import LONG_PROBE_LAYERS, Parameters, Subject


def causal(subject: Subject, parameters: Parameters) -> Answer:
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
            seen.gradients,
            columns,
            "outputs 0 to {} have {:.2g} of a typical gradient with respect to input {}",
        ),
        (
            seen.tokens,
            np.array(network.query_positions),
            "logits at {} moved by {:.2g} of typical ones when token {} was replaced",
        ),
    ):
        if np.isnan(moved).all():
            return Answer(False, "outputs are not finite")
        # What must not move. A value that is not a number has moved.
        ahead = np.where(rows[:, None] < columns, np.nan_to_num(moved, nan=np.inf), 0.0)
        row, column = np.unravel_index(ahead.argmax(), ahead.shape)
        share = float(ahead[row, column])
        if not share <= ROUNDING:
            return Answer(False, words.format(rows[row], share, column))
        furthest = max(furthest, share)
    most = f"at most {furthest:.1g} of a typical one"
    return Answer(True, f"with each of {len(x)} positions replaced, earlier outputs moved by {most}")


def causal_slopes(subject: Subject) -> Answer:
    """Gradients of all rows before a cut, on the long context."""
    for network, parameters, x in subject.samples[1:]:
        at, rows = np.array(cuts(len(x))), np.arange(len(x))
        direction = np.random.default_rng(7).normal(size=x.shape).astype(np.float32)
        slopes = network.slopes(parameters, x, (rows < at[:, None])[..., None] * direction)
        amounts = np.nan_to_num(np.abs(slopes).max(axis=-1), nan=np.inf)
        typical = np.median(amounts[rows < at[:, None]]) or 1.0
        ahead = np.where(rows >= at[:, None], amounts, 0.0) / typical
        cut, row = np.unravel_index(ahead.argmax(), ahead.shape)
        if not (share := float(ahead[cut, row])) <= ROUNDING:
            seen = f"outputs 0 to {at[cut] - 1} have {share:.2g} of a typical gradient"
            return Answer(False, f"on {len(x)} tokens, {seen} with respect to input {row}")
    return Answer(True, "gradients of rows reach no later input")


def causal_in_depth(subject: Subject, seen: str) -> Answer:
    """Tokens replaced in a network that was trained on long sequences; `seen` is the evidence so far.

    A mixer that refuses such sequences is asked nothing: no run can have them.
    """
    try:
        network = subject.framework.network(subject.long_probe)
    except AttnsearchError as error:
        return Answer(True, f"{seen}; long sequences are left out: {error}")
    trained = subject.framework.train(subject.long_probe)
    named = f"{network.context_length} tokens in {LONG_PROBE_LAYERS} layers"
    furthest = 0.0
    for share, words in networks.movements(network, trained.parameters):
        if not share <= networks.ROUNDING:
            return Answer(False, f"after {trained.recording.step} steps on {named}, {words}")
        furthest = max(furthest, share)
    return Answer(True, f"{seen}; logits, on {named}, by at most {furthest:.1g} of typical ones")
