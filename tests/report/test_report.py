"""The report of hand-made runs: its numbers, its warnings, its size, and that names stay text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import subprocess
import sys
import zlib
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import made_automata
from helpers.hand_made import CHANCE, renamed, run_of, spec_of

from attnsearch.base import AttnsearchError
from attnsearch.cli.report import report as command
from attnsearch.cli.run import run as run_command
from attnsearch.report.data import plateaus
from attnsearch.report.page import json_for_script
from attnsearch.report.report import report
from attnsearch.report.run_detail import POINTS, thinned
from attnsearch.results.alignment import align, best_heads
from attnsearch.results.cells import cells
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.command import commands
from attnsearch.spec.run import InterventionSpec, RunSpec
from attnsearch.stats.comparison import benjamini_hochberg, compare

HOSTILE = '<script>alert("1")</script>&lt;'


class Page(HTMLParser):
    """What a browser would find: elements, texts, tables, and the document that the scripts read."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.tables: list[list[list[str]]] = []
        self._inside: list[str] = []
        self.feed(text)
        self.data: dict[str, Any] = json.loads(self.scripts[0])
        self.words = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._inside[-1:] == ["script"]:
            self.scripts.append(data)
        elif self._inside[-1:] == ["style"]:
            self.styles.append(data)
        else:
            self.texts.append(data)
            if {"td", "th"} & set(self._inside):
                self.tables[-1][-1][-1] += data if "small" not in self._inside else f" | {data}"

    def rows(self, column: str) -> list[dict[str, str]]:
        """Those of the table that has such a column, by its headings."""
        heading, *rows = next(table for table in self.tables if table and column in table[0])
        return [dict(zip(heading, row, strict=True)) for row in rows]


def unpacked(packed: dict[str, Any]) -> np.ndarray:
    """The numbers of an array in a page, none as nan."""
    codes = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), f"<u{packed['bytes']}")
    missing = packed["bytes"] == 2
    values = np.where(missing & (codes == 65535), np.nan, codes / packed["scale"])
    return values.reshape(packed["shape"])


@pytest.fixture(scope="module")
def runs() -> list[StoredRun]:
    """Two sizes, two mixers, eight seeds; some never escape, one diverges."""
    made = []
    for support in (1, 2):
        for mixer, pace in (("attention", 100), ("mlp_mixer", 200)):
            for seed in range(8):
                spec = spec_of(mixer, seed, support_size=support)
                first = pace * support + 10 * seed
                found: list[int | None] = [first, first + 20, first + 50, None if seed == 3 else first + 90]
                made.append(run_of(spec, found, heads=3 if mixer == "attention" else 0))
    spec = made[-1].spec
    made[-1] = run_of(spec, [None] * 4, diverges=120)
    made[-2] = run_of(made[-2].spec, [None] * 4)
    return made


@pytest.fixture(scope="module")
def page(runs: list[StoredRun]) -> Page:
    return Page(report(runs))


# What it says.


def test_every_run_is_there_with_the_numbers_of_the_store(page: Page, runs: list[StoredRun]) -> None:
    shown = {run["digest"]: run for run in page.data["runs"]}
    assert len(shown) == len(runs) == 32
    for run in runs:
        found, measures = shown[run.spec.digest], run.measures
        assert found["seed"] == run.spec.seed
        assert found["status"] == run.status
        assert found["escaped"] is measures.escaped
        if measures.escaped or run.status != "diverged":
            assert found["plateau"] == measures.plateau_length
        assert (found["mastery"], found["mastered"]) == (measures.mastery_step, measures.mastered)
        known = [step if was else None for step, was in zip(*measures.found, strict=True)]
        assert found["found"] == known
        cell = page.data["cells"][found["cell"]]
        assert page.data["runs"][cell["runs"][0]]["cell"] == found["cell"]
        assert cell["bits"] == pytest.approx(float(run.truth.nominal_log2_search_space))


def test_a_diverged_run_stands_censored_at_its_budget(page: Page, runs: list[StoredRun]) -> None:
    (found,) = [run for run in page.data["runs"] if run["status"] == "diverged"]
    assert runs[-1].measures.plateau_length == 120
    assert (found["plateau"], found["escaped"]) == (1_000, False)


def test_curves_and_maps_are_those_of_the_store(page: Page, runs: list[StoredRun]) -> None:
    shown = {run["digest"]: run["detail"] for run in page.data["runs"]}
    for run in runs:
        detail = shown[run.spec.digest]
        at = np.searchsorted(run.curves.step, detail["loss_step"])
        np.testing.assert_array_equal(run.curves.step[at], detail["loss_step"])
        np.testing.assert_allclose(unpacked(detail["loss"]) * CHANCE, run.curves.loss[at], atol=1e-4)
        assert detail["map_step"] == run.maps.step.tolist()
        shares = run.maps.influence / run.maps.influence.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(unpacked(detail["map"]), shares[:, :, :4], atol=0.5 / 255 + 1e-6)
        mass = run.measures.map_mass
        np.testing.assert_allclose(unpacked(detail["map_mass"]), mass, atol=1e-4)
        support = [np.flatnonzero(row).tolist() for row in run.truth.attention_map]
        assert detail["support"] == support
        assert detail["positions"] == [0, 1, 2, 3]


def test_weights_of_heads_are_those_of_the_store(page: Page, runs: list[StoredRun]) -> None:
    shown = {run["digest"]: run["detail"]["heads"] for run in page.data["runs"]}
    for run in runs:
        heads = shown[run.spec.digest]
        if not run.heads.mass.shape[1]:
            assert heads is None
            continue
        weights = unpacked(heads["weights"])
        np.testing.assert_allclose(weights[..., :4] * 255, run.heads.weights[..., :4], atol=1e-4)
        # What lies on blanks is one column more: with rounding, a row sums to one.
        np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=0.03)
        best = best_heads(run.heads)
        np.testing.assert_allclose(unpacked(heads["mass"]), best.mass[:, 0], atol=1e-4)
        np.testing.assert_allclose(unpacked(heads["entropy"]), best.entropy[:, 0], atol=2e-4)
        assert heads["best"] == run.heads.mass[-1].argmax(axis=0).tolist()
        assert heads["names"] == ["head 0", "head 1", "head 2"]
        assert len(heads["uniform_mass"]) == 4


def test_the_table_of_cells_says_what_the_summary_says(page: Page, runs: list[StoredRun]) -> None:
    rows = page.rows("plateau length, median")
    summaries = cells(runs)
    assert len(rows) == len(summaries) == 4
    for row, cell in zip(rows, summaries, strict=True):
        assert row["mixer"] == cell.spec.mixer.name
        assert row["support size"] == str(dict(cell.spec.task.knobs)["support_size"])
        assert row["escaped"].startswith(f"{cell.plateau.observed} of 8 | ")
        assert row["mastered"].startswith(f"{cell.mastery.observed} of 8 | ")
        assert cell.plateau.median is not None
        assert row["plateau length, median"].startswith(f"{cell.plateau.median:,.0f} | ")
        assert row["restricted mean, to the budget"].startswith(f"{cell.plateau.restricted_mean:,.0f} ± ")
    assert rows[-1]["runs"] == "8 | 1 diverged"
    assert rows[-1]["protocol"] == "⚠ 1 diverged"
    assert rows[0]["protocol"] == "–"


def test_the_table_of_runs_names_every_digest(page: Page, runs: list[StoredRun]) -> None:
    rows = page.rows("digest")
    assert [row["digest"] for row in rows] == [run.spec.digest[:16] for run in runs]
    assert [row["plateau length"] for row in rows[:2]] == ["100", "110"]
    assert rows[-2]["plateau length"] == "> 1,000"


def test_mixers_are_compared_with_attention(page: Page, runs: list[StoredRun]) -> None:
    rows = page.rows("verdict: its plateau is")
    expected = [
        compare(plateaus(runs[8:16]), plateaus(runs[:8]), 1_000),
        compare(plateaus(runs[24:]), plateaus(runs[16:24]), 1_000),
    ]
    adjusted = benjamini_hochberg([one.p_value for one in expected])
    assert [row["against"] for row in rows] == ["attention", "attention"]
    for row, one, p_value in zip(rows, expected, adjusted, strict=True):
        assert row["mixer"] == "mlp_mixer"
        assert row["ratio"] == f"{one.ratio:.2f} | {one.low:.2f} to {one.high:.2f}"
        assert row["p, adjusted"] == f"{p_value:.2g} | {one.method}"
        assert row["verdict: its plateau is"] == "longer"
    # Whichever comes first.
    assert Page(report(runs[::-1])).rows("against")[0]["against"] == "attention"


def test_kaplan_meier_curves_by_mixer_and_by_cell(page: Page, runs: list[StoredRun]) -> None:
    survival = page.data["survival"]
    views = {
        view["name"]: [survival["curves"][index] for index in view["curves"]] for view in survival["views"]
    }
    by_mixer, by_cell = views["by mixer, all cells together"], views["by cell"]
    assert [curve["name"] for curve in by_mixer] == ["attention", "mlp_mixer"]
    assert len(by_cell) == 4
    first = by_cell[0]
    assert first["step"] == [run.measures.plateau_length for run in runs[:8]]
    np.testing.assert_allclose(first["survival"], np.arange(7, -1, -1) / 8)
    assert first["censored"] == []
    # Two of the last cell never escaped.
    assert by_cell[-1]["censored"] == [[1_000, 0.25]]
    assert by_cell[-1]["text"].startswith("6 of 8 escaped")
    assert [curve["name"] for curve in views["mixers at support size 2"]] == [
        "attention",
        "mlp_mixer",
    ]
    assert len(views["cells of mlp_mixer"]) == 2


def test_the_law_is_drawn_where_there_is_one(page: Page, runs: list[StoredRun]) -> None:
    assert page.data["series"] == ["attention", "mlp_mixer"]
    for law in page.data["laws"]:
        (low, *_), (high, *_) = law["line"]
        assert (low, high) == pytest.approx((2.0, np.log2(6)))
        for _, below, middle, above in law["line"]:
            assert below < middle < above
            assert below * above == pytest.approx(middle**2)
    assert "Each added bit multiplies the plateau by" in page.words
    alone = Page(report(runs[:8]))
    assert alone.data["laws"] == [{"line": [], "fits": True}]
    assert "No law: there is one search space only" in alone.words


def test_settings_thresholds_and_environments(page: Page, runs: list[StoredRun]) -> None:
    for text in ("learning rate 0.001", "support size 1, 2", "found threshold 0.5 of chance", "num heads 16"):
        assert text in page.words
    assert "Environment of all 32 runs device cpu devices 2 versions attnsearch 0.1.0" in page.words
    elsewhere = replace(runs[0], environment={"device": "NVIDIA"})
    words = Page(report([elsewhere, *runs[1:]])).words
    assert "Environment of 1 run device NVIDIA" in words
    assert "Environment of 31 runs device cpu" in words


def test_what_was_found_is_a_table_of_its_own(page: Page, runs: list[StoredRun]) -> None:
    assert "What was found" in page.words
    summaries = cells(runs)
    for row, cell in zip(page.rows("map risen, of found"), summaries, strict=True):
        alignment = align(cell.runs)
        assert row["map risen, of found"] == f"{alignment.rises} of {alignment.found}"
        mass = "–" if alignment.map_mass is None else f"{alignment.map_mass:.2f}"
        assert row["map mass by chance"] == f"{mass} | {alignment.chance_map_mass:.2f}"


def test_cheaper_routes_are_shown_where_there_are_any(page: Page, runs: list[StoredRun]) -> None:
    assert {run["detail"]["route"] is None for run in page.data["runs"]} == {True}
    assert "cheapest route" not in page.words.replace("cheapest routes", "")
    truth = runs[0].truth
    routes = np.roll(truth.cheapest_route, 1, axis=1)
    cheaper = truth._replace(cheapest_route=routes, log2_search_space=np.array([2.0, 2.0, 2.0, 0.0]))
    shown = Page(report([replace(run, truth=cheaper) for run in runs[:8]]))
    assert shown.data["runs"][0]["detail"]["route"] == [np.flatnonzero(row).tolist() for row in routes]
    assert shown.data["runs"][0]["detail"]["bits"] == [2.0, 2.0, 2.0, 0.0]
    assert shown.rows("escaped")[-1]["bits"] == "2.0 | cheapest route 1.5"


# What it warns about.


def test_few_seeds_are_warned_about_and_flagged(runs: list[StoredRun]) -> None:
    few = Page(report(runs[:5]))
    assert "5 seeds are too few" in few.words
    assert few.rows("protocol")[0]["protocol"] == "⚠ 5 seeds"
    assert "too few" not in Page(report(runs[:8])).words


def test_one_learning_rate_allows_no_ranking(runs: list[StoredRun]) -> None:
    warning = "one learning rate for {}: no ranking of mixers follows"
    assert warning.format("attention and mlp_mixer") in Page(report(runs)).words
    # One mixer alone is ranked with nothing.
    assert "no ranking" not in Page(report(runs[:8])).words
    slower = [run_of(spec_of("attention", seed, learning_rate=3e-4), [100] * 4) for seed in range(8)]
    assert warning.format("mlp_mixer") in Page(report([*runs, *slower])).words


def test_a_mixer_that_is_not_verified_is_told(runs: list[StoredRun]) -> None:
    warned = Page(report(runs, unverified=["mlp_mixer"]))
    assert "mlp_mixer is not verified" in warned.words
    flags = [row["protocol"] for row in warned.rows("protocol")]
    assert flags == ["–", "⚠ not verified", "–", "⚠ not verified; ⚠ 1 diverged"]
    assert "not verified" not in Page(report(runs, unverified=["gru"])).words


def test_runs_that_diverged_are_counted(page: Page) -> None:
    assert re.search(r"1 runs? diverged", page.words)


# Names, whoever gave them.


def test_whatever_a_name_holds_appears_as_text(runs: list[StoredRun]) -> None:
    hostile = [
        renamed(
            replace(run, environment={HOSTILE: HOSTILE, "<b>": {"<u>": "\u2028</script>"}}), HOSTILE, HOSTILE
        )
        for run in runs[:3]
    ]
    text = report(hostile, title=HOSTILE, unverified=[HOSTILE])
    found = Page(text)
    assert [tag for tag, _ in found.tags].count("script") == 2
    assert not {"b", "u"} & {tag for tag, _ in found.tags}
    assert len(found.scripts) == 2
    assert "alert(" not in found.scripts[1]
    assert '<script>alert(\\"1\\")' not in text
    assert HOSTILE in found.data["cells"][0]["name"]
    for place in ("h1", "title"):
        assert f"<{place}>&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;&amp;lt;</{place}>" in text
    assert found.words.count(HOSTILE) > 10
    # In the command it is one word for a shell.
    (line,) = commands([run.spec for run in hostile])
    assert shlex.split(line)[3] == HOSTILE


def test_json_cannot_end_the_element_it_stands_in() -> None:
    value = {"</script><!--": ["]]>&amp;\u2028\u2029", "\ud800", "é"]}
    text = json_for_script(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="JSON"):
        json_for_script({"loss": float("nan")})


def test_the_policy_of_the_page_admits_its_own_script_alone(runs: list[StoredRun]) -> None:
    text = report(runs[:2])
    found = Page(text)
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in found.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    digest = base64.b64encode(hashlib.sha256(found.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    (style,) = found.styles
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in policy
    # What a style attribute says, or a link leads to, the policy would refuse or the network have to bring.
    links = {attributes.get(name) for _, attributes in found.tags for name in ("href", "src")} - {None}
    assert all(link and link.startswith(("#", "data:")) for link in links)
    assert not any("style" in attributes for _, attributes in found.tags)
    assert set(re.findall(r"https?://[^\"'\s)]+", text)) == {"http://www.w3.org/2000/svg"}


# All the sets of runs there are.


@pytest.mark.parametrize(
    "found", [[100, 120, 140, 160], [None] * 4, [100, None, None, None], [10, 10, 10, 10]]
)
def test_one_run_is_a_report(found: list[int | None]) -> None:
    shown = Page(report([run_of(spec_of(), found)]))
    assert "1 run in 1 cell, 1 in each: attention on linear_map." in shown.words
    assert len(shown.data["runs"]) == 1
    assert "verdict" not in shown.words


def test_nothing_but_censored_runs() -> None:
    never = [run_of(spec_of(seed=seed, support_size=s), [None] * 4) for s in (1, 2) for seed in range(8)]
    shown = Page(report(never))
    assert {row["plateau length, median"] for row in shown.rows("escaped")} == {"not reached"}
    assert "none of 16 runs escaped" in shown.words
    (curve, *_) = shown.data["survival"]["curves"]
    assert curve["step"] == []
    assert curve["censored"] == [[1_000, 1.0]]


def test_a_run_that_diverged_at_once() -> None:
    shown = Page(report([run_of(spec_of(), [None] * 4, diverges=10)]))
    assert np.isnan(unpacked(shown.data["runs"][0]["detail"]["loss"])).all()


def test_the_same_runs_give_the_same_bytes(runs: list[StoredRun]) -> None:
    assert report(runs, title="Twice") == report(runs, title="Twice")


# Tasks of several states.


@pytest.fixture(scope="module")
def automata() -> list[StoredRun]:
    plain = [made_automata.run(made_automata.spec(seed=seed)) for seed in range(2)]
    placebo = InterventionSpec(map_bias=5.0, map_bias_placebo=True)
    biased = [made_automata.run(made_automata.spec(seed=seed, intervention=placebo), 50) for seed in range(2)]
    return [*plain, *biased]


def test_states_have_lines_and_mapped_targets_have_rows(automata: list[StoredRun]) -> None:
    shown = Page(report(automata)).data["runs"][0]
    run, detail = automata[0], shown["detail"]
    assert detail["names"] == ["state 1, cell 0", "state 1, cell 1", "state 5, cell 0", "state 5, cell 1"]
    assert detail["marks"] == ["1, 0", "1, 1", "5, 0", "5, 1"]
    assert detail["lines"]["names"] == [f"state {state}" for state in range(1, 6)]
    assert detail["lines"]["of_mapped"] == [0, 0, 4, 4]
    # The first state is never found: half of chance is its Bayes loss.
    assert detail["lines"]["found"] == [None, 100, 120, 140, 160]
    assert detail["lines"]["bayes"] == [pytest.approx(0.5 * made_automata.CHANCE, abs=1e-4), 0, 0, 0, 0]
    at = np.searchsorted(run.curves.step, detail["loss_step"])
    loss = run.curves.loss[at].reshape(len(at), 5, 8)
    np.testing.assert_allclose(unpacked(detail["loss"]) * made_automata.CHANCE, loss.mean(axis=2), atol=1e-4)
    np.testing.assert_allclose(
        unpacked(detail["loss_mean"]) * made_automata.CHANCE, loss.mean(axis=(1, 2)), atol=1e-4
    )
    # Counts are of all targets, steps of those that have a row.
    assert shown["targets"] == 40
    assert shown["counts"] == [[100, 8], [120, 16], [140, 24], [160, 32]]
    assert shown["found"] == [None, None, 160, 160]
    assert len(detail["bits"]) == len(detail["support"]) == len(detail["chance_map_mass"]) == 4


def test_positions_that_were_never_probed_are_gaps(automata: list[StoredRun]) -> None:
    run = automata[0]
    detail = Page(report(automata)).data["runs"][0]["detail"]
    positions = np.flatnonzero(run.truth.probed)
    assert detail["positions"] == positions.tolist()
    assert detail["unprobed"] == 48 - len(positions)
    assert detail["states"] == (positions // 8).tolist()
    inside = [k + 1 for k, step in enumerate(np.diff(positions)) if step > 1]
    assert detail["gaps"] == [*inside, len(positions)]
    shares = run.maps.influence / run.maps.influence.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(unpacked(detail["map"]), shares[:, :, positions], atol=0.5 / 255 + 1e-6)
    # The weights on them are in one column.
    weights = unpacked(detail["heads"]["weights"]) * 255
    np.testing.assert_allclose(weights[..., :-1], run.heads.weights[..., positions], atol=1e-4)
    others = np.delete(run.heads.weights.astype(int), positions, axis=-1).sum(axis=-1)
    np.testing.assert_allclose(weights[..., -1], np.minimum(others, 255), atol=1e-4)


def test_of_many_weights_those_of_the_best_heads_are_kept(
    automata: list[StoredRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnsearch.report.run_detail.MOST_WEIGHTS", 100)
    heads = Page(report(automata)).data["runs"][0]["detail"]["heads"]
    positions = np.flatnonzero(automata[0].truth.probed)
    assert heads["all"] is False
    kept = best_heads(automata[0].heads).weights
    np.testing.assert_allclose(unpacked(heads["weights"])[..., :-1] * 255, kept[..., positions], atol=1e-4)


def test_knobs_that_do_not_differ_are_said_once(automata: list[StoredRun]) -> None:
    found = Page(report(automata))
    knobs = "compositions 1, loss targets, num colours 4, num states 6, rule pool 256, state size 8"
    knobs += ", window size 3"
    assert f"All with {knobs}." in found.words
    assert f"Every cell: {knobs}." in found.words
    plain, placebo = (cell["name"] for cell in found.data["cells"])
    assert plain == "cellular_automaton; attention, map bias 0, map bias placebo no"
    assert placebo == "cellular_automaton; attention, map bias 5, map bias placebo yes"
    rows = found.rows("plateau length, median")
    assert [(row["map bias"], row["map bias placebo"]) for row in rows] == [("0", "no"), ("5", "yes")]
    assert "rule pool" not in rows[0]


def test_interventions_are_compared_with_none_and_never_taken_for_mixers(automata: list[StoredRun]) -> None:
    other = [renamed(run, "cellular_automaton", "mine") for run in automata[2:]]
    rows = Page(report([*automata, *other])).rows("verdict: its plateau is")
    assert [(row["mixer"], row["against"]) for row in rows] == [
        ("mine, map bias 5, map bias placebo yes", "attention, map bias 5, map bias placebo yes"),
        ("attention, map bias 5, map bias placebo yes", "attention, map bias 0, map bias placebo no"),
    ]
    reference = plateaus(automata[:2])
    assert rows[1]["ratio"].startswith(f"{compare(plateaus(automata[2:]), reference, 400).ratio:.2f} ")


def test_the_in_context_gain_is_in_the_table_of_what_was_found(automata: list[StoredRun]) -> None:
    (summary, _) = cells(automata)
    row, _ = Page(report(automata)).rows("in-context gain (nats)")
    assert summary.in_context_gain is not None
    assert row["in-context gain (nats)"] == f"{summary.in_context_gain:.2f}"
    assert summary.in_context_gain == pytest.approx(0.5 * made_automata.CHANCE - 0.02)


# Size.


def test_curves_are_thinned_to_some_of_their_points() -> None:
    assert thinned(3).tolist() == [0, 1, 2]
    assert thinned(0).tolist() == []
    for points in (POINTS + 1, 1_000, 10_000):
        at = thinned(points)
        assert len(at) <= POINTS
        assert len(at) > POINTS / 2
        assert (np.diff(at) > 0).all()
        assert (at[0], at[-1]) == (0, points - 1)


def test_sixty_four_large_runs_fit_into_three_megabytes() -> None:
    drawn = np.random.default_rng(0)
    made = []
    for number in range(64):
        spec = spec_of("attention", number % 8, state_size=16, support_size=1 + number // 8, steps=10_000)
        run = run_of(spec, [10_000] * 16, heads=1)
        # Everything that compresses badly: every number is drawn.
        weights = drawn.integers(0, 256, (30, 16, 16, 32), np.uint8)
        mass = drawn.uniform(size=(30, 16, 16)).astype(np.float32)
        maps = run.maps._replace(
            step=np.arange(30, dtype=np.int32) * 100,
            influence=drawn.uniform(size=(30, 16, 32)).astype(np.float32) * run.truth.replaceable,
        )
        loss = drawn.uniform(0, 1, run.curves.loss.shape).astype(np.float32)
        made.append(
            replace(
                run,
                maps=maps,
                heads=run.heads._replace(weights=weights, mass=mass, entropy=mass),
                curves=run.curves._replace(loss=loss),
            )
        )
    text = report(made)
    assert len(text.encode()) < 3_000_000
    heads = [run["detail"]["heads"] for run in Page(text).data["runs"]]
    kept = [number for number, one in enumerate(heads) if one["weights"] is not None]
    assert 0 < len(kept) < 64
    assert f"The attention weights of {64 - len(kept)} of 64 runs are left out" in text
    # The middle run of each cell goes first, as far as there is room.
    assert {number // 8 for number in kept} == set(range(len(kept)))


# Commands that reproduce.


def asked(line: str) -> list[RunSpec]:
    """The runs that `attnsearch run` would make of a command line."""
    from attnsearch.cli.flags import given as given_values
    from attnsearch.cli.flags import tasks_of
    from attnsearch.cli.options import mixer_lists, names_in
    from attnsearch.training.jax.backend import JaxBackend, specify

    program, name, *arguments = shlex.split(line)
    assert (program, name) == ("attnsearch", "run")
    context = run_command.make_context("run", arguments)
    given = context.params
    mixers = names_in(given["mixers"])
    lists = {
        **given_values(context),
        **mixer_lists(mixers, given["mixer_settings"], JaxBackend().known_mixers),
    }
    return specify(tasks_of(context), mixers, lists, seeds=given["seeds"], rule_seed=given["rule_seed"])


def with_rules(spec: RunSpec, seeds: Sequence[int], rule: int | None) -> list[RunSpec]:
    return [replace(spec, seed=seed, rule_seed=seed if rule is None else rule) for seed in seeds]


@pytest.mark.parametrize(
    ("seeds", "rule", "flag"),
    [
        (range(8), None, "--seeds 8"),
        (range(8, 16), None, "--seeds 8:16"),
        ([5], None, "--seeds 5:6"),
        ([0], None, "--seeds 1"),
        ([9, 3, 5], None, "--seeds 3,5,9"),
        (range(4), 2, "--seeds 4 --rule-seed 2"),
        ([3], 7, "--seeds 3:4 --rule-seed 7"),
    ],
)
def test_a_command_asks_for_the_same_runs(seeds: Sequence[int], rule: int | None, flag: str) -> None:
    values = {
        "learning_rate": 3e-5,
        "weight_decay": 0.0,
        "num_layers": 2,
        "num_heads": 8,
        "early_stopping": False,
    }
    specs = with_rules(spec_of("attention", **values), seeds, rule)
    (line,) = commands(specs)
    assert line.endswith(flag)
    assert "--no-early-stopping" in line
    assert {one.digest for one in asked(line)} == {one.digest for one in specs}


@pytest.mark.parametrize("placebo", [False, True])
def test_a_command_makes_the_same_intervention(placebo: bool) -> None:
    given = InterventionSpec(4.5, map_bias_layers="0", map_bias_steps="10:50", map_bias_placebo=placebo)
    plain = spec_of("attention", num_heads=8)
    specs = with_rules(replace(plain, cell=replace(plain.cell, intervention=given)), range(2), None)
    (line,) = commands(specs)
    assert ("--map-bias-placebo" in line) == placebo
    assert {one.digest for one in asked(line)} == {one.digest for one in specs}


def test_a_cell_of_both_kinds_of_rules_takes_two_commands() -> None:
    spec = spec_of("mlp_mixer", expansion=2, width=32)
    specs = [*with_rules(spec, range(4), None), *with_rules(spec, range(4), 2)]
    # Seed 2 with rule 2 is the same run either way.
    wanted = {one.digest for one in specs}
    assert len(wanted) == 7
    lines = commands(specs)
    assert len(lines) == 2
    assert {one.digest for line in lines for one in asked(line)} == wanted


def test_the_page_holds_the_commands(page: Page, runs: list[StoredRun]) -> None:
    lines = [text for text in page.texts if text.startswith("attnsearch run ")]
    assert {one.digest for line in lines for one in asked(line)} == {run.spec.digest for run in runs}


# The command.


def stored(folder: Path, runs: Sequence[StoredRun]) -> Path:
    store = Store.open(folder)
    for run in runs:
        store.save(run)
    return folder


def test_the_command_writes_a_file_and_says_what_to_distrust(tmp_path: Path, runs: list[StoredRun]) -> None:
    out = stored(tmp_path / "out", runs[:4])
    target = tmp_path / "page.html"
    target.write_text("an earlier one")
    done = CliRunner().invoke(
        command, [str(out), "-o", str(target), "--title", "Four"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert re.fullmatch(rf"{re.escape(str(target))} \(0\.\d\d MB\)\n", done.stdout)
    assert "attnsearch: warning: 4 seeds are too few" in done.stderr
    found = Page(target.read_text(encoding="utf-8"))
    assert "<h1>Four</h1>" in target.read_text(encoding="utf-8")
    assert {run["digest"] for run in found.data["runs"]} == {run.spec.digest for run in runs[:4]}
    # Nothing is left of what it was written to first.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "page.html"]


def test_what_cannot_be_written_or_read_is_one_line(tmp_path: Path, runs: list[StoredRun]) -> None:
    out = stored(tmp_path / "out", runs[:1])
    missing = tmp_path / "absent" / "page.html"
    done = CliRunner().invoke(
        command, [str(out), "-o", str(out / "runs" / runs[0].spec.digest / "run.json" / "page")]
    )
    assert re.fullmatch(r"cannot write .*page: .*; choose another place", str(done.exception))
    assert sorted(path.name for path in out.iterdir()) == ["runs"]
    (tmp_path / "empty" / "runs").mkdir(parents=True)
    for name in (tmp_path / "empty", tmp_path / "nowhere"):
        done = CliRunner().invoke(command, [str(name), "-o", str(missing)])
        assert isinstance(done.exception, AttnsearchError)
        assert "\n" not in str(done.exception)


def test_a_report_needs_no_jax(tmp_path: Path, runs: list[StoredRun]) -> None:
    out = stored(tmp_path / "out", runs[:1])
    code = (
        "import sys; from attnsearch.cli.report import report;"
        f"report([{str(out)!r}, '-o', {str(tmp_path / 'page.html')!r}], standalone_mode=False);"
        "assert not {'jax', 'flax', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").exists()
