"""May a mixer's numbers count? Runs the checks and makes the record."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from attnsearch.base import AttnsearchError
from attnsearch.mixers.base import Mixer
from attnsearch.probing.check import Check
from attnsearch.probing.checks import CHECKS
from attnsearch.probing.subject import Subject
from attnsearch.runs.verification import Finding, Verification
from attnsearch.spec.run import MixerSpec, NetworkSpec
from attnsearch.spec.task_file import TaskFile, find_task
from attnsearch.training.jax.backend import JaxBackend


def verify(
    mixer: MixerSpec,
    task: TaskFile | None = None,
    *,
    backend: JaxBackend | None = None,
    width: int = NetworkSpec.width,
    found: Callable[[Finding], None] = lambda finding: None,
) -> Verification:
    """Run every check on a mixer, and tell `found` of each finding; under a minute for a small one.

    task:   whose contexts are tried, and whose easiest form is to be learned; `linear_map` unless given
    width:  features of a token, D

    Errors: AttnsearchError for a mixer or task that cannot be had. What is wrong with a mixer is a finding.
    """
    backend, task = backend or JaxBackend(), task or find_task("linear_map")
    kind = backend.mixer(mixer.name)
    findings: list[Finding] = []
    for finding in examine(Subject(mixer, task, backend, width)):
        findings.append(finding)
        found(finding)
    version = metadata.version("attnsearch")
    return Verification(mixer, task.name, width, tuple(findings), fingerprint(kind), version)


def examine(subject: Subject, checks: Sequence[Check[Subject]] = CHECKS) -> Iterator[Finding]:
    """What each of `checks` finds, in order."""
    refusal = None
    try:
        subject.probe  # noqa: B018  every check needs it; that it cannot be built is the finding of the first
    except AttnsearchError as error:
        refusal = str(error)
    for check in checks:
        if refusal is None:
            verdict, evidence = check.verdict(subject)
        elif check is CHECKS[0]:
            verdict, evidence = "failed", refusal
        else:
            verdict, evidence = "not run", "it cannot be built"
        yield Finding(check.name, check.proves, verdict, evidence)


def fingerprint(mixer: type[Mixer]) -> str:
    """64 hex digits: sha256 of the class's name and of the source files of it and of those it inherits from.

    An edit of any of these changes it. A class without a source file, from an interactive session, is known
    by its name alone.
    """
    digest = hashlib.sha256(mixer.__qualname__.encode())
    own = [kind for kind in mixer.__mro__[: mixer.__mro__.index(Mixer)] if kind is not Mixer]
    for file in dict.fromkeys(filter(None, map(_source, own))):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _source(kind: type) -> Path | None:
    try:
        file = Path(inspect.getsourcefile(kind) or "")
    except TypeError:
        return None
    return file if file.is_file() else None
