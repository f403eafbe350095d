"""The sequences that are exported: part by part, with what is known of the task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from attnsearch.base import Bools, Integers
from attnsearch.generators.base import Generator, Rule
from attnsearch.sequences.sequences import Sequences
from attnsearch.spec.run import RunSpec

LARGEST_PART = 2**20
"""Numbers in the tokens, or in the supports, of the sequences that are held in memory at once."""


class Part(NamedTuple):
    """Some sequences, one after another.

    tokens:    `i32[N, L]`
    answers:   `i32[N, Q]`
    supports:  `bool[N, R, L]`, the positions that the answer to each target depends on; None where all
               sequences share them
    """

    tokens: Integers
    answers: Integers
    supports: Bools | None


@dataclass(frozen=True)
class Source:
    """The first `count` sequences that the run of `spec` is trained on, whatever it trains.

    made:  the generator of its task
    """

    made: Generator
    spec: RunSpec
    count: int

    @cached_property
    def sequences(self) -> Sequences:
        """What the run sees. Errors: AttnsearchError where a step is less than one sequence."""
        return Sequences.of(self.made, self.spec)

    @cached_property
    def maps_differ(self) -> bool:
        """Whether the supports of a sequence depend on its tokens, so that each sequence has its own."""
        return depends_on_tokens(self.made, self.sequences.rule)

    def parts(self) -> Iterator[Part]:
        """All sequences, in the order in which the run sees them."""
        sequences, size = self.sequences, self.sequences.batch_size
        each = self.made.context_length * (self.made.num_targets if self.maps_differ else 1)
        needed, targets = -(-self.count // size), np.arange(self.made.num_targets)
        steps = min(max(1, LARGEST_PART // (size * each)), needed)
        for first in range(0, needed, steps):
            left = self.count - first * size
            # Always as many at a time, for each number is compiled once.
            tokens, answers = (part.reshape(-1, part.shape[-1]) for part in sequences.steps(first, steps))
            supports = sequences.supports(tokens, targets)[:left] if self.maps_differ else None
            yield Part(tokens[:left], answers[:left], supports)

    @cached_property
    def shared_supports(self) -> Bools:
        """`bool[R, L]`: the supports of every sequence, where these are the same."""
        tokens, _ = self.sequences.steps(0, 1)
        return self.sequences.supports(tokens[0, :1], np.arange(self.made.num_targets))[0]

    def about(self) -> dict[str, Any]:
        """What is known of the sequences beside themselves, as JSON values.

        `rule` holds the arrays of the hidden rule, as lists. `supports` lists for each target the positions
        that its answer depends on; None where sequences differ in them.
        """
        truth, task = self.sequences.truth(), asdict(self.spec.cell.task)
        return {
            "attnsearch": version("attnsearch"),
            "task": self.spec.cell.task.name,
            "generator": self.spec.cell.task.generator,
            "knobs": dict(task["knobs"]),
            "seed": self.spec.seed,
            "rule_seed": self.spec.rule_seed,
            "tokens_per_step": self.spec.cell.budget.tokens_per_step,
            "sequences": self.count,
            "sequences_per_step": self.sequences.batch_size,
            "vocab_size": self.made.vocab_size,
            "context_length": self.made.context_length,
            "query_positions": truth.query_positions.tolist(),
            "is_target": truth.is_target.tolist(),
            "chance_loss": float(truth.chance_loss),
            "bayes_loss": truth.bayes_loss.tolist(),
            "log2_search_space": float(truth.nominal_log2_search_space),
            "rule": _lists(self.sequences.rule),
            "supports": None
            if self.maps_differ
            else [np.flatnonzero(row).tolist() for row in self.shared_supports],
        }

    def about_as_text(self) -> str:
        """The same as one JSON document."""
        return json.dumps(self.about(), allow_nan=False)


def depends_on_tokens(made: Generator, rule: Rule) -> bool:
    """Whether `supports` reads the tokens that it is given; told from its trace, and nothing is computed."""
    tokens = jax.ShapeDtypeStruct((made.context_length,), jnp.int32)
    targets = np.arange(made.num_targets)
    traced = jax.make_jaxpr(lambda given: made.supports(rule, given, targets))(tokens).jaxpr
    reached = set(traced.invars)
    for equation in traced.eqns:
        if any(not isinstance(read, Literal) and read in reached for read in equation.invars):
            reached.update(equation.outvars)
    return any(not isinstance(found, Literal) and found in reached for found in traced.outvars)


def _lists(rule: Rule) -> Any:
    """A rule as JSON values; a tuple or a list of arrays is a list."""
    if isinstance(rule, dict):
        return {str(name): _lists(part) for name, part in rule.items()}
    if isinstance(rule, tuple | list):
        return [_lists(part) for part in rule]
    return np.asarray(rule).tolist()
