"""The dictionary of the columns of `attnsearch results`, as a page.

.venv/bin/python benchmarks/columns.py > docs/tables/columns.md
"""

from __future__ import annotations

from attnsearch.results.dictionary import DICTIONARY

HEAD = """\
# What every column means

Printed by `benchmarks/columns.py`. `attnsearch results --columns --by run` prints the part about runs.
[Statistics](../statistics.md) says how each number is computed, [protocol](../protocol.md) what it measures.

- Settings are columns too. `attnsearch results results/ --columns` explains the settings of stored runs.
- A share is a number from 0 to 1.
- A value is empty where there is none.
"""

ROWS = {
    "cell": "A row a cell",
    "run": "A row a run",
    "target": "A row a target of a run",
    "point": "A row a recorded point of a query",
    "signal": "A row an early signal at a step",
}


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for kind, title in ROWS.items():
        parts += [f"## {title}", "", "| column | unit | definition |", "|---|---|---|"]
        parts += [f"| `{one.key}` | {one.unit} | {one.definition} |" for one in DICTIONARY[kind]]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
