"""Cellular automata: the next state by a rule that changes with every sequence (arXiv:2606.25010, cellular
automata).

S cells in a ring, each of one of C colours. A rule is a table of C^W entries: what a cell becomes, for
every colouring of the W cells round it. It is applied k times from one state to the next, and T states are
written one after the other. The rule is not shown: it must be inferred from the states before. With S = 4,
W = 3, k = 1, T = 3::

    position   0   1   2   3   4   5   6   7   8   9  10  11
    token      a0  a1  a2  a3  b0  b1  b2  b3  c0  c1  c2  c3
    answer                 b0  b1  b2  b3  c0  c1  c2  c3          next-token prediction
    map of c1                  #   #   #                           asked at position 8

The map says what the answer depends on, given the rule: the window of (W - 1) k + 1 cells in the state
before, and nothing else. It does not say by what way a network reads it. With several layers the window may
be gathered at another position first. The rule has to come from all of the states before, so that a token
outside the support may move an answer too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Floats, Integers, Truth
from attnsearch.generators.base import FEWEST_ROWS, LARGEST_MAP, Generator, Rule
from attnsearch.generators.bayes import fresh_loss, pool_loss, random_states, windows
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.shortcuts import Shortcut

LARGEST_TABLE = 2**16
"""Entries of a rule's table, at most; a pool may have 64 such tables."""

MAPPED_STATES = 4
"""States, evenly spread, of which cells are mapped where not all targets are."""

SAMPLED_POSITIONS = 32
"""Positions, evenly spread, that are probed beside the supports of the mapped targets where not all are."""

COUNTED_SEQUENCES = 512
"""Sequences, at most, over which the loss of a shortcut is averaged."""


@dataclass(frozen=True)
class CellularAutomaton(Generator):
    """Next-token prediction over T states of a ring of cells.

    state_size:    cells of a state, S
    num_colours:    colours of a cell, C
    window_size:   cells that an entry of the rule reads, W: those from W // 2 before the cell on
    compositions:  applications of the rule from one state to the next, k
    num_states:    states of a sequence, T
    rule_pool:     rules drawn once a run, one of them for each sequence, N; "fresh": a new one for each
    loss:          "targets" asks for the states 1 ... T - 1, "all" for the first state too, which
                   cannot be predicted
    """

    state_size: int
    num_colours: int
    window_size: int
    compositions: int
    num_states: int
    rule_pool: int | Literal["fresh"]
    loss: Literal["targets", "all"] = "targets"

    def __post_init__(self) -> None:
        # A wider window has a larger table whatever the colours, and a number too long to compute.
        entries = self.num_colours ** min(self.window_size, LARGEST_TABLE.bit_length())
        if entries > LARGEST_TABLE:
            raise AttnsearchError(
                f"num_colours {self.num_colours} and window_size {self.window_size} make a table of more"
                f" than {LARGEST_TABLE:,} entries: choose fewer colours or a narrower window"
            )
        if self.rule_pool != "fresh" and self.rule_pool * entries > 64 * LARGEST_TABLE:
            raise AttnsearchError(
                f"rule_pool {self.rule_pool} with tables of {entries:,} entries is too large:"
                f" at most {64 * LARGEST_TABLE // entries:,}, or fresh"
            )
        if self.loss not in ("targets", "all"):
            raise AttnsearchError(f"loss {self.loss!r} is unknown: targets or all")

    @property
    def vocab_size(self) -> int:
        return self.num_colours

    @property
    def context_length(self) -> int:
        return self.num_states * self.state_size

    @property
    def query_positions(self) -> Integers:
        first = 0 if self.loss == "all" else self.state_size - 1
        return np.arange(first, self.context_length - 1, dtype=np.int32)

    @property
    def is_target(self) -> Bools:
        return self.query_positions >= self.state_size - 1

    @property
    def span(self) -> int:
        """Cells of the state before that an answer depends on; all of a small ring."""
        return min((self.window_size - 1) * self.compositions + 1, self.state_size)

    @property
    def offsets(self) -> Integers:
        """`i64[W]`: the cells that an entry of the rule reads, counted from its own."""
        return np.arange(self.window_size) - self.window_size // 2

    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> jax.Array:
        """The pool of rules, `i32[N, C^W]`; N = 0 where each sequence has one of its own."""
        del knobs
        pool = 0 if self.rule_pool == "fresh" else self.rule_pool
        return self._tables(key, pool)

    def sample(self, rule: jax.Array, key: jax.Array) -> Example:
        state_key, _ = jax.random.split(key)
        table = self._table(rule, key)
        first = jax.random.randint(state_key, (self.state_size,), 0, self.num_colours)

        def following(state: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            state = self._following(table, state)
            return state, state

        _, states = jax.lax.scan(following, first, length=self.num_states - 1)
        tokens = jnp.concatenate([first, states.reshape(-1)])
        return Example(tokens, tokens[self.query_positions + 1])

    def answers(self, rule: jax.Array, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """Each state by the table of the sequence from the state before, as it stands there."""
        table = self._table(rule, key)
        states = tokens.reshape(self.num_states, self.state_size)
        following = jax.vmap(lambda state: self._following(table, state))(states[:-1])
        return jnp.concatenate([states[0], following.reshape(-1)])[self.query_positions + 1]

    def supports(self, rule: jax.Array, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The windows in the state before; the same for all rules and sequences."""
        del rule, tokens
        return _windows(jnp, self, targets, 0)

    def placebo(self, rule: jax.Array, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The windows of the cells on the other side of the ring. They hold no true position where the ring
        has twice as many cells as a window, and as few as can be where it has not."""
        del rule, tokens
        return _windows(jnp, self, targets, self.state_size // 2)

    @property
    def mapped_targets(self) -> Integers:
        """As many neighbouring cells of a few states, so that their windows overlap, where not all are."""
        targets = (self.num_states - 1) * self.state_size
        if targets * self.context_length <= LARGEST_MAP:
            return np.arange(targets)
        rows = max(FEWEST_ROWS, LARGEST_MAP // self.context_length)
        states = np.unique(np.linspace(0, self.num_states - 2, MAPPED_STATES).round().astype(np.int64))
        cells = np.arange(min(self.state_size, max(1, rows // len(states))))
        return (states[:, None] * self.state_size + cells).ravel()

    @property
    def probed_positions(self) -> Bools:
        """The windows of the mapped targets, and others evenly spread."""
        mapped = self.mapped_targets
        if len(mapped) == (self.num_states - 1) * self.state_size:
            return self.replaceable
        probed = _windows(np, self, mapped, 0).any(axis=0)
        spread = np.linspace(0, self.context_length - 1, SAMPLED_POSITIONS).round().astype(np.int64)
        probed[spread] = True
        return probed

    def attention_map(self, rule: Rule, targets: Integers) -> Bools:
        del rule
        return _windows(np, self, targets, 0)

    @property
    def _places(self) -> int:
        """Places of a window in a state; a window that holds all of a ring has one."""
        return self.state_size if self.span < self.state_size else 1

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """Of the target in state t: the windows of the t states before it."""
        del knobs
        # The mean of log2 t over t = 1 ... T - 1, by the factorial.
        before = math.lgamma(self.num_states) / math.log(2) / (self.num_states - 1)
        return before + math.log2(self._places)

    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        state = np.repeat(np.arange(1, self.num_states), self.state_size)
        return (
            super()
            .truth(rule, knobs)
            ._replace(
                log2_search_space=np.log2(state * self._places),
                bayes_loss=self._bayes_loss(np.asarray(rule)),
                state=state,
            )
        )

    def _bayes_loss(self, tables: Integers) -> Floats:
        if self.rule_pool != "fresh":
            return pool_loss(
                tables,
                self.num_colours,
                self.offsets,
                self.compositions,
                self.state_size,
                self.num_states,
            )
        if self.compositions == 1:
            return fresh_loss(self.num_colours, self.offsets, self.state_size, self.num_states)
        # Which rules agree with what was seen cannot be listed. All targets together cannot cost more than
        # the table holds, C^W ln C nats, nor less than nothing.
        return np.zeros((self.num_states - 1) * self.state_size)

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        colours = Shortcut(
            "frequent colours",
            "Each colour is guessed as often as the states after the first have held it so far.",
            lambda rule, tokens: self._by_windows(tokens, self.offsets[:0]),
            self._loss_of_colours,
        )
        narrow = Shortcut(
            "narrower window",
            "What has followed a window without its first cell is guessed, as often as it has.",
            lambda rule, tokens: self._by_windows(tokens, self.offsets[1:]),
        )
        return (colours, narrow) if self.window_size > 1 else (colours,)

    def _loss_of_colours(self, knobs: Mapping[str, Any]) -> float:
        """Nats: the loss of the frequent colours, each target's at most chance, over random rules."""
        del knobs
        states = random_states(
            self.num_colours,
            self.offsets,
            self.compositions,
            self.state_size,
            self.num_states,
            COUNTED_SEQUENCES,
        )
        guessed = self._by_windows(states.reshape(len(states), -1), self.offsets[:0])
        answers = states[:, 1:].reshape(len(states), -1, 1)
        losses = -np.log(np.take_along_axis(guessed, answers, axis=2)).mean(axis=0)
        return float(np.minimum(losses, self.chance_loss).mean())

    def _by_windows(self, tokens: Integers, offsets: Integers) -> Floats:
        """`f64[N, R, C]`: what has followed windows of these `offsets` in the states before, counted."""
        states = tokens.reshape(len(tokens), self.num_states, self.state_size)
        entries = windows(states, offsets, self.num_colours)
        sequence = np.arange(len(tokens))[:, None]
        # Before anything has followed, every colour may.
        counts = np.ones((len(tokens), self.num_colours ** len(offsets), self.num_colours))
        guessed = []
        for state in range(1, self.num_states):
            followed = counts[sequence, entries[:, state - 1]]
            guessed.append(followed / followed.sum(axis=-1, keepdims=True))
            np.add.at(counts, (sequence, entries[:, state - 1], states[:, state]), 1)
        return np.concatenate(guessed, axis=1)

    def _table(self, rule: jax.Array, key: jax.Array) -> jax.Array:
        """`i32[C^W]`: the table of the sequence that `key` draws."""
        _, rule_key = jax.random.split(key)
        if self.rule_pool == "fresh":
            return self._tables(rule_key, 1)[0]
        return rule[jax.random.randint(rule_key, (), 0, self.rule_pool)]

    def _following(self, table: jax.Array, state: jax.Array) -> jax.Array:
        """The state after `state`."""
        for _application in range(self.compositions):
            state = self._applied(table, state)
        return state

    def _tables(self, key: jax.Array, count: int) -> jax.Array:
        entries = self.num_colours**self.window_size
        return jax.random.randint(key, (count, entries), 0, self.num_colours)

    def _applied(self, table: jax.Array, state: jax.Array) -> jax.Array:
        entry = jnp.zeros_like(state)
        for offset in self.offsets:
            entry = entry * self.num_colours + jnp.roll(state, -int(offset))
        return table[entry]


def _windows(numpy: Any, automaton: CellularAutomaton, targets: Integers | jax.Array, turned: int) -> Any:
    """`bool[P, L]`: what `targets` depend on, in a ring that is turned by so many cells.

    Computed where it is used, by the `numpy` of the host or of the device. As a constant, the map of a long
    context would be the largest thing in a program.
    """
    size = automaton.state_size
    first = automaton.compositions * int(automaton.offsets[0])
    position = numpy.arange(automaton.context_length)
    state, cell = targets // size, targets % size
    inside = (position % size - (cell[:, None] + first + turned)) % size < automaton.span
    return inside & (position // size == state[:, None])
