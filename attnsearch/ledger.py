"""Whose a run is, and how far it got: store, claims and checkpoints of one output folder, together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from attnsearch.checkpoints import Checkpoints
from attnsearch.claims import Claim, Claims
from attnsearch.recording import measured
from attnsearch.specs import RunSpec
from attnsearch.store import Store, StoredRun


class Ledger:
    """The runs of one output folder, shared with any other process that works on it.

    A run is taken before it is trained, and finished or given back afterwards. What a process had
    taken when it was killed is free again at once.
    """

    def __init__(self, store: Store, warned: Callable[[str], None]):
        self.checkpoints = Checkpoints(store.root)
        self._store, self._warned = store, warned
        self._claims = Claims(store.root)
        self._taken: dict[RunSpec, Claim] = {}

    def find(self, spec: RunSpec) -> StoredRun | None:
        """The stored run, measured under the thresholds asked for, which may not be those of then."""
        found = self._store.find(spec, self._warned)
        if found is None:
            return None
        # Left behind by a kill between storing the run and removing its checkpoint.
        self.checkpoints.remove(spec)
        return measured(replace(found, spec=spec))

    def take(self, spec: RunSpec) -> bool:
        """Whether `spec` is this process's to train: neither held by another, nor stored meanwhile."""
        claim = self._claims.take(spec)
        if claim is None:
            return False
        if self._store.path(spec).is_dir():
            claim.release()
            return False
        self._taken[spec] = claim
        return True

    def finish(self, run: StoredRun) -> None:
        """Store a run that was taken. In this order a kill in between costs nothing but disk space."""
        self._store.save(run)
        self.checkpoints.remove(run.spec)
        self.give_back(run.spec)

    def give_back(self, spec: RunSpec) -> None:
        """Let others have a run that this process does not finish."""
        claim = self._taken.pop(spec, None)
        if claim is not None:
            claim.release()
