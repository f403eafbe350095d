"""The runs that are trained side by side in PyTorch, each by a worker, on sequences that are drawn here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch

from attnsearch.base import RECORDING_INTERVAL, Bools, Floats, Integers, MapRecord
from attnsearch.sequences.added_map import AddedMap
from attnsearch.sequences.contests import Contested, nothing_contested
from attnsearch.sequences.host_map import HostMap
from attnsearch.sequences.sequences import Sequences
from attnsearch.spec.run import RunSpec
from attnsearch.training import machine
from attnsearch.training.engine import Begun, Leaves, Points
from attnsearch.training.torch.cohorts import TorchCohort
from attnsearch.training.torch.trainer import Batches, Recorded, TorchTrainer, device
from attnsearch.training.torch.worker import Worker


class _Seen(NamedTuple):
    """What heads look at: their weights, `f32[A, K, L]`; mass on the supports, and entropy, `f32[A, K]`."""

    weights: Floats
    mass: Floats
    entropy: Floats


class _Run:
    """What this process knows of a run in a lane. The sequences of the next steps are drawn early."""

    def __init__(self, cohort: TorchCohort, spec: RunSpec, step: int):
        self.sequences = Sequences.of(cohort.generator, spec)
        self.added = AddedMap.of(spec, cohort.generator, self.sequences.rule)
        self.step = step
        self._next: Batches | None = None

    @cached_property
    def contests(self) -> Integers:
        """`i32[2P, L]`: what the network is asked where routes compete."""
        return self.sequences.contests()

    def draw(self) -> None:
        """Draw the next batches, unless that is done."""
        if self._next is None:
            tokens, answers = self.sequences.steps(self.step, RECORDING_INTERVAL)
            steps = range(self.step, self.step + RECORDING_INTERVAL)
            added = self.added and np.stack(list(map(self.added.at, tokens, steps)))
            self._next = Batches(tokens, answers, added)

    def take(self) -> Batches:
        """The next batches, which are then done."""
        self.draw()
        assert self._next is not None
        taken, self._next = self._next, None
        self.step += RECORDING_INTERVAL
        return taken

    def added_to(self, tokens: Integers) -> Floats | None:
        """The map that is added to the logits of `tokens`, `i32[B, L]`, in the step after the present one."""
        return self.added and self.added.at(tokens, self.step)

    def added_to_shown(self, measuring: HostMap) -> Floats | None:
        """The same of the sequences that `measuring` shows.

        Before the first replaced token it is what is added to the untouched sequence: what the map makes of a
        later token is not what the network makes of it.
        """
        after, before = (self.added_to(tokens) for tokens in (measuring.shown(), measuring.tokens))
        if after is None or before is None:
            return None
        rows = np.arange(after.shape[1]) < measuring.first[:, None]
        return np.where(rows[..., None], before, after)


class TorchLanes:
    """`training.engine.Lanes`: a worker each. No network is in this process, unless a worker is."""

    preparation = "starting PyTorch"

    def __init__(self, cohort: TorchCohort, workers: Sequence[Worker]):
        self._cohort, self._workers = cohort, workers
        self._runs: dict[int, _Run] = {}
        self._asked: Collection[int] = ()

    @property
    def count(self) -> int:
        """One a worker."""
        return len(self._workers)

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions, the device of a worker, and lanes."""
        return describe(self.count)

    def begin(self, specs: Mapping[int, RunSpec]) -> Mapping[int, Begun]:
        """Build the networks, and measure their maps."""
        self._build(specs)
        maps = self.look(specs)
        names = self._cohort.generator.route_names
        return {lane: Begun(self._runs[lane].sequences.truth(), names, maps[lane]) for lane in specs}

    def fits(self, lane: int, spec: RunSpec, leaves: Leaves) -> bool:
        """Builds the network in that lane."""
        self._build({lane: spec})
        self._workers[lane].tell("fits", leaves)
        return self._workers[lane].answer()

    def restore(self, saved: Mapping[int, tuple[RunSpec, Leaves]]) -> None:
        """Their networks were built when they were asked whether they fit."""
        for lane, (_, leaves) in saved.items():
            self._workers[lane].tell("restore", leaves)
            self._runs[lane].step = int(leaves[-1])
        self._collect(saved)

    def advance(self, lanes: Collection[int]) -> None:
        """Hand the next sequences to every worker, and draw those after them meanwhile."""
        self._asked = tuple(lanes)
        for lane in lanes:
            self._workers[lane].tell("advance", self._runs[lane].take())
        for lane in lanes:
            self._runs[lane].draw()

    def points(self) -> Points:
        """Waits for every worker."""
        generator = self._cohort.generator
        trained, told = self._collect(self._asked), self._contested(self._asked)
        unknown = np.full(len(generator.query_positions), np.nan, np.float32)
        idle = Recorded(unknown, unknown, np.full((), np.nan, np.float32))
        nobody = tuple(map(np.asarray, nothing_contested(generator)))
        every = [(*trained.get(lane, idle), *told.get(lane, nobody)) for lane in range(self.count)]
        return Points(*map(np.stack, zip(*every, strict=True)))

    def look(self, lanes: Collection[int]) -> Mapping[int, MapRecord]:
        """The influence of every token, and what the heads look at; all lanes at once."""
        maps = {lane: HostMap(self._runs[lane].sequences, self._runs[lane].step) for lane in lanes}

        def shown(lane: int) -> tuple[Any, ...]:
            return maps[lane].shown(), self._runs[lane].added_to_shown(maps[lane])

        # Every lane has the generator of the cohort, and with it as many ways.
        for _ in range(max((one.ways for one in maps.values()), default=0)):
            for lane, answers in self._each(lanes, "probabilities", shown).items():
                maps[lane].take(answers)
        heads = self._heads(lanes)
        return {lane: MapRecord(*one.influence(), *heads[lane]) for lane, one in maps.items()}

    def leaves(self, lanes: Collection[int]) -> Mapping[int, tuple[np.ndarray, ...]]:
        """As the workers send them."""
        return self._each(lanes, "leaves")

    def parameters(self, lanes: Collection[int]) -> Mapping[int, Mapping[str, Floats]]:
        """As the workers send them."""
        return self._each(lanes, "parameters")

    def _contested(self, lanes: Collection[int]) -> Mapping[int, Contested]:
        """Which of two routes each network takes; of none where no routes compete."""
        if not self._cohort.generator.competes:
            return {}
        shown = {lane: self._runs[lane].contests for lane in lanes}
        answers = self._each(
            lanes, "probabilities", lambda lane: (shown[lane], self._runs[lane].added_to(shown[lane]))
        )
        return {lane: self._runs[lane].sequences.contested(answers[lane]) for lane in lanes}

    def _build(self, specs: Mapping[int, RunSpec]) -> None:
        for lane, spec in specs.items():
            self._runs[lane] = _Run(self._cohort, spec, 0)
            self._workers[lane].tell("begin", TorchTrainer, self._cohort.run(spec))
        self._collect(specs)

    def _heads(self, lanes: Collection[int]) -> Mapping[int, _Seen]:
        """What the heads look at: means over sequences.

        One sequence after another, for the weights of all at once would not fit at long contexts.
        """
        generator = self._cohort.generator
        sums: dict[int, _Seen] = {}
        shown = {lane: self._runs[lane].sequences.looked_at() for lane in lanes}
        supports = {lane: self._runs[lane].sequences.supports(tokens) for lane, tokens in shown.items()}
        count = len(next(iter(shown.values())))
        for number in range(count):
            one = {lane: tokens[number : number + 1] for lane, tokens in shown.items()}

            def asked(lane: int, one: Mapping[int, Integers] = one) -> tuple[Any, ...]:
                run = self._runs[lane]
                positions = generator.query_positions[run.sequences.mapped_queries]
                return one[lane], run.added_to(one[lane]), positions

            for lane, weights in self._each(lanes, "weights", asked).items():
                seen = _seen(weights[0], supports[lane][number])
                sums[lane] = _Seen(*map(np.add, sums[lane], seen)) if lane in sums else seen
            if not any(total.weights.size for total in sums.values()):
                break  # a mixer without weights has none in any sequence
        return {lane: _Seen(*(total / count for total in totals)) for lane, totals in sums.items()}

    def _each(
        self,
        lanes: Collection[int],
        method: str,
        arguments: Callable[[int], tuple[Any, ...]] = lambda lane: (),
    ) -> Mapping[int, Any]:
        """What each of `lanes` answers; they work side by side."""
        for lane in lanes:
            self._workers[lane].tell(method, *arguments(lane))
        return self._collect(lanes)

    def _collect(self, lanes: Collection[int]) -> dict[int, Any]:
        return {lane: self._workers[lane].answer() for lane in lanes}


def describe(num_lanes: int) -> dict[str, Any]:
    """The environment of a run, as JSON values: versions, device, lanes."""
    packages, on_gpus = ("attnsearch", "jax", "numpy", "torch"), device().type == "cuda"
    name = torch.cuda.get_device_name() if on_gpus else "cpu"
    count = torch.cuda.device_count() if on_gpus else machine.cores()
    return machine.describe(packages, name, count, num_lanes)


def _seen(weights: Floats, supports: Bools) -> _Seen:
    """Of one sequence: weights `f32[A, K, L]`, their mass on `supports`, `bool[K, L]`, and their entropy."""
    positive = np.where(weights > 0, weights, 1.0)
    entropy = -(positive * np.log(positive)).sum(axis=-1)
    return _Seen(weights, (weights * supports).sum(axis=-1), entropy)
