"""The appendix: the rules by which verdicts follow from numbers."""

from __future__ import annotations

from attnsearch.stats.comparison import SIGNIFICANCE
from benchmarks.reproduction.verdicts import (
    DIRECTION,
    NEAR,
    NEAR_ROWS,
    OPEN,
    REFUTED,
    REPRODUCED,
    TOLERANCE,
    WIDEST,
    WIDEST_ROWS,
)
from benchmarks.reproduction.writing import paragraph, table

KINDS = (
    (
        "order: longer or shorter",
        f"Every comparison holds. Its log-rank test has a p of at most {SIGNIFICANCE:g}, adjusted over all"
        " comparisons of the experiment. The interval of its ratio lies on the claimed side of 1.",
    ),
    (
        "does not get longer, or shorter",
        "The test never shows the denied change. On its side, every interval ends within a factor of"
        f" {TOLERANCE:g}.",
    ),
    ("a ratio or share below another", "The two intervals lie apart."),
    ("correlation with published numbers", f"Its p is at most {SIGNIFICANCE:g}."),
    (
        "tendency within runs",
        "The mean over runs and its 95 % interval (Student's) lie on the claimed side of 0. *Several-fold*"
        " means at least twofold; *abrupt* means less than half.",
    ),
    (
        "number",
        "The published number lies in our interval, widened by the error of reading a figure. The interval"
        f" spans at most a factor of {WIDEST}, or {WIDEST_ROWS} rows.",
    ),
)
"""What a claim of each kind must show to be reproduced."""

NUMBERS = """\
- *Escape* ends a plateau: the mean target loss falls below 0.938 of chance. A single found target of 16 is
  enough.
- *Median plateau* has its 95 % interval in round brackets. Fewer than six runs do not bound a median: the
  range of the ended runs then stands in square brackets.
- *Restricted mean* counts a run that never escapes with its whole budget. It has a 95 % interval.
- *Ratios* are ratios of restricted means with their 95 % interval. Below 1 means shorter.
- *Target found* is the median step over all targets of all runs.
- *Half of the targets* is the restricted mean of the steps until half of a run's targets are known at
  once."""


def rules() -> str:
    """The page, in Markdown."""
    parts = [
        "# The rules of verdicts",
        paragraph("""Every claim of [the reproduction](../reproduction.md) gets one of four verdicts. The
        script computes them from stored runs; nobody chooses them. [The protocol](../protocol.md) explains
        the measures."""),
        "## The numbers",
        NUMBERS,
        f"## {REPRODUCED.capitalize()}",
        "The rule depends on the kind of the claim:",
        table(["claim", "what must hold"], KINDS, "---"),
        f"## {DIRECTION.capitalize()}",
        paragraph(f"""The rule above holds, but the network or the task is smaller than the published one, or
        has 16 heads instead of 8. A number within a factor of {NEAR}, or {NEAR_ROWS} rows, has this verdict
        too."""),
        paragraph("""Two things do not count as smaller. A shorter budget does not, where an order holds
        within it: later steps cannot undo it. The isolated linear map does not either: it has the same
        hidden maps, without routes past them."""),
        f"## {REFUTED.capitalize()}",
        paragraph("""The test shows the opposite, or a difference where the claim says that there is none.
        A number that is further off has this verdict too."""),
        f"## {OPEN.capitalize()}",
        "No rule above applies, or runs are missing.",
    ]
    return "\n\n".join(parts) + "\n"
