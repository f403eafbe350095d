"""The leaderboard's page as a browser shows it: its tables are taken as CSV, and fit every screen."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from helpers.browser import BROWSER, Case, findings
from helpers.ladder import shown

from attnsearch.leaderboard.entry import Entry
from attnsearch.leaderboard.page import page
from attnsearch.spec.suite import Suite

pytestmark = pytest.mark.skipif(
    BROWSER is None,
    reason="no chromium, chromium-browser or google-chrome on the path: the page is not tried",
)

TABLES = """
for (const details of document.querySelectorAll("details")) details.open = true;
const tables = [...document.querySelectorAll("main table")];
for (const table of tables) table.caption.querySelector("button").click();
const files = {};
for (const { name, blob } of saved) files[name] = await blob.text();
return {
  files, tables: tables.length,
  stacked: tables.filter((one) => one.matches(".stacked")).length,
  wide: tables.filter((one) => one.scrollWidth > one.parentNode.clientWidth).length,
  scrolled: document.documentElement.scrollWidth,
};
"""


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, ladder: Suite, entries: dict[str, Entry]
) -> dict[str, dict[str, Any]]:
    made = page(shown(ladder, *entries.values()))
    cases = {"wide": Case(made, TABLES, width=1400), "narrow": Case(made, TABLES, width=400)}
    return findings(tmp_path_factory.mktemp("pages"), cases)


@pytest.mark.parametrize(("name", "width"), [("wide", 1400), ("narrow", 400)])
def test_tables_fit_their_screen(seen: dict[str, dict[str, Any]], name: str, width: int) -> None:
    found = seen[name]
    assert found["wide"] == 0
    assert found["scrolled"] <= width
    assert found["tables"] > 3
    assert found["stacked"] == (found["tables"] if name == "narrow" else 0)


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_every_table_is_taken_as_csv(seen: dict[str, dict[str, Any]], name: str) -> None:
    files = seen[name]["files"]
    assert len(files) == seen[name]["tables"]
    first, *_ = csv.DictReader(io.StringIO(files["position-keyed.csv"]))
    assert first["mixer"] == "mypackage.mixers:Mine"
    assert (first["mastered"], first["mastered, note"]) == ("48 of 64", "63% to 84%")
