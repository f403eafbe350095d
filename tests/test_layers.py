"""Which module may import which, read from their sources: only from lower rows, and jax on one side only."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

import attnsearch

PACKAGE = Path(attnsearch.__file__).parent

# From the bottom up: a module imports from lower rows, never from its own. A pattern stands for the modules
# that are added most often; it counts where no row names the module itself.
ROWS: tuple[tuple[str, ...], ...] = (
    ("base", "specs"),
    ("archives", "screen", "devices", "linear"),
    (
        *("claims", "taskfiles", "plateau", "survival", "lognormal", "plugins", "reproduce"),
        *("parameter_files", "head_costs", "pictures_layout"),
    ),
    ("generators.base", "generators.routes", "generators.bayes", "mixers.base", "verification"),
    ("store", "grid", "comparison", "law", "page", "pictures", "network", "generators.*", "mixers.*"),
    (
        *("observer", "recording", "summary", "targets", "permutation", "ranking", "suites", "train"),
        *("parameters", "ablation_pictures", "pictures_examples"),
    ),
    ("checkpoints", "collect", "flags", "alignment", "entry_schema", "generators", "mixers", "movement"),
    ("selection", "series", "sensitivity", "results", "gate", "page.detail"),
    ("lanes", "ledger", "plan", "gallery", "growth", "entries", "baselines", "progress"),
    (
        "calibration",
        "engine",
        "ablation",
        "show_*",
        "subject",
        "entry_files",
        "page.data",
        "page.laws",
        "matching",
    ),
    ("runner", "show", "checks", "estimate", "candidates", "page.tables", "verdicts"),
    ("sweeping", "verify", "cost", "checking", "report", "leaderboard", "notices"),
    ("leaderboard_text", "pytest_plugin"),
    ("leaderboard_formats",),
    ("leaderboard_page",),
    ("commands.options", "commands", ""),
    ("commands.*",),
    ("cli",),
    ("__main__",),
)

JAX_SIDE = (
    *("devices", "linear", "generators", "generators.*", "mixers", "mixers.*", "network", "train", "lanes"),
    *("plan", "calibration", "engine", "show", "progress", "runner", "estimate", "sweeping"),
    *("movement", "subject", "checks", "verify", "cost", "checking", "parameters", "ablation", "show_*"),
)
"""Modules that may load jax. Commands reach them when they are called, not before."""

USES_FLAX = ("linear", "network", "mixers.*")

LONGEST = 400
"""Lines of a module. What is longer is two modules."""


def name_of(path: Path) -> str:
    """A module's name below `attnsearch`; "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}

NUMPY_SIDE = [name for name in MODULES if not any(fnmatch(name, pattern) for pattern in JAX_SIDE)]
"""Modules that start without jax; "" is the package itself."""

FRONT_DOORS = ("", "cli", "__main__", "commands.*", "pytest_plugin")
"""Those among them that reach the other side, when they are asked for what is there."""


def row_of(module: str) -> int | None:
    """Its place in `ROWS`, named ones first."""
    for names in ROWS:
        if module in names:
            return ROWS.index(names)
    for names in ROWS:
        if any("*" in name and fnmatch(module, name) for name in names):
            return ROWS.index(names)
    return None


def imported(source: str, *, at_run_time: bool = False) -> Iterator[str]:
    """Full names of what `source` imports, wherever in it; `from a import b` is a.b, a module or a name.

    at_run_time: leave out what is imported for type checkers alone.
    """
    tree = ast.parse(source)
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if at_run_time and isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides which module is meant"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(source: str) -> set[str]:
    """The modules of attnsearch that `source` imports, by their names below it."""
    found = set()
    for name in imported(source):
        package, _, module = name.partition(".")
        if package == "attnsearch":
            # What is no module is a name in one.
            while module not in MODULES:
                module = module.rpartition(".")[0]
            found.add(module)
    return found


def test_what_is_read_from_a_source() -> None:
    source = """
import jax.numpy as jnp
from attnsearch import summary
from attnsearch.mixers.base import Mixer
if TYPE_CHECKING:
    import flax
def late():
    from attnsearch.cli import main
"""
    assert own(source) == {"summary", "mixers.base", "cli"}
    assert own("from attnsearch import Store") == {""}
    assert own("import numpy\nimport attnsearch.store") == {"store"}
    assert "flax" in set(imported(source))
    assert "flax" not in set(imported(source, at_run_time=True))
    assert "jax.numpy" in set(imported(source, at_run_time=True))


def test_every_module_has_a_row_and_every_row_its_modules() -> None:
    assert len(MODULES) > 20
    assert [module for module in MODULES if row_of(module) is None] == []
    named = [name for names in ROWS for name in names]
    assert len(named) == len(set(named))
    assert [name for name in named if "*" not in name and name not in MODULES] == []


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_lower_rows_only(module: str) -> None:
    row = row_of(module)
    assert row is not None
    for other in own(MODULES[module].read_text(encoding="utf-8")):
        place = row_of(other)
        assert place is not None
        assert place < row, f"{module}, row {row}, imports {other}, row {place}"


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_long(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("module", MODULES)
def test_only_models_are_made_of_flax(module: str) -> None:
    top_level = {name.partition(".")[0] for name in imported(MODULES[module].read_text(encoding="utf-8"))}
    if "flax" in top_level:
        assert any(fnmatch(module, name) for name in USES_FLAX)


def test_the_numpy_side_starts_without_jax() -> None:
    # In one process, for the first to load it is the one that is named.
    code = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    loaded = {"jax", "jaxlib", "flax", "optax", "chex"} & set(sys.modules)
    assert not loaded, f"{name} loads {loaded}"
"""
    names = [f"attnsearch.{module}".rstrip(".") for module in NUMPY_SIDE]
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_the_numpy_side_imports_is_on_the_numpy_side() -> None:
    inner = [name for name in NUMPY_SIDE if not any(fnmatch(name, door) for door in FRONT_DOORS)]
    assert len(inner) > 40
    for module in inner:
        source = MODULES[module].read_text(encoding="utf-8")
        assert own(source) <= set(NUMPY_SIDE), module
        for name in imported(source, at_run_time=True):
            assert name.partition(".")[0] not in ("jax", "jaxlib", "flax", "optax", "chex"), module
