"""What a document may not hold is refused by place, with the value and what would be right."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import pytest
from helpers.complaint import message
from msgspec import Meta, Struct

from attnsearch.spec import decoding
from attnsearch.spec.decoding import check_keys, decoded

Setting = int | float | str | bool | None


class Run(Struct, frozen=True, forbid_unknown_fields=True):
    """Of every kind of field one."""

    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    status: Literal["mastered", "diverged"]
    digest: Annotated[str, Meta(min_length=4, max_length=4)] = "abcd"
    share: Annotated[float, Meta(gt=0, le=1)] = 0.5
    settings: Annotated[dict[Annotated[str, Meta(max_length=3)], Setting], Meta(max_length=3)] = {}
    rule: dict[Literal["escape", "found"], float] = {}
    steps: Annotated[int, Meta(multiple_of=10)] = 10
    seeds: Annotated[int, Meta(ge=0)] | list[int] = 0

    def __post_init__(self) -> None:
        if self.seed == 7:
            raise ValueError("seed 7 is taken")


@dataclass(frozen=True)
class Budget:
    """A dataclass, which msgspec takes too, unknown keys and all."""

    steps: int = 10
    tokens: int = 8


class File(Struct, frozen=True, forbid_unknown_fields=True):
    """Runs in a list, and runs by name."""

    runs: Annotated[list[Run], Meta(min_length=1)]
    named: dict[str, Run] = {}
    version: Literal[2] = 2
    count: int | None = None
    budgets: list[Budget] = []


GOOD: dict[str, Any] = {"seed": 1, "status": "mastered"}


def test_what_fits_is_decoded() -> None:
    document = {"runs": [{**GOOD, "share": 1, "settings": {"a": None, "b": 2}}], "named": {"x": GOOD}}
    (run,) = decoded(document, File).runs
    assert (run.seed, run.share, run.settings) == (1, 1.0, {"a": None, "b": 2})
    assert isinstance(run.share, float)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"seed": -1}, "runs[1].seed: -1 must be at least 0"),
        ({"seed": 2**70}, f"runs[1].seed: {2**70} must be at most 2147483647"),
        ({"seed": True}, "runs[1].seed: True is not a whole number"),
        ({"seed": 1.0}, "runs[1].seed: 1.0 is not a whole number"),
        ({"seed": "x" * 90}, f"runs[1].seed: '{'x' * 59}... is not a whole number"),
        ({"seed": 7}, "runs[1]: seed 7 is taken"),
        ({"status": "masterd"}, "runs[1].status: 'masterd' is unknown. Did you mean mastered? Known: diverg"),
        ({"status": 3}, "runs[1].status: 3 is not a text"),
        ({"digest": "a"}, "runs[1].digest: 'a' must have at least 4 characters"),
        ({"share": 0}, "runs[1].share: 0 must be above 0"),
        ({"share": float("nan")}, "runs[1].share: nan must be above 0"),
        ({"share": 1.5}, "runs[1].share: 1.5 must be at most 1"),
        (
            {"settings": {"b": 3, "a": [3]}},
            "runs[1].settings.a: a list of 1 is not a number, a text or true",
        ),
        (
            {"settings": {"a": datetime.date(2026, 1, 1)}},
            "runs[1].settings.a: datetime.date(2026, 1, 1) is no",
        ),
        ({"settings": {"abcd": 3}}, "runs[1].settings: key 'abcd' must have at most 3 characters"),
        (
            {"settings": dict.fromkeys("abcd", 1)},
            "runs[1].settings: a table of 4 keys must have at most 3 keys",
        ),
        (
            {"rule": {"escaped": 1}},
            "runs[1].rule: key 'escaped' is unknown. Did you mean escape? Known: esca",
        ),
        ({"steps": 15}, "runs[1].steps: 15 must be a multiple of 10"),
        ({"seeds": [1.5]}, "runs[1].seeds[0]: 1.5 is not a whole number"),
        ({"seeds": "3"}, "runs[1].seeds: '3' is not a whole number or a list"),
        ({"sed": 1}, "runs[1]: unknown key 'sed'. Did you mean seed or seeds? Known: digest, rule, seed, "),
        # A key cannot pretend to be somewhere else.
        ({"x` - at `$.gone": 1}, "runs[1]: unknown key 'x` - at `$.gone'. Known: "),
        ({"x` - at `$[0].gone`": 1}, "runs[1]: unknown key 'x` - at `$[0].gone`'. Known: "),
    ],
)
def test_what_does_not_fit_is_refused_by_its_place(change: dict[str, Any], complaint: str) -> None:
    assert message(lambda: decoded({"runs": [GOOD, {**GOOD, **change}]}, File)).startswith(complaint)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"runs": []}, "runs: a list of 0 must have at least 1 item"),
        ({}, "missing key 'runs'"),
        ({"runs": [{"seed": 3}]}, "runs[0]: missing key 'status'"),
        ([], "a list of 0 is not a table of keys and values"),
        ({"runs": [GOOD], "count": "x"}, "count: 'x' is not a whole number"),
        ({"runs": [GOOD], "version": 3}, "version: 3 is unknown. Known: 2."),
        (
            {"runs": [GOOD], "budgets": [{}, {"step": 3}]},
            "budgets[1]: unknown key 'step'. Did you mean steps?",
        ),
        ({"x` - at `$.gone": 3}, "unknown key 'x` - at `$.gone'. Known: "),
        (
            {"runs": [GOOD], "named": {"a": GOOD, "b": {**GOOD, "seed": "x"}}},
            "named.b.seed: 'x' is not a whole number",
        ),
    ],
)
def test_a_whole_document_is_refused(document: Any, complaint: str) -> None:
    assert message(lambda: decoded(document, File)).startswith(complaint)


def test_a_part_of_a_file_is_called_by_its_place() -> None:
    assert (
        message(lambda: decoded({"seed": "x"}, Run, "cells[3]")) == "cells[3].seed: 'x' is not a whole number"
    )
    assert message(lambda: decoded(3, str, "task")) == "task: 3 is not a text"


def test_words_that_msgspec_has_not_used_yet_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(document: Any, kind: Any) -> None:
        raise msgspec.ValidationError("What is this?")

    monkeypatch.setattr(decoding.msgspec, "convert", convert)
    assert message(lambda: decoded({}, File, "here")) == "here: What is this?"


def test_keys_are_checked_where_a_struct_cannot_know_them() -> None:
    check_keys({"a": 1}, ["a", "b"])
    assert (
        message(lambda: check_keys({"bb": 1}, ["aa", "b"]))
        == "unknown key 'bb'. Did you mean b? Known: aa, b."
    )
