"""What a run sees: its rule, its sequences, and those on which its map is measured; for any framework.

The compiled programs of jax draw by the same functions, inside them. `Sequences` gives numpy arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Floats, Integers, Truth
from attnsearch.generators.base import Generator, ProbeItem, Rule
from attnsearch.sequences.contests import Contested, asked, contested
from attnsearch.sequences.influence import Influence, mapped_queries, measured
from attnsearch.sequences.replacements import Replacements, replacements
from attnsearch.spec.run import CellSpec, RunSpec

INIT, DATA, PROBE, RULE, FRESH, CONTEST = range(6)
"""What a seed is used for."""

PROBE_SEQUENCES = 32
"""Sequences over which a map is averaged; the same ones at every step of a run."""

LARGEST_PROBE = 2**15
"""Tokens that may be read to measure an influence, unless that left fewer than `FEWEST_PROBE_SEQUENCES`."""

FEWEST_PROBE_SEQUENCES = 2


class Probes(NamedTuple):
    """What is given to a network to measure its map, of P sequences; device or host arrays.

    tokens:    `i32[P, L]`
    replaced:  `i32[P, L]` another symbol for each token
    ways:      in which tokens are replaced
    """

    tokens: Any
    replaced: Any
    ways: Replacements


def stream(seed: Any, use: int) -> jax.Array:
    """A key of its own for each use of a seed."""
    return jax.random.fold_in(jax.random.key(seed), use)


def draw_rule(generator: Generator, rule_seed: Any, knobs: Mapping[str, Any]) -> Rule:
    """The hidden rule that runs with this seed have."""
    return generator.init(stream(rule_seed, RULE), knobs)


def _probed(generator: Generator, rule: Rule, key: jax.Array) -> jax.Array:
    """`i32[PROBE_SEQUENCES, L]`."""
    return jax.vmap(generator.map_sample, in_axes=(None, 0))(
        rule, jax.random.split(key, PROBE_SEQUENCES)
    ).tokens


def draw(generator: Generator, rule: Rule, key: jax.Array, count: int) -> Example:
    """Sequences that obey `rule`; a leading axis `count` on every field."""
    return jax.vmap(generator.sample, in_axes=(None, 0))(rule, jax.random.split(key, count))


def batch(generator: Generator, batch_size: int, rule: Rule, seed: Any, step: Any) -> Example:
    """The sequences that a run sees once it has done `step` steps; a leading axis B on every field."""
    key = jax.random.fold_in(stream(seed, DATA), step)
    return draw(generator, generator.at(rule, step), key, batch_size)


def probe_sequences(generator: Generator, rule: Rule, seed: Any) -> jax.Array:
    """`i32[PROBE_SEQUENCES, L]`: the sequences on which a run is looked at, whatever training does."""
    key, _ = jax.random.split(stream(seed, PROBE))
    return _probed(generator, rule, key)


def probes(generator: Generator, rule: Rule, seed: Any, step: Any) -> Probes:
    """What measures a map after `step` steps, on the first of `probe_sequences`, or all."""
    key, shift_key = jax.random.split(stream(seed, PROBE))
    tokens = _probed(generator, rule, key)
    cost = int(generator.probed_positions.sum()) * tokens.shape[1]
    tokens = tokens[: min(PROBE_SEQUENCES, max(FEWEST_PROBE_SEQUENCES, LARGEST_PROBE // cost))]
    shifts = jax.random.randint(shift_key, tokens.shape, 1, generator.num_values)
    # A token that is not replaceable, as a blank, is another value too.
    others = generator.replaced(tokens, shifts)
    return Probes(tokens, others, replacements(generator, len(tokens), step))


def contests(generator: Generator, rule: Rule, seed: Any) -> ProbeItem:
    """What a run is asked where routes compete, as `contests.asked` makes it; training never draws these."""
    return asked(generator, rule, stream(seed, CONTEST))


def sequences_of_a_step(cell: CellSpec, generator: Generator) -> int:
    """The batch size of a cell's runs, B. Errors: AttnsearchError where a step has not one whole sequence."""
    tokens, length = cell.budget.tokens_per_step, generator.context_length
    if tokens < length:
        raise AttnsearchError(
            f"tokens_per_step {tokens} is less than one sequence of {cell.task.name}: at least {length}"
        )
    return tokens // length


def traced_knobs(generator: Generator, spec: RunSpec) -> dict[str, np.ndarray]:
    """The knobs of a run that its `generator` takes as arrays, scalars on the host."""
    knobs = dict(spec.cell.task.knobs)
    return {name: np.asarray(knobs[name]) for name in generator.traced_knobs}


class Sequences:
    """The sequences of one run as numpy arrays: the very ones that jax trains on from the same seeds.

    generator, batch_size:  what fixes shapes; B sequences a step
    seed, rule_seed:        `i32[]`; knobs: the generator's traced knobs, scalars

    What is compiled is shared by all runs of one generator and batch size.
    """

    def __init__(
        self, generator: Generator, batch_size: int, seed: Any, rule_seed: Any, knobs: Mapping[str, Any]
    ):
        self.generator, self.batch_size = generator, batch_size
        self._seed, self._knobs = np.int32(seed), knobs
        self._rule = _rule(generator, np.int32(rule_seed), dict(knobs))

    @classmethod
    def of(cls, generator: Generator, spec: RunSpec) -> Self:
        """The sequences of the run of `spec`, whose task has this generator."""
        batch_size = sequences_of_a_step(spec.cell, generator)
        return cls(generator, batch_size, spec.seed, spec.rule_seed, traced_knobs(generator, spec))

    @cached_property
    def rule(self) -> Rule:
        """The hidden rule, on the host."""
        return jax.tree.map(np.array, self._rule)

    @property
    def mapped_queries(self) -> Integers:
        """`i64[K]`: which of the Q queries ask for the mapped targets."""
        return mapped_queries(self.generator)

    def truth(self) -> Truth:
        """What is known before training."""
        return self.generator.truth(self.rule, self._knobs)

    def steps(self, first_step: int, count: int) -> tuple[Integers, Integers]:
        """Tokens `i32[count, B, L]` and answers `i32[count, B, Q]` of the steps from `first_step`, the first
        of a run being 0. Each `count` is compiled once."""
        return _host(_steps(self.generator, self.batch_size, count, self._rule, self._seed, first_step))

    def probes(self, step: int) -> Probes:
        """What is given to a network to measure its map after `step` steps."""
        return _host(_probes(self.generator, self._rule, self._seed, step))

    def looked_at(self) -> Integers:
        """`i32[PROBE_SEQUENCES, L]`: the sequences on which attention heads are looked at."""
        return _host(_looked_at(self.generator, self._rule, self._seed))

    def contests(self) -> Integers:
        """`i32[2P, L]`: what a network is asked where routes compete."""
        return np.array(_contests(self.generator, self._rule, self._seed).tokens)

    def contested(self, answers: Floats) -> Contested:
        """What the distributions `answers`, `f32[2P, Q, V]`, tell of the routes; on the host."""
        return _host(_contested(self.generator, self._rule, self._seed, np.asarray(answers, np.float32)))

    def map(self, moved: Floats, later: Any) -> Influence:
        """The measured map, its fields on the host.

        moved:  `f32[n, P, K]` as `influence.distances` gives them: how far the answer to each mapped target
                moved on each probe sequence when the token at each of the n positions was replaced
        later:  `f32[]`, as in `Influence`
        """
        given = (np.asarray(array, np.float32) for array in (moved, later))
        return _host(_map(self.generator, self._rule, self._seed, *given))

    def supports(self, tokens: Integers, targets: Integers | None = None) -> Bools:
        """`bool[B, K, L]`: the supports of `targets`, the mapped ones unless given, in each sequence of
        `tokens`, `i32[B, L]`."""
        wanted = self.generator.mapped_targets if targets is None else targets
        return _host(_supports(self.generator, self._rule, tokens, wanted))


_static = partial(jax.jit, static_argnums=0)


@_static
def _rule(generator: Generator, rule_seed: Any, knobs: Mapping[str, Any]) -> Rule:
    return draw_rule(generator, rule_seed, knobs)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _steps(
    generator: Generator, batch_size: int, count: int, rule: Rule, seed: Any, first_step: Any
) -> tuple[jax.Array, jax.Array]:
    at = first_step + jnp.arange(count)
    found = jax.vmap(lambda step: batch(generator, batch_size, rule, seed, step))(at)
    return found.tokens, found.answers


_probes = _static(probes)
_looked_at = _static(probe_sequences)
_contests = _static(contests)


@_static
def _contested(generator: Generator, rule: Rule, seed: Any, answers: jax.Array) -> Contested:
    return contested(generator, contests(generator, rule, seed), answers)


@_static
def _map(generator: Generator, rule: Rule, seed: Any, moved: jax.Array, later: jax.Array) -> Influence:
    return measured(generator, rule, probes(generator, rule, seed, 0).tokens, moved, later)


@_static
def _supports(generator: Generator, rule: Rule, tokens: jax.Array, targets: jax.Array) -> jax.Array:
    return jax.vmap(generator.supports, in_axes=(None, 0, None))(rule, tokens, targets)


def _host(arrays: Any) -> Any:
    return jax.tree.map(np.array, arrays)
