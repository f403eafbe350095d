"""Classes that are not attnsearch's own: how they are found, and what is said of one that cannot be had."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.complaint import message
from helpers.own_modules import MODULE, install, standing_in

from attnsearch.backends import specify
from attnsearch.cli import main as cli
from attnsearch.generators import GENERATORS, Generator, LinearMap
from attnsearch.mixers import MIXERS, Attention, Mixer
from attnsearch.spec import plugins
from attnsearch.spec.run import MixerSpec, settings
from attnsearch.training.jax.backend import JaxBackend


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with standing_in(tmp_path, monkeypatch) as folder:
        yield folder


def find(name: str) -> type[Mixer]:
    return plugins.find(name, MIXERS, Mixer)


# Finding one.


def test_a_registered_name_imports_nothing() -> None:
    assert find("attention") is Attention
    assert "my_mixers" not in sys.modules


def test_a_class_is_found_from_where_one_is(here: Path) -> None:
    assert str(here) not in sys.path
    found = find("my_mixers:Mine")
    assert (found.__name__, found.__module__) == ("Mine", "my_mixers")
    assert find("my_mixers:Plain.Inner").__qualname__ == "Plain.Inner"
    assert sys.path.count(str(here)) == 1


def test_a_module_of_a_package(here: Path) -> None:
    (here / "my_package").mkdir()
    (here / "my_package" / "__init__.py").touch()
    (here / "my_package" / "deep.py").write_text(MODULE)
    assert find("my_package.deep:Mine").__module__ == "my_package.deep"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("atention", ["'atention'. Did you mean attention or retention?", "package.module:Class"]),
        ("my_mixer:Mine", ["module my_mixer is neither in {here} nor installed"]),
        ("my_mixers.deep:Mine", ["module my_mixers.deep is neither"]),
        ("no_such.deep:Mine", ["module no_such is neither"]),
        ("my_mixers:Mind", ["module my_mixers has no Mind. Did you mean Mine? Known: Mine."]),
        ("my_mixers:Plain", ["my_mixers:Plain is a class, not a subclass of attnsearch.Mixer"]),
        ("my_mixers:Mixer", ["my_mixers:Mixer is a class, not a subclass of attnsearch.Mixer"]),
        ("my_mixers:function", ["my_mixers:function is a function, not a subclass"]),
        ("my_mixers:", ["neither a name nor of the form package.module:Class"]),
        (":Mine", ["neither a name nor"]),
        ("my mixers:Mine", ["neither a name nor"]),
        ("my_mixers:Mine:2", ["neither a name nor"]),
        ("my_raising:Mine", ["importing my_raising raised ZeroDivisionError: division by zero"]),
        (
            "my_needing:Mine",
            ["importing my_needing raised ModuleNotFoundError: No module named 'my_missing'"],
        ),
        ("my_garbled:Mine", ["importing my_garbled raised SyntaxError"]),
    ],
)
def test_what_cannot_be_had_says_why_in_one_line(here: Path, name: str, expected: list[str]) -> None:
    (here / "my_raising.py").write_text("1 / 0")
    (here / "my_needing.py").write_text("import my_missing")
    (here / "my_garbled.py").write_text("class Mine(:")
    text = message(lambda: find(name))
    for words in expected:
        assert words.format(here=here) in text


def test_a_module_without_any_mixer_says_so(here: Path) -> None:
    (here / "my_empty.py").touch()
    assert "has no Mine. It has no mixer at all." in message(lambda: find("my_empty:Mine"))


# Entry points.


def test_an_entry_point_is_a_name(here: Path) -> None:
    install(here, "attnsearch.mixers", mine="my_installed:Mine", broken="my_broken:Mine")
    assert find("mine").__module__ == "my_installed"
    assert sorted(plugins.installed(Mixer)) == ["broken", "mine"]


def test_none_is_loaded_that_is_not_named(here: Path) -> None:
    install(here, "attnsearch.mixers", mine="my_installed:Mine", broken="my_broken:Mine")
    plugins.installed(Mixer)
    find("attention")
    assert {"my_installed", "my_broken"}.isdisjoint(sys.modules)
    text = message(lambda: find("mime"))
    assert "unknown mixer 'mime'. Did you mean mine" in text
    assert f"Known: {', '.join(sorted([*MIXERS, 'broken', 'mine']))}" in text
    assert {"my_installed", "my_broken"}.isdisjoint(sys.modules)


def test_a_broken_entry_point_speaks_when_it_is_named(here: Path) -> None:
    install(here, "attnsearch.mixers", broken="my_broken:Mine", wrong="my_installed:Plain")
    text = message(lambda: find("broken"))
    assert (
        "mixer 'broken' is an entry point, my_broken:Mine, that cannot be loaded: ModuleNotFoundError" in text
    )
    assert "my_missing_dependency" in text
    assert "wrong, an entry point that is my_installed:Plain, is a class, not a subclass" in message(
        lambda: find("wrong")
    )


def test_what_is_registered_hides_an_entry_point(here: Path) -> None:
    install(here, "attnsearch.mixers", attention="my_installed:Mine")
    assert find("attention") is Attention


def test_generators_have_entry_points_too(here: Path) -> None:
    install(here, "attnsearch.generators", mapped="attnsearch.generators:LinearMap")
    assert plugins.find("mapped", GENERATORS, Generator) is LinearMap
    assert "unknown generator 'linear_mop'" in message(
        lambda: plugins.find("linear_mop", GENERATORS, Generator)
    )


def test_the_list_names_all_and_survives_a_broken_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(here, "attnsearch.mixers", mine="my_installed:Mine", broken="my_broken:Mine")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["mixers"])
    assert stopped.value.code in (0, None)
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    in_jax = [name for name in lines if not name.startswith("torch:")]
    assert sorted(in_jax) == sorted([*MIXERS, "broken", "mine"])
    assert lines["mine"] == "Mixes nothing.  [height=2, gated=False, kind=plain]"
    assert lines["broken"].startswith("cannot be used: mixer 'broken' is an entry point")


# In specifications.


def test_known_mixers_list_the_registry_and_find_all() -> None:
    known = JaxBackend().known_mixers
    assert list(known) == list(MIXERS)
    assert len(known) == len(MIXERS)
    assert known["my_mixers:Mine"] == {"depth": 2, "gated": False, "kind": "plain"}
    assert "my_mixers:Mine" in known
    assert "no class" not in message(lambda: "my_mixers:Nine" in known)


def test_a_run_s_mixer_is_called_what_it_was_given_as() -> None:
    (run,) = specify(["linear_map"], ["my_mixers:Mine"], {"depth": [3]}, seeds=[0])
    assert run.cell.mixer == MixerSpec(
        "my_mixers:Mine", settings({"depth": 3, "gated": False, "kind": "plain"})
    )


def test_python_s_registry_is_a_dict() -> None:
    backend = JaxBackend(mixers=MIXERS | {"mine": find("my_mixers:Mine")})
    (run,) = specify(["linear_map"], ["mine"], {}, seeds=[0], backend=backend)
    assert run.cell.mixer.name == "mine"
    assert "unknown mixer 'mine'" in message(lambda: specify(["linear_map"], ["mine"], {}, seeds=[0]))
