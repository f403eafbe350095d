"""Runs in PyTorch: the same however many train at once, interrupted or killed. What goes wrong is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import contested
from helpers.sweeps import Undisturbed, Watcher, all_the_same, same, stored
from helpers.tiny import VALUES
from helpers.with_torch.faulty_mixers import Unmasked
from torch import Tensor, nn

from attnsearch.backends import Backends, run, specify
from attnsearch.base import AttnsearchError
from attnsearch.runs.parameters import unpacked
from attnsearch.runs.store import Store
from attnsearch.sequences.sequences import Sequences
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.torch.trainer import Batches, TorchTrainer
from attnsearch.training.torch.worker import Apart, can_be_sent

TWO_LANES = TrainingSettings(lanes=2, checkpoint_every=1e9)
ONE_LANE = TrainingSettings(lanes=1, checkpoint_every=0.0)
MIXER = "torch:attention"
TINY = {**VALUES, "support_size": [1], "steps": [60]}


@pytest.fixture(scope="module")
def backends() -> Backends:
    """One, so that its processes serve every test."""
    return Backends()


def wanted(backends: Backends, mixer: str = MIXER, seeds: int = 3, **changes: list[Any]) -> list[RunSpec]:
    values = {**TINY, **changes}
    if "attention" not in mixer:
        del values["num_heads"]
    return specify(["linear_map"], [mixer], values, seeds=range(seeds), backend=backends)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, backends: Backends) -> Undisturbed:
    root = tmp_path_factory.mktemp("undisturbed")
    run(wanted(backends), Store.open(root), backend=backends, settings=TWO_LANES)
    return stored(root)


def test_a_run_is_the_run_of_its_seed(undisturbed: Undisturbed, backends: Backends, tmp_path: Path) -> None:
    """Its truth is that of the same seed in jax; its curves fall; the environment names torch."""
    in_jax = run(wanted(backends, "attention"), Store.open(tmp_path), backend=backends)
    by_seed = sorted(undisturbed.values(), key=lambda one: one.spec.seed)
    for ours, theirs in zip(by_seed, in_jax, strict=True):
        assert ours.spec.seed == theirs.spec.seed
        assert ours.spec.digest != theirs.spec.digest
        for mine, other in zip(ours.truth, theirs.truth, strict=True):
            np.testing.assert_array_equal(mine, other)
        assert ours.curves.loss[-1].mean() < ours.curves.loss[0].mean()
        assert ours.heads.mass.shape[1:] == theirs.heads.mass.shape[1:]
        assert ours.environment["versions"]["torch"] == torch.__version__


def test_one_lane_in_this_process_gives_the_same_numbers(
    undisturbed: Undisturbed, backends: Backends, tmp_path: Path
) -> None:
    before = torch.random.get_rng_state()
    run(wanted(backends), Store.open(tmp_path), backend=backends, settings=ONE_LANE)
    all_the_same(tmp_path, undisturbed)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_stopped_again_and_again_it_goes_on_bit_for_bit(
    undisturbed: Undisturbed, backends: Backends, tmp_path: Path
) -> None:
    specs, store = wanted(backends), Store.open(tmp_path)
    for _ in range(10):
        try:
            run(specs, store, backend=backends, observer=Watcher(points=2), settings=TWO_LANES)
            break
        except KeyboardInterrupt:
            continue
    all_the_same(tmp_path, undisturbed)


KILLED = """
import json, os, sys
from pathlib import Path
from attnsearch.backends import run, specify
from attnsearch.runs.store import Store
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.observer import Observer

class Told(Observer):
    def advanced(self, running, num_lanes):
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        print(running[0].step, children, flush=True)

settings = TrainingSettings(lanes=2, checkpoint_every=0.0)
specs = specify(["linear_map"], ["torch:attention"], json.loads(sys.argv[2]), seeds=range(3))
run(specs, Store.open(Path(sys.argv[1])), observer=Told(), settings=settings)
"""


def test_killed_it_goes_on_bit_for_bit_and_leaves_no_process(
    undisturbed: Undisturbed, backends: Backends, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path), json.dumps(TINY)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        for line in victim.stdout:
            step, *children = line.split()
            if int(step) >= 30:
                break
        else:
            pytest.fail("it ended by itself")
        victim.send_signal(signal.SIGKILL)
    assert len(children) == 2
    for child in children:
        _ended(int(child))
    assert list(tmp_path.glob("runs/.checkpoint-*"))
    watcher = Watcher()
    run(wanted(backends), Store.open(tmp_path), backend=backends, observer=watcher, settings=TWO_LANES)
    all_the_same(tmp_path, undisturbed)
    assert min(watcher.steps) >= 10


def _ended(process: int) -> None:
    """Wait until a process that is nobody's child is gone, or only its name is left."""
    stat, waited = Path(f"/proc/{process}/stat"), 0.0
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert waited < 60, f"process {process} is still at work"
        waited += 0.1
        signal.sigtimedwait([signal.SIGUSR2], 0.1)


class Killer(Watcher):
    """Kills a worker after its first point."""

    def __init__(self, backends: Backends) -> None:
        super().__init__()
        self._pool = backends.torch._pool

    def advanced(self, running: Sequence[Any], num_lanes: int) -> None:
        super().advanced(running, num_lanes)
        if len(self.advances) == 2:
            worker = self._pool[0]
            assert isinstance(worker, Apart)
            os.kill(worker._process.pid, signal.SIGKILL)


def test_a_worker_that_is_killed_is_told_and_its_run_goes_on(
    undisturbed: Undisturbed, backends: Backends, tmp_path: Path
) -> None:
    specs, store = wanted(backends), Store.open(tmp_path)
    settings = TrainingSettings(lanes=2, checkpoint_every=0.0)
    with pytest.raises(AttnsearchError, match="was ended by signal 9; memory may have run out"):
        run(specs, store, backend=backends, observer=Killer(backends), settings=settings)
    assert not list(tmp_path.glob("runs/.claim-*"))
    run(specs, store, backend=backends, settings=settings)
    all_the_same(tmp_path, undisturbed)


class Explodes(nn.Module):
    """Fails where it is trained for real."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 2:
            raise ValueError("three is too many")
        return self.linear(x)


@pytest.mark.parametrize("lanes", [1, 2])
def test_what_a_mixer_raises_in_training_is_told(lanes: int, tmp_path: Path) -> None:
    backends = Backends(torch_mixers={"torch:mine": Explodes})
    specs = wanted(backends, "torch:mine", seeds=2)
    with pytest.raises((AttnsearchError, ValueError), match="three is too many"):
        run(specs, Store.open(tmp_path), backend=backends, settings=TrainingSettings(lanes=lanes))
    assert not list(tmp_path.glob("runs/.claim-*"))


def test_a_class_that_no_other_process_can_find_is_trained_here(tmp_path: Path) -> None:
    class Local(nn.Module):
        def __init__(self, width: int, context_length: int) -> None:
            super().__init__()
            self.linear = nn.Linear(width, width)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x)

    assert not can_be_sent(Local, Local)
    assert can_be_sent(Explodes, Explodes)
    backends = Backends(torch_mixers={"torch:local": Local})
    specs = wanted(backends, "torch:local", seeds=2, steps=[10])
    runs = run(specs, Store.open(tmp_path), backend=backends, settings=TWO_LANES)
    assert [one.environment["lanes"] for one in runs] == [1, 1]
    assert runs[0].heads.mass.shape[1] == 0


def test_parameters_are_kept_when_asked_for(
    undisturbed: Undisturbed, backends: Backends, tmp_path: Path
) -> None:
    store, settings = Store.open(tmp_path), TrainingSettings(lanes=1, save_parameters=True)
    (one,) = run(wanted(backends, seeds=1), store, backend=backends, settings=settings)
    same(one, undisturbed[one.spec])
    arrays, step = unpacked(store.path(one.spec), one.spec.digest)
    assert step == one.curves.step[-1]
    assert arrays["blocks.0.mixer.query.weight"].shape == (32, 32)


def test_a_rate_and_a_size_are_measured(backends: Backends) -> None:
    (cohort,) = backends.cohorts(wanted(backends, steps=[2_000_000_000]))
    rate = backends.rate(cohort, cohort.specs, 0.01)
    assert rate.lanes == len(os.sched_getaffinity(0)) or rate.lanes == len(cohort.specs)
    assert min(rate) > 0
    size = backends.size(cohort)
    (in_jax,) = backends.cohorts(wanted(backends, "attention"))
    assert size.parameters == backends.size(in_jax).parameters
    weights = 4 * 32 * 32 + 2 * 32 * 64
    assert size.flops_per_token is not None
    assert weights < size.flops_per_token < 5 * weights


@pytest.mark.parametrize(
    ("mixer", "complaint"),
    [
        ("torch:gruu", "unknown mixer 'torch:gruu'. Did you mean torch:gru"),
        (f"torch:{__name__}:Missing", f"mixer 'torch:{__name__}:Missing': module {__name__} has no Missing"),
        ("torch:pathlib:Path", "is a class, not a subclass of torch.nn.Module"),
    ],
)
def test_a_mixer_that_cannot_be_had_says_why(mixer: str, complaint: str, backends: Backends) -> None:
    with pytest.raises(AttnsearchError) as caught:
        wanted(backends, mixer)
    assert complaint in str(caught.value)


class Short(Explodes):
    """Loses a token."""

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)[:, 1:]


class Unset(Explodes):
    """A setting without a default."""

    def __init__(self, width: int, context_length: int, depth: int) -> None:
        super().__init__(width, context_length)


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (Short, "mixer Short returned float32[2, 7, 32] for f32[2, 8, 32]: expected f32[2, 8, 32]"),
        (Unset, "mixer Unset: setting depth has no default"),
    ],
)
def test_a_mixer_that_breaks_the_contract_is_refused_before_training(
    kind: type[nn.Module], complaint: str
) -> None:
    backends = Backends(torch_mixers={"torch:mine": kind})
    with pytest.raises(AttnsearchError) as caught:
        backends.cohorts(wanted(backends, "torch:mine"))
    assert str(caught.value) == complaint


def test_a_map_cannot_be_added_where_no_logits_are(backends: Backends) -> None:
    with pytest.raises(AttnsearchError, match=r"torch:gru has no attention logits .* biased\(x, bias\)"):
        backends.cohorts(wanted(backends, "torch:gru", map_bias=[1.0]))


def test_a_run_in_torch_audits_itself(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Attention shows nothing at all; a mixer without its mask is named."""
    assert not any(one.maps.later.any() for one in undisturbed.values())
    backends = Backends(torch_mixers={"torch:unmasked": Unmasked})
    specs = wanted(backends, "torch:unmasked", seeds=1, steps=[10])
    (seeing,) = run(specs, Store.open(tmp_path), backend=backends)
    assert seeing.leaking


def test_the_norm_of_updates_is_how_far_the_parameters_moved(
    undisturbed: Undisturbed, backends: Backends
) -> None:
    """A copy of a network, trained a step at a time."""
    spec, made = next(iter(undisturbed.items()))
    (cohort,) = backends.torch.cohorts([spec])
    sequences, trainer = Sequences.of(cohort.generator, spec), TorchTrainer(cohort.run(spec))
    for point in range(3):
        tokens, answers = sequences.steps(10 * point, 10)
        moved = []
        for step in range(10):
            before = trainer.parameters()
            trainer.advance(Batches(tokens[[step]], answers[[step]], None))
            after = trainer.parameters()
            squares = [np.sum((np.float64(after[name]) - before[name]) ** 2) for name in before]
            moved.append(np.sqrt(sum(squares)))
        assert made.updates.norm[point] == pytest.approx(np.mean(moved), rel=1e-5)


def test_competing_routes_are_told_apart_in_torch_too(backends: Backends, tmp_path: Path) -> None:
    """What its network answers, asked by a copy of it."""
    (spec,) = specify(["competing_routes"], ["torch:mlp_mixer"], contested.TINY, seeds=[0], backend=backends)
    (made,) = run([spec], Store.open(tmp_path), backend=backends, settings=ONE_LANE)
    (cohort,) = backends.torch.cohorts([spec])
    sequences, trainer = Sequences.of(cohort.generator, spec), TorchTrainer(cohort.run(spec))
    for point in range(4):
        tokens, answers = sequences.steps(10 * point, 10)
        trainer.advance(Batches(tokens, answers, None))
        told = sequences.contested(trainer.probabilities(sequences.contests(), None))
        np.testing.assert_array_equal(made.contests.margin[point], told.margin)
        np.testing.assert_array_equal(made.contests.agreement[point], told.agreement)
    np.testing.assert_allclose(made.routes.mass[:, 1], made.maps.mass, rtol=1e-5)
