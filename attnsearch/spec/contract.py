"""What a generator must keep to, checked before anything is trained: shapes, types and the vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from attnsearch.base import AttnsearchError, Example
from attnsearch.files import reason
from attnsearch.generators.base import Generator
from attnsearch.generators.lazy import jax, jnp

SEQUENCES = 64
"""Of one rule, in which tokens and answers are looked at."""


def check(made: Generator, knobs: Mapping[str, Any]) -> None:
    """Both checks below; `knobs` holds the `traced_knobs`. Errors: AttnsearchError."""
    check_shapes(made, knobs)
    check_values(made, knobs)


def check_shapes(made: Generator, knobs: Mapping[str, Any]) -> None:
    """Trace the generator; nothing is compiled.

    Errors: AttnsearchError where a member raises anything, or has another shape or type than its docstring.
    """
    name = _named(made)
    with _explaining(name):
        length, queries, is_target = (
            made.context_length,
            np.asarray(made.query_positions),
            np.asarray(made.is_target),
        )
        targets, vocabulary = made.num_targets, made.vocab_size
        kinds, values = made.num_kinds, made.num_values
        replaceable = np.asarray(made.replaceable)
    if queries.ndim != 1 or queries.dtype.kind not in "iu":
        raise AttnsearchError(
            f"{name}: query_positions is {_shape(queries)}: expected whole numbers, one for each query"
        )
    if queries.size and not 0 <= queries.min() <= queries.max() < length:
        raise AttnsearchError(
            f"{name}: query_positions go from {queries.min()} to {queries.max()}: the {length} tokens of"
            f" context_length are at 0 to {length - 1}"
        )
    if not 1 <= values <= vocabulary:
        raise AttnsearchError(f"{name}: num_values is {values}: expected 1 to vocab_size, {vocabulary}")
    if not 1 <= kinds <= vocabulary // values:
        raise AttnsearchError(
            f"{name}: num_kinds is {kinds}: expected 1 to {vocabulary // values}, for vocab_size is"
            f" {vocabulary} and num_values is {values}"
        )
    asked = f"i32[{len(queries)}], one for each of query_positions"
    _expect(name, "is_target", is_target, "b", (len(queries),), asked.replace("i32", "bool"))
    _expect(name, "replaceable", replaceable, "b", (length,), f"bool[{length}], one for each token")
    if not targets:
        raise AttnsearchError(f"{name}: is_target is False for every query: at least one is asked for")
    with _explaining(name):
        key = jax.eval_shape(lambda: jax.random.key(0))
        rule = jax.eval_shape(made.init, key, {name: jnp.asarray(value) for name, value in knobs.items()})
        tokens, answers = jax.eval_shape(made.sample, rule, key)
    _expect(name, "the tokens of sample", tokens, "iu", (length,), f"i32[{length}], context_length")
    _expect(name, "the answers of sample", answers, "iu", (len(queries),), asked)
    with _explaining(name):
        rows = jax.eval_shape(made.supports, rule, tokens, np.arange(targets))
    expected = f"bool[{targets}, {length}], a row for each target and a column for each token"
    _expect(name, "supports", rows, "b", (targets, length), expected)


def check_values(made: Generator, knobs: Mapping[str, Any]) -> None:
    """Draw some sequences of one rule, and look at what they hold. Errors: AttnsearchError."""
    name = _named(made)

    def drawn() -> Any:
        rule_key, *keys = jax.random.split(jax.random.key(0), SEQUENCES + 1)
        rule = made.init(rule_key, {name: jnp.asarray(value) for name, value in knobs.items()})
        return jax.vmap(made.sample, (None, 0))(rule, jnp.stack(keys))

    with _explaining(name):
        example = jax.jit(drawn)()
    check_drawn(made, example)


def check_drawn(made: Generator, example: Example) -> None:
    """Errors: AttnsearchError where a token or an answer of some sequences, `i32[N, L]` and `i32[N, Q]`, is
    outside the vocabulary."""
    name, (tokens, answers) = _named(made), map(np.asarray, example)
    for word, values, places in (
        ("token", tokens, np.arange(made.context_length)),
        ("answer", answers, np.asarray(made.query_positions)),
    ):
        wrong = np.argwhere((values < 0) | (values >= made.vocab_size))
        if len(wrong):
            sequence, column = wrong[0]
            raise AttnsearchError(
                f"{name}: sample drew the {word} {values[sequence, column]} at position {places[column]}:"
                f" vocab_size {made.vocab_size} allows 0 to {made.vocab_size - 1}"
            )


def _named(made: Generator) -> str:
    return f"generator {type(made).__name__}"


def _expect(name: str, member: str, found: Any, kinds: str, shape: tuple[int, ...], expected: str) -> None:
    if found.shape != shape or np.dtype(found.dtype).kind not in kinds:
        verb = "are" if member.endswith("s of sample") else "is"
        raise AttnsearchError(f"{name}: {member} {verb} {_shape(found)}: expected {expected}")


def _shape(found: Any) -> str:
    """As `i32[4, 8]`."""
    kind = np.dtype(found.dtype)
    word = "bool" if kind.kind == "b" else f"{kind.kind}{8 * kind.itemsize}"
    return f"{word}[{', '.join(map(str, found.shape))}]"


@contextmanager
def _explaining(name: str) -> Iterator[None]:
    try:
        yield
    except AttnsearchError:
        raise
    except Exception as error:
        raise AttnsearchError(f"{name} cannot draw a sequence: {reason(error)}") from error
