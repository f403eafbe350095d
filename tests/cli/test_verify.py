"""How the record of a verification is told: a table and one line."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from attnsearch.cli.verify import conclusion, table
from attnsearch.runs.verification import Finding, Verification
from attnsearch.spec.run import MixerSpec, settings

MIXER = MixerSpec("my.mixers:Mine", settings({"heads": 4, "scale": 1.5, "gated": False, "width": None}))
PASSED = Finding("causality", "no output moves", "passed", "moved by 0")
FAILED = Finding("gradients", "every parameter is reached", "failed", "none reaches [spare]")
NOT_RUN = Finding("learning", "it learns", "not run", "it cannot be built")
SOUND = Verification(MIXER, "linear_map", 128, (PASSED, PASSED), (), "0.1.0")
REFUSED = replace(SOUND, findings=(PASSED, FAILED, NOT_RUN))


def test_the_table_has_a_verdict_a_line() -> None:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table(REFUSED))
    lines = captured.get().splitlines()
    title = " ".join(" ".join(lines[:3]).split())
    assert "my.mixers:Mine (gated=False, heads=4, scale=1.5, width=derived)" in title
    for finding in REFUSED.findings:
        (line,) = (line for line in lines if finding.check in line)
        assert finding.verdict in line
        assert finding.evidence in line


def test_the_answer_in_one_line() -> None:
    assert conclusion(SOUND) == "Yes: my.mixers:Mine passed all 2 checks"
    assert conclusion(REFUSED) == "No: my.mixers:Mine did not pass 2 of 3 checks: gradients, learning"
