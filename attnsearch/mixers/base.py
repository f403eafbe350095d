"""What a sequence mixer must offer, and how its settings are read."""

from __future__ import annotations

import inspect
from abc import abstractmethod

import jax
from flax import nnx

from attnsearch.base import AttnsearchError
from attnsearch.specs import Value


class Mixer(nnx.Module):
    """A causal token-mixing layer for one sequence: `f32[L, D] -> f32[L, D]`.

    A subclass is built as `Mine(width, context_length, *, rngs, setting=default, ...)`: its
    keyword-only parameters after `rngs` are its settings, each with a default, and each becomes
    part of the run's specification. All trained arrays are `nnx.Param`; a mixer keeps no state
    between calls. Row t of the output may depend on rows 0 ... t of the input only.
    """

    @abstractmethod
    def __call__(self, x: jax.Array) -> jax.Array:
        """Mix `x`, `f32[L, D]`, along its first axis."""
        raise TypeError(f"{type(self).__name__} does not define __call__(x)")

    def at(self, x: jax.Array, positions: jax.Array) -> jax.Array:
        """The rows `positions`, `i32[Q]`, of `self(x)`: `f32[Q, D]`.

        Called where nothing else is read. Override it to save the work of the other rows.
        """
        return self(x)[positions]


def default_settings(mixer: type[Mixer]) -> dict[str, Value]:
    """A mixer's settings with their defaults. Errors: AttnsearchError for one without a default."""
    found: dict[str, Value] = {}
    for parameter in inspect.signature(mixer).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.name != "rngs":
            if parameter.default is inspect.Parameter.empty:
                raise AttnsearchError(f"mixer {mixer.__name__}: setting {parameter.name} has no default")
            found[parameter.name] = parameter.default
    return found
