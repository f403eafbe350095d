"""A baseline is read back as it was written, and whatever was changed in its file is named by its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.complaint import message
from helpers.hand_made import run_of, spec_of
from helpers.recorded import ELSEWHERE, baseline, made

from attnsearch.gate import baseline_file
from attnsearch.gate.baseline import Baseline, curves_digest
from attnsearch.gate.baseline_file import read, write, written

PUBLISHED = Path(__file__).parents[2] / "benchmarks" / "baselines"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A recorded baseline, in folders that were not there."""
    path = tmp_path / "recorded" / "mine.json"
    write(baseline(), path)
    return path


# What is kept.


def test_what_is_written_is_read(path: Path) -> None:
    found = read(path)
    assert written(found) == written(baseline()) == path.read_text()
    assert found.suite == "mine"
    assert [cell.spec for cell in found.cells] == [spec_of().cell, spec_of("mlp_mixer").cell]
    first, second, third = found.cells[0].runs
    assert (first.seed, first.rule_seed, first.status) == (0, 0, "mastered")
    assert (first.plateau.length.tolist(), first.plateau.observed.tolist()) == ([100], [True])
    assert (first.mastery.length.tolist(), first.mastery.observed.tolist()) == ([130], [True])
    assert (second.found.length.tolist(), second.found.observed.tolist()) == (
        [100, 110, 120, 1_000],
        [True, True, True, False],
    )
    assert second.environment == ELSEWHERE
    assert first.curves == curves_digest(made()[0].curves)
    # A diverged run waits to the end of its budget.
    assert third.status == "diverged"
    assert (third.plateau.length.tolist(), third.plateau.observed.tolist()) == ([1_000], [False])


def test_a_map_bias_is_kept(path: Path) -> None:
    biased = spec_of(map_bias=4.0, map_bias_steps="0:500")
    write(Baseline.of("mine", [run_of(biased, [100] * 4)]), path)
    assert [cell.spec for cell in read(path).cells] == [biased.cell]


def test_a_run_is_a_line_and_an_environment_is_there_once(path: Path) -> None:
    text = path.read_text()
    assert sum(line.startswith('{"seed": ') for line in text.splitlines()) == 6
    assert len(json.loads(text)["environments"]) == 2
    assert len(text) < 6 * 700


def test_a_place_that_cannot_be_written_is_named(path: Path) -> None:
    text = message(lambda: write(baseline(), path / "below.json"))
    assert text.startswith(f"cannot write {path / 'below.json'}: ")


@pytest.mark.parametrize("file", sorted(PUBLISHED.glob("*.json")), ids=lambda file: file.stem)
def test_every_published_baseline_is_sound(file: Path) -> None:
    assert read(file).suite == file.stem


# What is refused.

Edit = Callable[[dict[str, Any]], object]


def changed(path: Path, edit: Edit, *, sealed: bool) -> str:
    """The complaint about the file after `edit`; `sealed` with the digest that fits."""
    document = json.loads(path.read_text())
    edit(document)
    if sealed:
        document["digest"] = baseline_file._digest(document)
    path.write_text(json.dumps(document))
    text = message(lambda: read(path))
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def _run(document: dict[str, Any]) -> dict[str, Any]:
    return document["cells"][0]["runs"][1]


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: _run(d).update(rule_seed=7),
        lambda d: _run(d).update(plateau_length=50),
        lambda d: _run(d).update(mastery_step=990),
        lambda d: _run(d)["found_step"].__setitem__(0, 90),
        lambda d: _run(d).update(curves="0" * 64),
        lambda d: _run(d).update(environment=0),
        lambda d: d["environments"][0].update(device="tpu"),
        lambda d: d["cells"][0]["runs"].pop(),
        lambda d: d["cells"][0]["spec"]["task"]["plateau"].update(escape=0.5),
        lambda d: d.update(suite="yours"),
    ],
)
def test_whatever_is_edited_no_longer_fits_the_digest(path: Path, edit: Edit) -> None:
    expected = "the digest does not fit: the file was edited; record it again"
    assert changed(path, edit, sealed=False) == expected


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda d: d.update(format_version=2), "format_version 2, expected 3: record it again"),
        (lambda d: d["cells"][0].pop("escape_below"), "cells[0]: missing key 'escape_below'"),
        (lambda d: d.update(run_format_version=9), "run_format_version 9, expected 3: record it again"),
        (lambda d: d.update(extra=1), "unknown key 'extra'. Known: cells, digest, "),
        (lambda d: d.pop("suite"), "missing key 'suite'"),
        (lambda d: d.update(suite=3), "suite: 3 is not a text"),
        (lambda d: d.update(cells=[]), "cells: a list of 0 must have at least 1 item"),
        (lambda d: d["cells"].append(3), "cells[2]: 3 is not a table of keys and values"),
        (lambda d: d["cells"].append(d["cells"][0]), "cells: a cell is there twice"),
        (lambda d: d["cells"][1].pop("runs"), "cells[1]: missing key 'runs'"),
        (lambda d: d["cells"][1].update(runs=[]), "cells[1].runs: a list of 0 must have at least 1 item"),
        (lambda d: d["cells"][0]["spec"].pop("budget"), "cells[0].spec: missing key 'budget'"),
        (
            lambda d: d["cells"][0]["spec"]["task"].update(knobs={"state_size": [4]}),
            "cells[0].spec.task.knobs.state_size: a list of 1 is not a number",
        ),
        (
            lambda d: d["cells"][0]["spec"]["budget"].update(steps=15),
            "cells[0].spec: steps 15 is not a multiple",
        ),
        (lambda d: _run(d).pop("curves"), "cells[0].runs[1]: missing key 'curves'"),
        (lambda d: _run(d).update(curve=1), "cells[0].runs[1]: unknown key 'curve'. Did you mean curves?"),
        (lambda d: _run(d).update(seed="x"), "cells[0].runs[1].seed: 'x' is not a whole number"),
        (lambda d: _run(d).update(seed=True), "cells[0].runs[1].seed: True is not a whole number"),
        (lambda d: _run(d).update(seed=0), "cells[0].runs: a seed is there twice"),
        (
            lambda d: _run(d).update(status="gone"),
            "cells[0].runs[1].status: 'gone' is unknown. Known: diverged",
        ),
        (
            lambda d: _run(d).update(status="mastered"),
            "cells[0].runs[1]: status mastered does not fit mastered",
        ),
        (
            lambda d: _run(d).update(curves="0"),
            "cells[0].runs[1].curves: '0' must have at least 64 characters",
        ),
        (lambda d: _run(d).update(environment=2), "cells[0].runs[1]: environment 2 is not among the 2 of"),
        (lambda d: _run(d).update(plateau_length=0.5), "cells[0].runs[1].plateau_length: 0.5 is not a whole"),
        (lambda d: _run(d).update(mastered=1), "cells[0].runs[1].mastered: 1 is not true or false"),
        (lambda d: _run(d).update(found=[True]), "cells[0].runs[1]: found_step and found are not equally"),
        (
            lambda d: _run(d).update(found=[True], found_step=[100]),
            "cells[0].runs: found_step must have the same number of targets in all",
        ),
        (lambda d: d["environments"][0].update(lanes="x"), "environments[0].lanes: 'x' is not a count of at"),
        # Lengths that no run can have.
        (
            lambda d: _run(d).update(plateau_length=10**18),
            "cells[0].runs[1]: plateau_length 1000000000000000000 is above",
        ),
        (lambda d: _run(d).update(plateau_length=10**30), "cells[0].runs[1].plateau_length: 1000000000000"),
        (
            lambda d: _run(d).update(plateau_length=1_010),
            "cells[0].runs[1]: plateau_length 1010 is above the",
        ),
        (
            lambda d: _run(d).update(plateau_length=0),
            "cells[0].runs[1].plateau_length: 0 must be at least 10",
        ),
        (
            lambda d: _run(d).update(plateau_length=105),
            "cells[0].runs[1].plateau_length: 105 must be a multiple",
        ),
        (
            lambda d: _run(d).update(mastery_step=990),
            "cells[0].runs[1]: mastery_step 990 was not observed, and",
        ),
        (
            lambda d: _run(d)["found_step"].__setitem__(0, 2_000),
            "cells[0].runs[1]: found_step 2000 is above",
        ),
    ],
)
def test_a_file_that_no_recording_can_make_is_named_with_the_place(
    path: Path, edit: Edit, complaint: str
) -> None:
    assert changed(path, edit, sealed=True).startswith(complaint)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not JSON: "),
        (b"\xff\xfe", "not JSON: "),
        (b"[]", "a list of 0 is not a table of keys and values"),
        (b"null", "None is not a table of keys and values"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"format_version": 2, "format_version": 2}', "key 'format_version' is there twice"),
    ],
)
def test_a_file_of_something_else_is_refused(path: Path, content: bytes, complaint: str) -> None:
    path.write_bytes(content)
    assert message(lambda: read(path)).startswith(f"{path}: {complaint}")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    assert message(lambda: read(path)) == f"baseline {path} does not exist: `attnsearch baseline` records one"
