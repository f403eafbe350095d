"""A small suite, and runs of it that nobody trained: curves that fall where they are told to."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Curves, Heads
from attnsearch.runs.standing import Standing
from attnsearch.runs.store import Store, StoredRun
from attnsearch.runs.verification import CHECKS, Finding, Verification
from attnsearch.spec.run import MixerSpec, RunSpec, settings
from attnsearch.spec.suite import Suite
from helpers.maps import no_maps
from helpers.truths import whole

SUITE = """\
name = "small"
title = "A small ladder"
source = "nowhere"
seeds = 6
selection_seeds = 2

[[tasks]]
task = "linear_map"
state_size = 4
support_size = [1, 2]

[[tasks]]
task = "linear_map"
state_size = 8
support_size = 4

[[mixers]]
mixer = "attention"

[training]
steps = 400
learning_rate = [1e-3, 3e-3]
"""

ATTENTION = MixerSpec("attention", settings({"num_heads": 3, "head_width": None}))
MINE = MixerSpec("mypackage.mixers:Mine", settings({"gain": 0.5, "gated": True}))

BEST = 3e-3


def suite(folder: Path, text: str = SUITE) -> Suite:
    """The suite, written to a file and read from it."""
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return Suite.read(path, None)


def run(
    spec: RunSpec, escape: float, mastery: float | None = None, diverged: float | None = None
) -> StoredRun:
    """A run that escapes and masters at these steps where its budget allows, 60 steps apart unless told, or
    diverges."""
    budget, size = spec.cell.budget, int(str(dict(spec.cell.task.knobs)["state_size"]))
    chance = math.log(2)
    step = RECORDING_INTERVAL * np.arange(1, budget.steps // RECORDING_INTERVAL + 1, dtype=np.int32)
    mastery = escape + 60 if mastery is None else mastery
    # Targets are found one after another, so that mean and worst differ.
    found = np.linspace(escape, mastery, size)
    # With the first, the others fall a little: a bag of few inputs tells as much as one target of four.
    plain = np.where(step < escape, 1.0, 0.9)[:, None]
    loss = (np.where(step[:, None] < found, plain, 0.02) * chance).astype(np.float32)
    # No two seeds have the same curves.
    loss *= np.float32(1 - 1e-5 * (1 + spec.seed))
    status = "exhausted"
    if diverged is not None:
        step = step[: math.ceil(diverged / RECORDING_INTERVAL)]
        loss = loss[: len(step)]
        loss[-1] = np.nan
        status = "diverged"
    elif (last := int(np.searchsorted(step, mastery)) + 3) <= len(step):
        step, loss, status = step[:last], loss[:last], "mastered"
    support = np.zeros((size, 2 * size), bool)
    support[:, : int(str(dict(spec.cell.task.knobs)["support_size"]))] = True
    bits = math.log2(math.comb(size, int(support[0].sum())))
    truth = whole(
        attention_map=support,
        query_positions=np.arange(size, 2 * size, dtype=np.int32),
        is_target=np.ones(size, bool),
        replaceable=np.arange(2 * size) < size,
        log2_search_space=np.full(size, bits),
        nominal_log2_search_space=bits,
        chance_loss=chance,
    )
    maps = no_maps(np.zeros(1, np.int32), size, 2 * size)
    environment = {"device": "cpu", "versions": {"attnsearch": "0.1.0", "jax": "0.8.0"}}
    curves = Curves(step, loss, np.zeros_like(loss))
    return StoredRun(spec, status, environment, truth, curves, maps, Heads.none(maps))


def runs(suite: Suite, mixer: MixerSpec, pace: float = 1.0, best: float = BEST) -> list[StoredRun]:
    """Every run of `mixer` on `suite`: a plateau that grows fourfold with each bit, `pace` times as long, and
    twice that away from the best learning rate. Each seed is a little slower than the one before."""
    mine = suite.reduced(None, {}, [mixer])
    made = []
    for spec in [*mine.selection(), *mine.scored({mixer: best})]:
        knobs = dict(spec.cell.task.knobs)
        bits = math.log2(math.comb(int(str(knobs["state_size"])), int(str(knobs["support_size"]))))
        slow = 1.0 if spec.cell.optimizer.learning_rate == best else 2.0
        escape = 2.5 * pace * slow * 4 ** (bits - 1) * (1 + spec.seed / 20)
        made.append(run(spec, math.ceil(escape / 10) * 10))
    return made


def verification(mixer: MixerSpec, verdict: str = "passed") -> Verification:
    """A record in which the mixer has passed every check, but perhaps the first."""
    verdicts = (verdict, *["passed"] * (len(CHECKS) - 1))
    findings = tuple(
        Finding(check, "that it is sound", said, "looked")  # pyright: ignore[reportArgumentType]
        for check, said in zip(CHECKS, verdicts, strict=True)
    )
    return Verification(mixer, "linear_map", 128, 4, 256, findings, (), "0.1.0")


STANDINGS: dict[str, Standing] = {
    "verified": Standing("verified", "is verified on mine at width 128", verification(ATTENTION)),
    "failed": Standing("failed", "failed verification: gradients", verification(ATTENTION, "failed")),
    "not checked": Standing("not checked", "has not been checked"),
}
"""A mixer in each of its three states."""


def stored(folder: Path, made: list[StoredRun]) -> Path:
    """A store that holds these runs."""
    store = Store.open(folder)
    for one in made:
        store.save(one)
    return folder
