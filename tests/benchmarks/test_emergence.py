"""The page of emergence, of made runs."""

from __future__ import annotations

import runpy

from helpers.emerging import emerging
from helpers.pages import DOCS

from attnsearch.results.study import Study


def test_the_page_has_the_steps_and_their_trend() -> None:
    script = runpy.run_path(str(DOCS.parent / "benchmarks" / "emergence.py"))
    study = Study(emerging({16: [(40, 80, 120, 900)] * 3, 64: [(20, 40, 60, None)] * 3}))
    lines = script["page"](study).splitlines()
    assert "| 4.0 | 16 | 3 of 3 | 80; 0 or more | 80 | 80 | 1.0 |" in lines
    assert "| 10.0 | 64 | 0 of 3 | not reached; 0 or more | – | \\>1,000 | – |" in lines
    assert any(line.startswith("**By what each doubling of the width multiplies") for line in lines)
