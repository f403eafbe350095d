"""The kinds of values that flags take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click

from attnsearch.spec.run import Value


class Values(click.ParamType):
    """A comma-separated list of numbers, words, true or false. The specification checks whether they fit."""

    name = "value[,value...]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Value, ...]:
        if isinstance(value, tuple):
            return value
        items = [item.strip() for item in str(value).split(",")]
        if not all(items):
            self.fail(f"{value!r} has an empty entry", param, ctx)
        return tuple(_value(item) for item in items)


class Assignment(click.ParamType):
    """`name=value[,value...]`: a setting that has no flag of its own."""

    name = "name=value[,value...]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[Value, ...]]:
        if isinstance(value, tuple):
            return value
        name, equals, listed = value.partition("=")
        if not (name.strip() and equals):
            self.fail(f"{value!r} is not of the form {self.name}", param, ctx)
        return name.strip().replace("-", "_"), Values().convert(listed, param, ctx)


class Seeds(click.ParamType):
    """How many seeds (`8`), a range (`8:16`), or a list (`3,5,9`)."""

    name = "count|first:last|list"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Sequence[int]:
        if isinstance(value, range | tuple):
            return value
        try:
            if ":" in value:
                first, last = (whole(part) for part in value.split(":"))
                return self._few(range(first, last), param, ctx)
            listed = tuple(whole(part) for part in value.split(","))
        except ValueError:
            self.fail(
                f"{value!r} is neither a count (8), nor a range without its end (8:16), nor a list (3,5,9)",
                param,
                ctx,
            )
        return listed if "," in value else self._few(range(listed[0]), param, ctx)

    def _few(self, seeds: range, param: click.Parameter | None, ctx: click.Context | None) -> range:
        from attnsearch.spec.grid import MOST_SEEDS

        if seeds.stop - seeds.start > MOST_SEEDS:
            self.fail(f"{seeds.stop - seeds.start:,} seeds are too many: at most {MOST_SEEDS:,}", param, ctx)
        return seeds


class WholeNumber(click.ParamType):
    """A whole number that is not below `minimum`, also as `1e4`."""

    name = "n"

    def __init__(self, minimum: int):
        self.minimum = minimum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = whole(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a whole number", param, ctx)
        if number < self.minimum:
            self.fail(f"{number} must be at least {self.minimum}", param, ctx)
        return number


def whole(text: str) -> int:
    """The whole number that `text` writes, `10000` or `1e4`. Errors: ValueError where it writes another."""
    if re.fullmatch(_POWER_OF_TEN, text.strip()):
        value = float(text)
        if value.is_integer() and value <= _EXACT:
            return int(value)
    return int(text)


_POWER_OF_TEN = r"[+-]?\d+(\.\d+)?[eE]\+?\d+"

_EXACT = 2**53
"""Up to here, a float that is whole is the number that was written."""


def _value(text: str) -> Value:
    for kind in (whole, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)
