"""Which pictures a study gets, what they are called, and what stands above them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from helpers import made_automata
from helpers.foretold import foretold
from helpers.hand_made import renamed, run_of, spec_of
from matplotlib.figure import Figure
from matplotlib.image import imread

from attnsearch.base import AttnsearchError
from attnsearch.plots.gallery import draw, draw_early_signals
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import InterventionSpec

NEAR = (1e-3, 1.0000001e-3)


@pytest.fixture
def titles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What stands above each picture that is drawn from here on."""
    found: list[str] = []
    entitle = Figure.suptitle

    def noting(self: Figure, title: str, **settings: object) -> object:
        found.append(title)
        return entitle(self, title, **settings)

    monkeypatch.setattr(Figure, "suptitle", noting)
    return found


@pytest.fixture
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are files without content, made at once."""
    monkeypatch.setattr(Figure, "savefig", lambda *arguments, **settings: None)


def near_runs() -> list[StoredRun]:
    """Two cells that differ in nothing but a learning rate, and that by little."""
    return [run_of(spec_of(learning_rate=rate), [100, 120, 150, 190]) for rate in NEAR]


def test_a_grid_has_two_pictures_a_cell_and_one_of_all(tmp_path: Path, titles: list[str]) -> None:
    biased = InterventionSpec(map_bias=5.0, map_bias_steps="0:500", map_bias_placebo=True)
    study = Study([made_automata.run(made_automata.spec(intervention=one)) for one in (None, biased)])
    drawn = draw(study, tmp_path)
    assert [path.name.rpartition("-")[2] for path in drawn[:4]] == ["losses.png", "maps.png"] * 2
    assert drawn[4].name.startswith("plateau-against-search-space-")
    assert len({path.name for path in drawn}) == 5
    assert "map bias 5, map bias steps 0:500, map bias placebo yes, seed 0" in titles[2]
    for path in drawn:
        assert min(imread(path).shape[:2]) > 300
    assert len(draw(Study(study.runs[:1]), tmp_path)) == 2


@pytest.mark.usefixtures("sketched")
def test_cells_that_differ_in_little_have_titles_and_files_of_their_own(
    tmp_path: Path, titles: list[str]
) -> None:
    drawn = draw(Study(near_runs()), tmp_path)
    assert len({path.name for path in drawn}) == 5
    assert [title for title in titles if "Loss" in title] == [
        "Loss of each target: linear_map, state size 4, support size 2, attention,"
        f" learning rate {rate}, seed 0"
        for rate in ("0.001", "0.0010000001")
    ]
    assert drawn[0].name.startswith("linear_map-attention-learning-rate-0.001-seed-0-")
    assert drawn[2].name.startswith("linear_map-attention-learning-rate-0.0010000001-seed-0-")


def test_early_signals_have_a_picture_where_there_are_seeds_enough(tmp_path: Path) -> None:
    study = Study(foretold(8))
    path = draw_early_signals(study, tmp_path)
    assert path.name == f"early-signals-{study.names.digits}.png"
    assert min(imread(path).shape[:2]) > 300


@pytest.mark.usefixtures("sketched")
def test_every_file_name_suits_windows_and_is_short(tmp_path: Path) -> None:
    plain = made_automata.spec()
    mixer = replace(plain.cell.mixer, name="a_package." * 20 + "mixers:Mine")
    run = made_automata.run(replace(plain, cell=replace(plain.cell, mixer=mixer)))
    for path in draw(Study([run]), tmp_path):
        assert len(path.stem) <= 80
        assert not set(path.name) & set('<>:"/\\|?*')


def test_a_name_is_only_text_in_a_picture(tmp_path: Path, titles: list[str]) -> None:
    name = "$\\frac$ [/b] \u202e"
    runs = [renamed(run, name, mixer) for run, mixer in zip(near_runs(), (name, "_other"), strict=True)]
    draw(Study(runs), tmp_path)
    assert all(title.isprintable() for title in titles)
    assert all("\\frac\\$ [/b]" in title for title in titles)


@pytest.mark.usefixtures("sketched")
def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "pictures"
    blocked.write_text("a file, where the folder should be")
    with pytest.raises(AttnsearchError, match=r"^cannot write .*-losses\.png: .*; choose another place$"):
        draw(Study(near_runs()[:1]), blocked)
    assert list(tmp_path.iterdir()) == [blocked]
