"""What was recorded is read back as it was, small, and whatever else is in a file is named by its place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.hand_made import run_of, spec_of

from attnsearch.base import AttnsearchError, Curves
from attnsearch.gate.baseline import Baseline, curves_digest, outcomes
from attnsearch.gate.matching import label, matched
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import CellSpec, PlateauRule, RunSpec, settings

ELSEWHERE = {"device": "gpu", "devices": 1, "lanes": 8, "versions": {"jax": "0.9.0"}}


def made() -> list[StoredRun]:
    """Two cells of three runs: one diverges, one does not master, one was trained elsewhere."""
    return [
        run_of(spec_of(seed=0), [100, 110, 120, 130]),
        run_of(spec_of(seed=1), [100, 110, 120, None], environment=ELSEWHERE),
        run_of(spec_of(seed=2), [None] * 4, diverges=200),
        *(run_of(spec_of("mlp_mixer", seed), [80, 90, 100, 110]) for seed in range(3)),
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A recorded baseline, in folders that were not there."""
    path = tmp_path / "recorded" / "mine.json"
    Baseline.of("mine", made()).write(path)
    return path


def message(call: Callable[[], object]) -> str:
    """The one line in which `call` complains."""
    with pytest.raises(AttnsearchError) as caught:
        call()
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


# What is kept.


def test_what_is_written_is_read(path: Path) -> None:
    written, read = Baseline.of("mine", made()), Baseline.read(path)
    assert read.text() == written.text() == path.read_text()
    assert read.suite == "mine"
    assert [cell.spec for cell in read.cells] == [spec_of().cell, spec_of("mlp_mixer").cell]
    first, second, third = read.cells[0].runs
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


def test_outcomes_are_what_a_gate_judges(path: Path) -> None:
    found = outcomes(Baseline.read(path).cells[0].runs)
    assert found.plateau.length.tolist() == [100, 100, 1_000]
    assert found.plateau.observed.tolist() == [True, True, False]
    assert found.mastery.observed.tolist() == [True, False, False]
    assert found.seeds.tolist() == [0, 1, 2]
    assert found.diverged == 1


def test_a_run_is_a_line_and_an_environment_is_there_once(path: Path) -> None:
    text = path.read_text()
    assert sum(line.startswith('{"seed": ') for line in text.splitlines()) == 6
    assert len(json.loads(text)["environments"]) == 2
    assert len(text) < 6 * 700


def test_nothing_but_the_file_is_left_behind(path: Path) -> None:
    before = path.read_bytes()
    Baseline.of("mine", made()).write(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(path: Path) -> None:
    text = message(lambda: Baseline.read(path).write(path / "below.json"))
    assert text.startswith(f"cannot write {path / 'below.json'}: ")


def test_curves_are_told_apart_to_the_last_bit() -> None:
    curves = made()[0].curves
    same = curves._replace(loss=curves.loss.copy())
    assert curves_digest(same) == curves_digest(curves)
    loss = curves.loss.copy()
    loss[3, 1] = np.nextafter(loss[3, 1], np.float32(1))
    assert curves_digest(curves._replace(loss=loss)) != curves_digest(curves)
    shorter = Curves(curves.step[:-1], curves.loss[:-1], curves.accuracy[:-1])
    assert curves_digest(shorter) != curves_digest(curves)


def test_the_digest_names_the_question_and_not_the_answer() -> None:
    runs = made()
    slower = run_of(runs[0].spec, [200, 210, 220, 230])
    assert Baseline.of("mine", [slower, *runs[1:]]).digest == Baseline.of("mine", runs).digest
    assert Baseline.of("mine", runs[1:]).digest != Baseline.of("mine", runs).digest


# What is refused.

Edit = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda d: d.update(format_version=2), "format version 2, expected 1: record it again"),
        (lambda d: d.update(extra=1), "unknown key 'extra'. Known: "),
        (lambda d: d.pop("suite"), "missing key 'suite'"),
        (lambda d: d.update(suite=3), "suite 3 is not text"),
        (lambda d: d.update(cells=[]), "cells is not a list of at least one table"),
        (lambda d: d["cells"].append(3), "cells[2] is not a table"),
        (lambda d: d["cells"].append(d["cells"][0]), "cells: one of them is there twice"),
        (lambda d: d["cells"][1].pop("runs"), "missing key 'runs' in cells[1]"),
        (lambda d: d["cells"][1].update(runs=[]), "cells[1].runs is not a list of at least one table"),
        (lambda d: d["cells"][0]["spec"].pop("budget"), "cells[0]: spec: KeyError: 'budget'"),
        (lambda d: d["cells"][0]["spec"].update(format_version=9), "cells[0]: spec: format version 9"),
        (
            lambda d: d["cells"][0]["spec"]["task"].update(knobs={"state_size": [4]}),
            "cells[0]: spec: TypeErr",
        ),
        (lambda d: _run(d).pop("curves"), "missing key 'curves' in cells[0].runs[1]"),
        (lambda d: _run(d).update(curve=1), "unknown key 'curve' in cells[0].runs[1]. Did you mean curves?"),
        (lambda d: _run(d).update(seed="x"), "cells[0].runs[1]: seed 'x' is not a whole number"),
        (lambda d: _run(d).update(seed=True), "cells[0].runs[1]: seed True is not a whole number"),
        (lambda d: _run(d).update(seed=0), "cells[0].runs: a seed is there twice"),
        (lambda d: _run(d).update(status="gone"), "cells[0].runs[1]: status 'gone' is none of mastered, exh"),
        (lambda d: _run(d).update(curves="0"), "cells[0].runs[1]: curves '0' is not 64 hex digits"),
        (lambda d: _run(d).update(environment=2), "cells[0].runs[1]: there is no environment 2"),
        (lambda d: _run(d).update(plateau_length=0.5), "cells[0].runs[1]: plateau_length [0.5] is not in"),
        (lambda d: _run(d).update(mastered=1), "cells[0].runs[1]: mastered [1] is neither true nor false"),
        (lambda d: _run(d).update(found=[True]), "cells[0].runs[1]: found_step and found are not equally"),
        (lambda d: _run(d).update(rule_seed=7), "digest is not that of its cells and seeds: it was edited"),
    ],
)
def test_a_file_that_is_not_as_written_is_named_with_the_place(
    path: Path, edit: Edit, complaint: str
) -> None:
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))
    assert message(lambda: Baseline.read(path)).startswith(f"{path}: {complaint}")


def _run(document: dict[str, Any]) -> dict[str, Any]:
    return document["cells"][0]["runs"][1]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'"baseline"', b"null"])
def test_what_is_no_baseline_at_all_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert re.match(rf"{path}: (not JSON: |the whole is not a table)", message(lambda: Baseline.read(path)))


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    text = message(lambda: Baseline.read(tmp_path / "none.json"))
    assert text == (
        f"cannot read baseline {tmp_path / 'none.json'}: No such file or directory;"
        " `attnsearch baseline` records one"
    )


# What is held against what.


def baseline() -> Baseline:
    return Baseline.of("mine", made())


def asked(*cells: CellSpec, seeds: int = 2, rule_seed: int | None = None) -> list[RunSpec]:
    return [
        RunSpec(cell, seed, seed if rule_seed is None else rule_seed)
        for cell in cells
        for seed in range(seeds)
    ]


ATTENTION, MLP_MIXER = spec_of().cell, spec_of("mlp_mixer").cell


def test_cells_are_matched_in_the_order_asked() -> None:
    found = matched(baseline(), asked(MLP_MIXER, ATTENTION))
    assert [recorded.spec for _, recorded in found] == [MLP_MIXER, ATTENTION]
    assert [[run.seed for run in runs] for runs, _ in found] == [[0, 1], [0, 1]]


def test_one_mixer_may_be_checked_alone() -> None:
    ((_, recorded),) = matched(baseline(), asked(MLP_MIXER, seeds=5))
    assert recorded.spec == MLP_MIXER


def test_another_suite_is_refused_with_what_differs() -> None:
    longer = replace(ATTENTION, budget=replace(ATTENTION.budget, steps=500, tokens_per_step=64))
    text = message(lambda: matched(baseline(), asked(longer)))
    assert text == (
        "baseline of another suite: cell linear_map state_size=4 support_size=2 attention differs in"
        " steps 1000 -> 500, tokens_per_step 2048 -> 64; record it again with `attnsearch baseline`"
    )
    stricter = replace(ATTENTION, task=replace(ATTENTION.task, plateau=PlateauRule(escape=0.9)))
    assert "differs in escape threshold 0.938 -> 0.9;" in message(
        lambda: matched(baseline(), asked(stricter))
    )


def test_a_cell_too_few_and_a_cell_too_many_are_refused() -> None:
    other = spec_of("mlp_mixer", state_size=8).cell
    more = Baseline.of("mine", [*made(), run_of(spec_of("mlp_mixer", state_size=8), [80] * 8)])
    text = message(lambda: matched(more, asked(MLP_MIXER)))
    assert text.startswith(f"the suite has no cell {label(other)} of the baseline; record it again")
    assert "differs in state_size 4 -> 8;" in message(lambda: matched(baseline(), asked(MLP_MIXER, other)))


def test_a_mixer_that_was_not_recorded_is_refused() -> None:
    other = replace(ATTENTION, mixer=replace(ATTENTION.mixer, name="mypackage.mixers:Mine"))
    text = message(lambda: matched(baseline(), asked(other)))
    assert text.startswith("the baseline has no mixer mypackage.mixers:Mine, only attention, mlp_mixer: ")


def test_a_mixer_may_gain_and_lose_settings_but_not_change_them() -> None:
    def with_settings(**values: Any) -> CellSpec:
        return replace(MLP_MIXER, mixer=replace(MLP_MIXER.mixer, settings=settings(values)))

    for changed in (with_settings(expansion=4, gated=True), with_settings()):
        ((_, recorded),) = matched(baseline(), asked(changed))
        assert recorded.spec == MLP_MIXER
    text = message(lambda: matched(baseline(), asked(with_settings(expansion=2, gated=True))))
    assert "differs in expansion 4 -> 2;" in text
    both = asked(with_settings(expansion=4, gated=True), with_settings(expansion=4, gated=False))
    assert "asks more than once for cell" in message(lambda: matched(baseline(), both))


def test_another_hidden_rule_is_another_question() -> None:
    text = message(lambda: matched(baseline(), asked(MLP_MIXER, rule_seed=0)))
    assert "seed 1 of linear_map state_size=4 support_size=2 mlp_mixer has rule_seed 1 -> 0;" in text
