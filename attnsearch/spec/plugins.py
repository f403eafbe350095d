"""Classes by name: known ones, installed entry points, and a user's own as `package.module:Class`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from attnsearch.base import AttnsearchError, nearest
from attnsearch.files import reason
from attnsearch.generators.base import Generator
from attnsearch.spec.run import FOREIGN, TaskSpec

_Kind = TypeVar("_Kind")


def find(name: str, known: Mapping[str, type[_Kind]], kind: type[_Kind]) -> type[_Kind]:
    """The subclass of `kind` called `name`: one of `known`, an entry point, or `package.module:Class`.

    Nothing is imported that was not named. Errors: AttnsearchError for an unknown name, with the nearest,
    and for a class that cannot be had, saying what stands in the way.
    """
    if name in known:
        return known[name]
    _require_own(name)
    word = _word(kind)
    if ":" in name:
        return imported(name, name, kind, word, f"attnsearch.{kind.__name__}")
    points = installed(kind)
    if name not in points:
        hint = nearest(name, [*known, *points])
        raise AttnsearchError(f"unknown {word} {name!r}.{hint} Or one's own, as package.module:Class.")
    point = points[name]
    try:
        loaded = point.load()
    except Exception as error:
        raise AttnsearchError(
            f"{word} {name!r} is an entry point, {point.value}, that cannot be loaded: {reason(error)}"
        ) from error
    return _checked(
        loaded, f"{name}, an entry point that is {point.value},", kind, f"attnsearch.{kind.__name__}"
    )


def imported(place: str, name: str, kind: type[_Kind], word: str, base: str) -> type[_Kind]:
    """The subclass of `kind` at `place`, `package.module:Class`.

    name, word:  what the user calls it, and what it is: "mixer"
    base:        what users call `kind`

    Errors: AttnsearchError for a class that cannot be had, saying what stands in the way.
    """
    return _checked(_imported(place, name, kind, word), name, kind, base)


def require_named(name: str, known: Mapping[str, type[_Kind]], kind: type[_Kind]) -> None:
    """Errors: AttnsearchError for a class as `package.module:Class` that is not one of `known`.

    For names out of stored data, which anyone may have written. Of one's own modules, only what the user
    named is imported.
    """
    _require_own(name)
    if ":" in name and name not in known:
        word = _word(kind)
        raise AttnsearchError(
            f"{word} {name!r} is a module that stored data names: to import it, give --{word} {name}"
        )


def _require_own(name: str) -> None:
    if name.startswith(FOREIGN):
        raise AttnsearchError(
            f"{name} was trained by a loop of its own and recorded with attnsearch.Recorder: only that loop"
            " can train it"
        )


def generator(task: TaskSpec, known: Mapping[str, type[Generator]]) -> Generator:
    """The generator of a task, one of `known` or found as by `find`, with the knobs that fix its shapes.

    Errors: AttnsearchError for a generator that cannot be had, and for knobs that it lacks or refuses. A
    knob that has a default in the class may be missing, as in runs from before it was there.
    """
    kind = find(task.generator, known, Generator)
    if not is_dataclass(kind):
        raise AttnsearchError(
            f"generator {task.generator} is not a dataclass: put @dataclass(frozen=True) above it"
        )
    static = {field.name for field in fields(kind)}
    names, knobs = static | set(kind.traced_knobs), dict(task.knobs)
    for name in knobs:
        if name not in names:
            hint = nearest(name, names)
            raise AttnsearchError(f"task {task.name}: generator {task.generator} has no knob {name!r}.{hint}")
    optional = {field.name for field in fields(kind) if field.default is not MISSING}
    for name in sorted(names - optional - set(knobs)):
        raise AttnsearchError(f"task {task.name}: knob {name!r} of generator {task.generator} is missing")
    given = {name: value for name, value in knobs.items() if name in static}
    try:
        made = kind(**given)
        # A compilation is kept by what it is made for.
        hash(made)
    except AttnsearchError:
        raise
    except Exception as error:
        knobs_given = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise AttnsearchError(
            f"generator {task.generator} cannot be made with {knobs_given}: {reason(error)}"
        ) from error
    return made


def shipped(task: TaskSpec) -> Generator | None:
    """What draws the sequences of a task. None where the generator does not ship, for only its owner may have
    imported its module; and for knobs that it does not take."""
    from attnsearch.generators import GENERATORS

    if task.generator not in GENERATORS:
        return None
    try:
        made = generator(task, GENERATORS)
        # Some knobs are only found not to fit when something is computed of them.
        return made if made.context_length else None
    except (AttnsearchError, ArithmeticError, TypeError, ValueError):
        return None


def installed(kind: type) -> dict[str, EntryPoint]:
    """The entry points of installed packages for classes of this kind, by name; none is loaded.

    Their group is `attnsearch.mixers` for mixers, and so on.
    """
    return {point.name: point for point in sorted(entry_points(group=f"attnsearch.{_word(kind)}s"))}


def _word(kind: type) -> str:
    return kind.__name__.lower()


def _imported(place: str, name: str, kind: type, word: str) -> object:
    module_name, _, class_name = place.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), *class_name.split(".")]):
        form = f"{name.removesuffix(place)}package.module:Class"
        raise AttnsearchError(f"{word} {name!r} is neither a name nor of the form {form}")
    # As for `python -m`: one's own modules lie where one is.
    here = str(Path.cwd())
    if not {here, ""} & set(sys.path):
        sys.path.insert(0, here)
    try:
        module = import_module(module_name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{module_name}.".startswith(f"{missing}."):
            raise AttnsearchError(
                f"{word} {name!r}: module {missing} is neither in {here} nor installed"
            ) from error
        raise AttnsearchError(f"{word} {name!r}: importing {module_name} raised {reason(error)}") from error
    try:
        return attrgetter(class_name)(module)
    except AttributeError as error:
        classes = [known for known, value in vars(module).items() if _is_one(value, kind)]
        hint = nearest(class_name, classes) if classes else f" It has no {word} at all."
        raise AttnsearchError(f"{word} {name!r}: module {module_name} has no {class_name}.{hint}") from error


def _checked(found: object, name: str, kind: type[_Kind], base: str) -> type[_Kind]:
    if isinstance(found, type) and _is_one(found, kind):
        return found
    what = "a class" if isinstance(found, type) else f"a {type(found).__name__}"
    raise AttnsearchError(f"{name} is {what}, not a subclass of {base}")


def _is_one(found: object, kind: type) -> bool:
    return isinstance(found, type) and issubclass(found, kind) and found is not kind
