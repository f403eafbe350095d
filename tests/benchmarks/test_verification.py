"""Which of the records that ship the script removes: those that it replaces, and nobody else's."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest


def test_records_of_a_mixer_that_was_added_meanwhile_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attnsearch.training.jax.devices.use_every_core", lambda: None)
    script = import_module("benchmarks.verification")
    there = [
        Path(f"{name}-{digest}.json")
        for name, digest in (("attention", "ab"), ("attention", "cd"), ("added", "ab"), ("removed", "ab"))
    ]
    meanwhile = Path("later-ab.json")
    found = script.outdated(there, {Path("attention-cd.json"), meanwhile}, {"attention", "added", "later"})
    assert found == [Path("attention-ab.json"), Path("removed-ab.json")]
