"""Which code a mixer is made of: its own helpers count, wherever they are imported, and nothing is run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from attnsearch.runs.sources import difference, sources


def written(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose mixer imports helpers in every way, in the folder where one is."""
    written(
        tmp_path,
        mine__mixers="import json\nimport numpy\nfrom mine.parts import scale\nfrom . import near\n",
        mine__parts__scale="from ..deep.er import VALUE\nfrom attnsearch.base import plain\n",
        mine__deep__er="def late():\n    import beside\n\nVALUE = 1\n",
        mine__near="raise RuntimeError('it was run')\n",
        mine__stranger="VALUE = 1\n",
        beside="import mine.mixers\n",
    )
    (tmp_path / "mine" / "__init__.py").write_text("raise RuntimeError('it was run')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of_package(package: Path) -> dict[str, str]:
    return sources({"mine.mixers": package / "mine" / "mixers.py"})


def test_helpers_count_and_strangers_do_not(package: Path) -> None:
    assert list(of_package(package)) == [
        "beside",
        "mine.deep.er",
        "mine.mixers",
        "mine.near",
        "mine.parts.scale",
    ]


def test_an_edit_of_any_of_them_is_seen_and_named(package: Path) -> None:
    recorded = of_package(package)
    assert difference(recorded) is None
    (package / "mine" / "stranger.py").write_text("VALUE = 2\n")
    assert difference(recorded) is None
    for module in recorded:
        file = package.joinpath(*module.split(".")).with_suffix(".py")
        before = file.read_text()
        file.write_text(before + "# another\n")
        assert difference(recorded) == ("changed", module)
        file.write_text(before)
    (package / "beside.py").unlink()
    assert difference(recorded) == ("not found", "beside")
    assert "mine" not in sys.modules


def test_what_is_installed_has_only_its_own_package(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    written(site, mine__mixers="import other\nfrom mine import helper\n", mine__helper="", other="")
    assert list(sources({"mine.mixers": site / "mine" / "mixers.py"})) == ["mine.helper", "mine.mixers"]


@pytest.mark.parametrize("module", ["../../etc/passwd", "__main__", "no_such_module", "json..", ""])
def test_what_is_not_a_module_is_not_found(module: str) -> None:
    assert difference({module: "0" * 64}) == ("not found", module)
