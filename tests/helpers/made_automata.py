"""Runs of a cellular automaton that were never trained: more targets than rows of the map, states that fall
one after another, positions that were never probed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Bools, Curves, Heads, Integers, Truth
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import InterventionSpec, RunSpec, TaskSpec, settings
from helpers.hand_made import spec_of
from helpers.maps import maps_of

CHANCE = math.log(4)


def windows(size: int, states: int, targets: Integers) -> Bools:
    """`bool[P, L]`: the three cells round each target, in the state before."""
    found = np.zeros((len(targets), states * size), bool)
    for row, target in zip(found, targets, strict=True):
        state, cell = divmod(int(target), size)
        row[[state * size + (cell + offset) % size for offset in (-1, 0, 1)]] = True
    return found


def truth_of(size: int = 8, states: int = 6) -> Truth:
    """Two cells of the first and of the last predicted state are mapped; beside their windows, every fourth
    position is probed. Of the first state half of chance cannot be foreseen."""
    targets = (states - 1) * size
    mapped = np.array([0, 1, targets - size, targets - size + 1])
    state = np.repeat(np.arange(1, states), size)
    support = windows(size, states, mapped)
    probed = support.any(axis=0) | (np.arange(states * size) % 4 == 0)
    bits = np.log2(state * size)
    return Truth(
        attention_map=support,
        cheapest_route=support,
        query_positions=size - 1 + np.arange(targets),
        is_target=np.ones(targets, bool),
        replaceable=np.ones(states * size, bool),
        log2_search_space=bits,
        nominal_log2_search_space=bits.mean(),
        chance_loss=np.array(CHANCE),
        bayes_loss=np.where(state == 1, 0.5 * CHANCE, 0.0),
        state=state,
        mapped=mapped,
        probed=probed,
    )


def spec(
    size: int = 8, states: int = 6, seed: int = 0, intervention: InterventionSpec | None = None
) -> RunSpec:
    """One run of 400 steps, every knob of the task written out."""
    knobs = {"compositions": 1, "loss": "targets", "num_colours": 4, "num_states": states}
    knobs |= {"rule_pool": 256, "state_size": size, "window_size": 3}
    plain = spec_of("attention", seed, steps=400)
    task = TaskSpec("cellular_automaton", "cellular_automaton", settings(knobs), plain.cell.task.plateau)
    cell = replace(plain.cell, task=task, intervention=intervention or InterventionSpec())
    return replace(plain, cell=cell)


def run(given: RunSpec, first: int | None = 100, heads: int = 3) -> StoredRun:
    """State t falls at `first` + 20 (t - 2), the first to its Bayes loss and all others to nearly none; None:
    none does. Every map is nothing but noise."""
    knobs = dict(given.cell.task.knobs)
    truth = truth_of(int(str(knobs["state_size"])), int(str(knobs["num_states"])))
    step = np.arange(RECORDING_INTERVAL, 401, RECORDING_INTERVAL)
    falls = np.inf if first is None else first + 20.0 * (truth.state - 2)
    known = np.where(truth.state == 1, truth.bayes_loss, 0.02)
    loss = np.where(step[:, None] >= falls, known, CHANCE).astype(np.float32)
    noise, (rows, length) = np.random.default_rng(0), truth.attention_map.shape
    visible = np.arange(length) <= truth.queries[:, None]
    influence = noise.uniform(size=(3, rows, length)) * (truth.probed & visible)
    weights = noise.integers(0, 4, (3, heads, rows, length)) * visible
    mass = noise.uniform(size=(3, heads, rows)).astype(np.float32)
    return StoredRun(
        given,
        "exhausted",
        {"devices": ["cpu"]},
        truth,
        Curves(step.astype(np.int32), loss, np.zeros_like(loss)),
        maps_of(truth, np.array([0, 100, 400], np.int32), influence.astype(np.float32)),
        Heads(weights.astype(np.uint8), mass, mass),
    )
