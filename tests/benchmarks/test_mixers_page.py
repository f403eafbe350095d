"""The pages of the mixers: as the script writes them from made runs, and as they are committed."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.made_runs import ATTENTION, runs, stored, suite, verification
from helpers.pages import DOCS

from attnsearch.leaderboard.board import Board, board
from attnsearch.leaderboard.candidates import of_runs
from attnsearch.leaderboard.entry import assemble
from attnsearch.leaderboard.entry_file import written
from attnsearch.mixers import MIXERS
from attnsearch.runs.standing import Standing
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import CellSpec, MixerSpec, settings
from attnsearch.spec.suite import Suite
from benchmarks import mixer_pages, mixers_page
from benchmarks.mixers_table import Facts

REMEDY = "run benchmarks/mixers_page.py"
MLP_MIXER = MixerSpec("mlp_mixer", settings({"expansion": 4}))
MAMBA = MixerSpec("mamba", settings({}))
FACTS = Facts("A layer.", "Nothing is out of reach.", 65_536, "256 a token", 1_000.0)
KNOWN: dict[str, Facts] = dict.fromkeys(["attention", "mamba", "mlp_mixer", "rwkv7"], FACTS)
LARGEST = 60_000
"""Bytes of a picture."""


def standing(cell: CellSpec) -> Standing:
    """Attention alone is verified."""
    if cell.mixer != ATTENTION:
        return Standing("not checked", "has not been checked")
    return Standing("verified", "is verified", verification(ATTENTION))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return suite(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def made(small: Suite) -> list[StoredRun]:
    """Two mixers complete, the first of them best at the edge of its grid; a third has only begun."""
    return [*runs(small, ATTENTION), *runs(small, MLP_MIXER, pace=2.0), *runs(small, MAMBA)[:3]]


@pytest.fixture(scope="module")
def shown(small: Suite, made: list[StoredRun]) -> Board:
    found, left_out = of_runs([small], made, standing)
    return board([small], found, left_out)


@pytest.fixture(scope="module")
def docs(shown: Board, made: list[StoredRun], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    names = [path.name for path in mixers_page.write(shown, made, KNOWN, folder)]
    assert names == ["mixers.md", "small.md", *(f"{name}.md" for name in KNOWN)]
    return folder


def test_the_overview_ranks_what_counts_and_names_the_rest(docs: Path) -> None:
    text = (docs / "mixers.md").read_text(encoding="utf-8")
    assert "| [`attention`](mixers/attention.md) | 65,536 | 256 a token | 1,000 | – | 1 |" in text
    assert "| [`mlp_mixer`](mixers/mlp_mixer.md) | 65,536 | 256 a token | 1,000 | – | listed apart |" in text
    assert "Not run yet, or not to the end: `mamba` and `rwkv7`." in text
    assert "- [position-keyed](rankings/small.md): A small ladder" in text
    assert "- Suite `small`: 6 seeds a cell. The learning rate is the best of 0.001 and 0.003" in text


def test_the_page_of_a_family_says_who_is_apart_and_who_is_at_the_edge(docs: Path) -> None:
    text = (docs / "rankings" / "small.md").read_text(encoding="utf-8")
    assert text.startswith("# Position-keyed: who finds which map how soon?\n\nA small ladder. ")
    assert "- `mlp_mixer`: has not been checked\n" in text
    assert "- `attention` is best at 0.003, the largest of its grid." in text
    assert "(../images/mixers/small-plateaus.png)" in text


def test_each_cell_has_its_restricted_mean_its_escapes_and_its_mastery(docs: Path) -> None:
    lines = (docs / "rankings" / "small.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith(("| attention | ", "| (mlp"))]
    assert len(rows) == 6 + 2  # of three tables, and the learning rates of attention
    means, escapes, mastery = (rows[2 * table].split(" | ")[1:] for table in range(3))
    assert means[0] == "18; 14 to 23"
    assert escapes[:2] == mastery[:2] == ["6 of 6; 61% to 100%"] * 2
    assert escapes[2].startswith("0 of 6; ")


def test_a_page_of_a_mixer_with_runs_shows_them(docs: Path) -> None:
    text = (docs / "mixers" / "attention.md").read_text(encoding="utf-8")
    assert text.startswith(mixer_pages.stated("attention"))
    assert "6 seeds at 2.6 bits, the largest search space that half of its runs master." in text
    for kind in ("losses", "maps"):
        assert f"(../images/mixers/attention-{kind}.png)" in text


def test_a_page_of_a_mixer_without_runs_ends_there(docs: Path) -> None:
    text = (docs / "mixers" / "rwkv7.md").read_text(encoding="utf-8")
    assert text.startswith(mixer_pages.stated("rwkv7"))
    assert text.endswith("## What came out\n\nNot run yet, or not to the end.\n")


def test_two_pictures_a_mixer_and_all_small(docs: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in (docs / "images" / "mixers").iterdir()}
    pictures = {f"{name}-{kind}.png" for name in ("attention", "mlp_mixer") for kind in ("losses", "maps")}
    assert sizes.keys() == {"small-plateaus.png", *pictures}
    assert max(sizes.values()) < LARGEST


def test_an_entry_goes_before_stored_runs_of_its_mixer(
    small: Suite, made: list[StoredRun], tmp_path: Path
) -> None:
    file = tmp_path / "attention.json"
    entry = assemble(small, ATTENTION, made, verification(ATTENTION))
    file.write_text(written(entry), encoding="utf-8")
    names = [str(stored(tmp_path / "results", made)), str(file)]
    found = {(one.source, one.entry.mixer.name) for one in mixers_page.candidates(names, [small])}
    assert found == {
        ("attention.json", "attention"),
        ("stored runs", "mlp_mixer"),
        ("stored runs", "mamba"),
    }


def test_every_mixer_that_ships_has_a_page() -> None:
    assert {path.stem for path in (DOCS / "mixers").glob("*.md")} == set(MIXERS), REMEDY


@pytest.mark.parametrize("name", MIXERS)
def test_a_committed_page_says_what_the_docstring_says(name: str) -> None:
    text = (DOCS / "mixers" / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(mixer_pages.stated(name) + "\n\n## Size\n"), REMEDY


def test_committed_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (DOCS / "images" / "mixers").glob("*.png")}
    assert sizes
    assert max(sizes.values()) < LARGEST, sizes
