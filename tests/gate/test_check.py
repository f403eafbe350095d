"""A check from the question to the verdict, on runs that nobody trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from helpers.checks import HERE, checked, made, recorded, slow, specs
from helpers.hand_made import run_of
from helpers.maps import leaking

from attnsearch.backends import Backends
from attnsearch.base import AttnsearchError
from attnsearch.cli.check import check_anew
from attnsearch.gate import ci
from attnsearch.gate.baseline import Baseline
from attnsearch.gate.check import recorded_lanes
from attnsearch.gate.verdict import outlook, rows, sentences
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import RunSpec


def test_equal_curves_pass_after_half_of_the_runs() -> None:
    report, trainer = checked(made)
    assert (report.verdict, report.exit_status) == ("pass", 0)
    assert len(trainer.asked) == len(set(trainer.asked)) == 4 * 4
    assert (report.looks, report.planned, report.runs, report.equal) == ((4,), 8, 16, 16)
    assert sentences(report)[0] == "pass: the curves of all 16 runs equal the recorded ones bit for bit"
    assert [row.finding.reason for row in rows(report)] == ["equal bit for bit"] * 4


def test_one_bit_is_enough_to_be_judged() -> None:
    def moved(spec: RunSpec) -> StoredRun:
        run = made(spec)
        if spec.seed == 3:
            run.curves.accuracy[0, 0] += 1e-7
        return run

    report, _ = checked(moved)
    assert not report.unchanged
    assert (report.recorded, report.equal) == (16, 12)
    assert report.verdict == "pass"
    assert all(row.finding.effect for row in rows(report))


def test_seeds_that_were_not_recorded_are_judged() -> None:
    report, _ = checked(made, specs(range(100, 108)))
    assert (report.recorded, report.equal) == (0, 0)
    assert report.verdict == "pass"
    assert not any("equal the recorded" in line for line in sentences(report))


def test_a_slow_mixer_is_a_regression_and_no_more_is_trained() -> None:
    report, trainer = checked(slow("mlp_mixer", 2.2))
    assert (report.verdict, report.exit_status) == ("regression", 1)
    assert {spec.seed for spec in trainer.asked} == {0, 1, 2, 3}
    found = {row.label: row.finding.verdict for row in rows(report)}
    assert found["all cells of mlp_mixer"] == "regression"
    assert found["all cells of attention"] == "pass"
    assert sentences(report)[0].startswith("regression: of 4 cells ")
    assert "regression: all cells of mlp_mixer together" in sentences(report)


def test_what_is_unclear_is_trained_to_the_end() -> None:
    report, trainer = checked(slow("attention", 1.3), baseline=recorded(range(8)))
    assert (report.verdict, report.exit_status) == ("inconclusive", 3)
    assert sorted(trainer.asked, key=str) == sorted(specs(), key=str)
    assert report.looks == (4, 8)
    said = sentences(report)
    assert "looked at after 8 of 8 runs of each cell; a plateau may grow by a factor of 1.25" in said
    assert "for a verdict give more runs, --seeds 16, or record more in the baseline" in said


def test_the_tolerance_is_the_users() -> None:
    report, _ = checked(slow("attention", 1.3), tolerance=2.0)
    assert report.verdict == "pass"


def test_a_run_that_fails_is_no_verdict() -> None:
    def broken(spec: RunSpec) -> StoredRun:
        raise TypeError("dot_general requires\nequal shapes")

    report, _ = checked(broken)
    assert (report.verdict, report.exit_status) == ("failed", 4)
    assert sentences(report) == ["failed: TypeError: dot_general requires equal shapes"]
    assert report.failure
    assert "in broken" in report.failure.trace


def test_an_error_of_training_is_no_wrong_usage() -> None:
    def full(spec: RunSpec) -> StoredRun:
        raise AttnsearchError("cannot store run: no space left")

    assert checked(full)[0].exit_status == 4


def test_no_cell_is_no_pass() -> None:
    report, trainer = checked(made, [])
    assert trainer.asked == []
    assert (report.verdict, report.exit_status) == ("failed", 4)
    assert sentences(report) == ["failed: no cell was measured"]
    case = ElementTree.fromstring(ci.junit(report)).find("testsuite/testcase/error")
    assert case is not None
    assert case.get("message") == "failed: no cell was measured"


def test_a_diverged_run_is_said() -> None:
    def diverging(spec: RunSpec) -> StoredRun:
        if spec.seed == 1 and spec.cell.mixer.name == "attention":
            return run_of(spec, [None] * 4, diverges=50, environment=HERE)
        return made(spec)

    report, _ = checked(diverging)
    assert report.verdict != "pass"
    (first, second) = (line for line in sentences(report) if "diverged" in line)
    assert first == (
        "linear_map, state size 4, support size 1, attention: 1 run diverged, 0 before, and waited to the end"
        " of the budget"
    )
    assert "support size 2, attention" in second


def test_another_machine_is_said() -> None:
    report, _ = checked(slow("attention", 1.0))
    assert report.environment == ("jax 0.9.0 -> 0.9.1",)
    assert "not the machine of the baseline: jax 0.9.0 -> 0.9.1" in sentences(report)


def test_lanes_are_those_of_the_baseline_on_the_same_kind_of_device() -> None:
    assert recorded_lanes(recorded(), "cpu") == 3
    assert recorded_lanes(recorded(), "gpu") is None


@pytest.mark.parametrize(
    ("asked", "more", "complaint"),
    [
        (specs(steps=500), {}, "small.json: baseline of another suite: cell linear_map, state size 4"),
        (specs(), {"tolerance": 0.8}, "tolerance 0.8 is not a factor"),
        (specs(), {"tolerance": float("nan")}, "tolerance nan is not a factor"),
    ],
)
def test_wrong_usage_trains_nothing(asked: list[RunSpec], more: dict[str, Any], complaint: str) -> None:
    def never(spec: RunSpec) -> StoredRun:
        raise AssertionError("trained")

    with pytest.raises(AttnsearchError, match=complaint.replace("(", r"\(")):
        checked(never, asked, **more)


def test_a_store_that_holds_the_runs_is_refused(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    store.save(made(specs()[5]))
    with pytest.raises(AttnsearchError, match="holds runs of this suite, and a check trains them anew"):
        check_anew(specs(), recorded(), store, Backends(), name="small.json", tolerance=1.25)


def test_an_outlook_says_what_a_check_could_catch() -> None:
    lines = outlook(recorded(), 8)
    assert len(lines) == 4 + 2 + 1
    assert lines[4].startswith("all cells of attention: a check of 8 runs catches a slowdown of 1.")
    assert lines[-1] == "where nothing has changed, it says: pass"
    few = outlook(recorded(range(2)), 8)
    assert few[0].endswith("a check of 2 runs catches no slowdown")


def test_a_run_that_leaks_is_neither_recorded_nor_judged() -> None:
    def seeing(spec: RunSpec) -> StoredRun:
        return leaking(made(spec)) if spec.seed == 2 and spec.cell.mixer.name == "mlp_mixer" else made(spec)

    report, _ = checked(seeing)
    assert (report.verdict, report.exit_status) == ("failed", 4)
    (line,) = sentences(report)
    assert line.startswith(
        "failed: nothing was judged: mlp_mixer on linear_map, seed 2, leaks: tokens behind a"
    )
    assert line.endswith("and 1 more runs do. A run that sees the future does not count")
    with pytest.raises(AttnsearchError, match=r"^this baseline cannot be recorded: mlp_mixer on linear_map"):
        Baseline.of("small", [seeing(spec) for spec in specs()])
