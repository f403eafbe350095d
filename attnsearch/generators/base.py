"""What a generator of sequences must say of itself, and what follows from that."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from attnsearch.base import Bools, Example, Integers, Truth
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.shortcuts import Shortcut

Rule = Any
"""A generator's hidden rule: a pytree of arrays, drawn once a run."""

LARGEST_MAP = 2**13
"""Entries of an attention map of which every row is kept; of larger ones, the rows of some targets."""

FEWEST_ROWS = 8
"""Rows that are kept however long the context is."""

_PLACEBO = 0
"""Seed of the wrong maps: one task has one."""


class ProbeItem(NamedTuple):
    """A sequence that training never draws by its key, with the answers of two routes.

    tokens: `i32[L]`; general, shallow: `i32[Q]` what each route answers
    """

    tokens: jax.Array
    general: jax.Array
    shallow: jax.Array


class Generator(ABC):
    """A family of sequences with a known attention map. A hidden rule is drawn once a run.

    A subclass is a frozen dataclass whose fields are the knobs that fix shapes. The knobs that may
    differ between lanes of one compilation are named in `traced_knobs` and reach `init` as arrays.
    Everything is written for one sequence of one run; callers vmap.

    A subclass must define `vocab_size`, `context_length`, `query_positions`, `log2_search_space`, `sample`
    and `supports`. It defines `init` where sequences obey a hidden rule. The rest has defaults, which suit
    a task with one map that no shorter route replaces and whose answers are determined by the support.
    """

    traced_knobs: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """V: number of token values, including values that are never an answer."""

    @property
    @abstractmethod
    def context_length(self) -> int:
        """L: tokens of a sequence."""

    @property
    @abstractmethod
    def query_positions(self) -> Integers:
        """`i32[Q]` positions whose logits give the answers; host array, static."""

    @abstractmethod
    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """Bits: log2 of the number of supports that a target could have had, the mean over targets.

        `knobs` holds the `traced_knobs`. Computed without jax, so that a leaderboard can check it.
        """

    @abstractmethod
    def sample(self, rule: Rule, key: jax.Array) -> Example:
        """Draw one sequence that obeys `rule`, with its answers."""

    @abstractmethod
    def supports(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """`bool[P, L]`: the positions whose tokens the answers to `targets`, `i32[P]`, depend on, in the
        sequence `tokens`, `i32[L]`. Row by row: whoever needs few rows pays for few."""

    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> Rule:
        """Draw the hidden rule. `knobs` holds exactly the `traced_knobs`, each a scalar array.

        Unless overridden, nothing is hidden: what a network must find is the same in every run.
        """
        del key, knobs
        return ()

    def at(self, rule: Rule, step: Any) -> Rule:
        """The rule by which the sequences are drawn that a run sees once it has done `step` steps, `i32[]`.
        By default always `rule`. For data that change over a run; supports stay the same.
        """
        del step
        return rule

    def answers(self, rule: Rule, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """`i32[Q]`: the right answers where the sequence of `key` holds `tokens`, `i32[L]`, and not its own.
        All else that `key` draws stays, such as a rule of the sequence.

        `attnsearch verify --task` replaces tokens and sees which answers move. Without this method it
        compares sequences that agree on a support, and a large support needs too many of them.
        """
        raise NotImplementedError

    def guess(self, tokens: jax.Array) -> jax.Array:
        """`f32[R, V]`: how probable each answer to each target is to the best guess that has not found the
        support, in the sequence `tokens`, `i32[L]`. Its loss is `chance_loss`.

        For tasks in which a sequence tells something before any support is found, as which values it holds.
        Without this method the best guess is constant, and `attnsearch verify --task` counts answers.
        """
        raise NotImplementedError

    def map_sample(self, rule: Rule, key: jax.Array) -> Example:
        """Draw a sequence on which the map of a run is measured. By default one as in training."""
        return self.sample(rule, key)

    @property
    def num_values(self) -> int:
        """Token values of one kind; the first kind holds 0 ... num_values - 1. By default all."""
        return self.vocab_size

    @property
    def num_kinds(self) -> int:
        """Kinds of tokens at replaceable positions: kind k holds `num_values` values from k * num_values on.

        Where tokens are replaced, each is replaced by another of its kind. By default there is one kind.
        """
        return 1

    def replaced(self, tokens: jax.Array, shifts: jax.Array) -> jax.Array:
        """Another value of its kind for each of `tokens`; `shifts` are 1 ... num_values - 1."""
        kind = tokens // self.num_values % self.num_kinds
        return kind * self.num_values + (tokens + shifts) % self.num_values

    @property
    def route_names(self) -> tuple[str, ...]:
        """What `routes` has rows for, in order. By default nothing."""
        return ()

    def routes(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """`bool[W, P, L]`: for each of the W `route_names` the positions that it reads for `targets`,
        `i32[P]`.

        Routes are hops that an answer needs one after the other, or ways of which one is enough.
        """
        del rule
        return jnp.zeros((0, len(targets), len(tokens)), bool)

    @property
    def competes(self) -> bool:
        """Whether `probe` and `agreeing` tell which of two routes a network takes. By default not."""
        return False

    def probe(self, rule: Rule, key: jax.Array) -> ProbeItem:
        """A sequence on which the general and the shallow route answer each target differently."""
        raise NotImplementedError

    def agreeing(self, rule: Rule, key: jax.Array) -> ProbeItem:
        """A sequence on which both routes answer each target alike."""
        raise NotImplementedError

    @property
    def is_target(self) -> Bools:
        """`bool[Q]` which queries are targets; the past does not predict the others. By default all."""
        return np.ones(len(self.query_positions), dtype=bool)

    @property
    def num_targets(self) -> int:
        """R."""
        return int(self.is_target.sum())

    @property
    def replaceable(self) -> Bools:
        """`bool[L]` positions whose token differs between sequences, so that it can be replaced. By default
        all."""
        return np.ones(self.context_length, dtype=bool)

    @property
    def chance_loss(self) -> float:
        """Nats: loss on a target of the best guess that has not found the support.

        By default every value is equally likely. Computed without jax, so that a leaderboard can check it.
        """
        return math.log(self.num_values)

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        """What a network may do in the place of finding the support, where something is known."""
        return ()

    def attention_map(self, rule: Rule, targets: Integers) -> Bools:
        """`bool[P, L]`, on the host: the supports of `targets` in one sequence of `rule`.

        Where the map is fixed, all sequences share it.
        """
        return np.asarray(jax.jit(_supports_of_one, static_argnums=0)(self, rule, targets))

    def placebo(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """`bool[P, L]`: wrong supports of the same sizes, among the replaceable positions that a query sees,
        the same for all sequences of a rule. A row holds true positions only where no others are left.
        """
        supports = self.supports(rule, tokens, targets)
        queries = jnp.asarray(self.query_positions[self.is_target])[targets]
        eligible = self.replaceable & (jnp.arange(self.context_length) <= queries[:, None])
        noise = jax.vmap(
            lambda target: jax.random.uniform(
                jax.random.fold_in(jax.random.key(_PLACEBO), target), supports.shape[1:]
            )
        )(jnp.asarray(targets))
        order = jnp.where(eligible, noise + supports, 2.0)
        rank = jnp.argsort(jnp.argsort(order, axis=1), axis=1)
        return rank < supports.sum(axis=1, keepdims=True)

    @property
    def mapped_targets(self) -> Integers:
        """`i64[K]`: targets whose rows of the map are kept. All of them, or, beyond `LARGEST_MAP` entries, as
        many as keep to that, evenly spread."""
        if self.num_targets * self.context_length <= LARGEST_MAP:
            return np.arange(self.num_targets)
        rows = min(self.num_targets, max(FEWEST_ROWS, LARGEST_MAP // self.context_length))
        return np.linspace(0, self.num_targets - 1, rows).round().astype(np.int64)

    @property
    def probed_positions(self) -> Bools:
        """`bool[L]`: replaceable positions that are replaced to measure a map. By default all.

        Fewer are enough where they hold the supports of the mapped targets, and a sample of the rest.
        """
        return self.replaceable

    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        """Everything known about `rule` before training, on the host. `knobs` holds the `traced_knobs`.

        By default no target is cheaper than its support, all are of one state, and what a query sees
        determines its answer. A generator with other facts puts them in: `super().truth(...)._replace(...)`.
        """
        mapped, bits = self.mapped_targets, self.log2_search_space(knobs)
        supports = self.attention_map(rule, mapped)
        return Truth(
            attention_map=supports,
            cheapest_route=supports,
            query_positions=self.query_positions,
            is_target=self.is_target,
            replaceable=self.replaceable,
            log2_search_space=np.full(self.num_targets, bits),
            nominal_log2_search_space=np.array(bits),
            chance_loss=np.array(self.chance_loss),
            bayes_loss=np.zeros(self.num_targets),
            state=np.ones(self.num_targets, np.int64),
            mapped=mapped,
            probed=self.probed_positions,
        )


def _supports_of_one(generator: Generator, rule: Rule, targets: jax.Array) -> jax.Array:
    tokens = generator.sample(rule, jax.random.key(0)).tokens
    return generator.supports(rule, tokens, targets)
