"""The live view fits the screen, whatever runs: rows of one line, and a footer that is always in sight."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len

from attnsearch.cli.console import Screen
from attnsearch.cli.view import SPARK, Row, View, packed, sampled

ROW = Row("seed 3", 1_240, (0.7, 0.69, 0.5, 0.3, 0.02), 0.693, 7, 8)
FOOTER = (
    "2 of 8 runs done, 2 running, 4 pending",
    "23 of 64 targets found",
    "about 3 min left (2 min to 6 min)",
    "lanes 100% occupied",
    "41,000 tokens/s",
)


def drawn(view: View, height: int = 24, width: int = 80, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding, errors="backslashreplace")
    screen = Screen(file=file)
    screen.size = (width, height)  # pyright: ignore[reportAttributeAccessIssue]
    screen.print(view)
    file.seek(0)
    return [line.rstrip() for line in file.read().splitlines()]


def test_a_row_shows_the_loss_against_chance_and_the_targets_found() -> None:
    heading, row, *footer = drawn(View("", (ROW,), FOOTER))
    assert heading.split() == ["run", "step", "loss", "▇", "is", "chance", "found"]
    assert row.split() == ["seed", "3", "1,240", "0.020", "▇▇▅▄▁", "7/8", "#######."]
    assert footer == [" | ".join(FOOTER[:2]), " | ".join(FOOTER[2:])]


def test_what_all_rows_share_is_said_once() -> None:
    heading, *rows = drawn(View("support size 4", (ROW, replace(ROW, name="seed 4")), FOOTER))
    assert heading.startswith("support size 4  ")
    assert [row.split()[:2] for row in rows[:2]] == [["seed", "3"], ["seed", "4"]]


@pytest.mark.parametrize("count", [1, 8, 17, 18, 500])
@pytest.mark.parametrize("height", [12, 24, 50])
def test_the_footer_is_always_in_sight(count: int, height: int) -> None:
    rows = tuple(
        replace(ROW, name=f"support size 4, mypackage.mixers:Mine, seed {at}") for at in range(count)
    )
    lines = drawn(View("learning rate 0.001", rows, FOOTER), height)
    assert len(lines) <= height - 4
    assert lines[-1].endswith("tokens/s")
    assert max(map(cell_len, lines)) <= 80
    shown = [line for line in lines if "0.020" in line]
    # Where a name is too long for its line, the end is kept, by which it is told.
    assert [line.split("  ")[0].rpartition(" ")[2] for line in shown] == list(map(str, range(len(shown))))
    told = [line for line in lines if line.startswith("and ")]
    assert told == ([f"and {count - len(shown)} more"] if len(shown) < count else [])


@pytest.mark.parametrize("width", [60, 80, 200])
def test_names_in_any_script_stay_in_their_line(width: int) -> None:
    rows = tuple(replace(ROW, name=name) for name in ("注意" * 40, "seed 1", "a\nb\x1b[1m" * 9))
    lines = drawn(View("", rows, FOOTER), width=width)
    assert max(map(cell_len, lines)) <= width
    assert sum("0.020" in line for line in lines) == 3
    assert "\x1b" not in "".join(lines)


def test_a_terminal_without_blocks_has_signs() -> None:
    heading, row, *_ = drawn(View("", (ROW,), FOOTER), encoding="ascii")
    assert "* is chance" in heading
    assert "\\u" not in heading + row


def test_a_loss_above_chance_or_that_is_not_finite_is_as_high_as_it_gets() -> None:
    assert replace(ROW, losses=(9.0, float("nan"), float("inf"), 0.693, 0.0)).spark("01234567") == "77760"


def test_a_spark_line_spans_the_whole_run() -> None:
    assert sampled(range(5)) == (0, 1, 2, 3, 4)
    for count in (SPARK, SPARK + 1, 1_000):
        found = sampled(range(count))
        assert len(found) == SPARK
        assert found[-1] == count - 1
        assert list(found) == sorted(set(found))


def test_parts_are_packed_into_lines() -> None:
    assert packed(FOOTER, 200) == [" | ".join(FOOTER)]
    assert packed(["a" * 100, "b"], 80) == ["a" * 100, "b"]
    assert packed([], 80) == []
