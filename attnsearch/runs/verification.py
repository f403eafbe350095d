"""The record of a verification: which checks a mixer has passed, and on what evidence.

Numpy side; never imports jax. One file for each mixer with its settings, beside the runs of a store::

    verified/<name>-<digest>.json
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from attnsearch import files
from attnsearch.base import AttnsearchError
from attnsearch.spec.run import MixerSpec, settings

FORMAT_VERSION = 1
"""Version of the record."""

CHECKS = (
    *("construction", "contexts", "queries"),
    *("causality at initialisation", "causality when perturbed", "causality after training"),
    *("unpredictable targets", "sequences of a batch", "jitted and un-jitted", "determinism"),
    *("state between calls", "gradients", "attention weights", "learning"),
)
"""The checks of a mixer, in order. `attnsearch.probing.checks` says how each is asked."""

Verdict = Literal["passed", "failed", "not run"]
"""What a check says; one that could not be run proves nothing."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    check, proves:  its name, and what it shows where it is passed, in a sentence
    evidence:       what was seen, in words; or why the check could not be run
    """

    check: str
    proves: str
    verdict: Verdict
    evidence: str


@dataclass(frozen=True)
class Verification:
    """Every finding about a mixer.

    task:         whose contexts were tried, and whose easiest form was to be learned
    width:        features of a token, D, that it was verified at
    fingerprint:  of the mixer's source (`probing.verify.fingerprint`): other code is not verified by it
    version:      of attnsearch
    """

    mixer: MixerSpec
    task: str
    width: int
    findings: tuple[Finding, ...]
    fingerprint: str
    version: str

    @property
    def passed(self) -> bool:
        """Whether the mixer's numbers may count: every check was run, and passed."""
        return bool(self.findings) and all(finding.verdict == "passed" for finding in self.findings)

    @property
    def refused_by(self) -> tuple[str, ...]:
        """The checks that were not passed."""
        return tuple(finding.check for finding in self.findings if finding.verdict != "passed")

    def to_json(self) -> dict[str, Any]:
        """JSON values, from which `from_json` makes an equal one."""
        return {
            "format_version": FORMAT_VERSION,
            "attnsearch": self.version,
            "mixer": {"name": self.mixer.name, "settings": dict(self.mixer.settings)},
            "task": self.task,
            "width": self.width,
            "fingerprint": self.fingerprint,
            "passed": self.passed,
            "checks": [asdict(finding) for finding in self.findings],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`. Errors: one of `files.DAMAGE` on anything else."""
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format version {document['format_version']}, expected {FORMAT_VERSION}")
        findings = tuple(Finding(**finding) for finding in document["checks"])
        for finding in findings:
            if finding.verdict not in get_args(Verdict):
                raise ValueError(f"verdict {finding.verdict!r} of {finding.check} is unknown")
        mixer = MixerSpec(document["mixer"]["name"], settings(document["mixer"]["settings"]))
        record = cls(
            mixer,
            document["task"],
            document["width"],
            findings,
            document["fingerprint"],
            document["attnsearch"],
        )
        if record.passed is not document["passed"]:
            raise ValueError("its verdict and its checks disagree")
        return record

    def save(self, root: Path) -> Path:
        """Put the record below `root`, in the place of an earlier one; the file. Errors: AttnsearchError."""
        final = path(root, self.mixer)
        content = json.dumps(self.to_json(), sort_keys=True, indent=2, allow_nan=False).encode()
        return files.write_whole(final, content)


def path(root: Path, mixer: MixerSpec) -> Path:
    """The file of the verification of `mixer` in the store at `root`, there or not."""
    canonical = json.dumps([mixer.name, dict(mixer.settings)], sort_keys=True, separators=(",", ":"))
    slug = re.sub(r"[^\w.]+", "-", mixer.name)
    return root / "verified" / f"{slug}-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}.json"


def find(root: Path, mixer: MixerSpec) -> Verification | None:
    """The last verification of `mixer` with these settings in the store at `root`.

    None where there is none, or where it cannot be read: a damaged record proves nothing. Whether the mixer's
    code is still the one that was verified is for those to ask who have it at hand.
    """
    try:
        record = read(path(root, mixer))
    except AttnsearchError:
        return None
    return record if record.mixer == mixer else None


def read(file: Path) -> Verification:
    """The verification stored in `file`. Errors: AttnsearchError."""
    try:
        return Verification.from_json(json.loads(files.read_whole(file)))
    except files.DAMAGE as error:
        raise AttnsearchError(f"cannot read the verification {file}: {files.reason(error)}") from error
