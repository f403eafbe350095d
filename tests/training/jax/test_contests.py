"""A run where routes compete: which one is taken at each point, and where the map lies."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest
from helpers.contested import TINY
from helpers.sweeps import Watcher, stored

from attnsearch.backends import run, specify
from attnsearch.runs.checkpoints import Checkpoints
from attnsearch.runs.store import Store
from attnsearch.sequences.contests import CONTESTS
from attnsearch.sequences.sequences import Sequences
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.cohorts import JaxCohort


def test_margins_are_of_the_network_at_each_point(tmp_path: Path, backend: JaxBackend):
    (spec,) = specify(["competing_routes"], ["mlp_mixer"], TINY, seeds=[3], backend=backend)
    settings, store = TrainingSettings(lanes=1), Store.open(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run([spec], store, backend=backend, observer=Watcher(points=2), settings=settings)
    left = Checkpoints(tmp_path).load(spec, pytest.fail)
    run([spec], store, backend=backend, settings=settings)
    found = stored(tmp_path)[spec]
    # The network as it was when it was stopped, and what it answers.
    assert left is not None
    trainer, point = backend.trainer(spec.cell), len(left.recording.loss) - 1
    structure = jax.tree.structure(jax.eval_shape(trainer.begin, JaxCohort(trainer, (spec,)).inputs(spec)))
    parameters = jax.tree.unflatten(structure, left.leaves).parameters
    made = Sequences.of(trainer.generator, spec)
    tokens = made.contests()
    general, hints = tokens[:, :4] @ np.asarray(made.rule.rows).T % 2, tokens[:, 4:6]
    logits = jax.jit(jax.vmap(lambda one: trainer.network.apply(parameters, one, None)))(tokens)
    chances = np.asarray(jax.nn.log_softmax(logits), np.float64)
    said = [np.take_along_axis(chances, one[..., None], 2)[..., 0] for one in (general, hints)]
    expected = (said[0] - said[1])[:CONTESTS].mean(axis=1)
    np.testing.assert_allclose(found.contests.margin[point], expected, atol=1e-4)
    right = (chances.argmax(axis=-1) == general)[CONTESTS:].mean()
    assert found.contests.agreement[point] == pytest.approx(right, abs=0.02)
    assert found.contests.margin.shape == (4, CONTESTS)
    # The general route is the support.
    assert found.routes.names.tolist() == ["shallow", "general"]
    np.testing.assert_allclose(found.routes.mass[:, 1], found.maps.mass, rtol=1e-5)
    assert (found.routes.mass.sum(axis=1) <= 1 + 1e-5).all()
