"""Files that someone wrote, as documents: of bounded size and depth, and refused in one line that says where.

`attnsearch.spec.decoding` makes typed values of them. Numpy side; never imports jax.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attnsearch.base import AttnsearchError, lookalike
from attnsearch.files import explaining, read_whole

LARGEST_FILE = 64 * 2**20
"""Bytes of a file that is read at all."""

DEEPEST = 32
"""Lists and tables within each other in a JSON file."""

_LONGEST_NUMBER = 400
"""Digits of a whole number in a JSON file that is read, if only to be refused by its place."""


@contextmanager
def placed(where: str) -> Iterator[None]:
    """Says in front of an AttnsearchError where something is wrong."""
    try:
        yield
    except AttnsearchError as error:
        # Of the same kind, which tells callers what to do about it.
        raise type(error)(f"{where}: {error}") from error


def shown(value: object) -> str:
    """A value of unknown origin as part of a message: short, in ASCII, on one line."""
    if isinstance(value, dict):
        return f"a table of {len(value)} keys"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = ascii(value[:61] if isinstance(value, str) else value)
    return text if len(text) <= 62 else f"{text[:60]}..."


def check_names(*names: object) -> None:
    """Errors: AttnsearchError for a text with a letter outside ASCII, which may look like another name.
    What is not a text is left alone."""
    for name in names:
        if isinstance(name, str) and (wrong := lookalike(name)) is not None:
            raise AttnsearchError(wrong)


def below(where: str, key: str | int) -> str:
    """The place of an item of what stands at `where`."""
    if isinstance(key, int):
        return f"{where}[{key}]"
    return f"{where}.{key}" if where else key


def at(where: str, text: str) -> str:
    """`text` with the place in front; `where` is empty for the whole document."""
    return f"{where}: {text}" if where else text


def content_of(path: Path, largest: int = LARGEST_FILE) -> bytes:
    """The bytes of a file, at most `largest`. Errors: AttnsearchError that names the file."""
    # Whoever sent the file has named it, too.
    name = str(path) if str(path).isprintable() else ascii(str(path))
    with placed(name):
        with explaining("cannot be read"):
            content = read_whole(path, largest + 1)
        if len(content) > largest:
            raise AttnsearchError(f"is larger than {largest:,} bytes")
    return content


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds. Errors: AttnsearchError naming it, and the line where it is not TOML."""
    content = content_of(path)
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise AttnsearchError(f"{path}: not TOML: {_without_kind(error)}") from error


def read_json(content: bytes) -> Any:
    """The document that `content` is, in strict JSON.

    Errors: AttnsearchError, also for a key that is there twice, a number that is not finite or needs more
    than 64 bits, a text with a character that does not print, and nesting deeper than `DEEPEST`.
    """
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_table, parse_int=_whole)
    except RecursionError as error:
        raise AttnsearchError("is nested too deeply") from error
    except ValueError as error:
        raise AttnsearchError(f"not JSON: {_without_kind(error)}") from error
    _check_plain(document, "", DEEPEST)
    return document


def _without_kind(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())[:300]


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise AttnsearchError(f"key {shown(name)} is there twice")
        found[name] = value
    return found


def _whole(text: str) -> int:
    # Longer ones take longer than their length to read.
    if len(text) > _LONGEST_NUMBER:
        raise AttnsearchError(f"a number of {len(text)} digits is too large")
    return int(text)


def _check_plain(value: Any, where: str, deepest: int) -> None:
    """Errors: AttnsearchError for text that does not print, a number out of range, and too deep nesting."""
    if isinstance(value, str) and not value.isprintable():
        raise AttnsearchError(at(where, f"{shown(value)} holds a character that does not print"))
    if isinstance(value, float) and not math.isfinite(value):
        raise AttnsearchError(at(where, f"{value} is not a finite number"))
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise AttnsearchError(at(where, f"{shown(value)} is too large a number"))
    if not isinstance(value, dict | list):
        return
    if not deepest:
        raise AttnsearchError("is nested too deeply")
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(key, str) and not key.isprintable():
            raise AttnsearchError(at(where, f"key {shown(key)} holds a character that does not print"))
        _check_plain(item, below(where, key), deepest - 1)
