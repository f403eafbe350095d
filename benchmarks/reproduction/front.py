"""The front page: what was reduced, the headline claims, what did not reproduce and why we think so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.reproduction.paper import CLAIMS
from benchmarks.reproduction.verdicts import DIRECTION, OPEN, REFUTED, REPRODUCED
from benchmarks.reproduction.writing import Claim, Experiment, paragraph, table

VERDICTS = (REPRODUCED, DIRECTION, REFUTED, OPEN)

PICTURES = ("jumps", "search", "automaton")
"""The experiments whose pictures are shown; the other pictures are on the pages of their experiments."""

REDUCED = """\
- **Steps**: 1,000 to 3,000 in most runs instead of 10,000. A step has 2,048 tokens.
- **Seeds**: five in most cells. The protocol asks for sixteen, so only plain differences show here.
- **Automata**: 4 states instead of 16, 4 rules instead of 256, half the width. S goes up to 32, not to 512.
- **Linear map**: of the published size, but mostly *isolated*: no target can be had from another.
- **Not tried**: recurrent mixers, deeper or wider networks."""

READING = """The paper's optimizer, learning rate and tokens a step are not published, so its step counts are
not exact targets. Ratios compare restricted means of waiting times, with 95 % intervals; below 1 means
shorter. A plateau ends with a single found target of 16. Some claims therefore count *half of the targets*
instead: the steps until half of them are known at once."""

UNDECIDED = """In most of these, the interval of a few seeds holds both answers. The page of each experiment
ends with the commands that would decide them. The scatter between seeds has no claim of its own: tables show
it as ranges."""


class Trained(NamedTuple):
    """What was trained for all pages."""

    runs: int
    steps: int


def front(experiments: Sequence[Experiment], trained: Trained) -> str:
    """The page, in Markdown."""
    claims = [claim for one in experiments for claim in one.claims]
    said = [claim.verdict for claim in claims]
    counts = ", ".join(f"{said.count(word)} {word}" for word in VERDICTS)
    parts = [
        "# Reproduction of arXiv:2606.25010",
        paragraph(f""""Emergent Capabilities Arise Randomly from Learning Sparse Attention Patterns" (2026)
        makes seven claims. We judged {len(claims)} claims of the paper and its replications: {counts}. The
        script `benchmarks/reproduction` wrote these pages from {trained.runs} stored runs,
        {trained.steps / 1e3:,.0f} thousand training steps on two CPU cores. Verdicts follow [fixed
        rules](reproduction/verdicts.md)."""),
        "## What was reduced",
        REDUCED,
        paragraph(READING),
        "## Headline claims",
        table(["the paper", "measured here", "ours", "published", "verdict"], headlines(experiments), "---"),
        *(picture(one) for name in PICTURES for one in experiments if one.name == name and one.picture),
        "## What did not reproduce, and why we think so",
        *refuted(claims),
        "## Not decided",
        paragraph(f"Claims that are not decided: {said.count(OPEN)}. {UNDECIDED}"),
        "## The experiments",
        table(["experiment", *VERDICTS], map(summary, experiments)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def headlines(experiments: Sequence[Experiment]) -> Iterable[list[str]]:
    """Rows of the claims that stand for each claim of the paper."""
    for number, theirs in CLAIMS.items():
        named = f"{number}. {theirs}"
        for one in experiments:
            for claim in one.claims:
                if claim.headline == number:
                    words = f"[{claim.claim}](reproduction/{one.name}.md)"
                    yield [named, words, claim.ours, claim.published, f"**{claim.verdict}**"]
                    named = ""


def refuted(claims: Sequence[Claim]) -> Iterable[str]:
    """A paragraph for each reason, after the claims that it is about; headlines have their numbers above."""
    reasons: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.verdict == REFUTED:
            reasons.setdefault(claim.why, []).append(claim)
    for why, members in reasons.items():
        told = [
            f"**{claim.claim}.**"
            + ("" if claim.headline else f" Ours: {claim.ours}. Published: {claim.published}.")
            for claim in members
        ]
        yield paragraph(f"{' '.join(told)} {why or 'We do not know why.'}")
    if not reasons:
        yield "Not one of the claims that were decided."


def picture(experiment: Experiment) -> str:
    """The picture of an experiment."""
    return f"![{experiment.picture}](images/reproduction-{experiment.name}.png)"


def summary(experiment: Experiment) -> list[str]:
    """The row of an experiment."""
    said = [claim.verdict for claim in experiment.claims]
    link = f"[{experiment.title}](reproduction/{experiment.name}.md)"
    return [link, *(str(said.count(word)) for word in VERDICTS)]
