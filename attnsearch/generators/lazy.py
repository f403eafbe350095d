"""jax, loaded when it is first used.

What follows from the knobs of a task alone, its chance and its search space, is asked by leaderboards,
which start without jax. The generators that ship with attnsearch import jax from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["jax", "jnp"]


class _Later:
    """A module that is imported when something of it is asked for."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
else:
    jax, jnp = _Later("jax"), _Later("jax.numpy")
