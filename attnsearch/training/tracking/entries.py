"""What trackers are told of a run, worked out from what it recorded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Floats, MapRecord
from attnsearch.results.layout import shares_of
from attnsearch.runs.outline import Targets, finds
from attnsearch.runs.recorder import Recording
from attnsearch.runs.store import StoredRun
from attnsearch.spec.command import commands
from attnsearch.spec.names import Names, facts, file_stem
from attnsearch.spec.run import BudgetSpec, CellSpec, InterventionSpec, NetworkSpec, OptimizerSpec
from attnsearch.training.tracking.images import Image, enlarged, shaded, tiled
from attnsearch.training.tracking.tracker import Ending, Entry, Subject

MOST_TARGETS = 32
"""Targets whose losses are told one by one; of more, so many of them, evenly spread."""


def subject_of(recording: Recording) -> Subject:
    """What is known of a run before its first step."""
    spec, truth = recording.spec, recording.truth
    cell = spec.cell
    # Beside a cell of default settings, all that differs from these is said; whatever else is trained.
    usual = CellSpec(cell.task, cell.mixer, NetworkSpec(), OptimizerSpec(), BudgetSpec(), InterventionSpec())
    names = Names([cell, usual])
    settings = {
        **facts(cell),
        "seed": spec.seed,
        "rule_seed": spec.rule_seed,
        "digest": spec.digest,
        "chance_loss": float(truth.chance_loss),
        "log2_search_space": float(truth.log2_search_space.mean()),
    }
    rule = "" if spec.rule_seed == spec.seed else f"-rule-seed-{spec.rule_seed}"
    return Subject(
        spec=spec,
        name=names.run(spec),
        cell=file_stem(names.full(cell), f"-{Names([cell]).digits}"),
        seed=f"seed-{spec.seed}{rule}",
        tags=(cell.task.name, cell.mixer.name),
        settings=settings,
        command=commands([spec])[0],
    )


def entries(recording: Recording, after: int, until: int) -> list[Entry]:
    """What was recorded later than step `after` and up to step `until`, in order. Before step 0 is -1."""
    first, last = max(after, 0) // RECORDING_INTERVAL, until // RECORDING_INTERVAL
    values: dict[int, dict[str, float]] = {}
    for number, point in enumerate(_points(recording, first, last), start=first + 1):
        values[number * RECORDING_INTERVAL] = point
    images: dict[int, dict[str, Image]] = {}
    for step, record in zip(recording.map_steps, recording.maps, strict=False):
        if after < step <= until:
            values[step] = values.get(step, {}) | _masses(record)
            images[step] = _pictures(record)
    if 0 in images:
        images[0]["maps/true"] = enlarged(shaded(recording.truth.attention_map))
    return [Entry(step, told, images.get(step, {})) for step, told in sorted(values.items())]


def ending_of(run: StoredRun) -> Ending:
    """How a run that is stored ended."""
    measures = run.measures
    told = {
        "plateau/length": float(measures.plateau_length),
        "plateau/escaped": float(measures.escaped),
        "mastery/step": float(measures.mastery_step),
        "mastery/mastered": float(measures.mastered),
    }
    return Ending(run.status, int(run.curves.step[-1]), told)


def _points(recording: Recording, first: int, last: int) -> list[dict[str, float]]:
    """The numbers of the recorded points `first` to `last`, without the latter."""
    if first >= last:
        return []
    truth, plateau = recording.truth, recording.spec.cell.task.plateau
    loss = np.stack(recording.loss[first:last])[:, truth.is_target]
    told = {
        "loss/mean": loss.mean(axis=1),
        "loss/worst": loss.max(axis=1),
        "accuracy/mean": np.stack(recording.accuracy[first:last])[:, truth.is_target].mean(axis=1),
        "targets/found": finds(loss, Targets.of(truth), plateau).sum(axis=1),
    }
    norm = np.array(recording.update_norm[first:last])
    if np.isfinite(norm).any():
        told["updates/norm"] = norm
    if recording.margin[0].size:
        told["routes/margin"] = np.stack(recording.margin[first:last]).mean(axis=1)
        told["routes/agreement"] = np.array(recording.agreement[first:last])
    told |= {f"target_loss/{name}": loss[:, target] for name, target in _shown(loss.shape[1]).items()}
    return [{name: float(column[row]) for name, column in told.items()} for row in range(len(loss))]


def _shown(targets: int) -> Mapping[str, int]:
    """The targets that are told one by one, by their numbers as text, which sorts as they do."""
    chosen = np.linspace(0, targets - 1, min(targets, MOST_TARGETS)).round().astype(int)
    return _numbered(chosen.tolist(), targets)


def _numbered(numbers: list[int], count: int) -> dict[str, int]:
    return {f"{number:0{len(str(count - 1))}}": number for number in numbers}


def _masses(record: MapRecord) -> dict[str, float]:
    told = {"maps/mass": record.map_mass}
    heads = _numbered(list(range(len(record.mass))), len(record.mass))
    told |= {f"attention_mass/head_{name}": record.mass[head] for name, head in heads.items()}
    return {name: mean for name, rows in told.items() if (mean := _mean(rows)) is not None}


def _mean(rows: Floats) -> float | None:
    """Of what is finite; None where nothing is."""
    finite = rows[np.isfinite(rows)]
    return float(finite.mean()) if finite.size else None


def _pictures(record: MapRecord) -> dict[str, Image]:
    pictures = {"maps/measured": enlarged(shaded(shares_of(np.nan_to_num(record.influence))))}
    if len(record.weights):
        pictures["maps/heads"] = enlarged(tiled(shaded(record.weights)))
    return pictures
