"""What the file of an entry may hold: a JSON Schema, and the few of its words that are needed to apply it.

Numpy side; never imports jax. The schema is published as `benchmarks/leaderboard/entry.schema.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple, NoReturn, get_args

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError
from attnsearch.runs import verification
from attnsearch.runs.store import Status
from attnsearch.spec import run as specs
from attnsearch.spec.grid import LARGEST_SEED
from attnsearch.spec.run import BudgetSpec, NetworkSpec, OptimizerSpec, PlateauRule
from attnsearch.spec.settings import LARGEST_VALUE, SETTINGS

FORMAT_VERSION = 1
"""Version of the file of an entry."""

Schema = Mapping[str, Any]

_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "object": ((dict,), "an object"),
    "array": ((list,), "a list"),
    "string": ((str,), "a text"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "null": ((type(None),), "null"),
}


def _object(**properties: Schema) -> Schema:
    """All of these keys, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _mapping(values: Schema, most: int = 32) -> Schema:
    return {"type": "object", "maxProperties": most, "additionalProperties": values}


def _list(items: Schema, most: int, least: int = 0) -> Schema:
    return {"type": "array", "minItems": least, "maxItems": most, "items": items}


def _text(longest: int = 200) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": longest}


def _whole(least: int = 0, most: int = LARGEST_VALUE) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _positive(most: float) -> Schema:
    return {"type": "number", "exclusiveMinimum": 0, "maximum": most}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _settings_of(kind: type) -> Schema:
    """The fields of a specification, within the bounds that the command line has for them."""
    found: dict[str, Schema] = {}
    for name in (field.name for field in fields(kind)):
        setting = SETTINGS[name]
        if isinstance(setting.default, bool):
            found[name] = {"type": "boolean"}
            continue
        word = "number" if isinstance(setting.default, float) else "integer"
        bound = "exclusiveMinimum" if setting.above_minimum else "minimum"
        found[name] = {"type": word, bound: setting.minimum, "maximum": LARGEST_VALUE}
    if "steps" in found:
        found["steps"] = {**found["steps"], "multipleOf": RECORDING_INTERVAL}
    return _object(**found)


_VALUE: Schema = {
    "type": ["integer", "number", "string", "boolean", "null"],
    "maxLength": 200,
    "minimum": -LARGEST_VALUE,
    "maximum": LARGEST_VALUE,
}

_CURVE: Schema = {
    "type": "string",
    "description": "nats at each recorded point, 10, 20, ... steps; little-endian 32-bit floats in base64",
}

_DEFINITIONS: Mapping[str, Schema] = {
    "mixer": _object(name=_text(), settings=_mapping(_VALUE)),
    "run": _object(
        seed=_whole(most=LARGEST_SEED),
        rule_seed=_whole(most=LARGEST_SEED),
        digest={
            "type": "string",
            "minLength": 64,
            "maxLength": 64,
            "description": "sha256 of the canonical JSON of the run's specification",
        },
        status={"enum": list(get_args(Status))},
        mean={**_CURVE, "title": "loss, mean over targets"},
        worst={**_CURVE, "title": "loss of the worst target"},
    ),
    "cell": _object(
        task=_object(
            name=_text(),
            generator=_text(),
            knobs=_mapping(_VALUE),
            plateau=_object(**{field.name: _positive(1) for field in fields(PlateauRule)}),
        ),
        network=_settings_of(NetworkSpec),
        optimizer=_settings_of(OptimizerSpec),
        budget=_settings_of(BudgetSpec),
        bits={"type": "number", "minimum": 0, "maximum": 1e6},
        chance_loss=_positive(100),
        runs=_list({"$ref": "#/$defs/run"}, 1_000, least=1),
    ),
    "verification": _or_null(
        _object(
            format_version={"enum": [verification.FORMAT_VERSION]},
            attnsearch=_text(),
            mixer={"$ref": "#/$defs/mixer"},
            task=_text(),
            width=_whole(1),
            fingerprint=_text(),
            passed={"type": "boolean"},
            checks=_list(
                _object(
                    check=_text(),
                    proves=_text(2_000),
                    verdict={"enum": list(get_args(verification.Verdict))},
                    evidence=_text(2_000),
                ),
                64,
            ),
        )
    ),
}

SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Entry of the attnsearch leaderboard",
    "description": "One mixer on one suite. Beyond this schema: every text is printable, every number finite,"
    " no key stands twice, and the curves agree with the status, the budget and the digest of their run.",
    **_object(
        format_version={"enum": [FORMAT_VERSION]},
        run_format_version={"enum": [specs.FORMAT_VERSION]},
        suite=_text(),
        mixer={"$ref": "#/$defs/mixer"},
        environment=_mapping(_text()),
        cost=_or_null(
            _object(
                context_length=_whole(1),
                parameters=_whole(0, 10**15),
                flops_per_token=_or_null(_positive(1e18)),
                tokens_per_second=_or_null(_positive(1e15)),
                device=_text(),
            )
        ),
        verification={"$ref": "#/$defs/verification"},
        selection=_list({"$ref": "#/$defs/cell"}, 500),
        scored=_list({"$ref": "#/$defs/cell"}, 500, least=1),
    ),
    "$defs": _DEFINITIONS,
}


def check(value: Any, schema: Schema = SCHEMA, where: str = "") -> None:
    """Errors: AttnsearchError where `value`, which stands at `where`, is not as in `schema`."""
    schema = _DEFINITIONS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "enum" in schema:
        # Of the same type too, for 1, 1.0 and true are equal.
        if not any(type(value) is type(known) and value == known for known in schema["enum"]):
            refuse(where, f"{shown(value)} is not {' or '.join(map(str, schema['enum']))}")
        return
    words = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_is(value, word) for word in words):
        refuse(where, f"{shown(value)} is not {' or '.join(_TYPES[word][1] for word in words)}")
    for keyword, bound in _BOUNDS.items():
        bounded = keyword in schema and isinstance(value, bound.types) and not isinstance(value, bool)
        if bounded and bound.broken(value, schema[keyword]):
            refuse(where, f"{shown(value)} {bound.words} {schema[keyword]}")
    if isinstance(value, dict):
        _check_keys(value, schema, where)
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key) or schema["additionalProperties"]
            check(item, inner, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check(item, schema["items"], f"{where}[{index}]")
    elif isinstance(value, str) and not value.isprintable():
        refuse(where, f"{shown(value)} holds a character that does not print")


def _is(value: Any, word: str) -> bool:
    return isinstance(value, _TYPES[word][0]) and (word == "boolean" or not isinstance(value, bool))


def _check_keys(value: Mapping[str, Any], schema: Schema, where: str) -> None:
    for key in value:
        if not key.isprintable() or not 0 < len(key) <= 200:
            refuse(where, f"key {shown(key)} is no name")
        if not schema["additionalProperties"] and key not in schema["properties"]:
            refuse(where, f"unknown key {shown(key)}; known: {', '.join(schema['properties'])}")
    for key in schema.get("required", ()):
        if key not in value:
            refuse(where, f"missing key {key!r}")


def refuse(where: str, reason: str) -> NoReturn:
    """Raise the AttnsearchError that says what is wrong, and where."""
    raise AttnsearchError(f"{where}: {reason}" if where else reason)


def shown(value: Any) -> str:
    """A value of unknown origin as part of a message: short, in ASCII, on one line."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = ascii(value[:61] if isinstance(value, str) else value)
    return text if len(text) <= 62 else f"{text[:60]}..."


class _Bound(NamedTuple):
    """A keyword that bounds values of some `types`; `broken` by a value and what the schema says."""

    types: type | tuple[type, ...]
    broken: Callable[[Any, Any], bool]
    words: str


_NUMBER = (int, float)

_BOUNDS: Mapping[str, _Bound] = {
    "maxProperties": _Bound(dict, lambda value, bound: len(value) > bound, "must have no more keys than"),
    "minItems": _Bound(list, lambda value, bound: len(value) < bound, "must be of at least"),
    "maxItems": _Bound(list, lambda value, bound: len(value) > bound, "must be of at most"),
    "minLength": _Bound(str, lambda value, bound: len(value) < bound, "is shorter than"),
    "maxLength": _Bound(str, lambda value, bound: len(value) > bound, "is longer than"),
    "minimum": _Bound(_NUMBER, lambda value, bound: value < bound, "must be at least"),
    "exclusiveMinimum": _Bound(_NUMBER, lambda value, bound: value <= bound, "must be above"),
    "maximum": _Bound(_NUMBER, lambda value, bound: value > bound, "must be at most"),
    "multipleOf": _Bound(_NUMBER, lambda value, bound: value % bound != 0, "must be a multiple of"),
}
