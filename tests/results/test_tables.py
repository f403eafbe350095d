"""Tables of cells: the texts of columns beside what differs, what they share said once, and names as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from helpers.hand_made import KNOWN_MIXERS, changed, claiming, renamed, run_of, spec_of
from helpers.texts import shown
from rich.console import Console

from attnsearch.results.cells import Cell
from attnsearch.results.column import Column
from attnsearch.results.study import Study
from attnsearch.results.table import as_csv
from attnsearch.results.tables import cell_table, tables, trained_table
from attnsearch.results.thresholds import sensitivity, table
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import InterventionSpec, MixerSpec, TaskSpec, Value, settings

MakeRun = Callable[..., StoredRun]


def test_a_table_shows_the_texts_of_columns_by_their_keys(study: Study) -> None:
    extra: Column[Cell] = Column("mine", "mine", lambda cell: None, lambda cell: f"{cell.bits:.0f}")
    table = cell_table(study, "Some", ("runs", "prediction_loss"), extra, ending=", of mine")
    assert table.caption == "Some: linear_map, attention, support size 2, of mine"
    # No cell has a prediction loss: every query is a target.
    assert table.columns == ("state size", "runs", "mine")
    assert table.numbers == {"state size", "runs"}
    assert table.rows == (("4", "4", "3"), ("5", "2", "3"))
    assert table.labels == 1


def test_tables_say_what_records_say(study: Study) -> None:
    first, second = study.by_cell
    texts = shown(tables(study)[0])
    assert [text.split("\n")[0] for text in texts["escaped"]] == ["3 of 4", "0 of 2"]
    assert texts["plateau length, median"][0].startswith(f"{first['plateau_length_median']:,.0f}\n0 or more")
    assert texts["plateau length, median"][1] == "not reached\n0 or more"
    assert texts["restricted mean to the budget"][0].startswith(
        f"{first['plateau_length_restricted_mean']:,.0f} ± "
    )
    assert texts["restricted mean to the budget"][1] == (
        f"{second['plateau_length_restricted_mean']:,.0f}\nnone escaped"
    )
    assert shown(trained_table(study))["escaped"] == texts["escaped"]
    mass = shown(tables(study)[2])["map mass (by chance)"]
    assert mass[0] == f"{first['map_mass']:.2f}\n{first['chance_map_mass']:.2f}"
    assert mass[1].startswith("–\n")


def test_a_cell_that_diverged_has_waited_no_known_time(make_run: MakeRun) -> None:
    broken = [make_run(seed, diverged=True, escape=None, mastery=None, found=(None, None)) for seed in (0, 1)]
    waited, _, _ = tables(Study(broken))
    assert shown(waited)["runs"] == ["2\n2 diverged"]
    assert shown(waited)["restricted mean to the budget"] == ["–"]
    (record,) = Study(broken).by_cell
    means = {key: value for key, value in record.items() if "restricted_mean" in key}
    assert len(means) == 12
    assert set(means.values()) == {None}
    assert "±" not in " ".join(shown(table(sensitivity(Study(broken).cells)))["0.938 of chance"])


def test_a_cell_that_never_escaped_has_a_mean_and_no_error(make_run: MakeRun) -> None:
    waiting = [make_run(seed, escape=None, mastery=None, found=(None, None)) for seed in (0, 1)]
    (record,) = Study(waiting).by_cell
    assert record["plateau_length_restricted_mean"] == 500
    assert record["plateau_length_restricted_mean_error"] is None
    waited, _, _ = tables(Study(waiting))
    assert shown(waited)["restricted mean to the budget"] == ["500\nnone escaped"]


def test_runs_that_diverged_are_a_note(make_run: MakeRun) -> None:
    runs = [make_run(0), make_run(1, diverged=True, escape=None, mastery=None), make_run(2)]
    assert shown(tables(Study(runs))[0])["runs"] == ["3\n1 diverged"]
    assert shown(trained_table(Study(runs)))["diverged"] == ["1"]
    assert shown(tables(Study(runs[::2]))[0])["runs"] == ["2"]
    assert "diverged" not in shown(trained_table(Study(runs[::2])))


def test_escape_and_mastery_stand_beside_each_other_on_eighty_columns() -> None:
    long = [1_310, 1_500, 8_650, 9_100]
    specs = [spec_of(mixer, seed, steps=10_000) for mixer in KNOWN_MIXERS for seed in range(8)]
    table = trained_table(Study([run_of(spec, long) for spec in specs]))
    screen = Console(file=io.StringIO(), width=80)
    screen.print(table)
    assert isinstance(screen.file, io.StringIO)
    lines = screen.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    first = " ".join(lines[: next(index for index, line in enumerate(lines) if line.startswith("└"))])
    for words in ("plateau", "length,", "mastery,", "median", "escaped", "mastered", "1,310", "9,100"):
        assert words in first


# Columns that are there where they say something.


def test_attention_is_a_column_only_where_there_is_some(runs: list[StoredRun]) -> None:
    name = "attention mass, best head (untrained)"
    assert name in shown(tables(Study(runs))[2])
    assert name not in shown(tables(Study(runs[4:]))[2])


def test_the_in_context_gain_is_everywhere_where_there_is_one(runs: list[StoredRun]) -> None:
    gaining = Study([claiming(run, state_loss=np.array([0.75, 0.5])) for run in runs])
    # None of the second cell's runs escaped.
    assert shown(trained_table(gaining))["in-context gain (nats)"] == ["0.250", "–"]
    assert "in-context gain (nats)" not in shown(trained_table(Study(runs)))


def test_the_prediction_loss_is_a_column_where_there_is_one(make_run: MakeRun) -> None:
    run = make_run(state_size=4)
    scored = replace(
        run,
        truth=run.truth._replace(is_target=np.ones(2, bool), query_positions=np.array([1, 2])),
        curves=run.curves._replace(loss=run.curves.loss[:, 1:]),
    )
    name = "prediction loss (nats)"
    assert name not in shown(trained_table(Study([scored])))
    assert shown(trained_table(Study([scored, make_run()])))[name] == ["–", "0.467"]


def test_cheaper_routes_are_a_column_where_there_are_any(make_run: MakeRun) -> None:
    run, name = make_run(), "cheapest route (bits)"
    texts = shown(trained_table(Study([run])))
    assert (texts["search space (bits)"], texts[name]) == (["1.0"], ["0.8"])
    isolated = replace(run, truth=run.truth._replace(log2_search_space=np.ones(2)))
    assert name not in shown(trained_table(Study([isolated])))


# Settings.


def test_what_differs_is_in_columns_and_the_rest_is_said_once(make_run: MakeRun) -> None:
    runs = [make_run(), make_run(state_size=4)]
    start = "Plateau length and mastery in steps, with 95 % intervals"
    start += ": linear_map_autoregressive, attention, loss all"
    assert trained_table(Study(runs)).caption == f"{start}, support size 2"
    assert trained_table(Study(runs[:1])).caption == f"{start}, state size 2, support size 2"
    optimizer = replace(runs[0].spec.cell.optimizer, learning_rate=0.01)
    mixer = MixerSpec("mlp_mixer", settings({"expansion": None}))
    # The settings of a mixer that only one cell has do not differ between cells.
    texts = shown(trained_table(Study([*runs, changed(runs[0], optimizer=optimizer, mixer=mixer)])))
    assert list(texts)[:3] == ["mixer", "state size", "learning rate"]
    assert texts["mixer"] == ["attention", "attention", "mlp_mixer"]
    assert texts["state size"] == ["2", "4", "2"]
    assert texts["learning rate"] == ["0.0003", "0.0003", "0.01"]


def test_a_setting_left_to_the_mixer_reads_derived_and_one_it_lacks_is_empty(make_run: MakeRun) -> None:
    def with_mixer(**chosen: Value) -> StoredRun:
        return changed(make_run(), mixer=MixerSpec("attention", settings(chosen)))

    study = Study([with_mixer(head_width=None), with_mixer(head_width=4), with_mixer()])
    assert shown(trained_table(study))["head width"] == ["derived", "4", ""]


def test_a_task_with_other_knobs_leaves_their_places_empty(make_run: MakeRun) -> None:
    other = changed(make_run(), task=TaskSpec("other", "linear_map", settings({"depth": 3})))
    table = trained_table(Study([make_run(), make_run(state_size=4), other]))
    texts = shown(table)
    assert texts["task"] == ["linear_map_autoregressive"] * 2 + ["other"]
    assert texts["state size"] == ["2", "4", ""]
    assert "depth" not in texts
    assert table.caption.endswith(
        ": attention, linear_map_autoregressive: loss all, support size 2; other: depth 3"
    )


def test_interventions_are_columns_where_cells_differ_in_them(make_run: MakeRun) -> None:
    given = [
        InterventionSpec(),
        InterventionSpec(map_bias=5.0),
        InterventionSpec(5.0, map_bias_placebo=True),
    ]
    runs = [changed(make_run(), intervention=one) for one in given]
    texts = shown(trained_table(Study(runs)))
    assert texts["map bias"] == ["0", "5", "5"]
    assert texts["map bias placebo"] == ["no", "no", "yes"]
    assert "map bias layers" not in texts
    caption = trained_table(Study(runs[2:])).caption
    assert caption.endswith("support size 2, map bias 5, map bias placebo yes")


def test_thresholds_are_columns_where_cells_differ_in_them(make_run: MakeRun) -> None:
    run = make_run()
    stricter = run.under(replace(run.spec.cell.task.plateau, escape=0.5))
    assert shown(trained_table(Study([run, stricter])))["escape threshold"] == ["0.938", "0.5"]


@pytest.mark.parametrize("name", ["a[/b]", "[link=https://x.example]a", "\x1b[31mred", "ab\u202ecd", "=1+1"])
def test_names_are_text_in_every_table_and_in_csv(make_run: MakeRun, name: str) -> None:
    study = Study([renamed(make_run(), name, name), renamed(make_run(), "other", "mine")])
    for made in (trained_table(study), *tables(study)):
        assert all(text.isprintable() for row in made.rows for part in row for text in part.split("\n"))
    text = as_csv(list(study.by_cell))
    assert text.replace("\n", "").isprintable()
    first, _ = csv.DictReader(io.StringIO(text))
    assert not first["mixer"].startswith("=")
