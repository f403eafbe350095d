"""Trains runs and holds them against recorded ones. Jax side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from attnsearch.base import AttnsearchError
from attnsearch.gate.baseline import Baseline, RecordedRun, outcomes
from attnsearch.gate.decision import TOLERANCE, Finding, Judgement, Pair, judge, levels, looks
from attnsearch.gate.matching import matched
from attnsearch.gate.verdict import Failure, Report
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec
from attnsearch.spec.suite import placed
from attnsearch.training.jax.cohorts import Registries, cohorts
from attnsearch.training.jax.devices import describe
from attnsearch.training.jax.engine import EngineSettings
from attnsearch.training.observer import Observer
from attnsearch.training.runner import run

_EQUAL = Finding("pass", "equal bit for bit")


def check(
    specs: Sequence[RunSpec],
    baseline: Baseline,
    store: Store,
    *,
    name: str,
    tolerance: float = TOLERANCE,
    registries: Registries | None = None,
    observer: Observer | None = None,
    settings: EngineSettings | None = None,
) -> Report:
    """Train `specs` anew and judge them against `baseline`, which the report calls `name`.

    The runs of each cell are trained in the order of `specs`, up to the first of `gate.looks`. If the curves
    of all are the recorded ones bit for bit, nothing has changed and nothing is judged. Otherwise they are
    judged, and where that is inconclusive the rest is trained and all are judged again.

    store:      where they are trained. It may hold none of them, or nothing would be trained
    tolerance:  by how much a plateau may grow, at least 1
    settings:   unless given, as many lanes as the baseline had on such a device, for the last bit of a curve
                depends on them

    Errors: AttnsearchError, before anything is trained, where `specs` are not those of the baseline or cannot
    be met. What goes wrong in training is the report's `failure`.
    """
    if not 1 <= tolerance < float("inf"):
        raise AttnsearchError(f"tolerance {tolerance:g} is no factor by which a plateau may grow: at least 1")
    with placed(name):
        cells = matched(baseline, specs)
    if any(store.path(spec).exists() for spec in specs):
        raise AttnsearchError(
            f"{store.root} holds runs of this suite, and a check trains them anew: give another folder"
        )
    registries, settings = registries or Registries(), settings or EngineSettings()
    cohorts(specs, registries)
    if settings.lanes is None:
        settings = replace(settings, lanes=_lanes(baseline))
    if not cells:
        return Report(baseline.suite, name, tolerance, 0)
    trained: dict[RunSpec, RecordedRun] = {}
    counts = looks(min(len(own) for own, _ in cells))
    report = Report(baseline.suite, name, tolerance, counts[-1])
    for count, level in zip(counts, levels(counts), strict=True):
        due = [spec for own, _ in cells for spec in own[:count]]
        try:
            missing = [spec for spec in due if spec not in trained]
            trained |= {
                ended.spec: RecordedRun.of(ended)
                for ended in run(missing, store, registries, observer, settings)
            }
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


def _lanes(baseline: Baseline) -> int | None:
    """Lanes of each device when it was recorded; None where that was another kind of device."""
    recorded = baseline.environments[0]
    if recorded.get("device") != describe(1)["device"]:
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
    """Each entry by its name, those of `versions` among them."""
    for name, value in environment.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name, value
