"""The record of a verification: which checks a mixer has passed, and on what evidence.

Numpy side; never imports jax. One file for each mixer with its settings, sizes and task, beside the runs of a
store::

    verified/<name>-<digest>.json

`attnsearch.runs.standing` says what the records at hand mean for a cell.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from attnsearch import files
from attnsearch.base import AttnsearchError, lookalike
from attnsearch.spec.run import MixerSpec, settings

FORMAT_VERSION = 3
"""Version of the record."""

MAX_LAYERS, MAX_CONTEXT = 4, 256
"""Layers of the deepest network, and tokens of the longest sequence, that are tried unless it is said."""

SHIPPED = Path(__file__).parent.parent / "mixers"
"""Where the records of the mixers lie that ship with attnsearch, as in a store."""

CHECKS = (
    *("construction", "contexts", "queries"),
    *("causality at initialisation", "causality when perturbed", "causality after training"),
    *("unpredictable targets", "sequences of a batch", "jitted and un-jitted", "determinism"),
    *("state between calls", "gradients", "attention weights", "learning"),
)
"""The checks of a mixer, in order. `attnsearch.probing.checks` says how each is asked."""

ABILITY = "learning"
"""The check of what a mixer can do; all others ask whether it is sound."""

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
    max_layers:   of the deepest network that was tried, from one layer on
    max_context:  tokens of the longest sequence that was tried
    sources:      the modules that the mixer is made of, with the digests of their files: other code is not
                  verified by the record
    version:      of attnsearch
    """

    mixer: MixerSpec
    task: str
    width: int
    max_layers: int
    max_context: int
    findings: tuple[Finding, ...]
    sources: tuple[tuple[str, str], ...]
    version: str

    @property
    def passed(self) -> bool:
        """Whether every check was run, and passed."""
        return bool(self.findings) and all(finding.verdict == "passed" for finding in self.findings)

    @property
    def sound(self) -> bool:
        """Whether the mixer's numbers may count: every check but the one of its ability was passed."""
        verdicts = [finding.verdict for finding in self.findings if finding.check != ABILITY]
        return bool(verdicts) and all(verdict == "passed" for verdict in verdicts)

    @property
    def inability(self) -> str | None:
        """What a mixer did not show that it can do, in words; None where it did."""
        match [finding.verdict for finding in self.findings if finding.check == ABILITY]:
            case ["failed"]:
                return "it did not learn the easiest task"
            case ["not run"]:
                return "its training on the easiest task broke off"
            case _:
                return None

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
            "max_layers": self.max_layers,
            "max_context": self.max_context,
            "sources": dict(self.sources),
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
        for name in (document["mixer"]["name"], document["task"], *document["sources"]):
            if (wrong := lookalike(name)) is not None:
                raise ValueError(wrong)
        mixer = MixerSpec(document["mixer"]["name"], settings(document["mixer"]["settings"]))
        record = cls(
            mixer,
            document["task"],
            document["width"],
            document["max_layers"],
            document["max_context"],
            findings,
            tuple(sorted((str(name), str(digest)) for name, digest in document["sources"].items())),
            document["attnsearch"],
        )
        sizes = (record.width, record.max_layers, record.max_context)
        if not all(isinstance(size, int) for size in sizes) or not isinstance(record.task, str):
            raise ValueError("its width, layers or context is not a number, or its task is not a name")
        if record.passed is not document["passed"]:
            raise ValueError("its verdict and its checks disagree")
        return record

    def save(self, root: Path) -> Path:
        """Put the record below `root`, in the place of an earlier one; the file. Errors: AttnsearchError."""
        final = path(root, self)
        content = json.dumps(self.to_json(), sort_keys=True, indent=2, allow_nan=False).encode()
        return files.write_whole(final, content)


def path(root: Path, record: Verification) -> Path:
    """The file of `record`, and of any other of the same mixer and sizes, in the store at `root`."""
    mixer, sizes = record.mixer, (record.width, record.max_layers, record.max_context)
    subject = [mixer.name, dict(mixer.settings), *sizes, record.task]
    canonical = json.dumps(subject, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:16]
    return root / "verified" / f"{_slug(mixer.name)}-{digest}.json"


def records(root: Path, name: str) -> list[Verification]:
    """The last verifications of the mixer called `name` in the store at `root`: of any settings, width, task.

    One that cannot be read is left out: a damaged record proves nothing. Whether the mixer's code is still
    the one that was verified is a question for `attnsearch.runs.standing`.
    """
    found = []
    for file in sorted((root / "verified").glob(f"{_slug(name)}-*.json")):
        with suppress(AttnsearchError):
            found.append(read(file))
    return [record for record in found if record.mixer.name == name]


def read(file: Path) -> Verification:
    """The verification stored in `file`. Errors: AttnsearchError."""
    try:
        return Verification.from_json(json.loads(files.read_whole(file)))
    except files.DAMAGE as error:
        raise AttnsearchError(f"cannot read the verification {file}: {files.reason(error)}") from error


def _slug(name: str) -> str:
    return re.sub(r"[^\w.]+", "-", name)
