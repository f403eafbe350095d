"""Files of entries: what is written is read, and whatever else is sent is refused in one line."""

from __future__ import annotations

import base64
import copy
import json
import os
import pickle
import random
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.made_runs import ATTENTION, SUITE, run, runs, suite, verification

from attnsearch.base import AttnsearchError
from attnsearch.leaderboard import document as formats
from attnsearch.leaderboard.board import board
from attnsearch.leaderboard.candidates import Candidate
from attnsearch.leaderboard.entry import Entry, assemble, cells_of, shortcomings
from attnsearch.leaderboard.entry_file import LARGEST_FILE, OtherVersion, parsed, read, written
from attnsearch.leaderboard.page import page
from attnsearch.leaderboard.schema import SCHEMA
from attnsearch.leaderboard.tables import tables
from attnsearch.runs.cost import Cost
from attnsearch.spec.suite import Suite

PUBLISHED = Path(__file__).parents[2] / "benchmarks" / "leaderboard"

TINY = SUITE.replace("seeds = 6", "seeds = 2").replace("selection_seeds = 2", "selection_seeds = 1")
TINY = TINY.replace("support_size = [1, 2]", "support_size = 1").replace("steps = 400", "steps = 120")
TINY = re.sub(r"\[\[tasks\]\]\ntask = \"linear_map\"\nstate_size = 8\nsupport_size = 4\n\n", "", TINY)
"""One cell, two runs to choose by and two that are scored, of up to twelve points."""

Document = dict[str, Any]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return suite(tmp_path_factory.mktemp("suite"), TINY)


@pytest.fixture(scope="module")
def entry(asked: Suite) -> Entry:
    cost = Cost(8, 1_000, 2_000.5, None, "1 x cpu")
    return replace(assemble(asked, ATTENTION, runs(asked, ATTENTION), verification(ATTENTION)), cost=cost)


@pytest.fixture
def document(entry: Entry) -> Document:
    return json.loads(written(entry))


def complaint(content: Document | bytes) -> str:
    """The one line in which a file is refused."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(AttnsearchError) as caught:
        parsed(text)
    message = str(caught.value)
    assert message.isprintable(), message
    assert message.isascii(), message
    assert len(message) < 1_000
    return message


def curve(*values: float) -> str:
    return base64.b64encode(np.array(values, "<f4").tobytes()).decode()


# What is sound.


def test_what_is_written_is_read(asked: Suite, entry: Entry, tmp_path: Path) -> None:
    path = tmp_path / "entry.json"
    path.write_text(written(entry), encoding="utf-8")
    again = read(path)
    assert written(again) == written(entry)
    assert shortcomings(asked, again) == []
    for kind in ("suite", "mixer", "verification", "cost", "environment"):
        assert getattr(again, kind) == getattr(entry, kind)
    for mine, theirs in zip(
        [*entry.selection, *entry.scored], [*again.selection, *again.scored], strict=True
    ):
        assert (theirs.spec, theirs.bits, theirs.chance_loss) == (mine.spec, mine.bits, mine.chance_loss)
        for one, other in zip(mine.runs, theirs.runs, strict=True):
            assert (other.spec, other.status) == (one.spec, one.status)
            np.testing.assert_array_equal(other.mean, one.mean)
            np.testing.assert_array_equal(other.worst, one.worst)


def test_runs_that_diverged_at_once_are_sound(entry: Entry) -> None:
    spec = entry.scored[0].runs[0].spec
    scored = cells_of([run(spec, 50, diverged=10), run(replace(spec, seed=7), 50, diverged=90)])
    again = parsed(written(replace(entry, scored=scored)).encode())
    assert [(one.status, len(one.mean)) for one in again.scored[0].runs] == [("diverged", 0), ("diverged", 8)]


def test_a_whole_number_at_a_place_for_decimals_is_one(entry: Entry, document: Document) -> None:
    for cell in document["scored"]:
        assert cell["optimizer"]["warmup_steps"] == 100
        cell["task"]["plateau"]["found"] = 1
    with_integers = parsed(json.dumps(document).encode())
    assert with_integers.scored[0].runs[0].spec.digest == entry.scored[0].runs[0].spec.digest


def test_the_published_schema_is_the_one_that_is_applied() -> None:
    assert json.loads((PUBLISHED / "entry.schema.json").read_text()) == json.loads(json.dumps(SCHEMA))


def test_the_published_example_is_sound() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", (PUBLISHED / "README.md").read_text(), flags=re.DOTALL)
    again = parsed(example.encode())
    assert again.scored[0].plateau.observed.tolist() == [True]


def test_every_key_is_explained_where_the_schema_is_published() -> None:
    readme = (PUBLISHED / "README.md").read_text()
    keys = set(SCHEMA["properties"]) | set(SCHEMA["$defs"]["cell"]["properties"])
    keys |= set(SCHEMA["$defs"]["run"]["properties"])
    assert [key for key in sorted(keys) if f"`{key}`" not in readme] == []


# What is not: the file.


def test_a_file_is_read_only_as_far_as_it_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: a terabyte that takes no room
    with pytest.raises(AttnsearchError, match=f"^{path}: is larger than {LARGEST_FILE:,} bytes$"):
        read(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for name, reason in (
        ("pipe.json", "is no file"),
        (".", "is no file"),
        ("gone.json", "cannot be read: No such"),
    ):
        with pytest.raises(AttnsearchError, match=reason):
            read(tmp_path / name)


def test_a_name_that_does_not_print_is_shown_as_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\nb.json"
    path.write_text("{")
    with pytest.raises(AttnsearchError) as caught:
        read(path)
    assert str(caught.value).isprintable()
    assert r"a\x1b[31m\nb.json" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"^is not JSON: "),
        (b"\xff\xfe", r"^is not JSON: .*codec can't decode"),
        (b'{"a": 1, "a": 2}', r"^key 'a' stands twice$"),
        (b'{"a": NaN}', r"^NaN is no number$"),
        (b'{"a": -Infinity}', r"^-Infinity is no number$"),
        (b'{"a": 1e999}', r"^1e999 is too large a number$"),
        (b'{"a": ' + b"9" * 10_000 + b"}", r"^9{20}\.\.\. is too large a number$"),
        (b"[" * 1_000_000, r"^is nested too deeply$"),
        (b'{"a":' * 500_000, r"^is nested too deeply$"),
        (b"3", r"^3 is not an object$"),
        (b"[]", r"^a list of 0 is not an object$"),
        (b"{}", r"^missing key 'format_version'$"),
        (pickle.dumps({"format_version": 1}), r"^is not JSON: "),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'shape': (268435456,)}", r"^is not JSON: "),
    ],
)
def test_what_is_no_document_is_refused(content: bytes, reason: str) -> None:
    started = time.process_time()
    assert re.search(reason, complaint(content))
    assert time.process_time() - started < 5


def test_another_version_is_told_from_a_mistake(document: Document) -> None:
    for key in ("format_version", "run_format_version"):
        other = {**document, key: 2, "what": "is new"}
        with pytest.raises(OtherVersion, match=f"^{key} 2, expected 1$"):
            parsed(json.dumps(other).encode())
    assert complaint({**document, "format_version": True}) == "format_version: True is not 1"
    assert complaint({**document, "format_version": 1.0}) == "format_version: 1.0 is not 1"


# What is not: its keys and values.

Change = Callable[[Document], Any]


def _set(place: str, value: Any) -> Change:
    """Puts `value` at a place like `scored.0.runs.1.seed`."""

    def change(document: Document) -> None:
        *path, last = (int(part) if part.isdigit() else part for part in place.split("."))
        target: Any = document
        for part in path:
            target = target[part]
        target[last] = value

    return change


RUN = "scored.0.runs.1"
BOMB = base64.b64encode(b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'shape': (268435456,), }\n").decode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("code", "import os"), r"^unknown key 'code'; known: format_version, run_format_version, suite"),
        (_set("scored.0.path", "x"), r"^scored\[0\]: unknown key 'path'; known: task, "),
        (_set(f"{RUN}.plateau_length", 10), r"^scored\[0\]\.runs\[1\]: unknown key 'plateau_length'"),
        (lambda document: document.pop("cost"), r"^missing key 'cost'$"),
        (lambda document: document["scored"][0]["runs"][1].pop("mean"), r"^scored\[0\]\.runs\[1\]: missing"),
        (_set("scored", []), r"^scored: a list of 0 must be of at least 1$"),
        (_set("scored.0.runs", []), r"^scored\[0\]\.runs: a list of 0 must be of at least 1$"),
        (_set("suite", ""), r"^suite: '' is shorter than 1$"),
        (_set("suite", "x" * 201), r"^suite: 'x{59}\.\.\. is longer than 200$"),
        (_set("suite", "a\nb"), r"^suite: 'a\\nb' holds a character that does not print$"),
        (_set("mixer.name", "\x1b[31mred"), r"^mixer\.name: '\\x1b\[31mred' holds a character that does not"),
        (_set("mixer.name", "\u202eevil"), r"^mixer\.name: '\\u202eevil' holds a character"),
        (_set("mixer.name", "\ud800"), r"^mixer\.name: '\\ud800' holds a character that does not print$"),
        (_set("mixer.settings", {"a\x00": 1}), r"^mixer\.settings: key 'a\\x00' is no name$"),
        (_set("mixer.settings", {str(n): n for n in range(40)}), r"^mixer\.settings: .* more keys than 32$"),
        (_set("mixer.settings.num_heads", [4]), r"^mixer\.settings\.num_heads: a list of 1 is not a whole"),
        (_set("mixer.settings.num_heads", 10**12), r"^mixer\.settings\.num_heads: 10+ must be at most"),
        (_set("environment", "cpu"), r"^environment: 'cpu' is not an object$"),
        (_set("cost.parameters", -1), r"^cost\.parameters: -1 must be at least 0$"),
        (_set("cost.flops_per_token", 0), r"^cost\.flops_per_token: 0 must be above 0$"),
        (_set("cost.device", None), r"^cost\.device: None is not a text$"),
        (_set("verification.passed", False), r"^verification: its verdict is not that of its checks$"),
        (
            _set("verification.checks.0.verdict", "fine"),
            r"^verification\.checks\[0\]\.verdict: 'fine' is not",
        ),
        (_set("verification.format_version", 9), r"^verification\.format_version: 9 is not 1$"),
        (
            _set("verification.mixer.name", "other"),
            r"^verification\.mixer: is another mixer than the entry's",
        ),
        (_set("scored.0.budget.steps", 125), r"^scored\[0\]\.budget\.steps: 125 must be a multiple of 10$"),
        (_set("scored.0.budget.steps", 120.0), r"^scored\[0\]\.budget\.steps: 120\.0 is not a whole number$"),
        (
            _set("scored.0.budget.early_stopping", 1),
            r"^scored\[0\]\.budget\.early_stopping: 1 is not true or",
        ),
        (_set("scored.0.optimizer.learning_rate", 0), r"learning_rate: 0 must be above 0$"),
        (_set("scored.0.network.width", True), r"^scored\[0\]\.network\.width: True is not a whole number$"),
        (
            _set("scored.0.task.plateau.escape", 1.5),
            r"^scored\[0\]\.task\.plateau\.escape: 1\.5 must be at m",
        ),
        (
            _set("scored.0.task.knobs", {}),
            r"^scored\[0\]\.task\.knobs: are not those of generator linear_map",
        ),
        (
            _set("scored.0.task.knobs.support_size", 9),
            r"^scored\[0\]\.task\.knobs: are not those of generator",
        ),
        (_set("scored.0.task.knobs.state_size", 2**31 - 1), r"^scored\[0\]\.bits: 2\.0 is not 31\.0"),
        (
            _set("scored.0.bits", 3.0),
            r"^scored\[0\]\.bits: 3\.0 is not 2\.000000, which follows from the task",
        ),
        (_set("scored.0.chance_loss", 5.0), r"^scored\[0\]\.chance_loss: 5\.0 is not 0\.693147, which"),
        (_set(f"{RUN}.seed", -1), r"^scored\[0\]\.runs\[1\]\.seed: -1 must be at least 0$"),
        (
            _set(f"{RUN}.seed", 5),
            r"^scored\[0\]\.runs\[1\]\.digest: is not that of the run's specification, ",
        ),
        (_set(f"{RUN}.digest", "0" * 64), r"^scored\[0\]\.runs\[1\]\.digest: is not that of the run's spec"),
        (
            _set(f"{RUN}.digest", "../../etc/passwd"),
            r"^scored\[0\]\.runs\[1\]\.digest: .* is shorter than 64$",
        ),
        (
            _set(f"{RUN}.status", "won"),
            r"^scored\[0\]\.runs\[1\]\.status: 'won' is not mastered or exhausted",
        ),
        (
            _set(f"{RUN}.status", "exhausted"),
            r"^scored\[0\]\.runs\[1\]\.status: exhausted does not fit a cur",
        ),
        (
            _set(f"{RUN}.status", "diverged"),
            r"^scored\[0\]\.runs\[1\]\.status: diverged does not fit a curve",
        ),
        (_set(f"{RUN}.mean", "not base64!"), r"^scored\[0\]\.runs\[1\]\.mean: is not base64: "),
        (_set(f"{RUN}.mean", "AAAAAAA="), r"^scored\[0\]\.runs\[1\]\.mean: 5 bytes are no 32-bit floats$"),
        (_set(f"{RUN}.mean", curve(0.5)), r"^scored\[0\]\.runs\[1\]: mean has 1 points, and worst \d+$"),
        (_set(f"{RUN}.worst", curve(np.nan)), r"^scored\[0\]\.runs\[1\]\.worst: point 0 is not finite$"),
        (_set(f"{RUN}.worst", curve(0.1, np.inf)), r"^scored\[0\]\.runs\[1\]\.worst: point 1 is not finite$"),
        (_set(f"{RUN}.worst", BOMB), r"^scored\[0\]\.runs\[1\]"),
        (
            _set(f"{RUN}.worst", base64.b64encode(pickle.dumps([1])).decode()),
            r"^scored\[0\]\.runs\[1\]",
        ),
    ],
)
def test_a_tampered_entry_is_refused_by_its_place(document: Document, change: Change, reason: str) -> None:
    change(document)
    text = complaint(document)
    assert re.search(reason, text), text


def test_what_stands_twice_is_refused(document: Document) -> None:
    twice = copy.deepcopy(document)
    twice["scored"].append(twice["scored"][0])
    assert complaint(twice) == "scored: a cell stands twice"
    twice = copy.deepcopy(document)
    twice["scored"][0]["runs"].append(twice["scored"][0]["runs"][0])
    assert complaint(twice) == "selection and scored: a run stands twice"
    # A run that was chosen by is not scored.
    twice = copy.deepcopy(document)
    twice["scored"].append(twice["selection"][0])
    assert complaint(twice) == "selection and scored: a run stands twice"


@pytest.mark.parametrize(
    ("mean", "worst", "status", "reason"),
    [
        # Twelve points, chance 0.69.
        ([0.7] * 12, [0.7] * 12, "exhausted", None),
        ([0.7] * 12, [0.6] * 12, "exhausted", "mean: is above worst"),
        ([-0.1] * 12, [0.7] * 12, "exhausted", "mean: is above worst, or below zero"),
        ([0.7] * 11, [0.7] * 11, "exhausted", "status: exhausted does not fit a curve of 11 points"),
        ([0.7] * 13, [0.7] * 13, "exhausted", "status: exhausted does not fit a curve of 13 points"),
        ([0.7] * 13, [0.7] * 13, "diverged", "status: diverged does not fit a curve of 13 points"),
        ([0.7] * 12, [0.7] * 12, "mastered", "status: mastered does not fit"),
        ([0.7] * 5, [0.7] * 5, "diverged", None),
        ([0.01] * 3, [0.01] * 3, "mastered", None),
        ([0.01] * 2, [0.01] * 2, "mastered", "status: mastered does not fit"),
        # It would have ended before.
        (
            [0.01] * 4,
            [0.01] * 4,
            "mastered",
            "status: mastered does not fit a curve of 4 points that masters",
        ),
        ([0.01] * 4, [0.01] * 4, "diverged", "status: diverged does not fit"),
        ([0.01] * 12, [0.01] * 12, "exhausted", "status: exhausted does not fit"),
    ],
)
def test_a_curve_agrees_with_how_the_run_ended(
    document: Document, mean: list[float], worst: list[float], status: str, reason: str | None
) -> None:
    document["scored"][0]["runs"][0] |= {"mean": curve(*mean), "worst": curve(*worst), "status": status}
    if reason is None:
        assert parsed(json.dumps(document).encode()).scored[0].runs[0].status == status
    else:
        assert complaint(document).startswith(f"scored[0].runs[0].{reason}")


def test_a_name_is_text_wherever_it_is_shown(asked: Suite, document: Document) -> None:
    name = '<script>alert("x")</script>|[b](http://e.vil)`=cmd'
    document["mixer"]["name"] = document["verification"]["mixer"]["name"] = name
    for part in ("selection", "scored"):
        for cell in document[part]:
            for one in cell["runs"]:
                one["digest"] = "0" * 64
    # Every run's digest depends on the name, and is told by the message.
    while True:
        try:
            hostile = parsed(json.dumps(document).encode())
            break
        except AttnsearchError as error:
            part, cell, one, digest = re.findall(
                r"(\w+)\[(\d+)\]\.runs\[(\d+)\]\.digest: .*, (\w{64})", str(error)
            )[0]
            document[part][int(cell)]["runs"][int(one)]["digest"] = digest
    made = board(asked, [Candidate(hostile, "../../=x<i>.json")])
    assert made.families[0].ranked[0].name == name
    assert "<script>alert" not in page(made)
    assert "&lt;script&gt;alert" in page(made)
    assert r"\<script\>alert" in formats.markdown(made)
    assert "http:" not in formats.markdown(made)
    assert name in json.dumps(formats.document(made), ensure_ascii=False).replace('\\"', '"')
    formula = replace(hostile, mixer=replace(hostile.mixer, name="=cmd()"))
    (_, line) = formats.as_csv(board(asked, [Candidate(formula, "+x.json")])).splitlines()
    assert ",'=cmd(),'+x.json," in line


# Ten thousand others.

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


def test_ten_thousand_mutated_entries_crash_nothing(asked: Suite, document: Document) -> None:
    dice = random.Random(20)
    sound: list[Entry] = []
    refused: set[str] = set()
    for _ in range(10_000):
        content = _mutated(document, dice)
        try:
            sound.append(parsed(content))
        except AttnsearchError as error:
            refused.add(str(error))
    assert all(reason.isprintable() for reason in refused)
    # Enough of either, and of different kinds, that both were tried.
    assert len(sound) > 300
    assert len({re.sub(r"[\d']+.*", "", reason) for reason in refused}) > 60
    shown = sound[:300]
    for first in range(0, len(shown), 50):
        candidates = [Candidate(one, f"{first + n}.json") for n, one in enumerate(shown[first : first + 50])]
        made = board(asked, candidates)
        assert sum(len(family.rows) for family in made.families) + len(made.left_out) >= len(candidates)
        assert "<script>alert" not in page(made)
        assert formats.markdown(made).encode()
        assert len(formats.as_csv(made).splitlines()) == 1 + sum(len(family.rows) for family in made.families)
        json.dumps(formats.document(made), allow_nan=False)
        assert [formats.for_terminal(table).row_count for table in tables(made)]
