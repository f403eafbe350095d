"""Suite files: TOML data that crosses tasks, mixers, seeds and a training budget into runs.

The schema, by example, is `benchmarks/README.md`. A key beyond it is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Self

from msgspec import Meta, Struct

from attnsearch.base import AttnsearchError, nearest
from attnsearch.spec.decoding import check_keys, decoded
from attnsearch.spec.grid import (
    MOST_SEEDS,
    KnownMixers,
    Lists,
    check_knobs,
    mixer_specs,
    product,
    task_specs,
    training_specs,
)
from attnsearch.spec.reading import check_names, placed, read_toml, shown
from attnsearch.spec.run import MixerSpec, RunSpec, TaskSpec, Value
from attnsearch.spec.settings import SETTINGS
from attnsearch.spec.task_file import TaskFile, find_task

_PACKAGE = Path(__file__).parents[1]
SUITE_FOLDER = next(
    folder for folder in (_PACKAGE / "suite_files", _PACKAGE.parent / "benchmarks") if folder.is_dir()
)
"""The shipped suites: inside an installed package, or the repository's own."""

_Seeds = Annotated[int, Meta(le=MOST_SEEDS)] | list[int]
"""A count, or a list."""

_Setting = bool | int | float | str
_Table = dict[str, _Setting | Annotated[list[_Setting], Meta(min_length=1)]]
"""Settings, each with a value or a list of values."""


class _Document(Struct, frozen=True, forbid_unknown_fields=True):
    """A suite file. See `Suite`."""

    name: str
    title: str
    source: str
    seeds: _Seeds
    tasks: Any
    mixers: Any
    rule_seed: int | None = None
    selection_seeds: _Seeds | None = None
    training: dict[str, Any] = {}


@dataclass(frozen=True)
class Suite:
    """A suite as read, with every value checked.

    tasks, mixers:    the combinations that its tables make, table by table
    training:         values of network, optimizer and budget settings; absent settings have defaults
    rule_seed:        one hidden rule for all runs; None where each seed draws its own
    selection_seeds:  seeds of the runs by which each mixer's learning rate is chosen, and which are not
                      scored; empty where nothing is chosen
    defaults:         by task, training settings that its file has in place of the usual ones. Its defaults
                      for mixers do not apply: a suite says itself which mixers it compares
    families:         by task, the family that its file names
    """

    name: str
    title: str
    source: str
    tasks: tuple[TaskSpec, ...]
    mixers: tuple[MixerSpec, ...]
    training: Lists
    seeds: Sequence[int]
    rule_seed: int | None = None
    selection_seeds: Sequence[int] = ()
    defaults: Mapping[str, Lists] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)

    @property
    def learning_rates(self) -> list[float]:
        """The grid from which each mixer's is chosen, rising."""
        given = {name: listed for name, listed in self.training.items() if name == "learning_rate"}
        return sorted({optimizer.learning_rate for _, optimizer, *_ in training_specs(given)})

    def runs(self) -> list[RunSpec]:
        """Every combination once: tasks outermost, then training, mixers, and seeds innermost.

        Errors: AttnsearchError for seeds out of range, or none.
        """
        return self._product(self.training, self.mixers, self.seeds)

    def selection(self) -> list[RunSpec]:
        """The runs by which each mixer's learning rate is chosen, in the same order: every learning rate on
        the selection seeds; none where there is nothing to choose.

        Errors: AttnsearchError for seeds out of range, or that are scored too.
        """
        if not self.chooses:
            return []
        if scored := sorted(set(self.selection_seeds) & set(self.seeds)):
            raise AttnsearchError(
                f"seed {scored[0]} is both scored and a selection seed: a learning rate is chosen on others"
            )
        return self._product(self.training, self.mixers, self.selection_seeds)

    def scored(self, learning_rates: Mapping[MixerSpec, float]) -> list[RunSpec]:
        """The runs that count, mixer by mixer: each at its learning rate of `learning_rates`.

        Errors: AttnsearchError for seeds out of range, or none.
        """
        return [
            run
            for mixer in dict.fromkeys(self.mixers)
            for run in self._product(
                {**self.training, "learning_rate": [learning_rates[mixer]]}, [mixer], self.seeds
            )
        ]

    def _product(self, training: Lists, mixers: Sequence[MixerSpec], seeds: Sequence[int]) -> list[RunSpec]:
        """Every combination once. What the suite does not say of training, a task's own defaults do."""
        return [
            run
            for task in dict.fromkeys(self.tasks)
            for run in product(
                [task],
                training_specs({**self.defaults.get(task.name, {}), **training}),
                mixers,
                seeds,
                self.rule_seed,
            )
        ]

    @property
    def chooses(self) -> bool:
        """Whether there are several learning rates, and seeds to choose each mixer's by."""
        return bool(self.selection_seeds) and len(self.training.get("learning_rate", ())) > 1

    def planned(self) -> list[RunSpec]:
        """The runs of a sweep. Where rates are yet to be chosen, the scored ones are at the grid's first:
        whichever it will be, there are as many, and they are of the same shapes."""
        if not self.chooses:
            return self.runs()
        first = float(self.training["learning_rate"][0] or 0.0)
        return [*self.selection(), *self.scored(dict.fromkeys(self.mixers, first))]

    def reduced(
        self, seeds: Sequence[int] | None, training: Lists, mixers: Sequence[MixerSpec] | None = None
    ) -> Self:
        """The suite with other seeds and mixers, unless None, and other values for some training settings.

        Errors: AttnsearchError for a value of `training` that is out of range.
        """
        together = {**self.training, **training}
        for name in dict.fromkeys(task.name for task in self.tasks):
            training_specs({**self.defaults.get(name, {}), **together})
        return replace(
            self,
            training=together,
            seeds=self.seeds if seeds is None else seeds,
            mixers=self.mixers if mixers is None else tuple(mixers),
        )

    @classmethod
    def read(cls, path: Path, known_mixers: KnownMixers | None) -> Self:
        """A suite from its file; without its mixers where `known_mixers` is None, for whoever has others.

        Errors: AttnsearchError naming the file, and the line or key.
        """
        document = read_toml(path)
        with placed(str(path)):
            return cls._of(decoded(document, _Document), path.parent, known_mixers)

    @classmethod
    def _of(cls, document: _Document, folder: Path, known_mixers: KnownMixers | None) -> Self:
        with placed("name"):
            check_names(document.name)
        files: list[TaskFile] = []
        tasks: list[TaskSpec] = []
        for where, table in _tables("tasks", document.tasks):
            with placed(where):
                name, rest = _named("task", table)
                files.append(_task_file(name, folder))
                tasks += task_specs(files[-1], _lists(rest, files[-1].setting_names))
        names: list[str] = []
        mixers: list[MixerSpec] = []
        for where, table in _tables("mixers", document.mixers):
            with placed(where):
                name, rest = _named("mixer", table)
                check_names(name)
                if known_mixers is None:
                    continue
                if name not in known_mixers:
                    raise AttnsearchError(f"unknown mixer {name!r}.{nearest(name, known_mixers)}")
                names.append(name)
                mixers += mixer_specs(name, known_mixers[name], _lists(rest, set(known_mixers[name])))
        check_knobs(files)
        with placed("[training]"):
            training = _lists(document.training, set(SETTINGS))
            for file in files:
                training_specs({**_training_defaults(file), **training})
        seeds = _seeds(document.seeds)
        suite = cls(
            document.name,
            document.title,
            document.source,
            tuple(tasks),
            tuple(mixers),
            training,
            seeds,
            document.rule_seed,
            _selection_seeds(document.selection_seeds, seeds),
            {file.name: _training_defaults(file) for file in files},
            {file.name: file.family for file in files},
        )
        suite.runs()  # seeds out of range speak here, where the file is named
        suite.selection()
        return suite


def shipped_suites() -> dict[str, Path]:
    """The files of the suites that ship, by name."""
    return {file.stem: file for file in sorted(SUITE_FOLDER.glob("*.toml"))}


def find_suite(name: str) -> Path:
    """The file of a suite: of a shipped one by name, or of any by path. Errors: AttnsearchError."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = shipped_suites()
    if name in shipped:
        return shipped[name]
    beside = [str(file) for file in path.parent.glob("*.toml")] if path.suffix == ".toml" else []
    raise AttnsearchError(
        f"unknown suite {name!r}.{nearest(name, [*beside, *shipped])} Or a path ending in .toml."
    )


def _tables(key: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each table of an array of tables, with what to call it."""
    if not isinstance(value, list) or not value or not all(isinstance(table, dict) for table in value):
        raise AttnsearchError(f"{key} is not a list of tables: write [[{key}]] above each")
    for number, table in enumerate(value, start=1):
        yield f"[[{key}]] number {number}", table


def _named(key: str, table: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The task or mixer of a table, and the rest: its settings."""
    if key not in table:
        raise AttnsearchError(f"missing key {key!r}")
    return decoded(table[key], str, key), {name: value for name, value in table.items() if name != key}


def _task_file(name: str, folder: Path) -> TaskFile:
    """A shipped task by name, or a task file by path, which counts from the suite's own folder."""
    return find_task(str(folder / name) if name.endswith(".toml") else name)


def _lists(table: Mapping[str, Any], known: set[str]) -> dict[str, tuple[Value, ...]]:
    """The settings of a table, each as a list of its values."""
    check_keys(table, known)
    return {
        name: tuple(value) if isinstance(value, list) else (value,)
        for name, value in decoded(table, _Table).items()
    }


def _training_defaults(file: TaskFile) -> Lists:
    return {name: (value,) for name, value in file.defaults if name in SETTINGS}


def _seeds(value: _Seeds) -> Sequence[int]:
    return range(value) if isinstance(value, int) else tuple(value)


def _selection_seeds(value: _Seeds | None, scored: Sequence[int]) -> Sequence[int]:
    """A list, or a count of seeds after the `scored` ones."""
    if value is None:
        return ()
    seeds = _seeds(value)
    if not seeds:
        raise AttnsearchError(
            f"selection_seeds: {shown(value)} chooses nothing: give 1 or more, or leave the key out"
        )
    first = max(scored, default=-1) + 1
    return range(first, first + len(seeds)) if isinstance(seeds, range) else seeds
