"""Foreign runs, with maps and without, are read as any other, and named as what they are."""

import json
from pathlib import Path

import pytest
from helpers.browser import BROWSER, Case, findings
from helpers.ladder import LADDER, only
from helpers.made_runs import runs, stored, suite
from helpers.own_loop import recorded
from helpers.terminal import attnsearch, complaint

from attnsearch.leaderboard.board import board
from attnsearch.leaderboard.candidates import gather, given
from attnsearch.plots.gallery import draw
from attnsearch.report.report import report
from attnsearch.results.loading import load
from attnsearch.results.study import Study
from attnsearch.spec.run import MixerSpec

APART = "was trained by a loop of its own, which cannot be checked here"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two search spaces, three seeds each, without maps."""
    made = tmp_path_factory.mktemp("foreign")
    for size in (1, 2):
        for seed in range(3):
            recorded(made, seed=seed, support_size=size)
    return made


def test_tables_say_what_was_told_and_no_more(root: Path) -> None:
    study = load(root)
    (first, second) = study.cells
    assert [first.spec.mixer.name, second.spec.mixer.name] == ["foreign:mine"] * 2
    (row, _) = json.loads(attnsearch("results", str(root), "--by", "cell", "--format", "json").out)
    assert row["width"] == 32
    assert "num_layers" not in row
    assert row["map_mass"] is None
    assert (first.alignment.found, first.alignment.rises) == (0, 0)
    (line,) = [line for line in study.warnings if "loop" in line]
    assert line == f"foreign:mine {APART}: its numbers are as good as that loop"
    done = attnsearch("law", str(root))
    assert "linear_map, foreign:mine" in done.out
    listed = attnsearch("ls", str(root)).out
    assert "6 runs" in listed
    assert "foreign:mine, state size 4" in listed


def test_pictures_and_pages_do_without_maps(root: Path, tmp_path: Path) -> None:
    study = load(root)
    drawn = [path.stem for path in draw(study, tmp_path)]
    assert sum("losses" in stem for stem in drawn) == 2
    assert not [stem for stem in drawn if "maps" in stem]
    page = report(study)
    assert page.count("no command trains them again") == 2


PROBE = """
const shown = () => ({
  step: text("step"), note: find("no-map").hidden, measured: find("measured-figure").hidden,
  slider: find("slider").disabled, lit: find("targets").querySelectorAll("tr.lit").length,
  curve: find("map-mass").parentNode.hidden,
  masses: [...find("targets").querySelectorAll(".mass")].map((cell) => cell.textContent),
});
const seen = [];
for (const run of [0, 1]) {
  send("run", run, "change");
  await settled();
  seen.push(shown());
}
send("quantity", "map", "change");
await settled();
return { seen, overlaid: find("overlay").querySelectorAll("path.line").length };
"""


@pytest.mark.skipif(BROWSER is None, reason="no chromium on the path: the page is not tried")
def test_a_browser_shows_a_run_without_maps_at_its_end(tmp_path: Path) -> None:
    runs = [recorded(tmp_path / "store"), recorded(tmp_path / "store", "other", maps=True)]
    found = findings(tmp_path, {"page": Case(report(Study(runs)), PROBE)})["page"]
    without, mapped = found["seen"]
    assert without["step"] == "step 90: 4 of 4 targets found"
    assert (without["note"], without["measured"], without["slider"], without["curve"]) == (False, *[True] * 3)
    assert (without["lit"], without["masses"]) == (4, ["none"] * 4)
    assert (mapped["note"], mapped["measured"], mapped["slider"], mapped["curve"]) == (True, *[False] * 3)
    assert "none" not in mapped["masses"]
    assert found["overlaid"] == 2


def test_the_gate_judges_stored_runs(root: Path, tmp_path: Path) -> None:
    baseline = str(tmp_path / "baseline.json")
    assert attnsearch("baseline", str(root), "-o", baseline).status == 0
    same = attnsearch("check", str(root), "--baseline", baseline, "--json")
    assert same.status == 0
    assert json.loads(same.out)["verdict"] == "pass"
    for seed in range(3):
        recorded(tmp_path / "other", seed=seed, support_size=1, steps=150)
    refused = complaint("check", str(tmp_path / "other"), "--baseline", baseline)
    assert "steps" in refused
    assert "leave out the flags of training" in complaint(
        "check", str(root), "--baseline", baseline, "--seeds", "3"
    )


def test_a_board_counts_no_foreign_run_unless_it_is_told_to(tmp_path: Path) -> None:
    ladder = suite(tmp_path, LADDER)
    foreign = MixerSpec("foreign:mine", ())
    stored(tmp_path / "store", runs(ladder, foreign))
    candidates, left_out = gather(given([str(tmp_path / "store")]), [ladder])
    assert candidates == []
    (one,) = left_out
    assert one.what == "80 stored runs of foreign:mine"
    assert one.reason == f"{APART}: --foreign lists it apart"
    family = only(board([ladder], *gather(given([str(tmp_path / "store")]), [ladder], foreign=True)))
    assert family.ranked == ()
    assert [(row.name, row.reasons) for row in family.apart] == [("foreign:mine", (APART,))]


def test_nothing_here_trains_a_foreign_run(root: Path) -> None:
    message = "only that loop can train it"
    assert message in complaint("run", "--task", "linear_map", "--mixer", "foreign:mine")
    assert message in complaint("verify", "foreign:mine")
