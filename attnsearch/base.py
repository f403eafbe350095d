"""The words every other module shares: array types, the error, and how numbers are named.

One legend for the shapes in all docstrings::

    L  context length: tokens of a sequence      S  state size
    D  width: features of a token                s  support size: positions a target depends on
    V  vocabulary size                           R  targets of a sequence
    B  batch: sequences of a step                Q  queries: positions at which logits are computed,
    N  runs, or lanes                               the R targets among them
    E  recorded points of a run                  M  recorded maps of a run
    P  probe sequences of a contest              W  named routes
    A  attention heads of all layers             K  mapped targets: the R targets whose rows of
                                                    the attention map are kept; all, up to a size

This module belongs to both sides of the house and never imports jax.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import jax

RECORDING_INTERVAL = 10
"""Training steps averaged into one recorded point, and the steps of one compiled segment."""

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]


class AttnsearchError(Exception):
    """Something the user can put right. Its text is one line: what, where, and what would be right."""


class Example(NamedTuple):
    """One sequence, and the answers that are right.

    tokens:   `i32[L]` the sequence as the network sees it
    answers:  `i32[Q]` the token that is right at each query
    """

    tokens: jax.Array
    answers: jax.Array


class Truth(NamedTuple):
    """The known truth about a run's task, before anything is trained.

    attention_map:             `bool[K, L]` the support of each mapped target
    cheapest_route:            `bool[K, L]` the fewest visible tokens that determine it; equal to
                               `attention_map` where no shorter way exists
    query_positions:           `i32[Q]` position whose logits answer each query
    is_target:                 `bool[Q]` whether a query is a target; the others are unpredictable
    replaceable:               `bool[L]` positions whose token differs between sequences
    log2_search_space:         `f64[R]` bits: log2 of the number of supports the cheapest route
                               could have had
    nominal_log2_search_space: `f64[]` bits: the same for the support as the task states it
    chance_loss:               `f64[]` nats: loss of the best guess that has not found the support
    bayes_loss:                `f64[R]` nats: least mean loss that any predictor has on each target; 0 where
                               the answer is determined by what the query sees
    state:                     `i64[R]` the state that each target is a cell of; the one given is 0
    mapped:                    `i64[K]` the targets whose rows `attention_map` and all recorded maps hold
    probed:                    `bool[L]` positions whose tokens are replaced to measure a map
    """

    attention_map: Bools
    cheapest_route: Bools
    query_positions: Integers
    is_target: Bools
    replaceable: Bools
    log2_search_space: Floats
    nominal_log2_search_space: Floats
    chance_loss: Floats
    bayes_loss: Floats
    state: Integers
    mapped: Integers
    probed: Bools

    @property
    def queries(self) -> Integers:
        """`i32[K]`: the positions whose logits answer the mapped targets."""
        return self.query_positions[self.is_target][self.mapped]


class Curves(NamedTuple):
    """What was recorded while training: means over each `RECORDING_INTERVAL` steps.

    step:      `i32[E]` steps done at the end of the interval
    loss:      `f32[E, Q]` nats, by query
    accuracy:  `f32[E, Q]` share of sequences answered right, by query
    """

    step: Integers
    loss: Floats
    accuracy: Floats


class Maps(NamedTuple):
    """The measured attention map at a few steps.

    step:       `i32[M]` steps done when the map was measured; 0 is before training
    influence:  `f32[M, K, L]` how much the answer to a mapped target moves when the token at a position
                is replaced: mean total variation distance, in [0, 1]; 0 where never replaced
    mass:       `f32[M, K]` map mass: the share of the influence on a mapped target that lies on its support
                in the very sequence; nan where nothing had any influence
    later:      `f32[M]` the largest total variation distance by which tokens behind a query moved its answer,
                over all queries and probe sequences; nan where that was not measured
    """

    step: Integers
    influence: Floats
    mass: Floats
    later: Floats


class Updates(NamedTuple):
    """How far training moved the parameters; E = 0 for a run of which that is not known.

    step:  `i32[E]` steps done
    norm:  `f32[E]` Euclidean norm of the change that one step of the optimizer makes to all parameters
           together; mean over the last `RECORDING_INTERVAL` steps, and nan where it was not recorded
    """

    step: Integers
    norm: Floats

    @classmethod
    def none(cls) -> Updates:
        """Of a run whose optimizer was not seen."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.float32))


class Contests(NamedTuple):
    """How a run answers where two routes compete; P = 0 for a task on which none do.

    step:       `i32[E]` steps done
    margin:     `f32[E, P]` nats: the log-probability of the general answer, less the log-probability of the
                shallow one, in sequences on which these differ; mean over targets
    agreement:  `f32[E]` share of targets answered right, in sequences on which both routes agree
    """

    step: Integers
    margin: Floats
    agreement: Floats

    @classmethod
    def none(cls) -> Contests:
        """Of a task on which no routes compete."""
        return cls(np.zeros(0, np.int32), np.zeros((0, 0), np.float32), np.zeros(0, np.float32))


class RouteMass(NamedTuple):
    """The share of a measured map that lies on each named route; W = 0 for a task without such routes.

    names:  `str[W]`
    step:   `i32[M]` steps done when the map was measured
    mass:   `f32[M, W, K]` share of the influence on a mapped target that lies on a route in the very
            sequence; nan where nothing had any influence
    """

    names: Any
    step: Integers
    mass: Floats

    @classmethod
    def none(cls) -> RouteMass:
        """Of a task without named routes."""
        return cls(np.zeros(0, np.str_), np.zeros(0, np.int32), np.zeros((0, 0, 0), np.float32))


class MapMass(NamedTuple):
    """`Maps` without the influence, which takes most of the room: the other fields, as there."""

    step: Integers
    mass: Floats
    later: Floats


class Heads(NamedTuple):
    """What the attention heads of a network looked at, at the steps of its `Maps`; A = 0 for one without.

    weights:  `u8[M, A, K, L]` softmax weight that the query of a mapped target gives a position, in 255ths:
              mean over probe sequences
    mass:     `f32[M, A, K]` share of the weight that lies on the support, in [0, 1]; mean, before rounding
    entropy:  `f32[M, A, K]` of the weight over positions, in nats; mean
    """

    weights: Integers
    mass: Floats
    entropy: Floats

    @classmethod
    def none(cls, maps: Maps) -> Heads:
        """The record of a network without heads, A = 0."""
        recorded, rows, length = maps.influence.shape
        nothing = np.zeros((recorded, 0, rows), np.float32)
        return cls(np.zeros((recorded, 0, rows, length), np.uint8), nothing, nothing)


class HeadMass(NamedTuple):
    """`Heads` without the weights, which take most of the room: `mass` and `entropy`, as there."""

    mass: Floats
    entropy: Floats


class MapRecord(NamedTuple):
    """One recorded map, on the device or on the host: the fields of `Maps` and `Heads` without axis M.

    influence:  `f32[K, L]`; map_mass: `f32[K]`, `Maps.mass`; later: `f32[]`
    route_mass: `f32[W, K]`, `RouteMass.mass`
    mass, entropy: `f32[A, K]`, of `Heads`
    weights:    `f32[A, K, L]` as measured, in [0, 1]
    """

    influence: Any
    map_mass: Any
    later: Any
    route_mass: Any
    weights: Any
    mass: Any
    entropy: Any

    @classmethod
    def of(cls, influence: Any, map_mass: Any, later: Any = np.nan, route_mass: Any = None) -> MapRecord:
        """The record of a network without heads; no routes are named unless their mass is given."""
        rows, length = influence.shape
        nothing = np.zeros((0, rows), np.float32)
        routes = nothing if route_mass is None else route_mass
        weights = np.zeros((0, rows, length), np.float32)
        return cls(influence, map_mass, later, routes, weights, nothing, nothing)


class Plateaus(NamedTuple):
    """Waiting times with their censoring; the one never travels without the other.

    length:    `i64[N]` steps until the event, or steps trained without it
    observed:  `bool[N]` whether the event happened; False is right-censored
    """

    length: Integers
    observed: Bools


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` and the known names, for the message about an unknown one."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
    guess = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"{guess} Known: {', '.join(names)}."


_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks that draw nothing, as the joiner and the fillers of Hangul."""


def plain(text: str) -> str:
    """`text` for people to see, on one line: each sign that a screen would obey or hide is written out.

    Control characters, and with them escape sequences and line ends, become `\\x1b` or `\\n`; signs that
    turn the direction of writing, that have no width, or that are half of a pair become `\\u202e`. All else
    stays as it is.
    """
    if text.isprintable() and _INVISIBLE.isdisjoint(text):
        return text
    return "".join(
        sign.encode("unicode_escape").decode("ascii")
        if sign in _INVISIBLE or unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else sign
        for sign in text
    )


def lookalike(name: str) -> str | None:
    """What is wrong with a name that holds a letter outside ASCII, which may look like another; None for any
    other name. Two names that people cannot tell apart would be one on a page."""
    for place, sign in enumerate(name, start=1):
        if not sign.isascii():
            known = unicodedata.name(sign, "a character without a name")
            return (
                f"the name {name!a} holds {ascii(sign)[1:-1]} ({known}) as letter {place}:"
                " write names in ASCII, so that none looks like another"
            )
    return None


def spelled(name: str) -> str:
    """`name` with each letter outside ASCII written out, for names that nobody can refuse, as of files."""
    return name.encode("ascii", "backslashreplace").decode("ascii")
