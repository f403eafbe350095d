"""Choosing and reading what a report shows, in a browser: by pointer, by keys and by a link."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from helpers.browser import BROWSER, Case, findings

from attnsearch.report.folders import Folders, folders_of
from attnsearch.report.report import report
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun

Seen = dict[str, dict[str, Any]]

pytestmark = pytest.mark.skipif(
    BROWSER is None,
    reason="no chromium, chromium-browser or google-chrome on the path: the page is not tried",
)

# What the charts show, in a few numbers.
SHOWN = """
const shown = async () => {
  await settled();
  find("copy-link").click();
  return {
    dots: document.querySelectorAll("#headline .dot").length,
    curves: document.querySelectorAll("#overlay .many").length,
    survival: document.querySelectorAll("#survival .survival").length,
    told: text("chosen"),
    colours: [...document.querySelectorAll("#headline-legend button")].map((one) => one.textContent),
    off: [...document.querySelectorAll("#survival-legend .off")].map((one) => one.textContent),
    ticks: [...document.querySelectorAll("#overlay text")].map((one) => one.textContent),
    address: decodeURIComponent(new URL(copied.at(-1)).hash),
  };
};
"""

CHOICE = f"""{SHOWN}
const first = await shown();
send("filter-mixer", "attention", "change");
const filtered = await shown();
send("group", "support size", "change");
const coloured = await shown();
document.querySelector("#survival-legend button").click();
const hidden = await shown();
document.querySelector("#headline-legend button").click();
const again = await shown();
document.querySelector("#choice details").open = true;
await settled();
const boxes = [...document.querySelectorAll("#choose [data-run]")];
boxes[1].click();
document.querySelectorAll("#choose [data-cell]")[2].click();
const chosen = await shown();
const mixed = document.querySelector("#choose [data-cell]").indeterminate;
find("choose-none").click();
const none = await shown();
find("choose-middle").click();
const middle = await shown();
find("choose-reset").click();
const reset = await shown();
const shows = {{ first, filtered, coloured, hidden, again, chosen, none, middle, reset }};
return {{ shows, mixed, boxes: boxes.length }};
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, runs: list[StoredRun]) -> Seen:
    """What every probe of this file finds, by one start of the browser."""
    page = report(Study(runs))
    folders, apart = folders_of({"a": runs[:20], "b": runs[16:]}), other_versions(runs[:8])
    view = (
        f"#filter-mixer=attention&group=support+size&hide=2&run={runs[9].spec.digest[:12]}&step=50&target=1"
        "&log-loss=1&pooled=1&quantity=found&zoom-overlay=20~200~0.2~0.8"
    )
    cases = {
        "choice": Case(page, CHOICE),
        "link": Case(page, LINK, address=view),
        "section": Case(page, SECTION, address="#tables"),
        "reading": Case(page, READING),
        "dragging": Case(page, DRAGGING),
        "folders": Case(report(Study(folders.runs), folders=folders), FOLDERS),
        "apart": Case(
            report(Study(apart.runs, folder_of=apart.apart), folders=apart),
            APART,
            address=f"#run={runs[2].spec.digest[:12]}-2&without={runs[3].spec.digest[:12]}-1",
        ),
    }
    return findings(tmp_path_factory.mktemp("pages"), cases)


def test_runs_are_filtered_coloured_hidden_and_chosen_one_by_one(seen: Seen) -> None:
    shows = seen["choice"]["shows"]
    every = {name: (one["dots"], one["curves"], one["survival"]) for name, one in shows.items()}
    assert every == {
        "first": (32, 32, 4),
        "filtered": (16, 16, 2),
        "coloured": (16, 16, 2),
        "hidden": (8, 8, 1),
        # A group whose only part is hidden is shown by its own button.
        "again": (16, 16, 2),
        "chosen": (7, 7, 1),
        "none": (0, 0, 0),
        "middle": (2, 2, 2),
        "reset": (32, 32, 4),
    }
    assert shows["first"]["colours"] == ["attention", "mlp_mixer"]
    assert shows["coloured"]["colours"] == ["1", "2"]
    assert shows["hidden"]["off"] == ["support size 1; attention: 8 of 8 escaped, median 130 steps"]
    assert shows["chosen"]["told"] == "7 of 32 runs are shown."
    assert (seen["choice"]["mixed"], seen["choice"]["boxes"]) == (True, 32)
    assert shows["first"]["address"] == ""
    assert shows["hidden"]["address"] == (
        "#filter-mixer=attention&group=support+size&hide=support+size+1;+attention"
    )
    assert shows["reset"]["address"] == "#group=support+size"


LINK = f"""{SHOWN}
const opened = await shown();
const values = ["filter-mixer", "group", "target", "quantity", "run"].map((id) => find(id).value);
const ticked = ["log-loss", "pooled", "log-steps"].map((id) => find(id).checked);
const step = text("step");
// The address of this view is written a fifth of a second after the last change.
await wait(300);
location.hash = "#filter-mixer=mlp_mixer";
await wait(100);
const other = await shown();
const left = [find("group").selectedIndex, find("log-loss").checked];
return {{ opened, values, ticked, step, other, left }};
"""


def test_a_link_opens_the_same_view(seen: Seen) -> None:
    found = seen["link"]
    assert found["values"] == ["attention", "support size", "1", "found", "9"]
    assert found["ticked"] == [True, True, True]
    assert found["step"].startswith("step 50:")
    opened = found["opened"]
    assert (opened["dots"], opened["curves"], opened["survival"]) == (8, 8, 1)
    assert {"20", "50", "100", "200"} <= set(opened["ticks"])
    assert "1" not in opened["ticks"]
    # The address says as much after the page has read it.
    kept = "filter-mixer group hide run step target log-loss pooled quantity zoom-overlay"
    assert set(parse_qs(opened["address"][1:])) == set(kept.split())
    # Another link in the same page: what it does not say is as at first.
    assert (found["other"]["dots"], found["left"]) == (16, [0, False])


SECTION = f"""{SHOWN}
const before = (await shown()).address;
find("pooled").click();
const after = (await shown()).address;
// Changes come to the address a fifth of a second after the last one.
await wait(300);
return {{ before, after, written: location.hash }};
"""


def test_the_name_of_a_section_stays_in_the_address_until_the_view_changes(seen: Seen) -> None:
    found = seen["section"]
    assert found["before"] == "#tables"
    assert found["after"] == found["written"] == "#pooled=1"


READING = f"""{SHOWN}
const tip = () => document.querySelector(".tip").textContent.split("\\n");
const svg = () => find("overlay").querySelector("svg");
const read = [];
svg().focus();
for (const key of ["ArrowLeft", "Home", "End", "ArrowLeft", "ArrowDown", "ArrowUp"]) {{
  await press(key);
  read.push([tip(), text("said")]);
}}
const whole = await shown();
await press("+");
const closer = await shown();
const focused = document.activeElement === svg();
const still = tip();
await press("0");
const again = await shown();
await press("x");
const flat = await shown();
await press("X");
await press("y");
const tall = await shown();
await press("0");
named("Zoom in: Curves of the runs").click();
const button = await shown();
named("Show the whole chart: Curves of the runs").click();
svg().focus();
await press("Enter");
await settled();
const opened = find("run-facts").textContent;
find("losses").querySelector("svg").focus();
await press("Home");
const loss = tip();
find("survival").querySelector("svg").focus();
await press("End");
const survival = tip();
const dot = document.querySelector("#headline .dot[tabindex='0']");
dot.focus();
await press("+");
await settled();
const near = {{
  dots: document.querySelectorAll("#headline .dot").length,
  on: document.activeElement.dataset.run === dot.dataset.run,
}};
return {{ read, whole, closer, flat, tall, focused, still, again, button, opened, loss, survival, near }};
"""


def zoomed_to(address: str) -> list[float]:
    """The part of the curves that an address keeps."""
    (part,) = parse_qs(address[1:])["zoom-overlay"]
    return [float(end) for end in part.split("~")]


def test_charts_are_read_and_zoomed_by_keys(seen: Seen) -> None:
    found = seen["reading"]
    names = [tip[0] for tip, _ in found["read"]]
    assert len(set(names[:4])) == 1
    # One of the two has another curve below or above it.
    assert len(set(names[3:])) == 2
    for tip, said in found["read"]:
        assert said == ", ".join(tip)
        assert re.fullmatch(r"[\d.]+ of chance at step [\d,]+", tip[1])
    assert found["read"][1][0][1].endswith("at step 10")
    assert found["whole"]["ticks"] == found["again"]["ticks"] != found["closer"]["ticks"]
    assert found["button"]["ticks"] != found["whole"]["ticks"]
    # From the left: the ends of the horizontal axis, then of the vertical one.
    parts = {name: zoomed_to(found[name]["address"]) for name in ("closer", "flat", "tall")}
    assert (parts["flat"][:2], parts["tall"][2:]) == (parts["closer"][:2], parts["closer"][2:])
    assert parts["tall"][0] < parts["flat"][0] < parts["flat"][1] <= parts["tall"][1]
    assert parts["flat"][2] < parts["tall"][2] < parts["tall"][3] <= parts["flat"][3]
    assert "zoom" not in found["again"]["address"]
    assert found["focused"]
    assert found["still"] == found["read"][-1][0]
    seed = re.search(r"seed \d+", found["still"][0])
    assert seed is not None
    assert seed[0] in found["opened"]
    assert re.fullmatch(r"loss [\d.]+ at step 10", found["loss"][1])
    assert re.fullmatch(r"\d+ % of 8 runs still searching after step [\d,]+", found["survival"][1])
    assert found["near"]["on"]
    assert 0 < found["near"]["dots"] < 32


DRAGGING = f"""{SHOWN}
const svg = () => find("survival").querySelector("svg");
const point = (kind, x, y, buttons) => {{
  const box = svg().getBoundingClientRect();
  const at = {{ clientX: box.left + x, clientY: box.top + y, button: 0, buttons, bubbles: true }};
  svg().dispatchEvent(new PointerEvent(kind, {{ ...at, pointerType: "mouse" }}));
}};
const ticks = () => [...svg().querySelectorAll("text")].map((one) => one.textContent);
const whole = ticks();
point("pointerdown", 200, 100, 1);
point("pointermove", 500, 104, 1);
const frame = svg().querySelectorAll(".frame").length;
point("pointerup", 500, 104, 0);
const flat = ticks();
svg().dispatchEvent(new MouseEvent("dblclick", {{ bubbles: true }}));
const again = ticks();
point("pointermove", 300, 31, 0);
const tip = document.querySelector(".tip").textContent;
point("pointerleave", 300, 31, 0);
return {{ whole, frame, flat, again, tip, hidden: document.querySelector(".tip").hidden }};
"""


def test_dragging_over_a_chart_zooms_and_pointing_tells(seen: Seen) -> None:
    found = seen["dragging"]
    assert found["frame"] == 1
    assert found["whole"] == found["again"] != found["flat"]
    # A flat frame leaves the heights as they are.
    assert {"0", "0.2", "0.4", "0.6", "0.8", "1"} <= set(found["flat"])
    assert "runs still searching after step" in found["tip"]
    assert found["hidden"]


FOLDERS = f"""{SHOWN}
const first = await shown();
send("filter-folder", "b", "change");
const b = await shown();
send("filter-folder", "", "change");
send("group", "folder", "change");
const coloured = await shown();
return {{
  first, b, coloured,
  options: [...find("filter-folder").options].map((one) => one.textContent),
  label: document.querySelector(`#headline .dot[data-run="16"]`).getAttribute("aria-label"),
}};
"""


APART = f"""{SHOWN}
return {{ first: await shown(), facts: text("run-facts") }};
"""


def other_versions(runs: list[StoredRun]) -> Folders:
    """The same runs in two folders, with other curves in the second."""
    others = [replace(run, curves=run.curves._replace(loss=run.curves.loss * 0.99)) for run in runs]
    return folders_of({"old": runs, "new": others})


def test_the_same_run_with_other_curves_is_another_run(seen: Seen, runs: list[StoredRun]) -> None:
    found = seen["apart"]
    # An address tells them apart: of the sixteen one is left out, and the second folder's is open.
    assert found["first"]["dots"] == 15
    assert found["first"]["survival"] == 2
    assert found["first"]["colours"] == ["attention, old", "attention, new"]
    assert found["facts"].endswith(f"run {runs[2].spec.digest[:12]}, in new")
    assert "-2" in found["first"]["address"]


def test_runs_of_two_folders_are_told_apart(seen: Seen, runs: list[StoredRun]) -> None:
    found = seen["folders"]
    assert found["options"] == ["all", "a", "b"]
    assert found["first"]["dots"] == 32
    assert found["b"]["dots"] == 16
    assert found["coloured"]["colours"] == ["a", "a and b", "b"]
    # The cell that lies in both is one curve a folder.
    assert found["coloured"]["survival"] == 5
    assert found["label"].endswith(f"run {runs[16].spec.digest[:12]}, in a and b")
