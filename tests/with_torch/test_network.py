"""Networks in torch and jax, from equal parameters: logits, losses, steps, maps and heads agree."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from helpers.tiny import VALUES
from helpers.with_torch.copies import copy_into

from attnsearch.backends import Backends, specify
from attnsearch.base import RECORDING_INTERVAL
from attnsearch.training.jax import probes
from attnsearch.training.jax.parameters import named
from attnsearch.training.torch.cohorts import TorchCohort
from attnsearch.training.torch.lanes import TorchLanes
from attnsearch.training.torch.trainer import TorchTrainer
from attnsearch.training.torch.worker import Here

BIASED = {"map_bias": [2.0], "map_bias_steps": ["0:10"]}
NORMED = {"qk_norm": [True], "learned_temperature": [True]}
CASES: list[tuple[str, int, dict[str, Any]]] = [
    ("attention", 1, {}),
    ("attention", 2, {}),
    ("mlp_mixer", 1, {}),
    ("mlp_mixer", 2, {}),
    ("attention", 2, {**BIASED, "map_bias_layers": ["1"]}),
    ("attention", 1, {"positions": ["none"], "relative_positions": ["rotary"], **NORMED}),
    ("attention", 1, {"positions": ["sinusoidal"], "relative_positions": ["relative_bias"]}),
    ("attention", 2, {**BIASED, "positions": ["none"], "relative_positions": ["alibi"]}),
]


class Twin:
    """One run of two backends, begun from the parameters of jax."""

    def __init__(self, mixer: str, num_layers: int, changes: dict[str, Any]) -> None:
        values = {**VALUES, "support_size": [2], "num_layers": [num_layers], **changes}
        if mixer != "attention":
            del values["num_heads"]
        backends = Backends()
        self.spec, theirs = (
            specify(["linear_map"], [name], values, seeds=[3], backend=backends)[0]
            for name in (mixer, f"torch:{mixer}")
        )
        (assigned,) = backends.cohorts([self.spec])
        self.trainer = assigned.cohort.trainer
        self.state = self.trainer.begin(assigned.cohort.inputs(self.spec))
        (assigned,) = backends.cohorts([theirs])
        self.cohort: TorchCohort = assigned.cohort
        self.worker = Here()
        self.lanes = TorchLanes(self.cohort, [self.worker])
        self.lanes.begin({0: theirs})
        kept = self.worker._kept
        assert isinstance(kept, TorchTrainer)
        copy_into(kept._model, named(self.state.parameters))


@pytest.fixture(scope="module", params=CASES, ids=str)
def twin(request: pytest.FixtureRequest) -> Twin:
    return Twin(*request.param)


def test_twenty_steps_and_both_maps_agree(twin: Twin) -> None:
    advance, look = jax.jit(twin.trainer.advance), jax.jit(probes.look, static_argnums=0)
    state = twin.state
    for _ in range(20 // RECORDING_INTERVAL):
        measured, expected = twin.lanes.look([0])[0], look(twin.trainer, state)
        for name, ours, theirs in zip(measured._fields, measured, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=2e-4, err_msg=name)
        state, record = advance(state)
        twin.lanes.advance([0])
        points = twin.lanes.points()
        np.testing.assert_allclose(points.loss[0], record.loss, atol=1e-4)
        np.testing.assert_allclose(points.accuracy[0], record.accuracy, atol=2e-3)
    trained = named(state.parameters)
    ours = twin.lanes.parameters([0])[0]
    assert len(ours) == len(trained)
    query = "blocks.0.mixer.query"
    if f"{query}.kernel" in trained:
        np.testing.assert_allclose(ours[f"{query}.weight"].T, trained[f"{query}.kernel"], atol=1e-3)


def test_networks_start_alike() -> None:
    """Drawn independently: the arrays differ, and their spreads do not."""
    twin = Twin("attention", 1, {"width": [64], "mlp_width": [256]})
    begun = TorchTrainer(twin.cohort.run(twin.cohort.specs[0]))
    ours, theirs = begun.parameters(), named(twin.state.parameters)
    pairs = {"tokens": "tokens.embedding", "positions": "positions.embedding"}
    pairs |= {
        f"{name}.weight": f"{name}.kernel" for name in ("unembedding", "blocks.0.mlp_in", "blocks.0.mlp_out")
    }
    pairs |= {f"blocks.0.mixer.{name}.weight": f"blocks.0.mixer.{name}.kernel" for name in ("query", "out")}
    for mine, other in pairs.items():
        one, two = ours[mine], theirs[other]
        assert one.size == two.size
        # The relative error of a standard deviation of n numbers is 1 / sqrt(2 n).
        assert one.std() == pytest.approx(two.std(), rel=6 / np.sqrt(one.size)), mine
        assert abs(one.max()) == pytest.approx(abs(two.max()), rel=0.35), mine
    for name, array in ours.items():
        if name.endswith("bias"):
            assert not array.any(), name
