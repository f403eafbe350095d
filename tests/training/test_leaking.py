"""A run audits itself: a leak that training opens, in the second layer alone, is named."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
from click.testing import CliRunner
from flax import nnx
from helpers.faulty_mixers import Triangular
from helpers.hidden_leaks import SecondLayer
from helpers.tiny import VALUES

from attnsearch.backends import Backends, run, specify
from attnsearch.cli.stored import ls
from attnsearch.mixers import MIXERS
from attnsearch.runs.leaks import LEAK
from attnsearch.runs.store import Store, read


class Opening(SecondLayer):
    """Each layer but the first learns to look one token ahead."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.gate = nnx.Param(jnp.zeros((1,)))

    def __call__(self, x: jax.Array) -> jax.Array:
        ahead = 0.0 if self.first else self.gate[...] * jnp.roll(x, -1, axis=0)
        return Triangular.__call__(self, x) + ahead


def test_a_leak_that_training_opens_is_named(tmp_path: Path) -> None:
    backend = Backends(mixers={**MIXERS, "opening": Opening})
    values = {**VALUES, "num_layers": [2], "steps": [50], "support_size": [2]}
    values.pop("num_heads", None)
    store = Store.open(tmp_path)
    (made,) = run(
        specify(["linear_map"], ["opening"], values, seeds=[0], backend=backend), store, backend=backend
    )
    assert made.maps.later[0] == 0
    assert made.maps.later[-1] > LEAK
    assert made.leaking
    assert read(store.path(made.spec)).leaking
    table = CliRunner().invoke(ls, [str(tmp_path)])
    assert "leaking" in table.output
    (row,) = json.loads(CliRunner().invoke(ls, [str(tmp_path), "--json"]).stdout)["runs"]
    assert row["leaking"] is True
