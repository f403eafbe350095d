"""What the jax backend can train, and that it finds that out once."""

import pytest

from attnsearch.backends import specify
from attnsearch.base import AttnsearchError
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.network import Network

TINY = {"state_size": [4], "width": [32], "num_heads": [4], "mlp_width": [64], "tokens_per_step": [64]}


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The mixers of the networks that are traced, as it goes."""
    found: list[str] = []
    real = Network.of

    def noted(spec, mixer, *rest):
        found.append(mixer.__name__)
        return real(spec, mixer, *rest)

    monkeypatch.setattr(Network, "of", noted)
    return found


def test_a_network_is_traced_once_however_often_its_runs_are_asked_for(traced: list[str]):
    """Cells that differ in traced values share a network: sparsities, rates, budgets, seeds."""
    backend = JaxBackend()
    values = {**TINY, "support_size": [1, 2, 3], "learning_rate": [1e-3, 3e-3], "steps": [100, 200]}
    specs = specify(["linear_map"], ["attention"], values, seeds=range(2), backend=backend)
    (cohort,) = backend.cohorts(specs)
    assert cohort.specs == tuple(specs)
    assert backend.cohorts(specs) == [cohort]
    assert traced == ["Attention"]
    assert backend.trainer(specs[0].cell) is cohort.trainer


def test_what_fixes_shapes_makes_cohorts(traced: list[str]):
    backend = JaxBackend()
    specs = specify(
        ["linear_map"],
        ["attention", "mlp_mixer"],
        {**TINY, "state_size": [4, 5], "support_size": [1]},
        seeds=[0],
    )
    assert [len(cohort.specs) for cohort in backend.cohorts(specs)] == [1] * 4
    assert sorted(traced) == ["Attention", "Attention", "MLPMixer", "MLPMixer"]


def test_a_step_that_holds_no_sequence_is_refused_before_anything_is_trained():
    specs = specify(["linear_map"], ["attention"], {**TINY, "tokens_per_step": [7]}, seeds=[0])
    with pytest.raises(AttnsearchError, match="tokens_per_step 7 is less than one sequence"):
        JaxBackend().cohorts(specs)
