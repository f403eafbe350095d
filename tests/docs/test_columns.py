"""docs/tables/columns.md is what the columns declare."""

from __future__ import annotations

import runpy

from helpers.pages import DOCS


def test_the_page_is_made_from_the_declarations() -> None:
    script = runpy.run_path(str(DOCS.parent / "benchmarks" / "columns.py"))
    written = (DOCS / "tables" / "columns.md").read_text(encoding="utf-8")
    assert written == script["page"](), "run benchmarks/columns.py > docs/tables/columns.md"
