"""What tables, documents, the page and the picture say of routes that compete; other tasks say nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from helpers.contested import hopping_run
from helpers.figures import lines, places
from helpers.hand_made import run_of, spec_of

from attnsearch.plots.routes import _route_figure
from attnsearch.report.run_detail import details
from attnsearch.results.document import document
from attnsearch.results.study import Study
from attnsearch.results.tables import run_table, tables

STUDY = Study([hopping_run(seed) for seed in range(2)])
PLAIN = Study([run_of(spec_of(), [100, 110, 120, None])])


def test_columns_tell_shares_hops_and_dwell():
    (cell,), (first, _) = STUDY.by_cell, STUDY.by_run
    for row in (cell, first):
        assert row["shallow_share"] == pytest.approx(0.3, abs=0.02)
        assert row["general_share"] == pytest.approx(0.7, abs=0.02)
        assert row["hops"] == 1
        assert row["hops_in_1000_steps"] == pytest.approx(1.0, abs=0.02)
    assert (cell["hopped_back"], cell["dwell_median"]) == (0, 300)
    # The longest stretch is the last one, which the record cuts short.
    assert (first["longest_dwell"], first["longest_dwell_ended"]) == (700, False)
    assert (first["agreement"], first["route_mass"]) == (1.0, "shallow 0.00, general 0.90")
    assert "> 700" in run_table(STUDY).rows[0]
    assert "Which of two routes" in tables(STUDY)[-1].caption


def test_other_tasks_show_none_of_it():
    (cell,), (run,) = PLAIN.by_cell, PLAIN.by_run
    for row in (cell, run):
        assert row["hops"] is row["general_share"] is None
    assert len(tables(PLAIN)) == len(tables(STUDY)) - 1
    assert not {"hops", "route mass"} & set(run_table(PLAIN).columns)
    (told,) = document(PLAIN, "results", [])["runs"]
    assert not {"hopping", "route_mass"} & set(told)
    assert details(PLAIN.runs)[0]["modes"] is None


def test_the_document_and_the_page_hold_stretches():
    told = json.loads(json.dumps(document(STUDY, "results", [])))["runs"][0]
    shallow, general = told["hopping"]["stretches"]
    assert (shallow["mode"], shallow["last_step"]) == ("shallow", 300)
    assert (general["mode"], general["first_step"], general["last_step"]) == ("general", 310, 1_000)
    assert (told["hopping"]["hops"], told["hopping"]["ended"]) == ([310], [True, False])
    assert told["route_mass"]["general"] == pytest.approx(0.9)
    modes = details(STUDY.runs)[0]["modes"]
    assert modes == {"stretches": [["shallow", 10, 300], ["general", 310, 1_000]], "hops": [310]}


def test_the_picture_marks_hops_and_draws_masses():
    run = STUDY.runs[0]
    assert run.hopping is not None
    figure = _route_figure(run.contests, run.hopping, run.routes, "")
    above, below = figure.axes
    assert [places(line)[0] for line in lines(figure, "hop")] == [310]
    assert [text.get_text() for text in above.texts] == ["hop, step 310"]
    drawn = [line.get_label() for line in below.lines]
    assert drawn == ["map mass, shallow", "map mass, general", "agreeing items right"]
    without = replace(run, routes=PLAIN.runs[0].routes)
    assert len(_route_figure(run.contests, run.hopping, without.routes, "").axes[1].lines) == 1
