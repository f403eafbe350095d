"""Which runs a verification speaks of: what must be equal, and what must lie within what was tried.

Numpy side; never imports jax. `docs/verify.md` says why each is as it is.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from attnsearch.runs.verification import MAX_CONTEXT, MAX_LAYERS, Verification
from attnsearch.spec.command import mixer_settings
from attnsearch.spec.plugins import shipped
from attnsearch.spec.run import CellSpec, TaskSpec


def uncovered(record: Verification, cell: CellSpec) -> str | None:
    """Why `record` does not speak of the mixer in `cell`, in words that follow its name; None where it does.

    Settings and width are equal. Layers and tokens lie within what was tried. Whether the code is the same is
    a question for `attnsearch.runs.standing`.
    """
    if record.mixer != cell.mixer:
        return "has not been checked with these settings"
    if record.width != cell.network.width:
        return f"has not been checked at width {cell.network.width}, only at {record.width}"
    return beyond([record], cell)


def beyond(records: Sequence[Verification], cell: CellSpec) -> str | None:
    """Why none of `records`, at least one, was tried in a network as deep and on a sequence as long as in
    `cell`; None where one was. Words as for `uncovered`."""
    layers, tokens = cell.network.num_layers, context_length(cell.task) or 0
    deep = [record for record in records if record.max_layers >= layers]
    if not deep:
        most = max(record.max_layers for record in records)
        return f"has not been checked in networks of {layers} layers, only of up to {most}"
    if not any(record.max_context >= tokens for record in deep):
        most = max(record.max_context for record in deep)
        return f"has not been checked on {tokens:,} tokens, only on up to {most:,}"
    return None


def context_length(task: TaskSpec) -> int | None:
    """Tokens of a sequence. None where `shipped` does not know the generator."""
    made = shipped(task)
    return None if made is None else made.context_length


def verify_command(cells: Sequence[CellSpec]) -> str:
    """One line for a shell: it makes a record that speaks of all `cells`, of one mixer at one width."""
    mixer, width = cells[0].mixer, cells[0].network.width
    words = ["attnsearch", "verify", mixer.name, *mixer_settings(mixer), "--width", str(width)]
    layers = max(cell.network.num_layers for cell in cells)
    tokens = max(context_length(cell.task) or 0 for cell in cells)
    words += ["--max-layers", str(layers)] if layers > MAX_LAYERS else []
    words += ["--max-context", str(tokens)] if tokens > MAX_CONTEXT else []
    return shlex.join(words)
