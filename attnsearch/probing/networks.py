"""Does a whole network look ahead? One of several layers and contexts, mapped over a batch as in training.

A layer may be causal at 16 tokens and leak from one chunk into the next, at an odd length, or in the second
layer alone. So tokens are replaced in networks of one to three layers, where chunks of every usual size meet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from attnsearch.base import AttnsearchError, Floats, Integers
from attnsearch.probing.check import Answer
from attnsearch.probing.perturbation import moved
from attnsearch.probing.subject import LONG_CONTEXT, Network, Parameters, Subject, noisy
from attnsearch.results.table import counted
from attnsearch.runs.verification import MAX_CONTEXT

ROUNDING = 1e-4
"""Movement that rounding explains in a whole network in a batch; a Fourier transform moved logits by 5e-6."""

EDGES = (15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129)
"""Positions beside which chunks of 16, 32, 64 and 128 tokens meet."""

FEW = 40
"""Tokens up to which every position is replaced. Of longer contexts, the edges and `RANDOM` others are."""

RANDOM = 8

FEWER = (1, 16, 128, 257)
"""Positions that are replaced in a context beyond `MAX_CONTEXT`, beside its middle and its last."""

MOST_PAIRS = 3_000_000
"""Pairs of positions in the sequences of a batch: attention keeps a few numbers for each."""


class Form(NamedTuple):
    """A network that is tried. `query_positions` are where it is asked for answers."""

    num_layers: int
    context_length: int
    query_positions: tuple[int, ...]

    def __str__(self) -> str:
        return f"{counted(self.num_layers, 'layer')} and {self.context_length} tokens"


def forms(shortest: int, longest: int, max_layers: int) -> tuple[Form, ...]:
    """The shortest context, an odd one, a prime one, one beyond two chunks of 64, and the longest."""
    return (
        Form(1, shortest, tuple(range(shortest))),
        Form(max_layers, 21, _some(21)),
        Form(3, 37, _some(37)),
        Form(2, LONG_CONTEXT, tuple(range(LONG_CONTEXT))),
        Form(1, longest, _some(longest)),
    )


def _some(length: int) -> tuple[int, ...]:
    """Every second position or so, and the edges."""
    chosen = np.random.default_rng(length).random(length) < 0.5
    chosen[[edge for edge in EDGES if edge < length]] = True
    return tuple(int(position) for position in np.flatnonzero(chosen))


def cuts(length: int) -> list[int]:
    """Positions that are replaced in a context of this length; the first has nothing before it."""
    if length <= FEW:
        return list(range(1, length))
    if length > MAX_CONTEXT:
        return [*FEWER, length // 2, length - 1]
    others = np.random.default_rng(length).choice(np.arange(1, length), RANDOM, replace=False)
    return sorted({1, length - 1, *(edge for edge in EDGES if edge < length), *map(int, others)})


def looks_ahead(subject: Subject) -> Answer:
    """Whether answers stay where they are when later tokens are replaced, in each of `forms`."""
    shortest = subject.framework.generator(subject.contexts[0].cell.task).context_length
    tried, refused, furthest = [], [], 0.0
    for form in forms(shortest, subject.max_tried, subject.max_layers):
        try:
            network = subject.network.resized(*form)
        except AttnsearchError:
            # What a mixer refuses, no run can have.
            refused.append(form)
            continue
        tried.append(form)
        initial = network.init()
        for parameters in (noisy(initial, subject.strength), initial):
            for share, words in movements(network, parameters):
                if not share <= ROUNDING:
                    return Answer(False, f"with {form}, {words}")
                furthest = max(furthest, share)
    seen = "; ".join(map(str, tried))
    without = f"; it refuses {'; '.join(map(str, refused))}" if refused else ""
    return Answer(True, f"in networks of {seen}, by at most {furthest:.1g} of typical ones{without}")


def movements(network: Network, parameters: Parameters) -> Iterator[tuple[float, str]]:
    """The largest movement of an answer that must not move, and what moved it, for each way to call it."""
    length = network.context_length
    at, given = cuts(length), replaced(network)
    biases = [None, np.random.default_rng(7).normal(size=(length, length)).astype(np.float32)]
    for bias in biases if network.takes_bias else biases[:1]:
        untouched, *answers = _mapped(network, parameters, given, bias)
        yield _furthest(untouched, np.stack(answers), network.query_positions, at, bias is not None)


def _mapped(network: Network, parameters: Parameters, given: Integers, bias: Floats | None) -> Floats:
    """`network.mapped`, in batches that fit the memory, all of one size."""
    size = max(2, MOST_PAIRS // network.context_length**2)
    if len(given) <= size:
        return network.mapped(parameters, given, bias)
    padded = np.concatenate([given, np.repeat(given[:1], -len(given) % size, axis=0)])
    batches = padded.reshape(-1, size, network.context_length)
    return np.concatenate([network.mapped(parameters, batch, bias) for batch in batches])[: len(given)]


def replaced(network: Network) -> Integers:
    """Tokens; with each position of `cuts` replaced alone; and with all from it on replaced."""
    length, vocab_size = network.context_length, network.vocab_size
    tokens, others = np.random.default_rng(4).integers(0, vocab_size, (2, length), dtype=np.int32)
    at = cuts(length)
    copies = np.repeat(tokens[None], 1 + 2 * len(at), axis=0)
    alone, onwards = copies[1 : 1 + len(at)], copies[1 + len(at) :]
    for row, cut in enumerate(at):
        onwards[row, cut:] = others[cut:]
        alone[row, cut] = onwards[row, cut] = (tokens[cut] + 1) % vocab_size
    return copies


def _furthest(
    untouched: Floats, answers: Floats, queries: Sequence[int], at: Sequence[int], biased: bool
) -> tuple[float, str]:
    if not np.isfinite(untouched).all():
        return np.inf, "logits are not finite"
    cut = np.array([*at, *at])
    shares = np.nan_to_num(moved(untouched, answers), nan=np.inf)
    ahead = np.where(np.array(queries)[:, None] < cut, shares, 0.0)
    row, column = np.unravel_index(ahead.argmax(), ahead.shape)
    row, column = int(row), int(column)
    which = f"token {cut[column]} was" if column < len(at) else f"the tokens from {cut[column]} on were"
    bias = ", with a bias on the attention logits" if biased else ""
    share = float(ahead[row, column])
    return share, f"logits at {queries[row]} moved by {share:.2g} of typical ones when {which} replaced{bias}"
