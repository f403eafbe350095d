"""What a mixer costs, as entries keep it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What a mixer costs, at the largest context of its suite, on the device it was measured on.

    parameters:         of the whole network
    flops_per_token:    of a forward pass, by the compiler's count; None where it does not count
    tokens_per_second:  trained, of all lanes together; None where it was not measured
    """

    context_length: int
    parameters: int
    flops_per_token: float | None
    tokens_per_second: float | None
    device: str
