"""The leaderboard: who is ranked, who is listed apart and why, and what each form of it shows."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.made_runs import ATTENTION, MINE, SUITE, run, runs, stored, suite, verification

from attnsearch.base import AttnsearchError
from attnsearch.cli.leaderboard import leaderboard as command
from attnsearch.leaderboard import document as formats
from attnsearch.leaderboard.board import Board, Family, board
from attnsearch.leaderboard.candidates import Candidate, LeftOut, gather
from attnsearch.leaderboard.entry import Entry, assemble
from attnsearch.leaderboard.entry_file import written
from attnsearch.leaderboard.page import page
from attnsearch.leaderboard.tables import tables
from attnsearch.runs.cost import Cost
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import MixerSpec, settings
from attnsearch.spec.suite import Suite

LADDER = SUITE.replace("seeds = 6", "seeds = 16").replace("steps = 400", "steps = 1_000")
LADDER = LADDER.replace("support_size = 4", "support_size = [2, 4]")
"""Sixteen seeds, and four search spaces, of which nobody finds the last."""

SLOW = MixerSpec("slow", ())
COST = Cost(16, 213_000, 421_000.5, None, "2 x cpu, a processor")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return suite(tmp_path_factory.mktemp("suite"), LADDER)


@pytest.fixture(scope="module")
def made(asked: Suite) -> dict[MixerSpec, list[StoredRun]]:
    """Runs of three mixers, of which one is fast, and one slow."""
    return {mixer: runs(asked, mixer, pace) for mixer, pace in ((ATTENTION, 1.0), (MINE, 0.6), (SLOW, 3.0))}


def entry(asked: Suite, mixer: MixerSpec, own: Sequence[StoredRun], verdict: str = "passed") -> Entry:
    return assemble(asked, mixer, own, verification(mixer, verdict), COST)


@pytest.fixture(scope="module")
def entries(asked: Suite, made: dict[MixerSpec, list[StoredRun]]) -> dict[str, Entry]:
    return {mixer.name: entry(asked, mixer, own) for mixer, own in made.items()}


def shown(asked: Suite, *entries: Entry, left_out: Sequence[LeftOut] = ()) -> Board:
    candidates = [Candidate(one, f"{number}.json") for number, one in enumerate(entries)]
    return board(asked, candidates, left_out)


def only(made: Board) -> Family:
    (family,) = made.families
    return family


# Who is ranked.


def test_mixers_are_ranked_with_what_separates_them(asked: Suite, entries: dict[str, Entry]) -> None:
    family = only(shown(asked, *entries.values()))
    assert family.name == "position-keyed"
    assert [(row.name, row.rank, row.tied) for row in family.ranked] == [
        (MINE.name, 1, False),
        ("attention", 2, False),
        ("slow", 3, False),
    ]
    assert family.apart == ()
    for pair in family.pairs:
        assert pair.better == min(pair.first, pair.second)
    assert [round(row.frontier.reached.bits, 1) for row in family.ranked if row.frontier.reached] == [
        4.8,
        4.8,
        2.6,
    ]
    ours, attention, slow = (row.ratio for row in family.ranked)
    assert ours is not None
    assert attention is not None
    assert slow is not None
    assert ours.high < 1 < slow.low
    assert (attention.low, attention.value, attention.high) == (1, 1, 1)
    assert [row.escaped.count for row in family.ranked] == [48, 48, 32]


def test_mixers_that_nothing_separates_share_a_rank(asked: Suite, entries: dict[str, Entry]) -> None:
    twin = MixerSpec("twin", ())
    family = only(shown(asked, entries["attention"], entry(asked, twin, runs(asked, twin)), entries["slow"]))
    assert [(row.name, row.rank, row.tied) for row in family.ranked] == [
        ("attention", 1, True),
        ("twin", 1, True),
        ("slow", 3, False),
    ]


def test_cells_that_defeat_every_mixer_say_nothing(asked: Suite, entries: dict[str, Entry]) -> None:
    family = only(shown(asked, *entries.values()))
    assert [(place.name, place.separable) for place in family.places] == [
        ("state size 4, support size 1", True),
        ("state size 4, support size 2", True),
        ("state size 8, support size 2", True),
        ("state size 8, support size 4", False),
    ]
    assert [place.bits for place in family.places] == sorted(place.bits or 0 for place in family.places)
    text = formats.markdown(shown(asked, *entries.values()))
    (line,) = (line for line in text.splitlines() if "state size 8, support size 4" in line)
    assert line.startswith(
        "| state size 8, support size 4; not separable at this budget | 6.1 | 0 / 0 of 16; not"
    )
    assert "Escapes in 3 of 4 cells; the others are not separable at this budget" in text


def test_where_every_cell_does_the_table_says_so(tmp_path: Path) -> None:
    asked = suite(tmp_path, SUITE.replace("steps = 400", "steps = 10"))
    # All rates are as bad, and of equal ones the smallest is chosen.
    both = [entry(asked, mixer, runs(asked, mixer, 50.0, best=1e-3)) for mixer in (ATTENTION, MINE)]
    family = only(shown(asked, *both))
    assert [(row.rank, row.tied, row.ratio) for row in family.ranked] == [(1, True, None)] * 2
    assert not any(place.separable for place in family.places)
    text = formats.markdown(shown(asked, *both))
    assert r"| 1= | mypackage\.mixers\:Mine | –; next 2.0: 0 of 6 | 0 of 18; " in text
    assert text.count("| not separable at this budget |") == 1  # beside the reference


def test_each_family_has_a_table_of_its_own(asked: Suite, entries: dict[str, Entry], tmp_path: Path) -> None:
    task = tmp_path / "own.toml"
    task.write_text(
        (Path(__file__).parents[2] / "tasks" / "linear_map.toml")
        .read_text()
        .replace('name = "linear_map"', 'name = "own"')
    )
    text = LADDER.replace(
        "[[mixers]]", f'[[tasks]]\ntask = "{task}"\nstate_size = 4\nsupport_size = 1\n\n[[mixers]]'
    )
    mixed = suite(tmp_path, text)
    both = [entry(mixed, mixer, runs(mixed, mixer, pace)) for mixer, pace in ((ATTENTION, 1.0), (SLOW, 3.0))]
    made = shown(mixed, *both)
    assert [(family.name, len(family.places)) for family in made.families] == [
        ("position-keyed", 4),
        ("unknown", 1),
    ]
    assert all(row.escaped.of == 16 * len(family.places) for family in made.families for row in family.rows)
    captions = [table.caption for table in tables(made)]
    assert sum(caption.startswith("position-keyed: 2 mixers") for caption in captions) == 1
    assert sum(caption.startswith("unknown: 2 mixers") for caption in captions) == 1
    # A path in a task's name is a name.
    assert [record["family"] for record in formats.records(made)] == ["position-keyed"] * 2 + ["unknown"] * 2


# Who is listed apart.


def test_what_cannot_be_compared_is_listed_apart(
    asked: Suite, entries: dict[str, Entry], made: dict[MixerSpec, list[StoredRun]], tmp_path: Path
) -> None:
    other = suite(tmp_path, LADDER.replace("steps = 1_000", "steps = 200"))
    failed = MixerSpec("failed", ())
    apart = [
        replace(entries[MINE.name], verification=None),
        entry(asked, failed, runs(asked, failed, 0.1), "failed"),
        entry(other, SLOW, runs(other, SLOW)),
        assemble(asked, SLOW, made[SLOW][:-1], verification(SLOW)),
        replace(entries["slow"], suite="another"),
        entries["attention"],
    ]
    family = only(shown(asked, entries["attention"], *apart))
    assert [(row.name, row.rank) for row in family.ranked] == [("attention, 0.json", 1)]
    assert family.pairs == ()
    reasons = {row.candidate.source: row.reasons for row in family.apart}
    assert reasons["1.json"] == ("not verified",)
    assert reasons["2.json"] == ("verification not passed: construction",)
    assert reasons["3.json"][0] == "selection runs: another budget: steps 200 instead of 1000"
    assert reasons["4.json"][0].startswith("1 of 64 scored runs are missing: linear_map, state_size 8")
    assert reasons["5.json"] == ("it answers suite another, not small",)
    assert reasons["6.json"] == ("entered before, by 0.json",)
    # One that has answered everything is measured all the same, one that has not is not.
    comparable = {row.candidate.source for row in family.apart if row.ratio is not None}
    assert comparable == {"1.json", "2.json", "6.json"}


def test_what_is_apart_does_not_move_what_is_ranked(asked: Suite, entries: dict[str, Entry]) -> None:
    # The unverified one finds what nobody else does.
    cheat = MixerSpec("cheat", ())
    ranked = [entries["attention"], entries["slow"]]
    alone = only(shown(asked, *ranked))
    beside = only(shown(asked, *ranked, entry(asked, cheat, runs(asked, cheat, 0.01), "failed")))
    assert beside.apart[0].escaped.count == 64
    assert [place.separable for place in beside.places] == [place.separable for place in alone.places]
    assert beside.pairs == alone.pairs
    assert [(row.rank, row.ratio) for row in beside.ranked] == [(row.rank, row.ratio) for row in alone.ranked]


def test_what_is_still_running_has_its_numbers_and_no_verdict(
    asked: Suite, made: dict[MixerSpec, list[StoredRun]]
) -> None:
    # Two cells and a part of a third.
    running = assemble(asked, SLOW, made[SLOW][: 16 + 40], verification(SLOW))
    family = only(shown(asked, running))
    assert [(row.name, row.seeds) for row in family.apart] == [("slow", 16)]
    assert [(place.bits is None, place.separable) for place in family.places] == [
        (False, None),
        (False, None),
        (False, None),
        (True, None),
    ]
    assert "not separable" not in formats.markdown(shown(asked, running))


def test_settings_tell_mixers_of_one_name_apart(asked: Suite) -> None:
    few, many = (
        MixerSpec("attention", settings({"num_heads": heads, "head_width": None})) for heads in (4, 8)
    )
    family = only(shown(asked, *(entry(asked, mixer, runs(asked, mixer)) for mixer in (few, many))))
    assert {row.name for row in family.ranked} == {"attention, num_heads 4", "attention, num_heads 8"}
    # The first given is what ratios are to.
    assert family.reference is not None
    assert family.reference.source == "0.json"


def test_without_attention_there_is_no_ratio(asked: Suite, entries: dict[str, Entry]) -> None:
    family = only(shown(asked, entries["slow"]))
    assert family.reference is None
    assert family.ranked[0].ratio is None
    assert "| – |" in formats.markdown(shown(asked, entries["slow"]))


def test_entries_that_disagree_on_what_chance_is_are_not_compared(
    asked: Suite, entries: dict[str, Entry]
) -> None:
    # Of a generator that is not known, the file alone says it.
    odd = replace(
        entries["slow"], scored=tuple(replace(cell, chance_loss=2.0) for cell in entries["slow"].scored)
    )
    (row,) = only(shown(asked, entries["attention"], odd)).apart
    assert row.reasons == ("its search spaces or chance losses are not those of 0.json",)
    assert not row.comparable


def test_a_suite_that_leaves_the_learning_rate_open_is_refused(tmp_path: Path) -> None:
    undecided = suite(tmp_path, SUITE.replace("selection_seeds = 2\n", ""))
    with pytest.raises(AttnsearchError, match="suite small has no selection_seeds to choose"):
        board(undecided, [])


# What is given.


def test_stored_runs_make_a_candidate_for_each_mixer(
    asked: Suite, made: dict[MixerSpec, list[StoredRun]], tmp_path: Path
) -> None:
    verification(MINE).save(tmp_path / "one")
    verification(MINE, "failed").save(tmp_path / "two")
    # Those of one mixer may lie in several stores.
    stored(tmp_path / "one", [*made[MINE][:30], *made[ATTENTION]])
    stored(tmp_path / "two", made[MINE][30:])
    stray = made[SLOW][0]
    shorter = replace(stray.spec.cell, budget=replace(stray.spec.cell.budget, steps=200))
    stored(tmp_path / "two", [run(replace(stray.spec, cell=shorter), 50)])
    candidates, left_out = gather([str(tmp_path / "one"), str(tmp_path / "two")], asked)
    assert {one.source for one in candidates} == {"stored runs"}
    assert left_out == [LeftOut("1 stored run of slow", "another budget: steps 200 instead of 1000")]
    family = only(board(asked, candidates, left_out))
    assert [(row.name, row.rank) for row in family.ranked] == [(MINE.name, 1)]
    assert [(row.name, row.reasons) for row in family.apart] == [("attention", ("not verified",))]


def test_what_cannot_be_read_is_left_out_with_the_reason(
    asked: Suite, made: dict[MixerSpec, list[StoredRun]], tmp_path: Path
) -> None:
    stored(tmp_path, made[SLOW][:2])
    (first, *_) = sorted((tmp_path / "runs").iterdir())
    (first / "run.json").write_text("{}")
    candidates, left_out = gather([str(tmp_path)], asked)
    assert len(candidates) == 1
    assert [one.what for one in left_out] == ["a stored run"]
    assert "run.json" in left_out[0].reason
    # Nothing of it can be shown, for nothing was scored.
    shown = board(asked, candidates, left_out)
    assert only(shown).rows == ()
    assert shown.left_out[-1].what == "slow"
    assert shown.left_out[-1].reason.startswith("15 of 16 selection runs are missing")


def test_a_folder_of_entries_is_every_entry_in_it(
    asked: Suite, entries: dict[str, Entry], tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("no entry")
    (tmp_path / "entry.schema.json").write_text("{}")
    (tmp_path / "b.json").write_text(written(entries["slow"]))
    (tmp_path / "a.json").write_text(written(entries["attention"]))
    newer = written(entries["slow"]).replace('"format_version": 1', '"format_version": 2', 1)
    (tmp_path / "c.json").write_text(newer)
    candidates, left_out = gather([str(tmp_path), str(tmp_path / "b.json")], asked)
    assert [one.source for one in candidates] == ["a.json", "b.json", "b.json"]
    (one,) = left_out
    assert one.what == "c.json"
    assert one.reason.endswith("format_version 2, expected 1")


def test_one_that_is_not_sound_stops_everything(
    asked: Suite, entries: dict[str, Entry], tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(written(entries["attention"]))
    (tmp_path / "b.json").write_text(written(entries["slow"]).replace('"mastered"', '"exhausted"', 1))
    with pytest.raises(
        AttnsearchError, match=r"b\.json: selection\[\d+\]\.runs\[\d+\]\.status: exhausted does not"
    ):
        gather([str(tmp_path)], asked)


def test_a_name_that_stands_for_nothing_is_refused(asked: Suite, tmp_path: Path) -> None:
    with pytest.raises(AttnsearchError, match="holds neither stored runs nor entries, files that end in"):
        gather([str(tmp_path)], asked)
    with pytest.raises(AttnsearchError, match="does not stand for stored runs"):
        gather([str(tmp_path / "gone")], asked)


# What is shown.


@pytest.fixture(scope="module")
def full(asked: Suite, entries: dict[str, Entry]) -> Board:
    """Two that are ranked, and one of each that is not."""
    unverified = replace(entries["slow"], verification=None, cost=None)
    ranked = (entries["attention"], entries[MINE.name])
    return shown(asked, *ranked, unverified, left_out=[LeftOut("x.json", "format_version 2, expected 1")])


def test_every_column_says_what_it_should(full: Board) -> None:
    ranking, apart, cells, rates, pairs, left_out = tables(full)
    assert dict(zip(ranking.columns, ranking.rows[0], strict=True)) == {
        "rank": "1",
        "mixer": MINE.name,
        "frontier (bits)": "4.8\nnext 6.1: 0 of 16",
        "mastered": "48 of 64\n63% to 84%",
        "escaped": "48 of 64\n63% to 84%",
        "restricted mean / attention": ranking.rows[0][5],
        "learning rate": "0.003\nof 0.001, 0.003; ⚠ at its end",
        "parameters": "213,000\nat 16 tokens",
        "FLOPs / token": "421,000",
        "tokens / s": "–\n2 x cpu, a processor",
        "seeds": "16\n2 to choose by",
        "verified": "yes",
    }
    assert re.fullmatch(r"0\.\d\d\n0\.\d\d to 0\.\d\d", ranking.rows[0][5])
    assert ranking.rows[1][5] == "1\nreference"
    assert apart.rows[0][:2] == ("slow", "not verified")
    assert apart.rows[0][-4:] == ("–", "–", "–", "16\n2 to choose by")
    assert cells.columns == ("cell", "bits", MINE.name, "attention", "(slow)")
    assert cells.rows[0] == ("state size 4, support size 1", "2.0", *cells.rows[0][2:])
    assert cells.rows[0][2].startswith("16 / 16 of 16\n")
    assert len(rates.rows) == 3 * 2
    assert [row[-1].partition("\n")[0] for row in rates.rows] == ["", "chosen"] * 3
    (pair,) = pairs.rows
    assert pair[:2] == (MINE.name, "attention")
    assert pair[-1] == f"{MINE.name} is better, by its plateau"
    assert left_out.rows == (("x.json", "format_version 2, expected 1"),)


def test_as_csv_it_is_one_line_a_mixer(full: Board) -> None:
    rows = list(csv.DictReader(io.StringIO(formats.as_csv(full))))
    assert [(row["rank"], row["mixer"], row["reasons"], row["verified"]) for row in rows] == [
        ("1", MINE.name, "", "True"),
        ("2", "attention", "", "True"),
        ("", "slow", "not verified", "False"),
    ]
    assert float(rows[0]["frontier"]) == pytest.approx(4.807355)
    assert float(rows[0]["ratio_low"]) < float(rows[0]["ratio"]) < float(rows[0]["ratio_high"]) < 1
    assert rows[2]["parameters"] == ""
    assert rows[0]["learning_rates"] == "0.001; 0.003"


def test_as_json_it_holds_everything(full: Board) -> None:
    document = json.loads(json.dumps(formats.document(full), allow_nan=False))
    (family,) = document["families"]
    assert [mixer["mixer"] for mixer in family["mixers"]] == [MINE.name, "attention", "slow"]
    first = family["mixers"][0]
    assert first["settings"] == dict(MINE.settings)
    assert [cell["plateau_length"]["observed"] for cell in first["cells"]] == [16, 16, 16, 0]
    assert [tried["learning_rate"] for tried in first["tried"]] == [1e-3, 3e-3]
    assert [place["separable"] for place in family["places"]] == [True, True, True, False]
    assert family["pairs"][0]["better"] == 0
    assert document["left_out"] == [{"what": "x.json", "reason": "format_version 2, expected 1"}]


class _Page(HTMLParser):
    """Anchors, links to them, what is loaded from elsewhere, and what is drawn."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.paths: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.paths += [given["d"]] if tag == "path" else []
        self.loaded += [given["src"]] if "src" in given else []
        self.loaded += [given["href"]] if tag == "link" else []
        assert "style" not in given  # the page's own policy forbids it
        assert not any(name.startswith("on") for name in given)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_the_page_holds_all_it_shows_and_links_each_row_to_its_curves(full: Board) -> None:
    text = page(full)
    assert page(full) == text
    read = _Page(text)
    assert read.loaded == ["data:,"]
    assert all(link.startswith("#") and link[1:] in read.anchors for link in read.links)
    assert len(set(read.anchors)) == len(read.anchors)
    for row in ("curves-0-0", "curves-0-1", "curves-0-2"):
        assert f"#{row}" in read.links
    # A line for each scored run.
    assert len(read.paths) == 3 * 4 * 16
    assert all(re.fullmatch(r"M\d+ \d+(L\d+ \d+)*", path) for path in read.paths)
    for words in (
        "attnsearch leaderboard, suite small",
        "Leaderboard: A small ladder",
        "Ahead: mypackage.mixers:Mine.",
        "state size 8, support size 4: 6.1 bits",
        "none of 16 escaped",
        "x.json",
    ):
        assert any(words in text for text in read.texts), words


def test_the_curves_of_a_page_are_those_of_the_runs(asked: Suite, entries: dict[str, Entry]) -> None:
    read = _Page(page(shown(asked, entries["attention"])))
    # Along the top until the escape, then down to the floor; level lines are not drawn point by point.
    path = read.paths[2 * 16]
    points = [tuple(map(int, point.split())) for point in path[1:].split("L")]
    chance, floor = points[0][1], points[-1][1]
    assert chance < floor
    escaped = min(across for across, up in points if up > chance)
    kept = entries["attention"].scored[2].runs[0]
    share = kept.plateau(0.6931471805599453).length[0]
    assert abs(escaped - 480 * math.log(share / 10) / math.log(1_000 / 10)) <= 1
    assert len(points) < 15


def test_an_empty_board_is_a_page_too(asked: Suite) -> None:
    empty = shown(asked)
    assert "No mixer is ranked yet." in page(empty)
    assert tables(empty) == []
    assert formats.records(empty) == []
    assert formats.as_csv(empty) == "\n"
    assert formats.markdown(empty) == "# A small ladder\n"


# The command.


def test_the_command_has_every_form(entries: dict[str, Entry], asked: Suite, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(LADDER)
    (tmp_path / "entries").mkdir()
    for name in ("attention", "slow"):
        (tmp_path / "entries" / f"{name}.json").write_text(written(entries[name]))
    given = [str(tmp_path / "entries"), "--suite", str(tmp_path / "small.toml")]
    starts = {
        "table": "position-keyed: 2 mixers on small",
        "markdown": "# A small ladder",
        "html": "<!doctype html>",
        "csv": "family,suite,rank",
        "json": '{"format_version": 1',
    }
    for form, start in starts.items():
        done = CliRunner().invoke(command, [*given, "--format", form])
        assert done.exit_code == 0, done.output
        assert done.output.startswith(start)
        file = tmp_path / f"board.{form}"
        done = CliRunner().invoke(command, [*given, "--format", form, "-o", str(file)])
        assert done.output == f"{file}\n"
        assert file.read_text().startswith(start)


def test_the_suite_that_ships_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, ["."])
    assert isinstance(done.exception, AttnsearchError)
    assert "holds neither stored runs nor entries" in str(done.exception)
    done = CliRunner().invoke(command, [".", "--suite", "mixer"])
    assert "unknown suite 'mixer'. Did you mean mixers?" in str(done.exception)
