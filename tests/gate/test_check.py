"""A check from the question to the exit status: on runs that nobody trained, and once on trained ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from helpers.hand_made import run_of, spec_of

from attnsearch.base import AttnsearchError
from attnsearch.cli.baseline import baseline as baseline_command
from attnsearch.cli.check import check as check_command
from attnsearch.cli.check import check_anew
from attnsearch.gate import ci as notices
from attnsearch.gate.baseline import Baseline
from attnsearch.gate.check import check, recorded_lanes
from attnsearch.gate.decision import TOLERANCE
from attnsearch.gate.verdict import Report, document, labels, markdown, outlook, rows, sentences
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import RunSpec
from attnsearch.training import runner
from attnsearch.training.jax.backend import JaxBackend

MIXERS = ("attention", "mlp_mixer")

HERE = {"device": "cpu", "devices": 2, "lanes": 6, "versions": {"attnsearch": "0.1.0", "jax": "0.9.1"}}
BEFORE = {**HERE, "versions": {"attnsearch": "0.1.0", "jax": "0.9.0"}}


def specs(seeds: Sequence[int] = range(8), **values: int) -> list[RunSpec]:
    """Two mixers on two maps."""
    return [
        spec_of(mixer, seed, support_size=size, **values)
        for mixer in MIXERS
        for size in (1, 2)
        for seed in seeds
    ]


def made(spec: RunSpec, slowdown: float = 1.0, environment: dict[str, Any] = HERE, **fate: int) -> StoredRun:
    """A run that escapes at about 200 steps, each seed at its own."""
    escape = round((170 + 11 * (7 * spec.seed % 13)) * slowdown / 10) * 10
    return run_of(spec, [escape] * 4, environment=environment, **fate)


@cache
def recorded(seeds: Sequence[int] = range(32)) -> Baseline:
    return Baseline.of("small", [made(spec, environment=BEFORE) for spec in specs(seeds)])


class Trainer:
    """Stands where runs are trained, and keeps what it was asked for."""

    def __init__(self, how: Callable[[RunSpec], StoredRun]):
        self.how, self.asked = how, list[RunSpec]()

    def __call__(self, specs: Sequence[RunSpec]) -> list[StoredRun]:
        self.asked += specs
        return [self.how(spec) for spec in specs]


def checked(
    how: Callable[[RunSpec], StoredRun],
    asked: Sequence[RunSpec] | None = None,
    baseline: Baseline | None = None,
    **more: Any,
) -> tuple[Report, Trainer]:
    """Checks `specs`, each trained as `how` says, against `recorded`."""
    trainer = Trainer(how)
    asked = specs() if asked is None else asked
    return check(asked, baseline or recorded(), trainer, name="small.json", **more), trainer


def slow(mixer: str, slowdown: float) -> Callable[[RunSpec], StoredRun]:
    """Trains one mixer slower than it was, and no curve as it was."""
    return lambda spec: made(spec, slowdown if spec.cell.mixer.name == mixer else 0.97)


# The flow.


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
    assert "more runs tell more: --seeds 16, or more in the baseline" in said


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
    case = ElementTree.fromstring(notices.junit(report)).find("testsuite/testcase/error")
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
    assert first.startswith(
        "linear_map state_size=4 support_size=1 attention: diverged runs, 0 -> 1, count as"
    )
    assert "support_size=2 attention" in second


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
        (specs(steps=500), {}, "small.json: baseline of another suite: cell linear_map state_size=4"),
        (specs(), {"tolerance": 0.8}, "tolerance 0.8 is no factor"),
        (specs(), {"tolerance": float("nan")}, "tolerance nan is no factor"),
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
        check_anew(specs(), recorded(), store, JaxBackend(), name="small.json", tolerance=1.25)


# What is said of it.


def test_labels_tell_cells_apart() -> None:
    cells = [spec_of().cell, spec_of(num_heads=8).cell, spec_of("mlp_mixer").cell]
    assert labels(cells) == [
        "linear_map state_size=4 support_size=2 attention num_heads=16",
        "linear_map state_size=4 support_size=2 attention num_heads=8",
        "linear_map state_size=4 support_size=2 mlp_mixer",
    ]


def test_the_document_is_json_and_says_everything() -> None:
    report, _ = checked(slow("mlp_mixer", 2.2))
    found = json.loads(json.dumps(document(report), allow_nan=False))
    assert (found["verdict"], found["exit_status"], found["suite"]) == ("regression", 1, "small")
    assert [cell["mixer"] for cell in found["cells"]] == ["attention"] * 2 + ["mlp_mixer"] * 2
    (slow_cell,) = (
        cell for cell in found["cells"] if (cell["mixer"], cell["support_size"]) == ("mlp_mixer", 2)
    )
    assert slow_cell["verdict"] == "regression"
    assert slow_cell["effect"]["low"] < 2.2 < slow_cell["effect"]["high"]
    assert slow_cell["candidate"]["runs"] == 4
    assert slow_cell["reference"]["runs"] == 32
    assert {mixer["mixer"]: mixer["verdict"] for mixer in found["mixers"]}["mlp_mixer"] == "regression"
    json.dumps(document(Report("small", "small.json", 1.25, 8)), allow_nan=False)


def test_junit_has_a_case_for_every_finding() -> None:
    root = ElementTree.fromstring(notices.junit(checked(slow("mlp_mixer", 2.2))[0]))
    suite = root.find("testsuite")
    assert suite is not None
    failed = [case.get("name", "") for case in suite if case.find("failure") is not None]
    assert "all cells of mlp_mixer" in failed
    assert all("mlp_mixer" in name for name in failed)
    assert (suite.get("tests"), suite.get("failures")) == ("6", str(len(failed)))
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "ratio 2." in failure.get("message", "")


def test_junit_calls_what_is_inconclusive_an_error() -> None:
    report, _ = checked(slow("attention", 1.3), baseline=recorded(range(8)))
    root = ElementTree.fromstring(notices.junit(report))
    kinds = [error.get("type") for error in root.findall("testsuite/testcase/error")]
    assert kinds
    assert set(kinds) == {"inconclusive"}
    assert root.get("errors") == str(len(kinds))
    assert root.get("failures") == "0"


def awkward() -> Report:
    """A check of a mixer and a suite with names that every format has to escape."""
    report, _ = checked(slow("mlp_mixer", 2.2))
    name = 'a,b:C|D<E>&"%\x1b[31m\n'
    pairs = [
        replace(pair, cell=replace(pair.cell, mixer=replace(pair.cell.mixer, name=name)))
        for pair in report.pairs
    ]
    return replace(report, pairs=tuple(pairs), suite=name)


def test_junit_escapes() -> None:
    root = ElementTree.fromstring(notices.junit(awkward()))
    case = root.find("testsuite/testcase")
    assert case is not None
    assert case.get("name", "").startswith('linear_map state_size=4 support_size=1 a,b:C|D<E>&"%[31m')


def test_commands_of_github_are_escaped() -> None:
    lines = list(notices.commands(awkward()))
    assert lines
    for line in lines:
        assert "\n" not in line
        level, _, message = line.removeprefix("::").partition("::")
        assert level.startswith(("error title=", "warning title="))
        assert message
    assert any("title=regression%3A linear_map state_size=4 support_size=" in line for line in lines)
    assert any('a%2Cb%3AC|D<E>&"%25' in line for line in lines)


def test_markdown_keeps_its_columns() -> None:
    table = [line for line in markdown(awkward()).splitlines() if line.startswith("|")]
    assert len(table) == 2 + 6
    assert {line.replace("\\|", "").count("|") for line in table} == {9}
    assert "<E>" not in "".join(table).replace("\\<E\\>", "")


def test_trends_are_smaller_is_better() -> None:
    report, _ = checked(slow("mlp_mixer", 2.2))
    found = json.loads(notices.trend(report))
    assert len(found) == 4
    assert all({"name", "unit", "value", "range", "extra"} == set(one) for one in found)
    (one,) = (one for one in found if one["name"].startswith("linear_map state_size=4 support_size=2 mlp"))
    assert one["unit"] == "steps"
    assert one["value"] == pytest.approx(report.pairs[3].candidate.plateau.length.mean())
    assert one["extra"] == "4 runs, 4 escaped, 4 mastered"


def test_an_outlook_says_what_a_check_could_catch() -> None:
    lines = outlook(recorded(), 8)
    assert len(lines) == 4 + 2 + 1
    assert lines[4].startswith("all cells of attention: a check of 8 runs catches a slowdown of 1.")
    assert lines[-1] == "where nothing has changed, it says: pass"
    few = outlook(recorded(range(2)), 8)
    assert few[0].endswith("a check of 2 runs catches no slowdown")


# The commands.

SUITE = """\
name = "tiny"
title = "Tiny"
source = "nowhere"
seeds = 4

[[tasks]]
task = "linear_map"
state_size = 4
support_size = 1

[[mixers]]
mixer = "gate_mixers:Mine"

[training]
steps = 100
tokens_per_step = 256
width = 32
mlp_width = 32
learning_rate = 1e-2
"""

MIXER = """\
import jax.numpy as jnp
from flax import nnx
from attnsearch.mixers import Mixer

GAIN = 1.0

class Mine(Mixer):
    def __init__(self, width, context_length, *, rngs):
        self.mix = nnx.Param(rngs.params.normal((context_length, context_length)) * 0.1)

    def __call__(self, x):
        return GAIN * (jnp.tril(self.mix[...]) @ x)
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a suite and a mixer of one's own, in which one is."""
    (tmp_path / "tiny.toml").write_text(SUITE)
    (tmp_path / "gate_mixers.py").write_text(MIXER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return tmp_path


def call(command: Any, *arguments: str) -> int:
    return command.main(arguments, prog_name="attnsearch", standalone_mode=False) or 0


def test_a_mixer_is_recorded_checked_slowed_and_broken(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import gate_mixers  # pyright: ignore[reportMissingImports]

    assert call(baseline_command, "tiny.toml", "-o", "b/tiny.json", "--seeds", "12", "--quiet") == 0
    out = capsys.readouterr().out
    assert out.startswith("b/tiny.json: 12 runs of 1 cells, ")
    assert "where nothing has changed, it says: " in out
    arguments = ["tiny.toml", "--baseline", "b/tiny.json", "--quiet"]

    # The same again, although the store of the recording is at hand.
    assert call(check_command, *arguments, "--junit", "j.xml", "--trend", "t.json") == 0
    out, err = capsys.readouterr()
    assert "pass: the curves of all 4 runs equal the recorded ones bit for bit" in out
    assert "::" not in out
    assert err == ""
    assert ElementTree.parse(tiny / "j.xml").getroot().get("failures") == "0"
    assert len(json.loads((tiny / "t.json").read_text())) == 1

    # A change that no specification shows.
    monkeypatch.setattr(gate_mixers, "GAIN", 0.02)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path("summary.md").write_text("before\n")
    assert call(check_command, *arguments) == 1
    out, err = capsys.readouterr()
    assert "\n::error title=regression%3A linear_map state_size=4 support_size=1 gate_mixers%3AMine::" in out
    summary = Path("summary.md").read_text()
    assert summary.startswith("before\n### attnsearch check tiny\n")
    assert "| regression: " in summary
    assert call(check_command, *arguments, "--json", "--out", "kept") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["verdict"] == "regression"
    assert len(list(Path("kept/runs").iterdir())) == 4

    def broken(*arguments: object) -> list[StoredRun]:
        raise RuntimeError("broken")

    monkeypatch.setattr(runner, "run", broken)
    assert call(check_command, *arguments, "--junit", "j.xml") == 4
    out, err = capsys.readouterr()
    assert "failed: RuntimeError: broken\n" in out
    assert "::error title=attnsearch check tiny::failed: RuntimeError: broken" in out
    assert "Traceback" in err
    assert ElementTree.parse("j.xml").getroot().get("errors") == "1"


def test_an_error_that_nobody_foresaw_does_not_end_as_a_regression(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Baseline.of("tiny", [made(spec) for spec in specs(range(2))]).write(tiny / "tiny.json")

    def surprised(*arguments: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("attnsearch.cli.check.suite_of", surprised)
    assert call(check_command, "tiny.toml", "--baseline", "tiny.json", "--json") == 4
    out, err = capsys.readouterr()
    assert json.loads(out)["failure"] == "ZeroDivisionError: surprise"
    assert "in surprised" in err


def test_help_knows_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        check_command.main(["--help"], prog_name="attnsearch check")
    assert f"[default: {TOLERANCE:g}]" in " ".join(capsys.readouterr().out.split())


def test_medians_are_of_the_same_seeds_where_these_were_recorded() -> None:
    def medians(report: Report) -> list[str]:
        lines = markdown(report).splitlines()
        return [line.split("|")[5].replace("\\", "").strip() for line in lines if "| linear" in line]

    assert medians(checked(made)[0]) == ["180 -> 180"] * 4
    assert medians(checked(made, specs(range(100, 108)))[0]) == ["240 -> 240"] * 4


def test_a_baseline_has_to_be_named_and_there(tiny: Path) -> None:
    import click

    with pytest.raises(click.UsageError) as caught:
        call(check_command, "tiny.toml")
    assert "--baseline" in caught.value.format_message()
    with pytest.raises(AttnsearchError, match=r"cannot read baseline none\.json"):
        call(check_command, "tiny.toml", "--baseline", "none.json")
