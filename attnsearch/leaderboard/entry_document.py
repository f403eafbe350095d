"""What the file of an entry may hold: its keys, its values, and the JSON Schema that is made of them.

Numpy side; never imports jax. The schema is published as `benchmarks/leaderboard/entry.schema.json`.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from attnsearch.base import RECORDING_INTERVAL
from attnsearch.runs import verification
from attnsearch.runs.store import Status
from attnsearch.spec import run as specs
from attnsearch.spec.cell_document import Digest, MixerDocument, QuestionDocument, Seed, Text
from attnsearch.spec.settings import LARGEST_VALUE, SETTINGS

FORMAT_VERSION = 3
"""Version of the file of an entry."""

MOST_TARGETS = 2**20
"""Of a sequence. Whoever names more may have meant to fill the memory."""

Curve = Annotated[
    str,
    Meta(description="nats at each recorded point, 10, 20, ... steps; little-endian 32-bit floats in base64"),
]

_WholeNumbers = Annotated[
    str, Meta(description="one number for each target; little-endian 32-bit integers in base64")
]
_Losses = Annotated[
    str, Meta(description="nats, one number for each target; little-endian 64-bit floats in base64")
]

_LATER = "largest total variation distance by which tokens behind a query moved its answer, over all maps"
_Count = Annotated[int, Meta(ge=1, le=LARGEST_VALUE)]
_LongText = Annotated[str, Meta(min_length=1, max_length=2_000)]
_Rate = Annotated[float, Meta(gt=0, le=1e18)] | None


_Curves = Annotated[list[Curve], Meta(min_length=1, max_length=4_096)]


class RunDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A run: `digest` is the sha256 of the canonical JSON of its specification. `mean` and `worst` have a
    curve for each group of targets: those that can be foreseen, then of the others each state."""

    seed: Seed
    rule_seed: Seed
    digest: Digest
    status: Status
    later: Annotated[float, Meta(ge=0, le=1 + 1e-6, description=_LATER)] | None
    bayes_loss: Annotated[_Losses | None, Meta(title="null where all are 0")]
    found: Annotated[_WholeNumbers, Meta(title="step at which each target was found; 0 where it was not")]
    mean: Annotated[_Curves, Meta(title="loss less Bayes' loss, mean over the group")]
    worst: Annotated[_Curves, Meta(title="loss less Bayes' loss, of the worst target of the group")]


class CellDocument(QuestionDocument, frozen=True):
    """A cell: everything that was asked, what follows from the task, and the runs."""

    bits: Annotated[float, Meta(ge=0, le=1e6)]
    chance_loss: Annotated[float, Meta(gt=0, le=100)]
    targets: Annotated[int, Meta(ge=1, le=MOST_TARGETS)]
    state: Annotated[_WholeNumbers | None, Meta(title="state of each target; null where all are 1")]
    runs: Annotated[list[RunDocument], Meta(min_length=1, max_length=1_000)]


class CheckDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """What one check of a verification found."""

    check: Text
    proves: _LongText
    verdict: verification.Verdict
    evidence: _LongText


class VerificationDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """The record of `attnsearch verify`."""

    format_version: int
    attnsearch: Text
    mixer: MixerDocument
    task: Text
    width: _Count
    max_layers: _Count
    max_context: _Count
    sources: Annotated[dict[Text, Text], Meta(max_length=256)]
    passed: bool
    checks: Annotated[list[CheckDocument], Meta(max_length=64)]


class CostDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """What `attnsearch submit` measured at the largest context."""

    context_length: _Count
    parameters: Annotated[int, Meta(ge=0, le=10**15)]
    flops_per_token: _Rate
    tokens_per_second: _Rate
    device: Text


_Cells = Annotated[list[CellDocument], Meta(max_length=500)]


class EntryDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """One mixer on one suite. Beyond this schema: every text is printable, every number finite, no key stands
    twice, and the curves agree with the status, the budget and the digest of their run."""

    format_version: Annotated[int, Meta(ge=FORMAT_VERSION, le=FORMAT_VERSION)]
    run_format_version: Annotated[int, Meta(ge=specs.FORMAT_VERSION, le=specs.FORMAT_VERSION)]
    suite: Text
    mixer: MixerDocument
    environment: Annotated[dict[Text, Text], Meta(max_length=32)]
    cost: CostDocument | None
    verification: VerificationDocument | None
    selection: _Cells
    scored: Annotated[_Cells, Meta(min_length=1)]


def schema() -> dict[str, Any]:
    """The JSON Schema of an entry's file."""
    made = msgspec.json.schema(EntryDocument)
    for definition in made["$defs"].values():
        # A dataclass is decoded as strictly as a struct, and its settings keep to the bounds of all settings.
        definition["additionalProperties"] = False
        definition["description"] = " ".join(definition.get("description", "").split())
        for name, values in definition["properties"].items():
            if (setting := SETTINGS.get(name)) and values["type"] in ("integer", "number"):
                values["exclusiveMinimum" if setting.above_minimum else "minimum"] = setting.minimum
                values["maximum"] = LARGEST_VALUE
            elif setting and setting.choices:
                values["enum"] = list(setting.choices)
            if name == "steps":
                values["multipleOf"] = RECORDING_INTERVAL
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": "Entry of the attnsearch leaderboard", **made}
