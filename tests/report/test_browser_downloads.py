"""What a reader takes away from a report, and what every screen and keyboard reaches, in a browser."""

from __future__ import annotations

import csv
import io
import math
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers.browser import BROWSER, Case, findings

from attnsearch.report.folders import folders_of
from attnsearch.report.report import report
from attnsearch.results.cells import cells, plateau_of
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.spec.command import commands
from attnsearch.stats.survival import pool, summarise, survival_curve

Seen = dict[str, dict[str, Any]]

pytestmark = pytest.mark.skipif(
    BROWSER is None,
    reason="no chromium, chromium-browser or google-chrome on the path: the page is not tried",
)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, runs: list[StoredRun]) -> Seen:
    """What every probe of this file finds, by one start of the browser."""
    page = report(Study(runs))
    folders = folders_of({"a": runs[:20], "b": runs[16:]})
    both = report(Study(folders.runs), folders=folders)
    cases = {
        "controls": Case(page, CONTROLS),
        "downloads": Case(page, DOWNLOADS),
        "kaplan-meier": Case(page, KAPLAN_MEIER),
        "some-held": Case(report(Study(runs), most=12), KAPLAN_MEIER),
        "wide": Case(both, TABLES, width=1400),
        "narrow": Case(both, TABLES, width=400),
    }
    return findings(tmp_path_factory.mktemp("pages"), cases)


CONTROLS = """
for (const details of document.querySelectorAll("details")) details.open = true;
await settled();
const kinds = "button, select, input, summary, a, [role=application], [role=button]";
const controls = [...document.querySelectorAll(kinds)].filter((one) => one.checkVisibility());
const opening = (one) => one.outerHTML.slice(0, 100);
const nameOf = (one) => one.getAttribute("aria-label") || one.textContent.trim()
  || [...(one.labels ?? [])].map((label) => label.textContent.trim()).join(" ");
return {
  nameless: controls.filter((one) => !nameOf(one)).map(opening),
  beyond: controls.filter((one) => one.tabIndex < 0 && !one.matches(".dot")).map(opening),
  charts: controls.filter((one) => one.matches("[role=application]")).length,
  stops: document.querySelectorAll(".dot[tabindex='0']").length,
  count: controls.length,
};
"""


def test_every_control_has_a_name_and_is_reached_by_keys(seen: Seen) -> None:
    found = seen["controls"]
    assert (found["nameless"], found["beyond"]) == ([], [])
    # Survival, curves, losses, three small ones and three early signals; the headline's marks are one stop.
    assert (found["charts"], found["stops"]) == (9, 1)
    assert found["count"] > 60


DOWNLOADS = """
for (const button of document.querySelectorAll("button")) {
  if (/^Download/.test(button.getAttribute("aria-label") ?? "")) button.click();
}
const files = {};
for (const { name, blob } of saved) files[name] = { type: blob.type, text: await blob.text() };
for (const button of document.querySelectorAll("button")) {
  if (/^Copy/.test(button.textContent)) button.click();
}
await settled();
const links = document.querySelectorAll("a[download]").length;
return { files, copied, said: text("said"), button: text("copy-commands"), links };
"""


def test_every_chart_is_a_picture_by_itself(seen: Seen) -> None:
    files = seen["downloads"]["files"]
    pictures = {name: one["text"] for name, one in files.items() if one["type"] == "image/svg+xml"}
    assert len(pictures) == 13
    for name, text in pictures.items():
        root = ElementTree.fromstring(text)
        every = list(root.iter())
        # No style sheet travels with it, and nothing is fetched for it.
        assert not any({"class", "style", "href"} & set(element.attrib) for element in every), name
        assert "var(" not in text
        assert "color(" not in text
        assert float(root.attrib["width"]) > 100
    survival = pictures["runs-still-searching.svg"]
    assert "support size 1; attention: 8 of 8 escaped, median 130 steps" in survival
    assert "share of runs still searching" in survival


def test_every_table_is_taken_as_csv(seen: Seen, runs: list[StoredRun]) -> None:
    files = seen["downloads"]["files"]
    tables = {name: one["text"] for name, one in files.items() if one["type"] == "text/csv"}
    assert sorted(tables) == [
        *("early-signals.csv", "every-cell.csv", "every-run.csv"),
        *("mixers-interventions-and-folders-compared.csv", "row-by-row.csv"),
        "runs-that-escaped-at-their-ends.csv",
    ]
    rows = list(csv.DictReader(io.StringIO(tables["every-run.csv"])))
    assert [row["run"] for row in rows] == [run.spec.digest[:16] for run in runs]
    # Numbers without separators; what is censored stays marked.
    assert [row["plateau length"] for row in rows[:2] + rows[-2:]] == ["100", "110", "> 1,000", "> 1,000"]
    (first, *_) = csv.DictReader(io.StringIO(tables["every-cell.csv"]))
    assert (first["escaped"], first["escaped, note"]) == ("8 of 8", "68% to 100%")


def test_commands_are_copied_whole(seen: Seen, runs: list[StoredRun]) -> None:
    found = seen["downloads"]
    lines = [line for cell in cells(runs) for line in commands([run.spec for run in cell.runs])]
    link, everything, *each = found["copied"]
    assert link.startswith("file://")
    assert everything == "\n".join(lines) + "\n"
    assert each == lines
    assert (found["button"], found["links"]) == ("Copied", 0)
    assert found["said"].endswith(": copied")


KAPLAN_MEIER = """
find("survival-bands").click();
const curves = () => [...document.querySelectorAll("#survival .survival")].map((group) => ({
  line: group.querySelector(".line").getAttribute("d"),
  band: group.querySelector(".band").getAttribute("d"),
  ticks: group.querySelectorAll(".tick").length,
}));
const legend = () =>
  [...document.querySelectorAll("#survival-legend li")].map((one) => one.textContent);
const cells = { curves: curves(), legend: legend() };
find("pooled").click();
const { height } = find("survival").querySelector("svg").viewBox.baseVal;
return { cells, pooled: { curves: curves(), legend: legend() }, height };
"""


def test_runs_that_a_page_does_not_hold_count_in_its_curves(seen: Seen) -> None:
    assert seen["some-held"] == seen["kaplan-meier"]


@pytest.mark.parametrize("kind", ["cells", "pooled"])
def test_the_page_draws_the_kaplan_meier_curves_of_the_statistics(
    seen: Seen, runs: list[StoredRun], kind: str
) -> None:
    found = seen["kaplan-meier"]
    bottom, top = found["height"] - 40, 30
    groups = [cell.runs for cell in cells(runs)]
    if kind == "pooled":
        groups = [[*groups[0], *groups[2]], [*groups[1], *groups[3]]]
    for drawn, told, group in zip(found[kind]["curves"], found[kind]["legend"], groups, strict=True):
        waiting = pool(plateau_of(run) for run in group)
        curve, said = survival_curve(waiting), summarise(waiting)
        heights = [
            (bottom - float(place)) / (bottom - top) for place in re.findall(r"V([\d.]+)", drawn["line"])
        ]
        np.testing.assert_allclose(heights, curve.survival, atol=1e-3)
        band = [(bottom - float(place)) / (bottom - top) for place in re.findall(r"V([\d.]+)", drawn["band"])]
        np.testing.assert_allclose(band[: len(curve.step)], curve.high, atol=1e-3)
        np.testing.assert_allclose(band[len(curve.step) : -1], curve.low[::-1], atol=1e-3)
        # Steps stand on a logarithm.
        across = np.array([float(place) for place in re.findall(r"H([\d.]+)V", drawn["line"])])
        slopes = np.diff(across)[np.diff(np.log(curve.step)) > 0] / np.diff(np.log(curve.step))
        np.testing.assert_allclose(slopes, slopes[0], rtol=0.02)
        assert drawn["ticks"] == len(np.unique(waiting.length[~waiting.observed]))
        assert said.median is not None
        assert not math.isnan(said.median)
        assert told.endswith(f"{said.observed} of {said.runs} escaped, median {said.median:,.0f} steps")


TABLES = """
for (const details of document.querySelectorAll("details")) details.open = true;
await settled();
const tables = [...document.querySelectorAll("main table")];
return {
  wide: tables.filter((one) => one.scrollWidth > one.parentNode.clientWidth)
    .map((one) => one.caption.textContent),
  stacked: tables.filter((one) => one.matches(".stacked")).length,
  tables: tables.length,
  labels: [...(tables.at(-1).tBodies[0].rows[0].cells)].map((one) => one.dataset.label ?? ""),
  roles: tables.map((one) => one.getAttribute("role")),
  scrolled: document.documentElement.scrollWidth,
};
"""


@pytest.mark.parametrize(("name", "width"), [("wide", 1400), ("narrow", 400)])
def test_tables_fit_their_screen(seen: Seen, name: str, width: int) -> None:
    found = seen[name]
    assert found["wide"] == []
    assert found["scrolled"] <= width
    assert found["stacked"] == (found["tables"] if name == "narrow" else 0)
    if name == "narrow":
        # On a screen of one column each number stands beside its heading.
        assert found["labels"][-2:] == ["by chance", "folder"]
        assert set(found["roles"]) == {"table"}
