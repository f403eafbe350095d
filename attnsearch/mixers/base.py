"""What a sequence mixer must offer, and how its settings are read."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from attnsearch.base import AttnsearchError, Integers
from attnsearch.spec.run import Value

LogitBias = Callable[[Integers | jax.Array], jax.Array]
"""The bias of queries at `i32[P]` positions, for every position: `f32[P, L]`, or `f32[P, 1]`.

A function, so that who computes some queries at a time holds the bias of no others.
"""


class Mixer(nnx.Module):
    """A causal token-mixing layer for one sequence: `f32[L, D] -> f32[L, D]`.

    A subclass is built as `Mine(width, context_length, *, rngs, setting=default, ...)`. Its
    keyword-only parameters after `rngs` are its settings. Each has a default, and becomes part of the
    run's specification. All trained arrays are `nnx.Param`; other arrays are constants. A mixer keeps no
    state between calls. Row t of the output may depend on rows 0 ... t of the input only.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        """Mix `x`, `f32[L, D]`, along its first axis."""
        raise TypeError(f"{type(self).__name__} does not define __call__(x)")

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        """The rows `positions`, `i32[Q]` on the host, of `self(x)`: `f32[Q, D]`.

        Called where nothing else is read. Override it to save the work of the other rows.
        """
        return rows(self(x), positions)

    def weights(self, x: jax.Array, positions: Integers) -> jax.Array:
        """The weight that each head's query at `positions` gives every position: `f32[H, Q, L]`.

        Every row sums to 1. H = 0 here: most mixers have no such weights, and none needs them. Override it
        where they exist, and they are recorded.
        """
        return jnp.zeros((0, len(positions), len(x)))


class LogitMixer(Mixer):
    """A mixer whose heads form logits over the positions, to which a bias can be added.

    What is `biased` does what its name says without, with `bias` added to the logits of every head.
    """

    def biased_at(self, x: jax.Array, positions: Integers, bias: LogitBias) -> jax.Array:
        """`f32[Q, D]`: the rows `positions` of the output."""
        raise TypeError(f"{type(self).__name__} does not define biased_at(x, positions, bias)")

    def biased_weights(self, x: jax.Array, positions: Integers, bias: LogitBias) -> jax.Array:
        """`f32[H, Q, L]`: the weights of every head."""
        raise TypeError(f"{type(self).__name__} does not define biased_weights(x, positions, bias)")

    def without_head(self, head: jax.Array) -> LogitMixer:
        """The same, but that `head`, `i32[]`, one of H, adds nothing to the output."""
        raise TypeError(f"{type(self).__name__} does not define without_head(head)")


def rows(x: jax.Array, positions: Integers) -> jax.Array:
    """`x[positions]`, `positions` in rising order; as a slice where they have no gaps.

    The gradient of a slice is a copy. The gradient of a gather is a scatter, which a CPU does slowly.
    """
    if positions[-1] - positions[0] == len(positions) - 1:
        return x[positions[0] : positions[-1] + 1]
    return x[positions]


def default_settings(mixer: type[Mixer]) -> dict[str, Value]:
    """A mixer's settings with their defaults. Errors: AttnsearchError for one without a default."""
    found: dict[str, Value] = {}
    for parameter in inspect.signature(mixer.__init__).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.name != "rngs":
            if parameter.default is inspect.Parameter.empty:
                raise AttnsearchError(f"mixer {mixer.__name__}: setting {parameter.name} has no default")
            found[parameter.name] = parameter.default
    return found


def describe(mixer: type[Mixer]) -> str:
    """A mixer in one line: the first sentence of its docstring, and its settings with their defaults."""
    summary = " ".join((inspect.getdoc(mixer) or "").partition("\n\n")[0].split())
    listed = ", ".join(
        f"{name}={'derived' if value is None else value}" for name, value in default_settings(mixer).items()
    )
    return f"{summary}  [{listed}]" if listed else summary
