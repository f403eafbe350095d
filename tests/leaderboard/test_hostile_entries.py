"""Entries that mean harm: hundreds of mutations, and names that each form has to write as text."""

from __future__ import annotations

import copy
import json
import random
import re
from dataclasses import replace
from typing import Any

import numpy as np
from helpers.entries import BOMB, Document, curve, document, tiny

from attnsearch.base import AttnsearchError
from attnsearch.leaderboard.board import board
from attnsearch.leaderboard.candidates import Candidate
from attnsearch.leaderboard.document import document as values
from attnsearch.leaderboard.document import records
from attnsearch.leaderboard.entry import Entry
from attnsearch.leaderboard.entry_file import parsed
from attnsearch.leaderboard.page import page
from attnsearch.leaderboard.tables import tables
from attnsearch.results.table import as_csv, markdown


def test_a_name_is_text_wherever_it_is_shown() -> None:
    name = '<script>alert("x")</script>|[b](http://e.vil)`=cmd'
    changed = document()
    changed["mixer"]["name"] = changed["verification"]["mixer"]["name"] = name
    # Every run's digest depends on the name, and is told by the message.
    while True:
        try:
            hostile = parsed(json.dumps(changed).encode())
            break
        except AttnsearchError as error:
            (found,) = re.findall(r"(\w+)\[(\d+)\]\.runs\[(\d+)\]: digest must be (\w{64})", str(error))
            part, cell, one, digest = found
            changed[part][int(cell)]["runs"][int(one)]["digest"] = digest
    made = board([tiny()], [Candidate(hostile, "../../=x<i>.json")])
    assert made.families[0].ranked[0].name == name
    assert "<script>alert" not in page(made)
    assert "&lt;script&gt;alert" in page(made)
    text = "\n".join(map(markdown, tables(made)))
    assert r"\<script\>alert" in text
    assert "http:" not in text
    assert name in json.dumps(values(made), ensure_ascii=False).replace('\\"', '"')
    formula = replace(hostile, mixer=replace(hostile.mixer, name="=cmd()"))
    (_, line) = as_csv(records(board([tiny()], [Candidate(formula, "+x.json")]))).splitlines()
    assert ",'=cmd(),'+x.json," in line


HOSTILE: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2**31, 2**63, 10**30, 1e308, -1e-300, float("nan"), float("inf")),
    *("", "x" * 1_000, "<script>alert(1)</script>", "../../etc/passwd", "/etc/passwd.toml", "\x1b[31m"),
    *("\u202e", "\ud800", "=cmd()", "a|b`c", "NaN", "linear_map", "attention", "mastered", "diverged"),
    *([], {}, [[[]]], {"__class__": "os.system"}, {"name": "x", "settings": {}}),
    *(BOMB, curve(), curve(np.nan), curve(*[0.7] * 12), curve(*[0.0] * 3), curve(*[-1.0] * 12)),
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a document, with each of its keys."""
    found = []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        found.append((value, key))
        found += _places(item)
    return found


def _mutated(document: Document, dice: random.Random) -> bytes:
    changed = copy.deepcopy(document)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        places = _places(changed)
        if not places:
            break
        container, key = dice.choice(places)
        other, elsewhere = dice.choice(places)
        kind = dice.randrange(6)
        if kind == 0:
            del container[key]
        elif kind == 1:
            container[key] = copy.deepcopy(dice.choice(HOSTILE))
        elif kind == 2 and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        elif kind == 3 and isinstance(container, dict):
            container[str(dice.choice(HOSTILE))] = container[key]
        elif kind == 4:
            container[key] = copy.deepcopy(other[elsewhere])
        elif isinstance(container[key], int | float):
            container[key] = dice.choice((container[key] + 1, -container[key], float(container[key])))
        elif isinstance(container[key], str):
            at = dice.randrange(len(container[key]) + 1)
            container[key] = container[key][:at] + dice.choice("aZ0/+=\n<\u00e9") + container[key][at + 1 :]
    text = bytearray(json.dumps(changed).encode())
    kind = dice.randrange(8)
    if kind == 0:
        text[dice.randrange(len(text))] ^= 1 << dice.randrange(8)
    elif kind == 1:
        del text[dice.randrange(len(text)) :]
    elif kind == 2:
        at = dice.randrange(len(text))
        text[at:at] = text[dice.randrange(len(text)) :][:40]
    return bytes(text)


def test_mutated_entries_crash_nothing() -> None:
    dice, original = random.Random(20), document()
    sound: list[Entry] = []
    refused: set[str] = set()
    for _ in range(600):
        try:
            sound.append(parsed(_mutated(original, dice)))
        except AttnsearchError as error:
            refused.add(str(error))
    assert all(reason.isprintable() for reason in refused)
    # Enough of either, and of different kinds, that both were tried.
    assert len(sound) > 20
    assert len({re.sub(r"[\d']+.*", "", reason) for reason in refused}) > 30
    made = board([tiny()], [Candidate(one, f"{number}.json") for number, one in enumerate(sound)])
    assert sum(len(family.rows) for family in made.families) + len(made.left_out) >= len(sound)
    assert "<script>alert" not in page(made)
    assert all(markdown(table) for table in tables(made))
    assert len(as_csv(records(made)).splitlines()) == 1 + sum(len(family.rows) for family in made.families)
    json.dumps(values(made), allow_nan=False)
