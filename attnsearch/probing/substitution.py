"""Proves a map: exactly the tokens of a support move an answer.

Where a task says what the answers would be if a token were another one (`Generator.answers`), each token is
replaced. Where it does not, sequences that agree are compared. Two that agree on a support must agree on the
answer. And for each token of the support some two that differ there, and agree on the rest of it, must not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Integers
from attnsearch.generators.base import Generator, Rule
from attnsearch.probing.check import Answer
from attnsearch.probing.task import Drawn

RULES = 16
"""Hidden rules that are tried: in one of them, every token of a support must move the answer."""

REPLACED = 2**22
"""Answers that are looked at under one rule, at most, beyond the answers of `FEWEST` sequences."""

FEWEST, MOST = 8, 64
"""Sequences whose tokens are replaced."""

COMPARED = 2048
"""Sequences of one rule that are compared where nothing can be replaced."""


AT_ONCE = 2**20
"""Numbers that a program works on side by side, about. One after another takes many times as long."""


class Moved(NamedTuple):
    """What moved the answers under one rule.

    supported:  `bool[R, L]` where the support of some sequence holds a token
    needed:     `bool[R, L]` where such a token moved the answer
    whole:      `bool[R]` whether every token of the support did in some one sequence
    """

    supported: Bools
    needed: Bools
    whole: Bools


def proved(drawn: Drawn) -> Answer:
    """Whether the map holds.

    Errors: AttnsearchError with what speaks against it, or why it cannot be proved.
    """
    made, queries = drawn.made, drawn.queries
    if made.num_values < 2:
        raise AttnsearchError("num_values is 1: no token can be replaced, so the map cannot be proved")
    told = type(made).answers is not Generator.answers
    if not told and drawn.truth.bayes_loss.any():
        raise AttnsearchError(f"a sequence hides something, so the map cannot be proved: {_REMEDY}")
    proved = np.zeros(made.num_targets, bool)
    spare = np.zeros((made.num_targets, made.context_length), int)
    for moved in _replaced(drawn) if told else _compared(drawn):
        idle = moved.supported & ~moved.needed
        proved |= moved.whole | ~idle.any(axis=1)
        spare += idle.astype(int) - moved.needed
    if not proved.all():
        target = int(np.flatnonzero(~proved)[0])
        return Answer(
            False,
            f"the support of target {target}, asked at position {queries[target]}, holds position"
            f" {spare[target].argmax()}, but the answer does not move with the token there",
        )
    how = "with each token replaced" if told else f"among {COMPARED} sequences that agree on supports"
    return Answer(
        True, f"{how}, under {RULES} rules, the answers moved where the map says so and nowhere else"
    )


_REMEDY = "define answers(rule, key, tokens)"


def _replaced(drawn: Drawn) -> Iterator[Moved]:
    made = drawn.made
    count = int(np.clip(REPLACED // (made.num_targets * made.context_length), FEWEST, MOST))
    positions = tuple(np.flatnonzero(made.replaceable).tolist())
    for seed in range(RULES):
        keys = jax.random.split(jax.random.key(seed), count)
        same, moved, supports = map(np.asarray, _moved(made, positions, drawn.rule_of(seed), keys))
        if not same.all():
            raise AttnsearchError(
                "answers(rule, key, tokens) differ from the answers of sample for the same tokens"
            )
        wrong = np.argwhere(moved & ~supports)
        if len(wrong):
            _, target, position = wrong[0]
            raise AttnsearchError(
                f"the answer to target {target}, asked at position {drawn.queries[target]}, moves when the"
                f" token at {position} is replaced, which its support does not hold"
            )
        needed = moved & supports
        whole = (needed == supports).all(axis=2)
        yield Moved(*(np.asarray(found.any(axis=0)) for found in (supports, needed, whole)))


@partial(jax.jit, static_argnums=(0, 1))
def _moved(
    made: Generator, positions: tuple[int, ...], rule: Rule, keys: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`bool[N, R]` whether answers equal the sample's; `bool[N, R, L]` what moved them; the supports."""
    targets = np.flatnonzero(made.is_target)
    sequence = made.context_length + len(targets)
    side_by_side = at_once(len(positions), sequence)

    def one(key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        tokens, answers = made.sample(rule, key)
        others = jax.random.randint(jax.random.fold_in(key, 1), tokens.shape, 1, made.num_values)
        before = made.answers(rule, key, tokens)[targets]

        def after(position: jax.Array) -> jax.Array:
            other = made.replaced(tokens[position], others[position])
            return made.answers(rule, key, tokens.at[position].set(other))[targets] != before

        replaced = jnp.asarray(positions)
        moved = jnp.zeros((len(targets), len(tokens)), bool)
        moved = moved.at[:, replaced].set(jax.lax.map(after, replaced, batch_size=side_by_side).T)
        return before == answers[targets], moved, made.supports(rule, tokens, np.arange(len(targets)))

    return jax.lax.map(one, keys, batch_size=at_once(len(keys), len(positions) * sequence))


def _compared(drawn: Drawn) -> Iterator[Moved]:
    made = drawn.made
    for seed in range(RULES):
        keys = jax.random.split(jax.random.key(seed), COMPARED)
        example, supports = jax.tree.map(np.asarray, _drawn(made, drawn.rule_of(seed), keys))
        answers = example.answers[:, made.is_target]
        needed = np.zeros(supports.shape[1:], bool)
        for target in drawn.targets:
            support = supports[:, target]
            parts, answer = parts_of(example.tokens, support, answers[:, target])
            read = parts.sum(axis=1)
            unlike = differing(read, answer)
            if unlike is None:
                raise AttnsearchError(
                    f"no two of {COMPARED} sequences agree on the support of target {target}, so the map"
                    f" cannot be proved: {_REMEDY}"
                )
            if unlike:
                raise AttnsearchError(
                    f"target {target}, asked at position {drawn.queries[target]}, has two answers for the"
                    " same tokens on its support"
                )
            for position in np.flatnonzero(support.any(axis=0)):
                here = support[:, position]
                rest = (read - parts[:, position])[here]
                needed[target, position] = bool(differing(rest, answer[here]))
        yield Moved(supports.any(axis=0), needed, np.zeros(made.num_targets, bool))


@partial(jax.jit, static_argnums=0)
def _drawn(made: Generator, rule: Rule, keys: jax.Array) -> tuple[Example, jax.Array]:
    def one(key: jax.Array) -> tuple[Example, jax.Array]:
        example = made.sample(rule, key)
        return example, made.supports(rule, example.tokens, np.arange(made.num_targets))

    entries = made.context_length * made.num_targets
    return jax.lax.map(one, keys, batch_size=at_once(len(keys), entries))


def at_once(count: int, entries: int) -> int:
    """How many of `count` turns, each on so many `entries`, a program works on side by side."""
    most = max(1, AT_ONCE // entries)
    # A power of two leaves fewer sizes over, each of which would be a program of its own.
    return count if most >= count else 1 << (most.bit_length() - 1)


def parts_of(tokens: Integers, support: Bools, answer: Integers) -> tuple[Integers, Integers]:
    """`i64[N, L]` whose sums stand for the `tokens`, `i32[N, L]`, that a `support`, `bool[N, L]`, reads; and
    `i64[N]` for the answers. That two sums agree by chance is beyond belief."""
    weights = np.random.default_rng(0).integers(2**62, size=tokens.shape[1] + 1)
    return np.where(support, (tokens + 1) * weights[:-1], 0), weights[-1] * answer


def differing(read: Integers, answer: Integers) -> bool | None:
    """Whether two sequences that read the same have another answer; None where no two read the same."""
    kinds = len(np.unique(read))
    return None if kinds == len(read) else kinds < len(np.unique(read + answer))
