"""Mixers that are not attnsearch's own: how they are found, set and refused, before anything is trained."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import pytest
from flax import nnx

from attnsearch.base import AttnsearchError
from attnsearch.cli import main as cli
from attnsearch.generators import GENERATORS, Generator, LinearMap
from attnsearch.mixers import MIXERS, Attention, Mixer
from attnsearch.spec import plugins
from attnsearch.spec.run import MixerSpec, NetworkSpec, RunSpec, Settings, settings
from attnsearch.spec.suite import Suite
from attnsearch.training.jax.backend import JaxBackend, specify
from attnsearch.training.jax.network import Network

MODULE = """\
from attnsearch import Mixer

class Mine(Mixer):
    '''Mixes nothing.'''

    def __init__(self, width, context_length, *, rngs, depth=2, gated=False, kind="plain"):
        self.depth = depth

    def __call__(self, x):
        return x

class Plain:
    class Inner(Mixer):
        pass

def function():
    pass
"""

SUITE = """\
name = "tiny"
title = "Tiny"
source = "nowhere"
seeds = 1

[[tasks]]
task = "linear_map"
state_size = 4
support_size = 2

[[mixers]]
mixer = "{mixer}"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of one's own to stand in, with a module; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_mixers.py").write_text(MODULE)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


def install(folder: Path, group: str, **points: str) -> None:
    """A package as installers leave it: its metadata beside its modules."""
    info = folder / "site" / "my_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")
    (info.parent / "my_installed.py").write_text(MODULE.replace("depth", "height"))
    (info.parent / "my_broken.py").write_text("import my_missing_dependency\n")
    sys.path.insert(0, str(info.parent))


def message(call: Callable[[], object]) -> str:
    with pytest.raises(AttnsearchError) as caught:
        call()
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


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
        ("atention", ["unknown mixer 'atention'. Did you mean attention?", "package.module:Class"]),
        ("my_mixer:Mine", ["there is no module my_mixer, neither in {here} nor installed"]),
        ("my_mixers.deep:Mine", ["there is no module my_mixers.deep"]),
        ("no_such.deep:Mine", ["there is no module no_such,"]),
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
    assert "Known: attention, broken, mine, mlp_mixer" in text
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
    assert sorted(lines) == ["attention", "broken", "mine", "mlp_mixer"]
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


# On the command line.


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    with pytest.raises(SystemExit) as stopped:
        cli.main([*arguments, "--json", "--quiet"])
    assert stopped.value.code in (0, None)
    return json.loads(capsys.readouterr().out)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert (stopped.value.code, out) == (2, "")
    assert err.count("\n") == 1
    return err


MINE = ["--mixer", "my_mixers:Mine"]
RUN = ["run", "--task", "linear_map", "--state-size", "2", "--steps", "10", "--width", "8", "--seeds", "1"]
RUN += ["--mlp-width", "8", "--tokens-per-step", "32", "--no-plots"]


@pytest.fixture
def no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has other tests to run, on the devices that it has."""
    monkeypatch.setattr("attnsearch.training.jax.devices.use_every_core", lambda: None)


def test_settings_are_set_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RunSpec] = []

    def note(specs: list[RunSpec], *rest: object) -> bool:
        del rest
        asked.extend(specs)
        return True

    monkeypatch.setattr("attnsearch.cli.train.sweep", note)
    more = ["--mixer-set", "depth=1,3", "--mixer-set", "gated=true", "--mixer-set", "kind=fancy"]
    with pytest.raises(SystemExit) as stopped:
        cli.main([*RUN, *MINE, *more])
    assert stopped.value.code in (0, None)
    assert [run.cell.mixer for run in asked] == [
        MixerSpec("my_mixers:Mine", settings({"depth": depth, "gated": True, "kind": "fancy"}))
        for depth in (1, 3)
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--mixer-set", "dept=1"],
            "no setting 'dept' in mixer my_mixers:Mine. Did you mean depth? Known: depth",
        ),
        (["--mixer-set", "state_size=4"], "no setting 'state_size' in mixer my_mixers:Mine"),
        (["--mixer-set", "depth=1", "--mixer-set", "depth=2"], "--mixer-set gives depth twice"),
        (["--mixer-set", "depth"], "'depth' is not of the form name=value[,value...]"),
        (["--mixer-set", "=1"], "is not of the form"),
        (["--mixer-set", "depth=1,"], "empty entry"),
        (["--mixer-set", "depth=deep"], "depth 'deep' of mixer my_mixers:Mine is not a whole number"),
        (["--mixer-set", "gated=1"], "gated 1 of mixer my_mixers:Mine is not true or false"),
        (
            ["--mixer", "mlp_mixer", "--expansion", "2", "--mixer-set", "expansion=3"],
            "--expansion or --mixer-set",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_setting_says_which(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    assert expected in complaint(capsys, *RUN, *MINE, *arguments)
    assert not Path("results").exists()


def test_a_mixer_without_settings_has_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "my_bare.py").write_text("from attnsearch import Mixer\nclass Bare(Mixer): pass\n")
    text = complaint(capsys, *RUN, "--mixer", "my_bare:Bare", "--mixer-set", "depth=1")
    assert "no setting 'depth' in mixer my_bare:Bare. It has none." in text


def test_mixers_in_place_of_a_suite_s(
    here: Path, capsys: pytest.CaptureFixture[str], no_devices: None
) -> None:
    path = here / "tiny.toml"
    path.write_text(SUITE.format(mixer="attention"))
    plan = ["plan", str(path), "--no-measurement"]
    listed = printed(capsys, *plan, *MINE, "--mixer-set", "depth=1,2")["cohorts"]
    assert [cohort["mixer"] for cohort in listed] == ["my_mixers:Mine"] * 2
    both = printed(capsys, *plan, "--mixer", "mlp_mixer,attention", "--mixer-set", "expansion=2")["cohorts"]
    assert [cohort["mixer"] for cohort in both] == ["mlp_mixer", "attention"]
    assert "--mixer-set needs --mixer" in complaint(capsys, *plan, "--mixer-set", "expansion=2")
    assert "unknown mixer 'mlp'" in complaint(capsys, *plan, "--mixer", "mlp")


def test_a_suite_may_name_one_s_own(here: Path) -> None:
    path = here / "tiny.toml"
    path.write_text(SUITE.format(mixer="my_mixers:Mine") + "depth = [1, 2]\n")
    suite = Suite.read(path, JaxBackend().known_mixers)
    assert [dict(mixer.settings)["depth"] for mixer in suite.mixers] == [1, 2]
    path.write_text(SUITE.format(mixer="my_mixers:Mind"))
    text = message(lambda: Suite.read(path, JaxBackend().known_mixers))
    assert "tiny.toml: [[mixers]] number 1: mixer 'my_mixers:Mind': module my_mixers has no Mind." in text


def test_the_mixers_of_a_suite_may_be_replaced(here: Path) -> None:
    path = here / "tiny.toml"
    path.write_text(SUITE.format(mixer="attention"))
    suite = Suite.read(path, JaxBackend().known_mixers)
    mixer = MixerSpec("mine", settings({"depth": 2}))
    assert suite.reduced(None, {}, [mixer]).mixers == (mixer,)
    assert suite.reduced(None, {}).mixers == suite.mixers


# Construction and call, checked before training.


class Sound(Mixer):
    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs, depth: int = 1):
        if depth < 1:
            raise AttnsearchError(f"depth {depth} must be at least 1")
        self.scale = nnx.Param(jax.numpy.ones(width // depth))

    def __call__(self, x: jax.Array) -> jax.Array:
        return x


class Narrow(Sound):
    def __call__(self, x: jax.Array) -> jax.Array:
        return x[:, ::2]


class Half(Sound):
    def __call__(self, x: jax.Array) -> jax.Array:
        return x.astype("bfloat16")


class Pair(Sound):
    def __call__(self, x: jax.Array) -> Any:
        return x, x


class Nothing(Sound):
    def __call__(self, x: jax.Array) -> Any: ...


class Branching(Sound):
    def __call__(self, x: jax.Array) -> jax.Array:
        return x if x[0, 0] > 0 else -x


class Silent(Mixer):
    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs): ...


class AllRows(Sound):
    def at(self, x: jax.Array, positions: Any) -> jax.Array:
        return x


class FlatWeights(Sound):
    def weights(self, x: jax.Array, positions: Any) -> jax.Array:
        return x


class Counter(Sound):
    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.steps = nnx.Param(jax.numpy.zeros(3, int))


class NoRngs(Mixer):
    def __init__(self, width: int, context_length: int):
        super().__init__()


class Picky(Sound):
    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs, size: Any = None):
        super().__init__(width, context_length, rngs=rngs, depth=size + 1)


@pytest.mark.parametrize(
    ("mixer", "given", "expected"),
    [
        (Narrow, {}, "mixer Narrow returned f32[8, 16] for f32[8, 32]: expected f32[8, 32]"),
        (Half, {}, "mixer Half returned bf16[8, 32] for f32[8, 32]: expected f32[8, 32]"),
        (Pair, {}, "mixer Pair returned a tuple for f32[8, 32]: expected f32[8, 32]"),
        (Nothing, {}, "mixer Nothing returned a NoneType for f32[8, 32]: expected"),
        (Branching, {}, "mixer Branching cannot be called on f32[8, 32]: TracerBoolConversionError: "),
        (
            Silent,
            {},
            "mixer Silent cannot be called on f32[8, 32]: TypeError: Silent does not define __call__",
        ),
        (
            AllRows,
            {},
            "mixer AllRows, at(x, positions), returned f32[8, 32] for f32[8, 32]: expected f32[4, 32]",
        ),
        (
            FlatWeights,
            {},
            "mixer FlatWeights, weights(x, positions), returned f32[8, 32] for f32[8, 32]:"
            " expected f32[H, 4, 8]",
        ),
        (
            NoRngs,
            {},
            "mixer NoRngs cannot be built with width=32, context_length=8: TypeError: "
            "NoRngs.__init__() got an unexpected keyword argument 'rngs'",
        ),
        (
            Picky,
            {"size": "wide"},
            "cannot be built with width=32, context_length=8, size='wide': TypeError: ",
        ),
        (
            Counter,
            {},
            "mixer Counter holds parameters that are not floating-point numbers: blocks.0.mixer.steps",
        ),
        (Sound, {"deep": 1}, "unexpected keyword argument 'deep'"),
        (Sound, {"depth": 0}, "depth 0 must be at least 1"),
    ],
)
def test_a_mixer_that_cannot_be_used_says_what_was_expected(
    mixer: type[Mixer], given: dict[str, Any], expected: str
) -> None:
    assert expected in message(lambda: network(mixer, settings(given)))


def test_one_that_can_is_not_refused() -> None:
    assert network(Sound, settings({"depth": 2})).mixer is Sound


def network(mixer: type[Mixer], given: Settings) -> Network:
    return Network.of(NetworkSpec(width=32), mixer, given, LinearMap(4))
