"""The report as a browser shows it: scripts run, controls move what they should, and nothing is fetched.

Without a browser these tests are skipped, and nothing else is.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from helpers import made_automata
from helpers.browser import BROWSER, Case, findings
from helpers.foretold import foretold
from helpers.hand_made import renamed, run_of, spec_of

from attnsearch.report.report import report
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun

Seen = dict[str, dict[str, Any]]

pytestmark = pytest.mark.skipif(
    BROWSER is None,
    reason="no chromium, chromium-browser or google-chrome on the path: the page is not tried",
)


@pytest.fixture(scope="module")
def runs() -> list[StoredRun]:
    """Two sizes and two mixers, one with heads; one run never escapes, one diverges."""
    made = []
    for support in (1, 2):
        for mixer, heads in (("attention", 3), ("mlp_mixer", 0)):
            for seed in range(3):
                first = 100 * support + 10 * seed
                found = [first, first + 50, first + 100, first + 200]
                made.append(run_of(spec_of(mixer, seed, support_size=support), found, heads=heads))
    made[-1] = run_of(made[-1].spec, [None] * 4, diverges=120)
    made[-2] = run_of(made[-2].spec, [None] * 4)
    return made


AUTOMATON_RUN = made_automata.run(made_automata.spec())
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"
SINGLE_RUNS: dict[str, list[int | None]] = {"never": [None] * 4, "at-once": [10] * 4}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, runs: list[StoredRun]) -> Seen:
    """What every probe of this file finds, by one start of the browser."""
    page = report(Study(runs))
    hostile = report(Study([renamed(run, HOSTILE, HOSTILE) for run in runs]), title=HOSTILE)
    single = {
        name: Case(report(Study([run_of(spec_of(), found)])), SINGLE) for name, found in SINGLE_RUNS.items()
    }
    cases = {
        "slider": Case(page, SLIDER),
        "marks": Case(page, MARKS),
        "controls": Case(page, CONTROLS),
        "phone": Case(page, PHONE, width=360),
        "light": Case(page, COLOURS),
        "dark": Case(page, COLOURS, dark=True),
        "hostile": Case(hostile, HOSTILE_NAMES, complains=True),
        "signals": Case(report(Study(foretold())), SIGNALS),
        "automaton": Case(report(Study([AUTOMATON_RUN])), AUTOMATON),
        **single,
    }
    return findings(tmp_path_factory.mktemp("pages"), cases)


SLIDER = """
const at = async (place) => {
  send("slider", place, "input");
  await settled();
  return {
    step: text("step"),
    said: find("slider").getAttribute("aria-valuetext"),
    label: find("map-measured").getAttribute("aria-label"),
    maps: ["map-truth", "map-measured", "map-head"].map(picture),
    lit: find("targets").querySelectorAll("tr.lit").length,
    curves: find("losses").querySelectorAll(".curve.lit").length,
    masses: [...find("targets").querySelectorAll(".mass")].map((cell) => cell.textContent),
    cursor: find("losses").querySelector(".cursor").getAttribute("x1"),
  };
};
send("run", 6, "change");
await settled();
const last = Number(find("slider").max);
const first = await at(0), end = await at(last);
const again = await at(last);
send("head", 1, "change");
const head = picture("map-head");
const rows = [...find("targets").rows].map((row) => row.cells[3].textContent);
return { last, first, end, again, head, rows };
"""


def test_the_slider_moves_the_map_and_lights_up_what_is_found(seen: Seen, runs: list[StoredRun]) -> None:
    found = seen["slider"]
    run = runs[6]
    assert found["last"] == len(run.maps.step) - 1
    first, end = found["first"], found["end"]
    assert first["step"] == first["said"] == "step 0: 0 of 4 targets found"
    assert end["step"] == end["said"] == f"step {run.maps.step[-1]}: 4 of 4 targets found"
    assert (first["lit"], first["curves"], end["lit"], end["curves"]) == (0, 0, 4, 4)
    assert first["cursor"] != end["cursor"]
    # Every map changes, the true one by the lines round what is found.
    assert all(one != other for one, other in zip(first["maps"], end["maps"], strict=True))
    assert end["maps"] == found["again"]["maps"]
    assert found["head"] != end["maps"][2]
    # The numbers are those of the store.
    for place, shown in ((0, first), (-1, end)):
        assert shown["masses"] == [f"{mass:.2f}" for mass in run.maps.mass[place]]
    assert found["rows"] == [str(step) for step in run.measures.found.length]
    assert f"at step {run.maps.step[-1]}: map mass" in end["label"]


SIGNALS = """
const plots = [...document.querySelectorAll("#signals .chart")];
const counted = (plot) => [".mark", ".mark.plain"].map((name) => plot.querySelectorAll(name).length);
const svg = plots[0].querySelector("svg");
svg.focus();
await press("ArrowRight");
const rows = document.querySelectorAll("#signals tbody tr").length;
return { marks: plots.map(counted), label: svg.getAttribute("aria-label"), said: text("said"), rows };
"""


def test_early_signals_are_drawn_and_told(seen: Seen) -> None:
    found = seen["signals"]
    # Two halves at three steps; the planted signal tells.
    assert found["marks"] == [[6, 0], [6, 6], [6, 6]]
    assert found["rows"] == 9
    assert "Step 200: the larger, the sooner" in found["label"]
    assert "8 runs" in found["said"]
    # Perfect order in eight runs is not an interval without width.
    assert re.search(r"-1\.00, -1\.00 to -0\.\d\d, 8 runs", found["said"])


MARKS = """
const dots = [...document.querySelectorAll("#headline .dot")];
const stops = dots.filter((dot) => dot.getAttribute("tabindex") === "0").length;
dots[0].focus();
const told = document.querySelector(".tip").textContent;
await press("ArrowRight");
const second = document.activeElement.dataset.run;
await press("End");
const end = document.activeElement.dataset.run;
await press("Enter");
await settled();
return {
  stops, told, second, end,
  order: dots.map((dot) => dot.dataset.run),
  labels: Object.fromEntries(dots.map((dot) => [dot.dataset.run, dot.getAttribute("aria-label")])),
  triangles: dots.filter((dot) => dot.querySelector(".open")).map((dot) => dot.dataset.run),
  chosen: find("run").value, facts: text("run-facts"), focused: document.activeElement.id,
  selected: [...document.querySelectorAll(".dot.selected")].map((dot) => dot.dataset.run),
  option: find("run").selectedOptions[0].textContent,
};
"""


def test_marks_tell_their_run_and_open_it_by_keyboard(seen: Seen, runs: list[StoredRun]) -> None:
    found = seen["marks"]
    assert len(found["order"]) == len(runs)
    assert found["stops"] == 1
    assert found["second"] == found["order"][1]
    assert found["end"] == found["order"][-1] == found["chosen"]
    assert found["selected"] == [found["end"]]
    assert found["focused"] == "slider"
    chosen = runs[int(found["end"])]
    assert chosen.spec.digest[:12] in found["facts"]
    assert found["told"].replace("\n", ", ") == found["labels"][found["order"][0]]
    assert sorted(map(int, found["triangles"])) == [10, 11]
    for number, run in enumerate(runs):
        label, length = found["labels"][str(number)], run.measures.plateau_length
        assert f"seed {run.spec.seed}, " in label
        assert f"run {run.spec.digest[:12]}" in label
        if run.measures.escaped:
            assert f"escaped at step {length}, mastered at {run.measures.mastery_step}" in label
    assert "not escaped in 1,000 steps" in found["labels"]["10"]
    assert "diverged" in found["labels"]["11"]


CONTROLS = """
const survival = () => ({
  curves: find("survival").querySelectorAll(".survival").length,
  bands: find("survival").querySelectorAll(".band").length,
  ticks: find("survival").querySelectorAll(".tick").length,
  said: find("survival-legend").textContent,
});
find("survival-bands").click();
const cells = survival();
find("survival-bands").click();
find("pooled").click();
const pooled = survival();
send("run", 0, "change");
await settled();
const previous = find("previous-run").disabled;
const before = { facts: text("run-facts"), previous, figure: find("head-figure").hidden };
const line = () => find("losses").querySelector(".curve").getAttribute("d");
const shapes = [line()];
find("log-loss").click();
shapes.push(line());
find("log-steps").click();
shapes.push(line());
send("target", 2, "change");
const picked = [...document.querySelectorAll("#losses .picked")].map((curve) => curve.dataset.target);
for (let count = 0; count < 3; count += 1) { find("next-run").click(); await settled(); }
const after = { facts: text("run-facts"), figure: find("head-figure").hidden, said: text("no-head") };
find("slider").value = 0;
send("slider", 0, "input");
find("play").click();
const playing = text("play");
await new Promise((resolve) => setTimeout(resolve, 900));
const moved = Number(find("slider").value);
find("play").click();
return { pooled, cells, before, shapes, picked, after, playing, moved, stopped: text("play") };
"""


def test_controls_choose_curves_runs_and_scales(seen: Seen, runs: list[StoredRun]) -> None:
    found = seen["controls"]
    assert (found["pooled"]["curves"], found["pooled"]["bands"]) == (2, 0)
    assert (found["cells"]["curves"], found["cells"]["bands"]) == (4, 4)
    # Both censored runs stand at the budget: one tick.
    assert found["cells"]["ticks"] == 1
    assert "1 of 3 escaped" in found["cells"]["said"]
    assert runs[0].spec.digest[:12] in found["before"]["facts"]
    assert found["before"] | {"facts": ""} == {"facts": "", "previous": True, "figure": False}
    assert len(set(found["shapes"])) == 3
    assert found["picked"] == ["2"]
    assert runs[3].spec.digest[:12] in found["after"]["facts"]
    assert found["after"]["figure"] is True
    assert found["after"]["said"] == "No attention weights are recorded for this run."
    assert (found["playing"], found["stopped"]) == ("Pause", "Play")
    assert found["moved"] > 0


PHONE = """
for (const details of document.querySelectorAll("details")) details.open = true;
await settled();
const drawn = [...document.querySelectorAll("svg[role], canvas")];
const wide = [...document.querySelectorAll(".chart, .maps, .controls, .panel")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.id || one.className);
return {
  inner: innerWidth, scrolled: document.documentElement.scrollWidth, wide,
  named: drawn.filter((one) => one.getAttribute("aria-label")).length, drawn: drawn.length,
};
"""


def test_nothing_is_wider_than_a_phone(seen: Seen, runs: list[StoredRun]) -> None:
    found = seen["phone"]
    assert found["inner"] == 360
    assert found["scrolled"] <= 360
    assert found["wide"] == []
    assert found["named"] == found["drawn"] == 10


COLOURS = """
const shown = (element, name) => getComputedStyle(element)[name].match(/\\d+/g).slice(0, 3).map(Number);
const canvas = find("map-measured");
send("slider", 0, "input");
return {
  paper: shown(document.body, "backgroundColor"), ink: shown(document.body, "color"),
  mark: shown(document.querySelector("#headline .mark"), "fill"),
  map: picture("map-measured"),
};
"""


def test_light_and_dark(seen: Seen) -> None:
    light, dark = seen["light"], seen["dark"]
    assert min(light["paper"]) > 200 > 100 > max(light["ink"])
    assert min(dark["ink"]) > 200 > 100 > max(dark["paper"])
    assert light["map"] != dark["map"]
    assert light["mark"] != dark["mark"]


HOSTILE_NAMES = """
find("run").focus();
document.querySelector("#headline .dot").focus();
const found = {
  heading: document.querySelector("h1").textContent, group: document.querySelector("optgroup").label,
  tip: document.querySelector(".tip").textContent, images: document.images.length,
  calm: [...errors, ...violations],
};
await fetch("http://127.0.0.1:9/x").catch(() => {});
const image = new Image();
image.src = "http://127.0.0.1:9/y.png";
await settled();
return found;
"""


def test_names_stay_text_and_nothing_is_fetched(seen: Seen, runs: list[StoredRun]) -> None:
    found = seen["hostile"]
    assert found["heading"] == HOSTILE
    assert HOSTILE in found["group"]
    assert HOSTILE in found["tip"]
    assert found["images"] == 0
    assert found["calm"] == []
    # The policy is in force: even a script of the page could bring nothing.
    assert sorted(found["violations"]) == ["http://127.0.0.1:9/x", "http://127.0.0.1:9/y.png"]


AUTOMATON = """
send("slider", 1, "input");
await settled();
const lit = () => [...find("losses").querySelectorAll(".curve.lit")].map((curve) => curve.dataset.target);
const early = { lit: lit(), step: text("step") };
send("slider", 2, "input");
send("target", 2, "change");
const canvas = find("map-measured");
const box = canvas.getBoundingClientRect();
const tips = new Set();
for (let across = 0; across < box.width; across += 2) {
  const point = { clientX: box.left + across, clientY: box.top + 24, bubbles: true };
  canvas.dispatchEvent(new PointerEvent("pointermove", point));
  const tip = document.querySelector(".tip");
  if (!tip.hidden) tips.add(tip.textContent.split("\\n")[0]);
}
canvas.dispatchEvent(new PointerEvent("pointerleave"));
return {
  early, late: { lit: lit(), step: text("step") }, tips: [...tips],
  picked: [...document.querySelectorAll("#browser .curve.picked")]
    .map((curve) => [curve.closest(".chart").id, curve.dataset.target]),
  lines: find("losses").querySelectorAll(".curve[data-target]").length,
  bayes: find("losses").querySelectorAll(".bayes").length,
  options: [...find("target").options].map((option) => option.textContent),
  rows: [...find("targets").rows].map((row) => [row.cells[0].textContent, row.cells[3].textContent]),
  truth: text("of-targets"), key: find("unprobed-key").hidden ? "" : text("unprobed-key"),
  mastery: find("bayes-key").hidden,
};
"""


def test_an_automaton_is_drawn_by_state_and_its_unprobed_positions_are_hatched(seen: Seen) -> None:
    run = AUTOMATON_RUN
    found = seen["automaton"]
    assert found["early"] == {"lit": ["1"], "step": "step 100: 8 of 40 targets found"}
    assert found["late"] == {"lit": ["1", "2", "3", "4"], "step": "step 400: 32 of 40 targets found"}
    assert (found["lines"], found["bayes"], found["mastery"]) == (5, 5, False)
    # The third row is a cell of the last state: its line among the states, its own among the mapped.
    charts = ["losses", "map-mass", "head-mass", "head-entropy"]
    assert found["picked"] == [[chart, "4" if chart == "losses" else "2"] for chart in charts]
    names = ["state 1, cell 0", "state 1, cell 1", "state 5, cell 0", "state 5, cell 1"]
    assert found["options"] == ["none", *names]
    assert found["rows"] == list(map(list, zip(names, ["not found", "not found", "160", "160"], strict=True)))
    assert found["truth"] == "; 4 of 40 targets"
    positions = [position for position, probed in enumerate(run.truth.probed) if probed]
    assert found["key"].startswith(f"hatched: {48 - len(positions)} positions in between, never replaced")
    # Every column tells its own position, and none is told where nothing was probed.
    expected = {
        f"state 1, cell 0; position {position} of state {position // 8}"
        + (", in the support" if run.truth.attention_map[0, position] else "")
        for position in positions
    }
    assert set(found["tips"]) == expected


SINGLE = """
send("slider", 1, "input");
return { dots: document.querySelectorAll("#headline .dot").length, step: text("step") };
"""


@pytest.mark.parametrize("name", SINGLE_RUNS)
def test_a_single_run_of_any_kind_draws(seen: Seen, name: str) -> None:
    found = seen[name]
    assert found["dots"] == 1
    assert found["step"].startswith("step 40:" if name == "at-once" else "step 50:")
