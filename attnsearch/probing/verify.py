"""May a mixer's numbers count? Runs the checks and makes the record."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from itertools import takewhile
from pathlib import Path

from attnsearch.backends import Backends, is_torch
from attnsearch.base import AttnsearchError
from attnsearch.mixers.base import Mixer
from attnsearch.probing.check import Check
from attnsearch.probing.checks import CHECKS
from attnsearch.probing.jax_framework import JaxFramework
from attnsearch.probing.subject import Framework, Subject
from attnsearch.probing.torch_framework import TorchFramework
from attnsearch.runs.sources import sources
from attnsearch.runs.verification import MAX_CONTEXT, MAX_LAYERS, Finding, Verification
from attnsearch.spec.run import MixerSpec, NetworkSpec
from attnsearch.spec.task_file import TaskFile, find_task


def verify(
    mixer: MixerSpec,
    task: TaskFile | None = None,
    *,
    backend: Backends | None = None,
    width: int = NetworkSpec.width,
    max_layers: int = MAX_LAYERS,
    max_context: int = MAX_CONTEXT,
    found: Callable[[Finding], None] = lambda finding: None,
) -> Verification:
    """Run every check on a mixer, and tell `found` of each finding; under a minute for a small one.

    task:         whose contexts are tried, and whose easiest form is to be learned; `linear_map` unless given
    width:        features of a token, D
    max_layers:   of the deepest network that is tried, at least `MAX_LAYERS`
    max_context:  tokens of the longest sequence that is tried, at least `MAX_CONTEXT`

    Errors: AttnsearchError for a mixer or task that cannot be had. What is wrong with a mixer is a finding.
    """
    backend, task = backend or Backends(), task or find_task("linear_map")
    kind = backend.mixer(mixer.name)
    findings: list[Finding] = []
    framework = framework_of(mixer.name, backend)
    subject = Subject(
        mixer, task, framework, width, max(max_layers, MAX_LAYERS), max(max_context, MAX_CONTEXT)
    )
    for finding in examine(subject):
        findings.append(finding)
        found(finding)
    code, version = tuple(sources_of(kind).items()), metadata.version("attnsearch")
    longest = subject.max_tried if findings[0].verdict == "passed" else subject.max_context
    return Verification(mixer, task.name, width, subject.max_layers, longest, tuple(findings), code, version)


def framework_of(mixer: str, backend: Backends) -> Framework:
    """Where networks of a mixer of this name are made."""
    return TorchFramework(backend) if is_torch(mixer) else JaxFramework(backend.jax)


def examine(subject: Subject, checks: Sequence[Check[Subject]] = CHECKS) -> Iterator[Finding]:
    """What each of `checks` finds, in order."""
    refusal = None
    try:
        subject.network  # noqa: B018  every check needs it; that it cannot be built is the finding of the first
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


def sources_of(mixer: type) -> dict[str, str]:
    """The modules that a mixer is made of (see `runs.sources`): where its class and those it inherits from
    stand, and the helpers that these import. An edit of any changes them.

    A class without a source file, from an interactive session, has none: it is known by its name alone.
    """
    own = takewhile(_is_own, mixer.__mro__)
    files = {kind.__module__: file for kind in own if (file := _source(kind))}
    return sources(files)


def _is_own(kind: type) -> bool:
    """Whether a class is of a mixer, and not of what mixers are made with."""
    return kind is not Mixer and kind.__module__.partition(".")[0] != "torch"


def _source(kind: type) -> Path | None:
    try:
        file = Path(inspect.getsourcefile(kind) or "")
    except TypeError:
        return None
    return file if file.is_file() else None
