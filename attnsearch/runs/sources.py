"""Which code a mixer is made of: the files of its class, and the helpers of its own that they import.

Numpy side; never imports jax. Files are read, and nothing is imported: names may come from stored data.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

Sources = Mapping[str, str]
"""Modules by name, each with the sha256 of its file in 64 hex digits."""

_INSTALLED = ("site-packages", "dist-packages")
"""Folders in which unrelated packages lie beside each other."""

_TORCH = "attnsearch.training.torch"

_SHIPPED = (
    *("attnsearch.mixers", "attnsearch.spec.heads"),
    *(f"{_TORCH}.mixers", f"{_TORCH}.adapters", f"{_TORCH}.linear"),
)
"""Of attnsearch itself, only these packages and modules compute what a mixer does."""


def sources(modules: Mapping[str, Path]) -> dict[str, str]:
    """`modules`, by name with their files, and every module of their own that they import, transitively.

    A module is their own if it belongs to the same top-level package, or lies in the folder that holds this
    package. What is imported by a computed name is not seen. Errors: OSError where a file cannot be read,
    SyntaxError where one is not Python.
    """
    waiting, found = dict(modules), dict[str, str]()
    while waiting:
        module, file = waiting.popitem()
        content = file.read_bytes()
        found[module] = hashlib.sha256(content).hexdigest()
        folder = _folder(module, file)
        for name in _imported(ast.parse(content), module, file):
            for own in (name, name.rpartition(".")[0]):
                path = _own(own, module, folder)
                if path is not None:
                    if own not in found:
                        waiting[own] = path
                    break
    return dict(sorted(found.items()))


def difference(recorded: Sources) -> tuple[Literal["changed", "not found"], str] | None:
    """How the code at hand differs from what was `recorded`, and in which module; None where it does not."""
    missing = None
    for module, digest in recorded.items():
        file = _located(module)
        try:
            content = None if file is None else file.read_bytes()
        except OSError:
            content = None
        if content is None:
            missing = missing or module
        elif hashlib.sha256(content).hexdigest() != digest:
            return "changed", module
    return None if missing is None else ("not found", missing)


def _imported(tree: ast.Module, module: str, file: Path) -> Iterator[str]:
    """Full names of what is imported, wherever in the file; the last part may be a name in a module."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _own(name: str, module: str, folder: Path) -> Path | None:
    """The file of `name` where it is a module that counts as `module`'s own."""
    top = name.partition(".")[0]
    if top == "attnsearch" and not f"{name}.".startswith(tuple(f"{known}." for known in _SHIPPED)):
        return None
    if top != module.partition(".")[0] and folder.name in _INSTALLED:
        return None
    return _file(folder, name)


def _folder(module: str, file: Path) -> Path:
    """The folder from which `module` is imported."""
    path = file.parent if file.name == "__init__.py" else file
    return path.parents[module.count(".")]


def _file(folder: Path, module: str) -> Path | None:
    if not all(part.isidentifier() for part in module.split(".")):
        return None
    path = folder.joinpath(*module.split("."))
    files = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((file for file in files if file.is_file()), None)


def _located(module: str) -> Path | None:
    """The file that `module` would be imported from. No module is imported to find out."""
    top = module.partition(".")[0]
    if not top.isidentifier() or top == "__main__":
        return None
    # As the command line finds them: one's own modules lie where one is.
    if top not in sys.modules and (file := _file(Path.cwd(), module)):
        return file
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    homes = [Path(home).parent for home in spec.submodule_search_locations or ()]
    if not homes and spec.origin:
        homes = [Path(spec.origin).parent]
    return next((file for home in homes if (file := _file(home, module))), None)
