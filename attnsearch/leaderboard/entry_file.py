"""The file of an entry: written from measured runs, and read from whoever sent it, who is not trusted.

Numpy side; never imports jax. A file is JSON of bounded size and depth, and `leaderboard.schema`
says what it may hold. Nothing in it is run, unpickled, fetched or taken for a path, and no number that
follows from its curves is read from it.
"""

from __future__ import annotations

import base64
import json
import math
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, Floats
from attnsearch.files import DAMAGE, explaining, reason
from attnsearch.leaderboard.entry import Entry, EntryCell, EntryRun
from attnsearch.leaderboard.schema import FORMAT_VERSION, check, refuse, shown
from attnsearch.runs.cost import Cost
from attnsearch.runs.measures import MASTERY_HOLD, held
from attnsearch.runs.verification import Verification
from attnsearch.spec import run as specs
from attnsearch.spec.reading import placed
from attnsearch.spec.run import (
    BudgetSpec,
    CellSpec,
    MixerSpec,
    NetworkSpec,
    OptimizerSpec,
    PlateauRule,
    RunSpec,
    TaskSpec,
    settings,
)
from attnsearch.spec.settings import SETTINGS

LARGEST_FILE = 8 * 2**20
"""Bytes. Ten cells of 3,000 steps, with 16 scored runs and 12 to choose by in each, take a million."""

LINEAR_MAPS = ("linear_map", "linear_map_autoregressive")
"""Generators whose chance and search space follow from their knobs."""


class OtherVersion(AttnsearchError):
    """An entry that may be sound, but is of another format version."""


def written(entry: Entry) -> str:
    """The text of the file of `entry`."""
    document = {
        "format_version": FORMAT_VERSION,
        "run_format_version": specs.FORMAT_VERSION,
        "suite": entry.suite,
        "mixer": {"name": entry.mixer.name, "settings": dict(entry.mixer.settings)},
        "environment": dict(entry.environment),
        "cost": None if entry.cost is None else asdict(entry.cost),
        "verification": None if entry.verification is None else entry.verification.to_json(),
        "selection": [_cell_document(cell) for cell in entry.selection],
        "scored": [_cell_document(cell) for cell in entry.scored],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _cell_document(cell: EntryCell) -> dict[str, Any]:
    spec = cell.spec
    task = {**asdict(spec.task), "knobs": dict(spec.task.knobs)}
    return {
        "task": task,
        "network": asdict(spec.network),
        "optimizer": asdict(spec.optimizer),
        "budget": asdict(spec.budget),
        "bits": cell.bits,
        "chance_loss": cell.chance_loss,
        "runs": [
            {
                "seed": run.spec.seed,
                "rule_seed": run.spec.rule_seed,
                "digest": run.spec.digest,
                "status": run.status,
                "mean": _encoded(run.mean),
                "worst": _encoded(run.worst),
            }
            for run in cell.runs
        ],
    }


def _encoded(curve: Floats) -> str:
    return base64.b64encode(curve.astype("<f4").tobytes()).decode()


def read(path: Path) -> Entry:
    """The entry in the file at `path`.

    Errors: AttnsearchError naming the file and the place in it; OtherVersion where it is of another format.
    """
    # Whoever sent the file has named it, too.
    name = str(path) if str(path).isprintable() else ascii(str(path))
    with explaining(f"{name} cannot be read"):
        if not stat.S_ISREG(path.stat().st_mode):
            raise AttnsearchError(f"{name}: is no file")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    with placed(name):
        return parsed(content)


def parsed(content: bytes) -> Entry:
    """The entry that `content` is the file of. Errors: as `read`, without the file."""
    if len(content) > LARGEST_FILE:
        raise AttnsearchError(f"is larger than {LARGEST_FILE:,} bytes")
    try:
        document = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_int=_whole,
            parse_float=_number,
        )
    except RecursionError as error:
        raise AttnsearchError("is nested too deeply") from error
    except ValueError as error:
        raise AttnsearchError(f"is not JSON: {reason(error)}") from error
    _check_versions(document)
    check(document)
    return _entry(document)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise AttnsearchError(f"key {shown(name)} stands twice")
        found[name] = value
    return found


def _no_number(text: str) -> float:
    raise AttnsearchError(f"{text} is no number")


def _whole(text: str) -> int:
    if len(text) > 20:
        raise AttnsearchError(f"{text[:20]}... is too large a number")
    return int(text)


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise AttnsearchError(f"{text[:20]} is too large a number")
    return value


def _check_versions(document: Any) -> None:
    """What another version of attnsearch wrote is no fault of the file."""
    for key, expected in (("format_version", FORMAT_VERSION), ("run_format_version", specs.FORMAT_VERSION)):
        found = document.get(key) if isinstance(document, dict) else None
        if type(found) is int and found != expected:
            raise OtherVersion(f"{key} {found}, expected {expected}")


# From here on the document is as the schema has it.


def _entry(document: Mapping[str, Any]) -> Entry:
    mixer = _mixer(document["mixer"])
    selection, scored = (
        tuple(_cell(f"{key}[{number}]", cell, mixer) for number, cell in enumerate(document[key]))
        for key in ("selection", "scored")
    )
    for key, cells in (("selection", selection), ("scored", scored)):
        _once(key, [cell.spec for cell in cells])
    _once("selection and scored", [run.spec for cell in (*selection, *scored) for run in cell.runs])
    cost = document["cost"]
    return Entry(
        suite=document["suite"],
        mixer=mixer,
        selection=selection,
        scored=scored,
        verification=_verification(document["verification"], mixer),
        cost=None if cost is None else Cost(**cost),
        environment=document["environment"],
    )


def _once(where: str, items: Sequence[object]) -> None:
    if len(set(items)) < len(items):
        kind = "run" if isinstance(items[0], RunSpec) else "cell"
        refuse(where, f"a {kind} stands twice")


def _mixer(document: Mapping[str, Any]) -> MixerSpec:
    return MixerSpec(document["name"], settings(document["settings"]))


def _verification(document: Mapping[str, Any] | None, mixer: MixerSpec) -> Verification | None:
    if document is None:
        return None
    try:
        record = Verification.from_json(document)
    except DAMAGE as error:
        raise AttnsearchError(f"verification: {reason(error)}") from error
    if record.mixer != mixer:
        refuse("verification.mixer", "is another mixer than the entry's")
    return record


def _cell(where: str, document: Mapping[str, Any], mixer: MixerSpec) -> EntryCell:
    task = document["task"]
    knobs, rule = settings(task["knobs"]), PlateauRule(**task["plateau"])
    network, optimizer, budget = (
        # A whole number at a place for decimals is one, as on the command line.
        {name: SETTINGS[name].check(name, value) for name, value in document[key].items()}
        for key in ("network", "optimizer", "budget")
    )
    spec = CellSpec(
        TaskSpec(task["name"], task["generator"], knobs, rule),
        mixer,
        NetworkSpec(**network),  # pyright: ignore[reportArgumentType]
        OptimizerSpec(**optimizer),  # pyright: ignore[reportArgumentType]
        BudgetSpec(**budget),  # pyright: ignore[reportArgumentType]
    )
    bits, chance_loss = float(document["bits"]), float(document["chance_loss"])
    _check_task(where, spec.task, bits, chance_loss)
    runs = [
        _run(f"{where}.runs[{number}]", run, spec, chance_loss) for number, run in enumerate(document["runs"])
    ]
    return EntryCell(spec, bits, chance_loss, tuple(sorted(runs, key=lambda run: run.spec.seed)))


def _check_task(where: str, task: TaskSpec, bits: float, chance_loss: float) -> None:
    """What is known of a generator's chance and search space, computed again."""
    if task.generator not in LINEAR_MAPS:
        return
    knobs = dict(task.knobs)
    size, support = knobs.get("state_size"), knobs.get("support_size")
    if type(size) is not int or type(support) is not int or not 1 <= support <= size:
        refuse(f"{where}.task.knobs", f"are not those of generator {task.generator}")
    # log2 C(S, s), also where the number itself would fill the memory.
    expected = -(math.log1p(size) + special.betaln(size - support + 1, support + 1)) / math.log(2)
    for key, value, right in (("bits", bits, expected), ("chance_loss", chance_loss, math.log(2))):
        if not math.isclose(value, right, rel_tol=1e-6, abs_tol=1e-6):
            refuse(f"{where}.{key}", f"{value} is not {right:.6f}, which follows from the task")


def _run(where: str, document: Mapping[str, Any], cell: CellSpec, chance_loss: float) -> EntryRun:
    spec = RunSpec(cell, document["seed"], document["rule_seed"])
    if spec.digest != document["digest"]:
        refuse(f"{where}.digest", f"is not that of the run's specification, {spec.digest}")
    mean, worst = (_curve(f"{where}.{key}", document[key]) for key in ("mean", "worst"))
    if len(mean) != len(worst):
        refuse(where, f"mean has {len(mean)} points, and worst {len(worst)}")
    # A mean of rounded losses may be above them by as little as it may be below nothing.
    if (mean > worst).any() or (mean < -1e-3).any():
        refuse(f"{where}.mean", "is above worst, or below zero, at some point")
    run = EntryRun(spec, document["status"], mean, worst)
    _check_end(where, run, chance_loss)
    return run


def _curve(where: str, text: str) -> Floats:
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise AttnsearchError(f"{where}: is not base64: {reason(error)}") from error
    if len(content) % 4:
        refuse(where, f"{len(content)} bytes are no 32-bit floats")
    curve = np.frombuffer(content, "<f4").astype(np.float32)
    if not np.isfinite(curve).all():
        refuse(where, f"point {int(np.argmin(np.isfinite(curve)))} is not finite")
    return curve


def _check_end(where: str, run: EntryRun, chance_loss: float) -> None:
    """A run ends when it has mastered, diverged or used up its budget, as `recording.Recording` decides."""
    budget, points = run.spec.cell.budget, len(run.mean)
    full = budget.steps // RECORDING_INTERVAL
    masters = held(np.less(run.worst, run.spec.cell.task.plateau.mastery * chance_loss))
    mastered = bool(masters.any())
    stopped = int(masters.argmax()) + MASTERY_HOLD if mastered and budget.early_stopping else full
    right = {
        "mastered": mastered and points == stopped,
        "exhausted": not mastered and points == full,
        "diverged": points < full and not (mastered and budget.early_stopping),
    }
    if not right[run.status]:
        verb = "masters every target" if mastered else "does not master every target"
        refuse(
            f"{where}.status",
            f"{run.status} does not fit a curve of {points} points that {verb}, with a budget of {full}",
        )
