"""Leaks between chunks, at odd lengths, in later layers and on the biased path are refused, with where."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from helpers import hidden_leaks
from helpers.hidden_leaks import LEAKS, LinearAttention

from attnsearch.mixers import Mixer
from attnsearch.probing import networks
from attnsearch.probing.checks import CHECKS
from attnsearch.probing.jax_framework import JaxFramework
from attnsearch.probing.subject import Subject
from attnsearch.runs.verification import Finding
from attnsearch.spec.run import MixerSpec
from attnsearch.spec.task_file import find_task
from attnsearch.training.jax.backend import JaxBackend

WIDTH = 16


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden_leaks.SecondLayer, "sources", [])


def found(kind: type[Mixer], *names: str) -> Iterator[Finding]:
    framework = JaxFramework(JaxBackend(mixers={"mine": kind}))
    subject = Subject(MixerSpec("mine", ()), find_task("linear_map"), framework, WIDTH)
    for check in CHECKS:
        if check.name in names:
            verdict, evidence = check.verdict(subject)
            yield Finding(check.name, check.proves, verdict, evidence)


@pytest.mark.parametrize(
    ("kind", "name", "words"), LEAKS, ids=[f"{kind.__name__}-{name}" for kind, name, _ in LEAKS]
)
def test_a_hidden_leak_is_caught_by_name(kind: type[Mixer], name: str, words: str) -> None:
    (finding,) = found(kind, name)
    assert finding.verdict == "failed", finding.evidence
    assert words in finding.evidence


def test_what_is_sound_passes_in_every_network() -> None:
    (finding,) = found(LinearAttention, "causality when perturbed")
    assert finding.verdict == "passed", finding.evidence
    assert "1 layer and 4 tokens; 4 layers and 21 tokens; 3 layers and 37 tokens" in finding.evidence
    assert "2 layers and 131 tokens; 1 layer and 256 tokens" in finding.evidence


def test_chunks_of_every_usual_size_meet_where_tokens_are_replaced() -> None:
    at = set(networks.cuts(131))
    for chunk in (16, 32, 64, 128):
        assert {chunk - 1, chunk, chunk + 1} <= at
    assert networks.cuts(21) == list(range(1, 21))
    assert {1, 255} <= set(networks.cuts(256))
    for form in networks.forms(4, 256, 4):
        asked = np.array(form.query_positions)
        assert (np.diff(asked) > 0).all()
        assert asked[-1] < form.context_length
