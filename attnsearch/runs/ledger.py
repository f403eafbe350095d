"""Whose a run is, and how far it got: store, claims and checkpoints of one output folder, together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from attnsearch.base import Floats
from attnsearch.runs.checkpoints import Checkpoints
from attnsearch.runs.claims import Claim, Claims
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import RunSpec


class Ledger:
    """The runs of one output folder, shared with any other process that works on it.

    A run is taken before it is trained, and finished or given back afterwards. What a process had
    taken when it was killed is free again at once. `parameters` says that runs are to be stored with those
    of their networks: one that lacks them is `incomplete`, and is trained again.
    """

    def __init__(self, store: Store, warned: Callable[[str], None], parameters: bool = False):
        self.checkpoints = Checkpoints(store.root)
        self.incomplete: dict[RunSpec, StoredRun] = {}
        self._store, self._warned, self._parameters = store, warned, parameters
        self._claims = Claims(store.root)
        self._taken: dict[RunSpec, Claim] = {}

    def find(self, spec: RunSpec) -> StoredRun | None:
        """The stored run, measured under the thresholds asked for, which may not be those of then."""
        found = self._store.find(spec, self._warned)
        if found is None:
            return None
        found = replace(found, spec=spec)
        if not self._holds(spec):
            self.incomplete[spec] = found
            return None
        # Left behind by a kill between storing the run and removing its checkpoint.
        self.checkpoints.remove(spec)
        return found

    def take(self, spec: RunSpec) -> bool:
        """Whether `spec` is this process's to train: neither held by another, nor stored meanwhile."""
        claim = self._claims.take(spec)
        if claim is None:
            return False
        if self._holds(spec):
            claim.release()
            return False
        self._taken[spec] = claim
        return True

    def finish(self, run: StoredRun, parameters: Mapping[str, Floats] | None = None) -> StoredRun:
        """Store a run that was taken; what is stored now, which is the earlier one where there was one.

        In this order a kill in between costs nothing but disk space.
        """
        self._store.save(run, parameters)
        self.checkpoints.remove(run.spec)
        self.give_back(run.spec)
        stored = self.incomplete.pop(run.spec, run)
        if (before := _end(stored)) != (now := _end(run)):
            self._warned(
                f"run {run.spec.digest[:12]}, trained again for its parameters, {now}, but as it is stored"
                f" it {before}: on other devices, with other versions or thresholds runs end elsewhere"
            )
        return stored

    def give_back(self, spec: RunSpec) -> None:
        """Let others have a run that this process does not finish."""
        claim = self._taken.pop(spec, None)
        if claim is not None:
            claim.release()

    def _holds(self, spec: RunSpec) -> bool:
        return self._store.holds(spec, parameters=self._parameters)


def _end(run: StoredRun) -> str:
    return f"ended {run.status} after {run.curves.step.max(initial=0):,} steps"
