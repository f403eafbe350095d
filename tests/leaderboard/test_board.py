"""The leaderboard: who is ranked, and who is listed apart and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.ladder import LADDER, SLOW, entry, only, shown, text_of
from helpers.made_runs import ATTENTION, MINE, SUITE, runs, suite, verification
from helpers.maps import leaking

from attnsearch.base import AttnsearchError
from attnsearch.leaderboard.board import board
from attnsearch.leaderboard.candidates import Candidate
from attnsearch.leaderboard.document import document, records
from attnsearch.leaderboard.entry import Entry, assemble
from attnsearch.leaderboard.entry_file import parsed, written
from attnsearch.leaderboard.inversions import inversions
from attnsearch.leaderboard.page import page
from attnsearch.leaderboard.tables import inversion_table, tables
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import MixerSpec, settings
from attnsearch.spec.suite import Suite

# Who is ranked.


def test_mixers_are_ranked_with_what_separates_them(ladder: Suite, entries: dict[str, Entry]) -> None:
    family = only(shown(ladder, *entries.values()))
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


def test_mixers_that_nothing_separates_share_a_rank(ladder: Suite, entries: dict[str, Entry]) -> None:
    twin = MixerSpec("twin", ())
    family = only(
        shown(ladder, entries["attention"], entry(ladder, twin, runs(ladder, twin)), entries["slow"])
    )
    assert [(row.name, row.rank, row.tied) for row in family.ranked] == [
        ("attention", 1, True),
        ("twin", 1, True),
        ("slow", 3, False),
    ]


def test_cells_that_defeat_every_mixer_say_nothing(ladder: Suite, entries: dict[str, Entry]) -> None:
    family = only(shown(ladder, *entries.values()))
    assert [(place.name, place.separable) for place in family.places] == [
        ("state size 4, support size 1", True),
        ("state size 4, support size 2", True),
        ("state size 8, support size 2", True),
        ("state size 8, support size 4", False),
    ]
    assert [place.bits for place in family.places] == sorted(place.bits or 0 for place in family.places)
    text = text_of(shown(ladder, *entries.values()))
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
    text = text_of(shown(asked, *both))
    assert r"| 1= | mypackage\.mixers\:Mine | –; next 2.0: 0 of 6 | 0 of 18; " in text
    assert text.count("| not separable at this budget |") == 1  # beside the reference


def test_each_family_has_a_table_of_its_own(ladder: Suite, entries: dict[str, Entry], tmp_path: Path) -> None:
    task = tmp_path / "own.toml"
    task.write_text(
        (Path(__file__).parents[2] / "tasks" / "linear_map.toml")
        .read_text()
        .replace('name = "linear_map"', 'name = "own"')
        .replace('family = "position-keyed"', 'family = "content-keyed"')
    )
    text = LADDER.replace(
        "[[mixers]]", f'[[tasks]]\ntask = "{task}"\nstate_size = 4\nsupport_size = 1\n\n[[mixers]]'
    )
    mixed = suite(tmp_path, text)
    both = [entry(mixed, mixer, runs(mixed, mixer, pace)) for mixer, pace in ((ATTENTION, 1.0), (SLOW, 3.0))]
    made = shown(mixed, *both)
    assert [(family.name, len(family.places)) for family in made.families] == [
        ("position-keyed", 4),
        ("content-keyed", 1),
    ]
    assert all(row.escaped.of == 16 * len(family.places) for family in made.families for row in family.rows)
    captions = [table.caption for table in tables(made)]
    assert sum(caption.startswith("position-keyed: 2 mixers") for caption in captions) == 1
    assert sum(caption.startswith("content-keyed: 2 mixers") for caption in captions) == 1
    # A path in a task's name is a name.
    assert [record["family"] for record in records(made)] == ["position-keyed"] * 2 + ["content-keyed"] * 2


def test_families_of_several_suites_stand_side_by_side(
    ladder: Suite, entries: dict[str, Entry], tmp_path: Path
) -> None:
    other = suite(tmp_path, LADDER.replace('name = "small"', 'name = "other"'))
    # There the order is the other way round, and one mixer has not been verified.
    paces = ((ATTENTION, 3.0), (SLOW, 0.3))
    slow_first = [entry(other, mixer, runs(other, mixer, pace)) for mixer, pace in paces]
    apart = replace(entry(other, MINE, runs(other, MINE)), verification=None)
    own = [entries["attention"], entries["slow"], *slow_first, apart]
    made = board([ladder, other], [Candidate(one, "an entry") for one in own])
    assert made.family_names == ("position-keyed, small", "position-keyed, other")
    ranks = {one.name: [row and row.rank for row in one.rows] for one in made.across}
    assert ranks == {"attention": [1, 2], MINE.name: [None, None], "slow": [2, 1]}
    beside, *_ = tables(made)
    assert beside.columns == ("mixer", *made.family_names)
    assert beside.rows[0] == ("attention", "1\n4.8 bits", "2\n2.6 bits")
    assert beside.rows[1] == (MINE.name, "–", "–\nlisted apart")
    values = document(made)
    assert values["suites"] == ["small", "other"]
    assert [one["mixer"] for one in values["side_by_side"]] == ["attention", MINE.name, "slow"]
    assert [place["rank"] for place in values["side_by_side"][2]["families"]] == [2, 1]
    assert "All families" in page(made)
    assert "Ranks of different families are never added up" in page(made)
    assert "All families" not in page(shown(ladder, *own[:2]))

    # One pair turns round. Nobody is beside the mixer that is not ranked.
    (turned,) = inversions(made)
    assert (turned.first, turned.second) == ("attention", "slow")
    here, there = (seen for seen in turned.families if seen is not None)
    assert (here.ahead, there.ahead) == (True, False)
    assert here.ratio is not None
    assert there.ratio is not None
    assert here.ratio.high < 1 < there.ratio.low
    ((first, second, *texts),) = inversion_table(made).rows
    assert (first, second) == ("attention", "slow")
    assert [text.rpartition(", ")[2].split()[0] for text in texts] == ["ahead", "behind"]
    assert all(text.count("\n") == 1 for text in texts)
    assert values["inversions"][0]["families"][1]["ahead"] is False
    assert "Orders that turn round" in page(made)
    # In one order everywhere nothing turns round.
    same = board([ladder, ladder], [Candidate(one, "an entry") for one in own[:2]])
    assert not inversions(same)
    assert not inversion_table(same).rows


# Who is listed apart.


def test_what_cannot_be_compared_is_listed_apart(
    ladder: Suite, entries: dict[str, Entry], made: dict[MixerSpec, list[StoredRun]], tmp_path: Path
) -> None:
    other = suite(tmp_path, LADDER.replace("steps = 1_000", "steps = 200"))
    failed = MixerSpec("failed", ())
    apart = [
        replace(entries[MINE.name], verification=None),
        entry(ladder, failed, runs(ladder, failed, 0.1), "failed"),
        entry(other, SLOW, runs(other, SLOW)),
        assemble(ladder, SLOW, made[SLOW][:-1], verification(SLOW)),
        replace(entries["slow"], suite="another"),
        entries["attention"],
    ]
    family = only(shown(ladder, entries["attention"], *apart))
    assert [(row.name, row.rank) for row in family.ranked] == [("attention, 0.json", 1)]
    assert family.pairs == ()
    reasons = {row.candidate.source: row.reasons for row in family.apart}
    assert reasons["1.json"] == ("has not been checked",)
    assert reasons["2.json"] == ("failed verification: construction",)
    assert reasons["3.json"][0] == "selection runs: another budget: steps 200 instead of 1000"
    assert reasons["4.json"][0].startswith("1 of 64 scored runs are missing: slow, state size 8")
    assert reasons["5.json"] == ("it answers suite another, not small",)
    assert reasons["6.json"] == ("entered before, by 0.json",)
    # One that has answered everything is measured all the same, one that has not is not.
    comparable = {row.candidate.source for row in family.apart if row.ratio is not None}
    assert comparable == {"1.json", "2.json", "6.json"}


def test_an_entry_that_leaks_is_listed_apart(ladder: Suite, made: dict[MixerSpec, list[StoredRun]]) -> None:
    """Also one that does not say whether it does: it was recorded elsewhere."""
    first, second, *others = made[MINE]
    silent = replace(first, maps=first.maps._replace(later=np.full(len(first.maps.step), np.nan, np.float32)))
    seeing = entry(ladder, MINE, [leaking(first), leaking(second), *others])
    again = parsed(written(seeing).encode())
    for one, told in (
        (again, "leaks: tokens behind a query moved its answer in 2 of 80 runs"),
        (entry(ladder, MINE, [silent, second, *others]), "1 of 80 runs do not say whether it leaks"),
    ):
        family = only(shown(ladder, entry(ladder, ATTENTION, made[ATTENTION]), one))
        assert [row.name for row in family.ranked] == ["attention"]
        assert family.apart[0].reasons[0].startswith(told)


def test_what_is_apart_does_not_move_what_is_ranked(ladder: Suite, entries: dict[str, Entry]) -> None:
    # The unverified one finds what nobody else does.
    cheat = MixerSpec("cheat", ())
    ranked = [entries["attention"], entries["slow"]]
    alone = only(shown(ladder, *ranked))
    beside = only(shown(ladder, *ranked, entry(ladder, cheat, runs(ladder, cheat, 0.01), "failed")))
    assert beside.apart[0].escaped.count == 64
    assert [place.separable for place in beside.places] == [place.separable for place in alone.places]
    assert beside.pairs == alone.pairs
    assert [(row.rank, row.ratio) for row in beside.ranked] == [(row.rank, row.ratio) for row in alone.ranked]


def test_what_is_still_running_has_its_numbers_and_no_verdict(
    ladder: Suite, made: dict[MixerSpec, list[StoredRun]]
) -> None:
    # Two cells and a part of a third.
    running = assemble(ladder, SLOW, made[SLOW][: 16 + 40], verification(SLOW))
    family = only(shown(ladder, running))
    assert [(row.name, row.seeds) for row in family.apart] == [("slow", 16)]
    assert [(place.bits is None, place.separable) for place in family.places] == [
        (False, None),
        (False, None),
        (False, None),
        (True, None),
    ]
    assert "not separable" not in text_of(shown(ladder, running))


def test_settings_tell_mixers_of_one_name_apart(ladder: Suite) -> None:
    few, many = (
        MixerSpec("attention", settings({"num_heads": heads, "head_width": None})) for heads in (4, 8)
    )
    family = only(shown(ladder, *(entry(ladder, mixer, runs(ladder, mixer)) for mixer in (few, many))))
    assert {row.name for row in family.ranked} == {"attention, num heads 4", "attention, num heads 8"}
    # The first given is what ratios are to.
    assert family.reference is not None
    assert family.reference.source == "0.json"


def test_without_attention_there_is_no_ratio(ladder: Suite, entries: dict[str, Entry]) -> None:
    family = only(shown(ladder, entries["slow"]))
    assert family.reference is None
    assert family.ranked[0].ratio is None
    assert "| – |" in text_of(shown(ladder, entries["slow"]))


def test_entries_that_disagree_on_what_chance_is_are_not_compared(
    ladder: Suite, entries: dict[str, Entry]
) -> None:
    # Of a generator that is not known, the file alone says it.
    for change in ({"chance_loss": 2.0}, {"bayes_loss": np.full(4, 0.01)}, {"state": np.full(4, 2)}):
        first, *others = entries["slow"].scored
        runs = tuple(replace(run, targets=replace(run.targets, **change)) for run in first.runs)
        odd = replace(entries["slow"], scored=(replace(first, runs=runs), *others))
        (row,) = only(shown(ladder, entries["attention"], odd)).apart
        assert row.reasons == ("its search spaces, chance or Bayes losses differ from 0.json",)
        assert not row.comparable


def test_a_suite_that_leaves_the_learning_rate_open_is_refused(tmp_path: Path) -> None:
    undecided = suite(tmp_path, SUITE.replace("selection_seeds = 2\n", ""))
    with pytest.raises(AttnsearchError, match="suite small needs selection_seeds to choose"):
        board([undecided], [])
