"""The mixers that ship, one line each: what it is, what it cannot do, its parameters, its state, its work.

.venv/bin/python benchmarks/mixers_table.py > docs/tables/mixers.md
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast
from unittest import mock

import jax
import jax.numpy as jnp
from flax import nnx

from attnsearch.mixers import MIXERS, Mixer

WIDTH, LENGTH = 128, 32

LIMITS = {
    "attention": ("256 a token", "Nothing is out of reach; every pair of tokens costs."),
    "delta_net": ("5,248", "It forgets nothing but what a key replaces; the past must fit the state."),
    "gated_delta_net": ("2,816", "The past must fit the state, which it forgets as a whole or key by key."),
    "gated_linear_attention": ("2,048", "The past must fit the state; a key cannot replace what it recalls."),
    "hybrid": (
        "128 a token, and 448",
        "What none of its parts can do; parts do not alternate from layer to layer.",
    ),
    "hyena": (
        "256 a token, and 768",
        "Its filters are the same for every sequence; only gates see the tokens.",
    ),
    "linear_attention": ("2,176", "The past must fit the state; it forgets nothing, and like keys blur."),
    "lru": ("256", "Its decays are the same for every sequence; the past must fit the state."),
    "mamba": ("2,432", "The past must fit the state; no pair of tokens is compared."),
    "mamba2": ("8,960", "The past must fit the state; a key cannot replace what it recalls."),
    "mean_pool": ("128", "It weighs all tokens alike; only the MLP of its block can tell them apart."),
    "mlp_mixer": ("128 a token", "Its weights are the same for every sequence; it has one context length."),
    "mlstm": ("2,116", "The past must fit the state; a key cannot replace what it recalls."),
    "retention": ("2,048", "It forgets at fixed rates, whatever the tokens; the past must fit the state."),
    "rwkv7": ("4,224", "The past must fit the state; a later layer does not read the values of the first."),
    "short_conv": ("896", "It reads the last 8 tokens, and nothing before."),
    "slstm": ("512", "Its tokens follow one another in a loop; the past must fit the state."),
}
"""By name: the numbers carried from token to token, and what a mixer cannot do."""

HEAD = f"""\
# The mixers that ship

Printed by `benchmarks/mixers_table.py`. [Add a mixer](../add-a-mixer.md) says how to write one of your own.

- One layer with its default settings, at D = {WIDTH}. The network around it is not counted.
- State: the numbers carried from token to token where tokens come one at a time.
- FLOPs: floating-point operations a token of the forward pass over {LENGTH} tokens, as XLA counts them. Loops
  are unrolled first, for XLA counts the body of a loop once.

| mixer | what it is | what it cannot do | parameters | state | FLOPs a token |
|---|---|---|--:|--:|--:|"""


class Facts(NamedTuple):
    """What is known of a mixer without a run.

    state, limit:  of `LIMITS`
    parameters:    of one layer at D = `WIDTH`
    flops:         a token of its forward pass over `LENGTH` tokens
    """

    summary: str
    limit: str
    parameters: int
    state: str
    flops: float


def summary(name: str) -> str:
    """The first sentence of a mixer's docstring."""
    return " ".join((inspect.getdoc(MIXERS[name]) or "").partition("\n\n")[0].split())


def facts(name: str) -> Facts:
    """Of the mixer of that name, which is compiled."""
    build = cast("Callable[..., Mixer]", MIXERS[name])
    abstract = nnx.eval_shape(lambda: build(WIDTH, LENGTH, rngs=nnx.Rngs(0)))
    parameters = nnx.state(abstract, nnx.Param)

    def forward(parameters: nnx.State, x: jax.Array) -> jax.Array:
        made = build(WIDTH, LENGTH, rngs=nnx.Rngs(0))
        nnx.update(made, parameters)
        return made(x)

    x = jax.ShapeDtypeStruct((LENGTH, WIDTH), jnp.float32)
    with mock.patch.object(jax.lax, "scan", partial(jax.lax.scan, unroll=True)):
        cost = jax.jit(forward).lower(parameters, x).compile().cost_analysis()
    assert cost is not None
    numbers = sum(leaf.size for leaf in jax.tree.leaves(parameters))
    state, limit = LIMITS.get(name, ("", ""))
    return Facts(summary(name), limit, numbers, state, cost["flops"] / LENGTH)


def row(name: str) -> str:
    """The table's row of a mixer."""
    known = facts(name)
    return (
        f"| `{name}` | {known.summary} | {known.limit} | {known.parameters:,} | {known.state} |"
        f" {known.flops:,.0f} |"
    )


if __name__ == "__main__":
    print(HEAD)
    for each in sorted(MIXERS):
        print(row(each))
