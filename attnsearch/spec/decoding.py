"""Typed values made of documents: a `msgspec.Struct` says which keys and values a document may have.

Numpy side; never imports jax.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from attnsearch.base import AttnsearchError, nearest
from attnsearch.spec.reading import at, below, shown

_Kind = TypeVar("_Kind")


def decoded(document: Any, kind: type[_Kind], where: str = "") -> _Kind:
    """`document`, which stands at `where` in its file, as a `kind`: a Struct or whatever else msgspec takes.

    Errors: AttnsearchError that names the place, the value, and the permitted keys or words.
    """
    try:
        found = msgspec.convert(document, kind)
    except msgspec.ValidationError:
        raise AttnsearchError(_complaint(document, kind, where)) from None
    _check_dataclasses(document, _alternatives(inspect.type_info(kind)), where)
    return found


def _check_dataclasses(value: Any, kinds: Sequence[inspect.Type], where: str) -> None:
    """Errors: AttnsearchError for an unknown key, which a dataclass drops and a struct refuses."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        inner = [found for one in kinds for found in _inside(one, key)]
        known = [
            field.encode_name
            for one in kinds
            if isinstance(one, inspect.DataclassType)
            for field in one.fields
        ]
        if known and key not in known:
            raise AttnsearchError(at(where, _unknown_key(str(key), known)))
        _check_dataclasses(item, inner, below(where, key))


def check_keys(table: Mapping[str, Any], known: Iterable[str]) -> None:
    """Errors: AttnsearchError for a key of `table` that is not among the `known` ones."""
    known = set(known)
    for key in table:
        if key not in known:
            raise AttnsearchError(_unknown_key(key, known))


def _unknown_key(key: str, known: Iterable[str]) -> str:
    return f"unknown key {shown(key)}.{nearest(key, known)}"


_MESSAGE = re.compile(r"(?s)(.*) - at (`key` in )?`\$\[0\]([^`]*)`")
"""What msgspec says is wrong, whether of a key, and where in the only item of a list."""

_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
"""A field, an item of a list, or an unnamed value of a mapping."""

_WORDS: Mapping[str, str] = {
    "float": "a number",
    "int": "a whole number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table of keys and values",
}

_UNITS: Mapping[str, str] = {"str": "characters", "array": "items", "object": "keys"}

_BOUNDS: Mapping[str, str] = {">=": "at least", ">": "above", "<=": "at most", "<": "below"}


def _complaint(document: Any, kind: Any, where: str) -> str:
    """What is wrong with `document`, which is not of `kind`, in our words."""
    message = _refusal(document, kind)
    found = _MESSAGE.fullmatch(message)
    if found is None:  # the words of another version of msgspec
        return at(where, message)
    said, of_key, path = found.groups()
    steps: list[str | int] = []
    value, kinds = document, _alternatives(inspect.type_info(kind))
    for name, index in _STEP.findall(path):
        step = name or (_culprit(message, document, kind, steps, value) if index == "..." else int(index))
        value, kinds = value[step], [inner for known in kinds for inner in _inside(known, step)]
        steps.append(step)
        where = below(where, step)
    if of_key:
        keys = [
            key for one in kinds if isinstance(one, inspect.DictType) for key in _alternatives(one.key_type)
        ]
        return at(where, f"key {_wrong(said, _culprit(message, document, kind, steps, value), keys)}")
    return at(where, _wrong(said, value, kinds))


def _refusal(document: Any, kind: Any) -> str:
    """Why `document` is not of `kind`, in the words of msgspec; empty where it is."""
    try:
        # In a list, for the message names a place at its end unless that is the whole document.
        msgspec.convert([document], list[kind])
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _wrong(said: str, value: Any, kinds: Sequence[inspect.Type]) -> str:
    """What is wrong with `value`, which should be of one of `kinds`."""
    if found := re.fullmatch(r"(?s)Object contains unknown field `(.*)`", said):
        known = [
            field.encode_name for one in kinds if isinstance(one, inspect.StructType) for field in one.fields
        ]
        return _unknown_key(found[1], known)
    if found := re.fullmatch(r"Object missing required field `(.*)`", said):
        return f"missing key {found[1]!r}"
    if said.startswith("Invalid enum value"):
        words = [str(word) for one in kinds if isinstance(one, inspect.LiteralType) for word in one.values]
        return f"{shown(value)} is unknown.{nearest(str(value), words)}"
    if found := re.fullmatch(r"Expected `(.*)`, got `.*`", said):
        # A number may be whole, and null only stands for what is left out.
        names = set(found[1].split(" | ")) - {"null"}
        names -= {"int"} if "float" in names else set()
        *others, last = [words for name, words in _WORDS.items() if name in names] or [found[1]]
        return f"{shown(value)} is not {', '.join(others)}{' or ' if others else ''}{last}"
    if found := re.fullmatch(r"Expected `.*` that's a multiple of (.*)", said):
        return f"{shown(value)} must be a multiple of {found[1]}"
    if found := re.fullmatch(r"Expected `(.*)` (of length )?([<>]=?) (.*)", said):
        name, of_length, sign, bound = found.groups()
        unit = f" {_UNITS[name]}"[: -1 if bound == "1" else None] if of_length else ""
        verb = "must have" if of_length else "must be"
        return f"{shown(value)} {verb} {_BOUNDS[sign]} {bound.removesuffix('.0')}{unit}"
    return said


def _alternatives(kind: inspect.Type) -> list[inspect.Type]:
    """What a value may be, without the wrapping of constraints."""
    if isinstance(kind, inspect.Metadata):
        return _alternatives(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [inner for one in kind.types for inner in _alternatives(one)]
    return [kind]


def _inside(kind: inspect.Type, step: str | int) -> list[inspect.Type]:
    """What may stand at `step` in a value of `kind`."""
    if isinstance(kind, inspect.StructType | inspect.DataclassType):
        return [
            one for field in kind.fields if field.encode_name == step for one in _alternatives(field.type)
        ]
    if isinstance(kind, inspect.DictType):
        return _alternatives(kind.value_type)
    if isinstance(kind, inspect.CollectionType):
        return _alternatives(kind.item_type)
    return []


def _culprit(
    message: str, document: Any, kind: Any, steps: Sequence[str | int], table: Mapping[str, Any]
) -> str:
    """The key of `table`, at `steps` in `document`, that the `message` is about, which does not name it."""
    return next(
        key for key, item in table.items() if _refusal(_with(document, steps, {key: item}), kind) == message
    )


def _with(document: Any, steps: Sequence[str | int], inner: Any) -> Any:
    """`document` with another value at `steps`."""
    if not steps:
        return inner
    first, *rest = steps
    copied = document.copy()
    copied[first] = _with(document[first], rest, inner)
    return copied
