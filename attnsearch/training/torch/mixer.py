"""What a mixer in PyTorch must keep to, and how it is found by its name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from attnsearch.base import AttnsearchError, nearest
from attnsearch.files import reason
from attnsearch.spec import plugins
from attnsearch.spec.run import Settings, Value
from attnsearch.training.torch.names import PREFIX, TORCH_MIXERS


@runtime_checkable
class Weighing(Protocol):
    """A mixer whose heads give every position a weight."""

    def weights(self, x: Tensor, positions: Tensor) -> Tensor:
        """`f32[B, H, Q, L]`: the weights of every head's query at `positions`, `i64[Q]`."""
        ...


@runtime_checkable
class Biased(Protocol):
    """A mixer whose heads form logits over the positions, to which `bias`, `f32[B, L, L]`, can be added."""

    def biased(self, x: Tensor, bias: Tensor) -> Tensor:
        """`f32[B, L, D]`: the output."""
        ...

    def biased_weights(self, x: Tensor, positions: Tensor, bias: Tensor) -> Tensor:
        """`f32[B, H, Q, L]`: the weights of every head."""
        ...


def weighing(mixer: nn.Module) -> Weighing | None:
    """`mixer`, where its class has weights. A parameter that is called so does not make any."""
    return cast("Weighing", mixer) if issubclass(type(mixer), Weighing) else None


def biased(mixer: nn.Module) -> Biased:
    """`mixer`, whose class is known to take a bias."""
    assert issubclass(type(mixer), Biased), f"{type(mixer).__name__} has no attention logits"
    return cast("Biased", mixer)


def find(name: str, known: Mapping[str, type[nn.Module]] | None = None) -> type[nn.Module]:
    """The class of a mixer called `torch:NAME` or `torch:package.module:Class`, or one of `known`.

    Errors: AttnsearchError for an unknown name, with the nearest, and for a class that cannot be had.
    """
    if known and name in known:
        return known[name]
    inner = name.removeprefix(PREFIX)
    if ":" not in inner and inner not in TORCH_MIXERS:
        raise AttnsearchError(
            f"unknown mixer {name!r}.{nearest(name, [PREFIX + known for known in TORCH_MIXERS])}"
            f" Or one's own, as {PREFIX}package.module:Class."
        )
    return plugins.imported(TORCH_MIXERS.get(inner, inner), name, nn.Module, "mixer", "torch.nn.Module")


def default_settings(kind: type[nn.Module]) -> dict[str, Value]:
    """A mixer's settings with their defaults: all parameters of its constructor after the first two.

    Errors: AttnsearchError where one has no default.
    """
    found: dict[str, Value] = {}
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    _, *parameters = inspect.signature(kind.__init__).parameters.values()
    for parameter in [one for one in parameters if one.kind in named][2:]:
        if parameter.default is inspect.Parameter.empty:
            raise AttnsearchError(f"mixer {kind.__name__}: setting {parameter.name} has no default")
        found[parameter.name] = parameter.default
    return found


def build(kind: type[nn.Module], settings: Settings, width: int, context_length: int) -> nn.Module:
    """One layer. Errors: AttnsearchError where the constructor raises anything."""
    given = "".join(f", {name}={value!r}" for name, value in settings)
    place = f"width={width}, context_length={context_length}"
    with explaining(f"mixer {kind.__name__} cannot be built with {place}{given}"):
        return cast("Any", kind)(width, context_length, **dict(settings))


def check(kind: type[nn.Module], settings: Settings, width: int, context_length: int, queries: int) -> None:
    """Build and call a mixer once. Errors: AttnsearchError where that fails, or returns a wrong shape."""
    with seeded(0), torch.no_grad():
        mixer = build(kind, settings, width, context_length)
        fixed = [name for name, one in mixer.named_parameters() if not one.is_floating_point()]
        if fixed:
            raise AttnsearchError(
                f"mixer {kind.__name__} holds parameters that are not floating-point numbers:"
                f" {', '.join(fixed)}. Nothing can train them: make them buffers"
            )
        x, positions = torch.zeros(2, context_length, width), torch.arange(queries)
        asked = f"f32[2, {context_length}, {width}]"
        with explaining(f"mixer {kind.__name__} cannot be called on {asked}"):
            returned = mixer(x)
        _expect(f"mixer {kind.__name__}", returned, asked, (2, context_length, width))
        if (heads := weighing(mixer)) is not None:
            called = f"mixer {kind.__name__}, weights(x, positions),"
            with explaining(f"{called} cannot be called on {asked}"):
                returned = heads.weights(x, positions)
            _expect(called, returned, asked, (2, None, queries, context_length))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` within, and leave the random numbers of everyone else as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def explaining(what: str) -> Iterator[None]:
    """Turn any exception but an AttnsearchError into an AttnsearchError that says `what`."""
    try:
        yield
    except AttnsearchError:
        raise
    except Exception as error:
        raise AttnsearchError(f"{what}: {reason(error)}") from error


def _expect(called: str, returned: Any, asked: str, shape: tuple[int | None, ...]) -> None:
    """Errors: AttnsearchError where `returned` is not a tensor of 32-bit floats of `shape`, None for any."""
    fits = (
        isinstance(returned, Tensor)
        and returned.dtype == torch.float32
        and returned.dim() == len(shape)
        and all(due in (None, size) for due, size in zip(shape, returned.shape, strict=True))
    )
    if not fits:
        found = f"a {type(returned).__name__}"
        if isinstance(returned, Tensor):
            found = f"{str(returned.dtype).removeprefix('torch.')}[{', '.join(map(str, returned.shape))}]"
        due = ", ".join("H" if size is None else str(size) for size in shape)
        raise AttnsearchError(f"{called} returned {found} for {asked}: expected f32[{due}]")
