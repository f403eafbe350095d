"""One example of a task, drawn: what a target is made of, and the attention map that follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import jax
import jax.numpy as jnp
from rich.text import Text

from attnsearch.base import Example
from attnsearch.examples.cellular_automaton import AutomatonExample
from attnsearch.examples.k_of_m_recall import BlocksExample
from attnsearch.examples.linear_map import LinearMapExample
from attnsearch.examples.tokens import TokensExample
from attnsearch.generators.base import Generator, Rule
from attnsearch.generators.cellular_automaton import CellularAutomaton
from attnsearch.generators.k_of_m_recall import KOfMRecall
from attnsearch.generators.linear_map import LinearMap, LinearMapAutoregressive
from attnsearch.sequences.sequences import draw_rule
from attnsearch.spec.run import TaskSpec
from attnsearch.training.jax.backend import JaxBackend


class Drawing(Protocol):
    """An example that can be drawn with any one of its targets highlighted.

    targets: R; telling: the target that is highlighted unless another is asked for
    """

    @property
    def targets(self) -> int: ...

    @property
    def telling(self) -> int: ...

    def terminal(self, row: int) -> Text:
        """The example in lines of text, with target `row` highlighted."""
        ...

    def picture(self, path: Path, row: int, title: str) -> Path:
        """The same as a PNG at `path`."""
        ...


DRAWINGS: Mapping[type[Generator], Callable[..., Drawing]] = {
    CellularAutomaton: AutomatonExample.draw,
    KOfMRecall: BlocksExample.draw,
    LinearMap: LinearMapExample.draw,
    LinearMapAutoregressive: LinearMapExample.draw,
}
"""Generators with a drawing of their own: made of the generator, a rule, its traced knobs and an example."""


def draw(task: TaskSpec, seed: int, backend: JaxBackend) -> Drawing:
    """The rule that runs with `seed` learn, and a sequence that obeys it.

    Errors: AttnsearchError for a generator that cannot be had.
    """
    made = backend.generator(task)
    knobs = {name: jnp.asarray(dict(task.knobs)[name]) for name in made.traced_knobs}
    rule, example = _drawn(made, jnp.asarray(seed), knobs)
    return DRAWINGS.get(type(made), TokensExample.draw)(made, rule, knobs, example)


@partial(jax.jit, static_argnums=0)
def _drawn(made: Generator, seed: jax.Array, knobs: Mapping[str, jax.Array]) -> tuple[Rule, Example]:
    """In one program: dozens of small ones are compiled where nothing holds them together."""
    rule = draw_rule(made, seed, knobs)
    return rule, made.sample(rule, jax.random.key(seed))
