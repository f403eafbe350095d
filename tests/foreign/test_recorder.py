"""A loop of one's own is recorded as attnsearch records its own."""

from pathlib import Path

import jax
import numpy as np
import pytest
from helpers.tiny import VALUES

import attnsearch
from attnsearch.base import RECORDING_INTERVAL, Example, Floats, Integers
from attnsearch.runs.store import Store, StoredRun, read
from attnsearch.spec.run import UNTOLD
from attnsearch.training.jax.backend import JaxBackend, run, specify
from attnsearch.training.jax.cohorts import JaxCohort

TOLD = {name: value for name, (value,) in VALUES.items() if name not in ("num_heads", "support_size")}


def test_a_loop_that_trains_the_same_network_is_recorded_as_the_same_run(
    tmp_path: Path, backend: JaxBackend
) -> None:
    values = {**VALUES, "steps": [60]}
    (own,) = run(
        specify(["linear_map"], ["attention"], values, seeds=[3]), Store.open(tmp_path), backend=backend
    )
    trainer = backend.trainer(own.spec.cell)
    state = jax.jit(trainer.begin)(JaxCohort(trainer, (own.spec,)).inputs(own.spec))
    apply = jax.jit(
        lambda state, tokens: jax.vmap(lambda one: trainer.network.apply(state.parameters, one))(tokens)
    )
    step = jax.jit(trainer._step)

    def logits(tokens: Integers) -> jax.Array:
        return apply(state, tokens)

    settings = {**TOLD, "support_size": 1, "steps": 60}
    with attnsearch.Recorder("linear_map", "again", seed=3, out=tmp_path, settings=settings) as recorder:
        for batch in recorder.batches(logits):
            np.testing.assert_array_equal(batch.tokens, trainer.batch(state).tokens)
            state, record = step(state, None)
            recorder.record(record.loss, record.accuracy)
        found = recorder.finish()
    assert found.spec.cell.mixer.name == "foreign:again"
    assert found.status == own.status
    jax.tree.map(np.testing.assert_array_equal, found.truth, own.truth)
    np.testing.assert_array_equal(found.maps.step, own.maps.step)
    for mine, theirs in ((found.curves, own.curves), (found.maps, own.maps)):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert read(Store(tmp_path).path(found.spec)).measures.plateau_length == own.measures.plateau_length
