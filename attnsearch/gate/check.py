"""Holds runs that are trained anew against recorded ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from attnsearch.base import AttnsearchError
from attnsearch.gate.baseline import Baseline, RecordedRun, matched, outcomes
from attnsearch.gate.decision import TOLERANCE, Finding, Judgement, Pair, judge, levels, looks
from attnsearch.gate.verdict import Failure, Report
from attnsearch.results.leaking import require_sound
from attnsearch.runs.store import StoredRun
from attnsearch.spec.reading import placed
from attnsearch.spec.run import RunSpec

_EQUAL = Finding("pass", "equal bit for bit")


def check(
    specs: Sequence[RunSpec],
    baseline: Baseline,
    train: Callable[[Sequence[RunSpec]], Sequence[StoredRun]],
    *,
    name: str,
    tolerance: float = TOLERANCE,
) -> Report:
    """Have `specs` trained anew by `train` and judge them against `baseline`, which the report calls `name`.

    The runs of each cell are trained in the order of `specs`, up to the first of `gate.looks`. If the curves
    of all are the recorded ones bit for bit, nothing has changed and nothing is judged. Otherwise they are
    judged, and where that is inconclusive the rest is trained and all are judged again.

    tolerance:  by how much a plateau may grow, at least 1

    Errors: AttnsearchError, before anything is trained, where the baseline did not record `specs`. What goes
    wrong in training is the report's `failure`, and so is a run that leaks.
    """
    if not 1 <= tolerance < float("inf"):
        raise AttnsearchError(
            f"tolerance {tolerance:g} is not a factor by which a plateau may grow: give 1 or more"
        )
    with placed(name):
        cells = matched(baseline, specs)
    if not cells:
        return Report(baseline.suite, name, tolerance, 0)
    trained: dict[RunSpec, RecordedRun] = {}
    counts = looks(min(len(own) for own, _ in cells))
    report = Report(baseline.suite, name, tolerance, counts[-1])
    for count, level in zip(counts, levels(counts), strict=True):
        due = [spec for own, _ in cells for spec in own[:count]]
        try:
            missing = [spec for spec in due if spec not in trained]
            ended = train(missing)
            require_sound("nothing was judged", ended)
            trained |= {run.spec: RecordedRun.of(run) for run in ended}
        except Exception as error:
            return replace(report, failure=Failure.of(error))
        judged = [([trained[spec] for spec in own[:count]], recorded.runs) for own, recorded in cells]
        pairs = tuple(
            Pair(own[0].cell, outcomes(now), outcomes(then))
            for (own, _), (now, then) in zip(cells, judged, strict=True)
        )
        same = [equal for now, then in judged for equal in _equal(now, then)]
        changes = tuple(dict.fromkeys(change for now, then in judged for change in _changes(now, then)))
        report = replace(
            report,
            looks=(*report.looks, count),
            pairs=pairs,
            recorded=len(same),
            equal=sum(same),
            environment=changes,
        )
        if report.unchanged:
            return replace(report, judgement=Judgement((_EQUAL,) * len(pairs), ()))
        report = replace(report, judgement=judge(pairs, tolerance=tolerance, level=level))
        if report.verdict != "inconclusive":
            break
    return report


def recorded_lanes(baseline: Baseline, device: str) -> int | None:
    """Lanes of each device when it was recorded; None where that was another kind than `device`.

    The last bit of a curve depends on them.
    """
    recorded = baseline.environments[0]
    if recorded.get("device") != device:
        return None
    return max(1, int(recorded.get("lanes", 1)) // max(1, int(recorded.get("devices", 1))))


def _equal(now: Sequence[RecordedRun], then: Sequence[RecordedRun]) -> Iterator[bool]:
    """Of each run whose seed was recorded, whether its curves were too."""
    curves = {run.seed: run.curves for run in then}
    return (run.curves == curves[run.seed] for run in now if run.seed in curves)


def _changes(now: Sequence[RecordedRun], then: Sequence[RecordedRun]) -> Iterator[str]:
    """What differs between where two groups of runs were trained, as `name then -> now`."""
    after, before = dict(_flat(now[0].environment)), dict(_flat(then[0].environment))
    for name in {**before, **after}:
        if after.get(name) != before.get(name):
            yield f"{name} {before.get(name)} -> {after.get(name)}"


def _flat(environment: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each entry by its name, the entries of `versions` among them."""
    for name, value in environment.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name, value
