"""Every planted fault is caught by the check that is there for it, and what is sound is not refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers import faulty_mixers
from helpers.faulty_mixers import Chunked, Convolution, Gate, Latch, Narrow, Recurrent, SoftMask, Triangular

from attnsearch.backends import Backends
from attnsearch.base import AttnsearchError
from attnsearch.cli.verify import verify as command
from attnsearch.mixers import MIXERS, Attention, Mixer
from attnsearch.mixers.base import default_settings
from attnsearch.probing import networks
from attnsearch.probing.checks import CHECKS
from attnsearch.probing.jax_framework import JaxFramework
from attnsearch.probing.subject import Subject
from attnsearch.probing.verify import examine, sources_of, verify
from attnsearch.runs import verification
from attnsearch.runs.verification import MAX_CONTEXT, Finding, Verdict
from attnsearch.spec.run import MixerSpec, PlateauRule, Value, settings
from attnsearch.spec.task_file import Knob, TaskFile, find_task
from attnsearch.training.jax.backend import JaxBackend

WIDTH = 32


def subject(kind: type[Mixer], **given: Value) -> Subject:
    backend = JaxBackend(mixers={"mine": kind})
    spec = MixerSpec("mine", settings({**default_settings(kind), **given}))
    return Subject(spec, find_task("linear_map"), JaxFramework(backend), WIDTH)


def findings(kind: type[Mixer], names: Sequence[str]) -> dict[str, Finding]:
    """Those of the checks called `names`."""
    chosen = [check for check in CHECKS if check.name in names]
    assert len(chosen) == len(names)
    return {finding.check: finding for finding in examine(subject(kind), chosen)}


def verdicts(kind: type[Mixer], names: Sequence[str]) -> dict[str, Verdict]:
    return {name: finding.verdict for name, finding in findings(kind, names).items()}


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has other tests to run, on the devices that it has; and mixers that remember forget."""
    monkeypatch.setattr("attnsearch.training.jax.devices.use_every_core", lambda: None)
    monkeypatch.setattr(faulty_mixers.Counting, "calls", [])
    monkeypatch.setattr(faulty_mixers.Hoarding, "last", [])
    monkeypatch.setattr(faulty_mixers.CountingBuilds, "built", [])


# Faults.


@pytest.mark.parametrize(
    ("kind", "names"), faulty_mixers.FAULTS, ids=[kind.__name__ for kind, _ in faulty_mixers.FAULTS]
)
def test_a_fault_is_caught_by_name(
    kind: type[Mixer], names: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnsearch.probing.checks.LEARNING_STEPS", 200)
    for name, finding in findings(kind, names).items():
        assert finding.verdict == "failed", f"{name}: {finding.verdict}, {finding.evidence}"


def test_every_check_has_its_fault() -> None:
    caught = {name for _, names in faulty_mixers.FAULTS for name in names}
    assert caught == {check.name for check in CHECKS}


def test_what_hides_is_found_by_noise_or_by_training_alone() -> None:
    for kind in (Gate, SoftMask, Latch):
        assert verdicts(kind, ["causality at initialisation"]) == {"causality at initialisation": "passed"}
    assert verdicts(Latch, ["causality when perturbed"]) == {"causality when perturbed": "passed"}


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        (faulty_mixers.Unmasked, "causality at initialisation", "of a typical one when input"),
        (
            faulty_mixers.UnusedParameter,
            "gradients",
            "no gradient reaches parameter spare: ",
        ),
        (faulty_mixers.EndlessSlope, "gradients", "the gradient of parameter scale is not finite"),
        (faulty_mixers.Unseeded, "determinism", "parameter shift differs"),
        (faulty_mixers.ShiftedQuery, "queries", "at(x, [15]) is"),
        (
            faulty_mixers.Stateful,
            "construction",
            "holds variables that are not nnx.Param: blocks.0.mixer.memory",
        ),
        (Narrow, "construction", "mixer Narrow returned f32[16, 16] for f32[16, 32]: expected f32[16, 32]"),
        (Chunked, "contexts", "mixer Chunked cannot be called on f32[4, 32]: TypeError: cannot reshape"),
    ],
)
def test_the_evidence_names_what_was_seen(kind: type[Mixer], name: str, words: str) -> None:
    assert words in findings(kind, [name])[name].evidence


def test_what_cannot_be_built_is_asked_nothing_else() -> None:
    record = verify(subject(Narrow).mixer, backend=Backends(mixers={"mine": Narrow}), width=WIDTH)
    first, *others = record.findings
    assert (first.check, first.verdict) == ("construction", "failed")
    assert {(finding.verdict, finding.evidence) for finding in others} == {("not run", "it cannot be built")}
    assert [finding.check for finding in record.findings] == [check.name for check in CHECKS]
    assert not record.passed


def test_what_a_check_raises_is_its_evidence() -> None:
    class Exploding(Triangular):
        def weights(self, x: Any, positions: Any) -> Any:
            weights = super().weights(x, positions)
            if len(positions) == len(x):
                raise OverflowError("too many\nqueries")
            return weights

    (finding,) = findings(Exploding, ["attention weights"]).values()
    assert (finding.verdict, finding.evidence) == ("not run", "OverflowError: too many queries")


# What is sound.


def test_a_sound_mixer_may_count_though_it_does_not_learn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = [check for check in CHECKS if check.name in ("construction", "learning")]
    monkeypatch.setattr("attnsearch.probing.verify.examine", lambda subject: examine(subject, quick))
    monkeypatch.setattr("attnsearch.probing.checks.LEARNING_STEPS", 100)
    name = "helpers.faulty_mixers:Blind"
    status, out, _ = run(capsys, name, "--out", str(tmp_path))
    assert status == 0
    assert f"Yes: {name} is sound; it did not learn the easiest task" in out
    (record,) = verification.records(tmp_path, name)
    assert (record.passed, record.sound, record.refused_by) == (False, True, ("learning",))


def test_a_sound_recurrent_mixer_passes() -> None:
    names = ["queries", "causality at initialisation", "jitted and un-jitted"]
    assert verdicts(Recurrent, names) == dict.fromkeys(names, "passed")


def test_rounding_is_no_leak() -> None:
    (finding,) = findings(Convolution, ["causality at initialisation"]).values()
    assert finding.verdict == "passed"
    # Its transform touches every output when any input changes, in the last digits.
    assert "at most 0 of" not in finding.evidence


def test_a_mixer_s_own_settings_are_verified() -> None:
    few, many = (
        next(examine(subject(Attention, num_heads=heads), [check for check in CHECKS if check.name == name]))
        for heads, name in ((2, "attention weights"), (5, "construction"))
    )
    assert "rows of 2 heads" in few.evidence
    assert (many.verdict, "width 32 does not divide by num_heads 5" in many.evidence) == ("failed", True)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = command.main([*arguments, "--width", str(WIDTH)], standalone_mode=False)
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("mixer", MIXERS)
def test_no_built_in_mixer_looks_ahead_beyond_two_chunks(mixer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the network of two layers, in which most leaks show. `verify` tries the others too."""
    every = networks.forms

    def deepest(*sizes: int) -> tuple[networks.Form, ...]:
        return tuple(form for form in every(*sizes) if form.num_layers == 2)

    monkeypatch.setattr(networks, "forms", deepest)
    answer = networks.looks_ahead(subject(MIXERS[mixer]))
    assert answer.holds, answer.evidence
    assert "2 layers and 131 tokens" in answer.evidence


def test_a_built_in_mixer_is_passed_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The records that ship say the same of every other, and of larger networks.
    mixer, every = "attention", networks.forms
    monkeypatch.setattr(networks, "forms", lambda *sizes: every(*sizes)[:1])
    monkeypatch.setattr("attnsearch.probing.subject.LONG_PROBE_STATE", 10)
    monkeypatch.setattr("attnsearch.probing.subject.LONG_PROBE_STEPS", 10)
    status, out, err = run(capsys, mixer, "--out", str(tmp_path), "--json")
    document = json.loads(out)
    assert (status, document["passed"], document["sound"], document["inability"]) == (0, True, True, None)
    assert [check["verdict"] for check in document["checks"]] == ["passed"] * len(CHECKS)
    assert all(check["proves"].endswith(".") and check["evidence"] for check in document["checks"])
    lines = err.splitlines()
    assert len(lines) == len(CHECKS)
    assert lines[0].startswith(f"[1/{len(CHECKS)}] construction: passed, ")
    spec = MixerSpec(mixer, settings(default_settings(MIXERS[mixer])))
    (record,) = verification.records(tmp_path, mixer)
    assert (record.mixer, record.max_layers, record.max_context) == (spec, 4, 256)
    seen = {finding.check: finding.evidence for finding in record.findings}
    assert "20 tokens in 2 layers" in seen["causality after training"]
    assert "another process makes the same" in seen["determinism"]
    assert Path(document["record"]) == verification.path(tmp_path, record)
    assert (record.passed, record.task, record.width) == (True, "linear_map", WIDTH)
    assert dict(record.sources) == sources_of(MIXERS[mixer])


# The command.


def test_a_refused_mixer_gets_a_table_and_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = run(capsys, "helpers.faulty_mixers:Narrow", "--out", str(tmp_path), "--quiet")
    assert (status, err) == (1, "")
    for check in CHECKS:
        (line,) = (line for line in out.splitlines() if line.startswith(f"│ {check.name} "))
        assert "failed" in line or "not run" in line
    assert (
        f"No: helpers.faulty_mixers:Narrow did not pass {len(CHECKS)} of {len(CHECKS)} checks:"
        " construction," in out in out
    )
    (record,) = verification.records(tmp_path, "helpers.faulty_mixers:Narrow")
    assert not record.passed
    assert f"Record: {verification.path(tmp_path, record)}" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["atention"], "unknown mixer 'atention'. Did you mean attention or retention?"),
        (["attention", "--mixer-set", "heads=4"], "no setting 'heads' in mixer attention."),
        (
            ["attention", "--mixer-set", "num_heads=4,8"],
            "one mixer is verified at a time: give num_heads one",
        ),
        (["attention", "--task", "linear_mop"], "unknown task 'linear_mop'"),
    ],
)
def test_each_mistake_gets_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(AttnsearchError) as caught:
        run(capsys, *arguments, "--out", str(tmp_path / "results"))
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "results").exists()


# Sizes, and what the code was.


def knobs(tokens: int, *of: Knob, **given: Value) -> Mapping[str, Value]:
    file = TaskFile("mine", "", "", "linear_map", "", PlateauRule(), of) if of else find_task("linear_map")
    return dict(subject(Triangular).sized(file, tokens, given).knobs)


def test_a_task_is_made_as_long_as_fits_and_otherwise_easy() -> None:
    easiest = {knob.name: knob.minimum for knob in find_task("linear_map").knobs}
    assert easiest.items() >= {"state_size": 2, "support_size": 1}.items()
    assert knobs(0) == easiest
    assert knobs(8) == easiest | {"state_size": 4}
    assert knobs(15) == easiest | {"state_size": 4}
    assert knobs(MAX_CONTEXT) == easiest | {"state_size": 128}
    state = Knob(name="state_size", meaning="cells", default=8, minimum=3)
    support = Knob(name="support_size", meaning="inputs", default=3, minimum=2)
    assert knobs(8, state, support) == {"state_size": 3, "support_size": 2}
    # That the second number makes nothing longer is found out, and leaves it alone.
    assert knobs(16, state, support) == {"state_size": 6, "support_size": 2}
    # One that must not be smaller than the first grows with it.
    bound = Knob(name="support_size", meaning="inputs", default=8, minimum="state_size")
    assert knobs(16, state, bound) == {"state_size": 6, "support_size": 6}


def test_a_mixer_is_made_of_its_class_its_bases_and_their_helpers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_base.py").write_text(
        "import my_helper\nfrom attnsearch import Mixer\nclass Base(Mixer): pass\n"
    )
    (tmp_path / "my_helper.py").write_text("factor = 1\n")
    (tmp_path / "my_other.py").write_text("factor = 1\n")
    (tmp_path / "my_inheriting.py").write_text("from my_base import Base\nclass One(Base): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import my_inheriting  # pyright: ignore[reportMissingImports]

    first = sources_of(my_inheriting.One)
    assert list(first) == ["my_base", "my_helper", "my_inheriting"]
    (tmp_path / "my_helper.py").write_text("factor = 2\n")
    changed = {module for module, digest in sources_of(my_inheriting.One).items() if digest != first[module]}
    assert changed == {"my_helper"}


def test_a_built_in_mixer_is_made_of_what_computes_it_alone() -> None:
    assert list(sources_of(MIXERS["attention"])) == [
        "attnsearch.mixers.attention",
        "attnsearch.mixers.base",
        "attnsearch.mixers.linear",
        "attnsearch.mixers.positions",
        "attnsearch.spec.heads",
    ]


def test_a_class_without_a_source_is_made_of_nothing_that_is_known() -> None:
    made = type("Made", (Mixer,), {"__module__": "__nowhere__"})
    assert sources_of(made) == {}
