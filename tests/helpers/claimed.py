"""Claims that tests take, and what is to be seen of them in a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from attnsearch.runs.claims import Claim
from attnsearch.spec.run import RunSpec


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "runs").iterdir())


def taken(root: Path, spec: RunSpec) -> Claim:
    claim = Claim.take(root, spec.digest)
    assert claim is not None
    return claim


def many(spec: RunSpec, count: int) -> list[RunSpec]:
    return [replace(spec, seed=seed) for seed in range(count)]
