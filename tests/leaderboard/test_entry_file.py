"""Files of entries: what is written is read, and a file of anything else is refused by its place."""

from __future__ import annotations

import base64
import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.complaint import message
from helpers.entries import BOMB, TINY, Change, complaint, curve, document, entry, put, tiny
from helpers.made_runs import ATTENTION, run, runs, suite

from attnsearch.leaderboard.entry import assemble, cells_of
from attnsearch.leaderboard.entry_document import CellDocument, EntryDocument, RunDocument, schema
from attnsearch.leaderboard.entry_file import LARGEST_FILE, OtherVersion, parsed, read, written
from attnsearch.leaderboard.shortcomings import shortcomings
from attnsearch.spec.suite import Suite, find_suite

PUBLISHED = Path(__file__).parents[2] / "benchmarks" / "leaderboard"
ENTRIES = [file for file in sorted(PUBLISHED.glob("*.json")) if "." not in file.stem]


# What is sound.


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "entry.json"
    path.write_text(written(entry()), encoding="utf-8")
    again = read(path)
    assert written(again) == written(entry())
    assert shortcomings(tiny(), again) == []
    for kind in ("suite", "mixer", "verification", "cost", "environment"):
        assert getattr(again, kind) == getattr(entry(), kind)
    for mine, theirs in zip(
        [*entry().selection, *entry().scored], [*again.selection, *again.scored], strict=True
    ):
        assert (theirs.spec, theirs.bits, theirs.chance_loss) == (mine.spec, mine.bits, mine.chance_loss)
        np.testing.assert_array_equal(theirs.state, mine.state)
        for one, other in zip(mine.runs, theirs.runs, strict=True):
            assert (other.spec, other.status) == (one.spec, one.status)
            for read_, ours in zip(other.outline, one.outline, strict=True):
                np.testing.assert_array_equal(read_, ours)
            np.testing.assert_array_equal(other.found, one.found)


def test_runs_that_diverged_at_once_are_sound() -> None:
    spec = entry().scored[0].runs[0].spec
    scored = cells_of([run(spec, 50, diverged=10), run(replace(spec, seed=7), 50, diverged=90)])
    again = parsed(written(replace(entry(), scored=scored)).encode())
    assert [(one.status, len(one.loss)) for one in again.scored[0].runs] == [("diverged", 0), ("diverged", 8)]


def test_a_whole_number_at_a_place_for_decimals_is_one() -> None:
    changed = document()
    for cell in changed["scored"]:
        assert cell["optimizer"]["warmup_steps"] == 100
        cell["task"]["plateau"]["escape"] = 1
    with_integers = parsed(json.dumps(changed).encode())
    assert with_integers.scored[0].runs[0].spec.digest == entry().scored[0].runs[0].spec.digest


def test_the_published_schema_is_the_one_that_is_applied() -> None:
    assert json.loads((PUBLISHED / "entry.schema.json").read_text()) == json.loads(json.dumps(schema()))


def test_the_published_example_is_sound() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", (PUBLISHED / "README.md").read_text(), flags=re.DOTALL)
    again = parsed(example.encode())
    assert again.scored[0].plateau.observed.tolist() == [True]


def test_every_key_is_explained_where_the_schema_is_published() -> None:
    readme = (PUBLISHED / "README.md").read_text()
    keys = {
        key for document in (EntryDocument, CellDocument, RunDocument) for key in document.__struct_fields__
    }
    assert [key for key in sorted(keys) if f"`{key}`" not in readme] == []


@pytest.mark.parametrize("file", ENTRIES, ids=[file.stem for file in ENTRIES])
def test_a_published_entry_answers_its_suite(file: Path) -> None:
    published = read(file)
    assert shortcomings(Suite.read(find_suite(published.suite), None), published) == []


def test_a_suite_with_a_map_bias_can_be_entered(tmp_path: Path) -> None:
    asked = suite(tmp_path, TINY.replace("steps = 120", "steps = 120\nmap_bias = [0.0, 4.0]"))
    made = assemble(asked, ATTENTION, runs(asked, ATTENTION))
    again = parsed(written(made).encode())
    assert shortcomings(asked, again) == []
    assert {cell.spec.intervention.map_bias for cell in again.scored} == {0.0, 4.0}
    assert {cell.spec for cell in again.scored} == {cell.spec for cell in made.scored}


# What is not.


def test_another_version_is_told_from_a_mistake() -> None:
    for key in ("format_version", "run_format_version"):
        other = {**document(), key: 9, "what": "is new"}
        with pytest.raises(OtherVersion, match=f"^{key} 9, expected 3$"):
            parsed(json.dumps(other).encode())
    assert complaint({**document(), "format_version": True}) == "format_version: True is not a whole number"
    assert complaint({**document(), "format_version": 3.0}) == "format_version: 3.0 is not a whole number"


RUN = "scored.0.runs.1"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            put("code", "import os"),
            "unknown key 'code'. Did you mean scored or cost? Known: cost, environment",
        ),
        (put("scored.0.path", "x"), "scored[0]: unknown key 'path'. Known: bits, budget, "),
        (
            put(f"{RUN}.plateau_length", 10),
            "scored[0].runs[1]: unknown key 'plateau_length'. Known: bayes_loss, ",
        ),
        (put("scored.0.network.depth", 2), "scored[0].network: unknown key 'depth'. Did you mean width?"),
        (lambda document: document.pop("cost"), "missing key 'cost'"),
        (
            lambda document: document["scored"][0]["runs"][1].pop("mean"),
            "scored[0].runs[1]: missing key 'mean'",
        ),
        (put("scored", []), "scored: a list of 0 must have at least 1 item"),
        (put("scored.0.runs", []), "scored[0].runs: a list of 0 must have at least 1 item"),
        (put("suite", ""), "suite: '' must have at least 1 character"),
        (put("suite", "x" * 201), f"suite: '{'x' * 59}... must have at most 200 characters"),
        (put("suite", "a\nb"), r"suite: 'a\nb' holds a character that does not print"),
        (
            put("mixer.name", "\x1b[31mred"),
            r"mixer.name: '\x1b[31mred' holds a character that does not print",
        ),
        (put("mixer.name", "\u202eevil"), r"mixer.name: '\u202eevil' holds a character that does not print"),
        (put("mixer.settings", {"a\x00": 1}), r"mixer.settings: key 'a\x00' holds a character that does not"),
        (
            put("mixer.settings", {str(n): n for n in range(40)}),
            "mixer.settings: a table of 40 keys must have",
        ),
        (
            put("mixer.settings.num_heads", [4]),
            "mixer.settings.num_heads: a list of 1 is not a number, a te",
        ),
        (
            put("mixer.settings.num_heads", 10**12),
            "mixer.settings.num_heads: 1000000000000 must be at most 2",
        ),
        (put("environment", "cpu"), "environment: 'cpu' is not a table of keys and values"),
        (put("cost.parameters", -1), "cost.parameters: -1 must be at least 0"),
        (put("cost.flops_per_token", 0), "cost.flops_per_token: 0 must be above 0"),
        (put("cost.device", None), "cost.device: None is not a text"),
        (put("verification.passed", False), "verification: its verdict and its checks disagree"),
        (
            put("verification.checks.0.verdict", "fine"),
            "verification.checks[0].verdict: 'fine' is unknown. Did you mean failed?",
        ),
        (put("verification.format_version", 9), "verification: format version 9, expected 3"),
        (put("verification.mixer.name", "other"), "verification: it is of another mixer than the entry"),
        (
            put("mixer.name", "\u0251ttention"),
            r"mixer: the name '\u0251ttention' holds \u0251 (LATIN SMALL LETTER ALPHA) as letter 1",
        ),
        (
            put("suite", "sm\u0430ll"),
            r"suite: the name 'sm\u0430ll' holds \u0430 (CYRILLIC SMALL",
        ),
        (
            put("mixer.settings", {"gat\u0435d": 1}),
            r"mixer: the name 'gat\u0435d' holds \u0435 (CYR",
        ),
        (
            put("scored.0.task.name", "line\u0430r"),
            r"scored[0]: the name 'line\u0430r' holds \u0430 (CYRILLIC",
        ),
        (
            put("verification.task", "line\u0430r"),
            r"verification: the name 'line\u0430r' holds \u0430 (CYRILLIC",
        ),
        (put("scored.0.budget.steps", 125), "scored[0]: steps 125 is not a multiple of 10"),
        (put("scored.0.budget.steps", 120.0), "scored[0].budget.steps: 120.0 is not a whole number"),
        (put("scored.0.budget.early_stopping", 1), "scored[0].budget.early_stopping: 1 is not true or false"),
        (put("scored.0.optimizer.learning_rate", 0), "scored[0]: learning_rate 0.0 must be above 0"),
        (put("scored.0.network.width", True), "scored[0].network.width: True is not a whole number"),
        (
            put("scored.0.intervention.map_bias_layers", "x"),
            "scored[0]: map_bias_layers 'x' is not of the form",
        ),
        (
            put("scored.0.intervention", {"map_bias": 1.0, "map_bias_layers": "0:9999999999999"}),
            "scored[0]: map_bias_layers 0:9999999999999 are not among the layers, 0 to 0",
        ),
        (put("scored.0.task.plateau.escape", 1.5), "scored[0].task.plateau.escape: 1.5 must be at most 1"),
        (put(f"{RUN}.seed", -1), "scored[0].runs[1].seed: -1 must be at least 0"),
        (put(f"{RUN}.seed", 5), "scored[0].runs[1]: digest must be "),
        (put(f"{RUN}.digest", "0" * 64), "scored[0].runs[1]: digest must be "),
        (
            put(f"{RUN}.digest", "../../etc/passwd"),
            "scored[0].runs[1].digest: '../../etc/passwd' must have at",
        ),
        (
            put(f"{RUN}.status", "won"),
            "scored[0].runs[1].status: 'won' is unknown. Known: diverged, exhausted",
        ),
        (put(f"{RUN}.mean", ["not base64!"]), "scored[0].runs[1]: mean[0] is not base64: "),
        (put(f"{RUN}.mean", ["AAAAAAA="]), "scored[0].runs[1]: mean[0] has 5 bytes, and a number has 4"),
        (put(f"{RUN}.mean", [curve(0.5)]), "scored[0].runs[1]: mean has 1 points, and worst "),
        (
            put(f"{RUN}.mean", [curve(0.5)] * 2),
            "scored[0].runs[1]: mean has 2 curves, and its targets make 1",
        ),
        (put(f"{RUN}.mean", []), "scored[0].runs[1].mean: a list of 0 must have at least 1 item"),
        (put(f"{RUN}.bayes_loss", curve(0.5, 0.5)), "scored[0].runs[1]: bayes_loss has 1 numbers, and there"),
        (put("scored.0.state", curve(0.5)), "scored[0]: state has 1 numbers, and there are 4 targets"),
        (put("scored.0.targets", 2**21), "scored[0].targets: 2097152 must be at most 1048576"),
        (put(f"{RUN}.worst", [BOMB]), "scored[0].runs[1]: "),
        (put(f"{RUN}.worst", [base64.b64encode(pickle.dumps([1])).decode()]), "scored[0].runs[1]: "),
    ],
)
def test_a_tampered_entry_is_refused_by_its_place(change: Change, reason: str) -> None:
    changed = document()
    change(changed)
    assert complaint(changed).startswith(reason), complaint(changed)


def test_a_file_is_read_only_as_far_as_it_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(2**40)
    assert message(lambda: read(path)) == f"{path}: is larger than {LARGEST_FILE:,} bytes"


def test_what_is_there_twice_is_refused() -> None:
    twice = document()
    twice["scored"].append(twice["scored"][0])
    assert complaint(twice) == "scored: a cell is there twice"
    twice = document()
    twice["scored"][0]["runs"].append(twice["scored"][0]["runs"][0])
    assert complaint(twice) == "selection and scored: a run is there twice"
    # A run that was chosen by is not scored.
    twice = document()
    twice["scored"].append(twice["selection"][0])
    assert complaint(twice) == "selection and scored: a run is there twice"
