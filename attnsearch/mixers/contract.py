"""What a mixer must keep to, checked before anything is compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer

from attnsearch.base import AttnsearchError, Integers
from attnsearch.files import reason
from attnsearch.mixers.base import LogitMixer, Mixer
from attnsearch.spec.run import Settings

_Shape = tuple[int | str, ...]
"""Letters stand for any number."""


@dataclass(frozen=True)
class Contract:
    """A mixer with its settings, and the sequences that it will see.

    width, context_length:  D and L
    query_positions:        `i32[Q]`, the rows that `at` and `weights` are asked for
    """

    mixer: type[Mixer]
    settings: Settings
    width: int
    context_length: int
    query_positions: tuple[int, ...]

    def build(self, rngs: nnx.Rngs) -> Mixer:
        """One layer. Its constants are arrays also where this is traced, unless they are drawn from `rngs`.

        Errors: AttnsearchError where the constructor raises anything, or draws a constant in a trace.
        """
        build = cast("Callable[..., Mixer]", self.mixer)
        given = "".join(f", {name}={value!r}" for name, value in self.settings)
        place = f"width={self.width}, context_length={self.context_length}"
        refusal = f"mixer {self.mixer.__name__} cannot be built with {place}{given}"
        # A constant that is traced would be lost with the trace.
        with _explaining(refusal), jax.ensure_compile_time_eval():
            made = build(self.width, self.context_length, rngs=rngs, **dict(self.settings))
        for path, node in nnx.iter_graph(made):
            drawn = [name for name, value in _attributes(node) if isinstance(value, Tracer)]
            if drawn:
                raise AttnsearchError(
                    f"mixer {self.mixer.__name__} draws {_dotted((*path, drawn[0]))} from rngs but does not"
                    " train it: make it an nnx.Param, or draw it from a fixed seed with numpy"
                )
        return made

    def check_call(self) -> None:
        """Trace the mixer alone. Errors: AttnsearchError where that fails, or returns a wrong shape."""
        queries = np.asarray(self.query_positions)
        whole, at, weights = self._shapes
        self._check(
            ("", lambda mixer, x: mixer(x), whole),
            ("at(x, positions)", lambda mixer, x: mixer.at(x, queries), at),
            ("weights(x, positions)", lambda mixer, x: mixer.weights(x, queries), weights),
        )

    def check_bias(self) -> None:
        """Trace the mixer with a bias on its logits. Errors: AttnsearchError as for any other call."""
        queries = np.asarray(self.query_positions)
        _, at, weights = self._shapes

        def bias(positions: Integers | jax.Array) -> jax.Array:
            return jnp.zeros((len(positions), self.context_length))

        asked = "(x, positions, bias)"
        self._check(
            ("biased_at" + asked, lambda mixer, x: with_logits(mixer).biased_at(x, queries, bias), at),
            (
                "biased_weights" + asked,
                lambda mixer, x: with_logits(mixer).biased_weights(x, queries, bias),
                weights,
            ),
        )

    def check_arrays(self, parameters: nnx.State, others: nnx.State) -> None:
        """Errors: AttnsearchError where `parameters` cannot be trained, or `others` are not constants."""
        name = f"mixer {self.mixer.__name__}"
        state = [path for path, leaf in nnx.to_flat_state(others) if isinstance(leaf, nnx.Variable)]
        if state:
            raise AttnsearchError(
                f"{name} holds variables that are not nnx.Param: {_listed(state)}. Make what is trained an"
                " nnx.Param and what is constant an array; a mixer keeps no state between calls"
            )
        fixed = [
            path
            for path, leaf in nnx.to_flat_state(parameters)
            if not jnp.issubdtype(leaf.dtype, jnp.floating)
        ]
        if fixed:
            raise AttnsearchError(
                f"{name} holds parameters that are not floating-point numbers: {_listed(fixed)}. Nothing can"
                " train them: make them arrays without nnx.Param"
            )

    def constants(self) -> dict[str, np.ndarray]:
        """The constants of a new layer, by name, on the host."""
        found: list[nnx.State] = []
        jax.eval_shape(lambda key: found.append(constants(self.build(nnx.Rngs(key)))), jax.random.key(0))
        return {_dotted(path): np.asarray(leaf) for path, leaf in nnx.to_flat_state(found[0])}

    @property
    def _shapes(self) -> tuple[_Shape, _Shape, _Shape]:
        """Of what a mixer returns: at all positions, at the queries, and as weights."""
        length, queries = self.context_length, len(self.query_positions)
        return (length, self.width), (queries, self.width), ("H", queries, length)

    def _check(self, *calls: tuple[str, Callable[[Mixer, jax.Array], object], _Shape]) -> None:
        given = jax.ShapeDtypeStruct((self.context_length, self.width), jnp.float32)
        name = f"mixer {self.mixer.__name__}"

        def trace(key: jax.Array, x: jax.Array) -> None:
            mixer = self.build(nnx.Rngs(key))
            for method, call, expected in calls:
                called = f"{name}, {method}," if method else name
                with _explaining(f"{called} cannot be called on {_described(given)}"):
                    returned = call(mixer, x)
                if not _fits(returned, expected):
                    raise AttnsearchError(
                        f"{called} returned {_described(returned)} for {_described(given)}:"
                        f" expected f32[{', '.join(map(str, expected))}]"
                    )

        jax.eval_shape(trace, jax.random.key(0), given)


def constants(module: nnx.Module) -> nnx.State:
    """The arrays of a mixer, or of what holds mixers, that are not parameters."""
    _, _, others = nnx.split(module, nnx.Param, ...)
    return others


def with_logits(mixer: Mixer) -> LogitMixer:
    """`mixer`. Errors: AttnsearchError where it is not a `LogitMixer`."""
    if not isinstance(mixer, LogitMixer):
        raise AttnsearchError(f"mixer {type(mixer).__name__} has no attention logits")
    return mixer


@contextmanager
def _explaining(what: str) -> Iterator[None]:
    """Turn any exception but an AttnsearchError into an AttnsearchError that says `what`."""
    try:
        yield
    except AttnsearchError:
        raise
    except Exception as error:
        raise AttnsearchError(f"{what}: {reason(error)}") from error


def _attributes(node: Any) -> list[tuple[str, Any]]:
    return list(vars(node).items()) if isinstance(node, nnx.Pytree) else []


def _listed(paths: list[tuple[Any, ...]]) -> str:
    return ", ".join(map(_dotted, paths))


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path))


def _fits(value: Any, expected: _Shape) -> bool:
    """Whether `value` is an array of 32-bit floats of that shape, where a letter is any size."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return (
        shape is not None
        and dtype == jnp.float32
        and len(shape) == len(expected)
        and all(isinstance(axis, str) or size == axis for size, axis in zip(shape, expected, strict=True))
    )


def _described(value: Any) -> str:
    """Type and shape of an array, as in `f32[16, 128]`; of anything else its type."""
    if not hasattr(value, "dtype"):
        return f"a {type(value).__name__}"
    dtype = value.dtype.name.replace("float", "f").replace("uint", "u").replace("int", "i")
    return f"{dtype}[{', '.join(map(str, value.shape))}]"
