"""What each form of a leaderboard shows: tables, CSV, JSON, the page, and the command that writes them."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.ladder import LADDER, shown, text_of
from helpers.made_runs import MINE

from attnsearch.base import AttnsearchError
from attnsearch.cli.leaderboard import leaderboard as command
from attnsearch.leaderboard.board import Board
from attnsearch.leaderboard.candidates import LeftOut
from attnsearch.leaderboard.document import document, records
from attnsearch.leaderboard.entry import Entry
from attnsearch.leaderboard.entry_file import written
from attnsearch.leaderboard.page import page
from attnsearch.leaderboard.tables import tables
from attnsearch.results.table import as_csv
from attnsearch.spec.suite import Suite


@pytest.fixture(scope="module")
def full(ladder: Suite, entries: dict[str, Entry]) -> Board:
    """Two that are ranked, and one of each that is not."""
    unverified = replace(entries["slow"], verification=None, cost=None)
    ranked = (entries["attention"], entries[MINE.name])
    return shown(ladder, *ranked, unverified, left_out=[LeftOut("x.json", "format_version 2, expected 1")])


def test_every_column_says_what_it_should(full: Board) -> None:
    ranking, apart, cells, rates, pairs, left_out = tables(full)
    assert dict(zip(ranking.columns, ranking.rows[0], strict=True)) == {
        "rank": "1",
        "mixer": MINE.name,
        "frontier (bits)": "4.8\nnext 6.1: 0 of 16",
        "mastered": "48 of 64\n63% to 84%",
        "escaped": "48 of 64\n63% to 84%",
        "targets found": "67%",
        "restricted mean / attention": ranking.rows[0][6],
        "learning rate": "0.003\nof 0.001, 0.003; ⚠ at its end",
        "parameters": "213,000\nat 16 tokens",
        "FLOPs / token": "421,000",
        "tokens / s": "–\n2 x cpu, a processor",
        "seeds": "16\n2 to choose by",
        "verified": "yes",
        "audited": "no",
    }
    assert re.fullmatch(r"0\.\d\d\n0\.\d\d to 0\.\d\d", ranking.rows[0][6])
    assert ranking.rows[1][6] == "1\nreference"
    assert apart.rows[0][:2] == ("slow", "has not been checked")
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
    rows = list(csv.DictReader(io.StringIO(as_csv(records(full)))))
    assert [(row["rank"], row["mixer"], row["reasons"], row["verified"]) for row in rows] == [
        ("1", MINE.name, "", "True"),
        ("2", "attention", "", "True"),
        ("", "slow", "has not been checked", "False"),
    ]
    assert float(rows[0]["frontier"]) == pytest.approx(4.807355)
    assert float(rows[0]["ratio_low"]) < float(rows[0]["ratio"]) < float(rows[0]["ratio_high"]) < 1
    assert rows[2]["parameters"] == ""
    assert rows[0]["learning_rates"] == "0.001; 0.003"


def test_as_json_it_holds_everything(full: Board) -> None:
    values = json.loads(json.dumps(document(full), allow_nan=False))
    (family,) = values["families"]
    assert [mixer["mixer"] for mixer in family["mixers"]] == [MINE.name, "attention", "slow"]
    first = family["mixers"][0]
    assert first["settings"] == dict(MINE.settings)
    assert [cell["plateau_length"]["observed"] for cell in first["cells"]] == [16, 16, 16, 0]
    assert [tried["learning_rate"] for tried in first["tried"]] == [1e-3, 3e-3]
    assert [place["separable"] for place in family["places"]] == [True, True, True, False]
    assert family["pairs"][0]["better"] == 0
    assert values["left_out"] == [{"what": "x.json", "reason": "format_version 2, expected 1"}]


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


def test_the_curves_of_a_page_are_those_of_the_runs(ladder: Suite, entries: dict[str, Entry]) -> None:
    read = _Page(page(shown(ladder, entries["attention"])))
    # Along the top until the escape, then down to the floor; level lines are not drawn point by point.
    path = read.paths[2 * 16]
    points = [tuple(map(int, point.split())) for point in path[1:].split("L")]
    chance, floor = points[0][1], points[-1][1]
    assert chance < floor
    escaped = min(across for across, up in points if up > chance)
    kept = entries["attention"].scored[2].runs[0]
    share = kept.plateau.length[0]
    assert abs(escaped - 480 * math.log(share / 10) / math.log(1_000 / 10)) <= 1
    assert len(points) < 15


def test_an_empty_board_is_a_page_too(ladder: Suite) -> None:
    empty = shown(ladder)
    assert "No mixer is ranked yet." in page(empty)
    assert tables(empty) == []
    assert records(empty) == []
    assert as_csv(records(empty)) == "\n"
    assert text_of(empty) == ""


# The command.


def test_the_command_has_every_form(entries: dict[str, Entry], ladder: Suite, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(LADDER)
    (tmp_path / "entries").mkdir()
    for name in ("attention", "slow"):
        (tmp_path / "entries" / f"{name}.json").write_text(written(entries[name]))
    given = [str(tmp_path / "entries"), "--suite", str(tmp_path / "small.toml")]
    starts = {
        "table": "position-keyed: 2 mixers on the suite small",
        "markdown": "# A small ladder",
        "html": "<!doctype html>",
        "csv": "family,suite,rank",
        "json": '{"format_version": 2',
    }
    for form, start in starts.items():
        done = CliRunner().invoke(command, [*given, "--format", form])
        assert done.exit_code == 0, done.output
        assert done.output.startswith(start)
        file = tmp_path / f"board.{form}"
        done = CliRunner().invoke(command, [*given, "--format", form, "-o", str(file)])
        assert done.output == f"{file}\n"
        assert file.read_text().startswith(start)


def test_a_file_holds_what_its_ending_says(entries: dict[str, Entry], ladder: Suite, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(LADDER)
    (tmp_path / "entry.json").write_text(written(entries["attention"]))
    given = [str(tmp_path / "entry.json"), "--suite", str(tmp_path / "small.toml")]
    starts = {
        "b.html": "<!doctype html>",
        "B.HTML": "<!doctype html>",
        "b.md": "# A small ladder",
        "b.csv": "family,suite,rank",
        "b.json": '{"format_version": 2',
        "b.txt": "position-keyed: 1 mixer on the suite small",
    }
    for name, start in starts.items():
        done = CliRunner().invoke(command, [*given, "-o", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        assert (tmp_path / name).read_text().startswith(start)
    # What is asked for in words holds, whatever the ending.
    CliRunner().invoke(command, [*given, "-o", str(tmp_path / "b.txt"), "--format", "csv"])
    assert (tmp_path / "b.txt").read_text().startswith("family")
    done = CliRunner().invoke(command, [*given, "-o", str(tmp_path / "board.xls")])
    assert isinstance(done.exception, AttnsearchError)
    assert "its ending says no form: use .html, .md, .csv, .json, .txt, or give --format" in str(
        done.exception
    )


def test_the_suite_that_ships_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, ["."])
    assert isinstance(done.exception, AttnsearchError)
    assert "holds neither stored runs nor entries" in str(done.exception)
    done = CliRunner().invoke(command, [".", "--suite", "smoke_"])
    assert "unknown suite 'smoke_'. Did you mean smoke?" in str(done.exception)
