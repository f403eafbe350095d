"""What a mixer costs on this machine: parameters, operations of a forward pass, tokens trained a second."""

from __future__ import annotations

from collections.abc import Sequence

from attnsearch.base import RECORDING_INTERVAL
from attnsearch.runs.cost import Cost
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import Backend, CohortKind

MEASURED_SECONDS = 3.0
"""Training that is timed, once it is compiled."""


def cost(specs: Sequence[RunSpec], backend: Backend[CohortKind], seconds: float = MEASURED_SECONDS) -> Cost:
    """The cost of the network of `specs`, one mixer's runs, at their largest context.

    seconds:  of training that is timed; 0 for none

    Errors: AttnsearchError where a generator or mixer refuses its settings.
    """
    largest = max(backend.cohorts(specs), key=lambda one: one.context_length)
    rate = backend.rate(largest, largest.specs, seconds) if seconds else None
    size = backend.size(largest)
    tokens = largest.batch_size * largest.context_length * RECORDING_INTERVAL
    return Cost(
        context_length=largest.context_length,
        parameters=size.parameters,
        flops_per_token=size.flops_per_token,
        tokens_per_second=None if rate is None else rate.lanes * tokens / rate.point,
        device=size.device,
    )
