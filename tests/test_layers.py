"""Which room may import which, and which may load jax or torch: read from the sources."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attnsearch

PACKAGE = Path(attnsearch.__file__).parent
TESTS = Path(__file__).parent

# Room: its floor, and the frameworks that it may load. A room imports from lower floors alone.
ROOMS: dict[str, tuple[int, str]] = {
    "base": (1, ""),
    "files": (2, ""),
    "stats": (2, ""),
    "generators": (2, ""),
    "spec": (3, ""),
    "mixers": (4, "jax"),
    "runs": (4, ""),
    "sequences": (5, "jax"),
    "training": (5, ""),
    "results": (5, ""),
    "training.jax": (6, "jax"),
    "training.torch": (6, "jax torch"),
    "training.tracking": (6, ""),
    "training.ray": (6, "ray"),
    "plots": (6, ""),
    "report": (6, ""),
    "gate": (6, ""),
    "backends": (7, "jax"),
    "probing": (8, "jax"),
    "examples": (7, "jax"),
    "foreign": (7, "jax"),
    "leaderboard": (7, ""),
    "watch": (7, ""),
    "cli": (9, ""),
    "__main__": (10, ""),
}
FLAX = ("mixers", "training.jax")
FRAMEWORKS = {
    "jax": ("jax", "jaxlib", "flax", "optax", "chex"),
    "torch": ("torch", "transformers"),
    "trackers": ("tensorboard", "wandb", "mlflow", "sqlalchemy", "alembic"),
    "ray": ("ray",),
}
"""The packages that belong to each."""

TORCH_NAMES = "training.torch.names"
"""Read where torch is not installed."""

FRONT_DOORS = ("cli", "__main__")
"""They reach rooms with jax when they are asked for what is there, not before."""

LONGEST, MEDIAN = 400, 150
"""Lines of a file."""


def module_of(path: Path) -> str:
    """Its name below `attnsearch`; "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    """The longest name of a room that a module's name begins with."""
    while module and module not in ROOMS:
        module = module.rpartition(".")[0]
    return module


def imported(path: Path, *, when_loaded: bool = False) -> Iterator[str]:
    """Full names of what a file imports; when_loaded: at once, not in functions or for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = (ast.FunctionDef, ast.If) if when_loaded else ()
    skipped = {id(node) for block in ast.walk(tree) if isinstance(block, late) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides which module is meant"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(names: Iterator[str]) -> set[str]:
    """The modules of attnsearch among `names`; what is not a module is a name in one."""
    found = set()
    for name in names:
        package, _, module = name.partition(".")
        while module not in MODULES:
            module = module.rpartition(".")[0]
        if package == "attnsearch":
            found.add(module)
    return found


def test_every_room_imports_from_lower_floors() -> None:
    rooms = {room_of(module) for module in MODULES} - {""}
    assert rooms == set(ROOMS)
    for module, path in MODULES.items():
        room = room_of(module)
        for other in own(imported(path)):
            if room and room_of(other) != room:
                below = room_of(other) != "" and ROOMS[room_of(other)][0] < ROOMS[room][0]
                assert below, f"{module} imports {other}"


def test_no_circle_of_modules() -> None:
    below = {module: own(imported(path)) - {module} for module, path in MODULES.items()}
    while below:
        lowest = [module for module, others in below.items() if not others & set(below)]
        assert lowest, f"these modules import each other: {sorted(below)}"
        below = {module: others for module, others in below.items() if module not in lowest}


def frameworks_of(module: str) -> set[str]:
    """The frameworks that a module may load."""
    return set(ROOMS.get(room_of(module), (0, ""))[1].split())


def test_frameworks_stay_in_their_rooms() -> None:
    for module, path in MODULES.items():
        loaded = {name.partition(".")[0] for name in imported(path, when_loaded=True)}
        for framework, packages in FRAMEWORKS.items():
            if framework not in frameworks_of(module):
                assert not loaded & set(packages), module
        if "flax" in {name.partition(".")[0] for name in imported(path)}:
            assert room_of(module) in FLAX, module


def test_a_framework_is_not_loaded_by_another_room() -> None:
    for module, path in MODULES.items():
        if frameworks := frameworks_of(module):
            for other in own(imported(path, when_loaded=True)):
                loaded = set() if other == TORCH_NAMES else frameworks_of(other)
                assert loaded <= frameworks, f"{module} loads {other}"
    # In one process, so that the first module to load a framework is the one that is named.
    packages = {package for packages in FRAMEWORKS.values() for package in packages}
    code = f"""
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    assert not {packages!r} & set(sys.modules), name
"""
    plain = [*(module for module in MODULES if not frameworks_of(module)), TORCH_NAMES]
    names = [f"attnsearch.{module}".rstrip(".") for module in plain]
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_folder_of_tests_is_called_like_a_framework() -> None:
    """It would be imported in place of the package where that is not installed."""
    packages = {package for packages in FRAMEWORKS.values() for package in packages}
    assert not packages & {folder.name for folder in TESTS.iterdir()}


def test_no_file_is_long() -> None:
    lines = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for folder in (PACKAGE, TESTS)
        for path in folder.rglob("*.py")
    }
    assert statistics.median(lines.values()) <= MEDIAN
    assert [str(path) for path, count in lines.items() if count > LONGEST] == []
