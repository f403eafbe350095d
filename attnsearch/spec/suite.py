"""Suite files: TOML data that crosses tasks, mixers, seeds and a training budget into runs.

The schema, by example, is `benchmarks/README.md`. Whatever a file holds beyond it is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from attnsearch.base import AttnsearchError, nearest
from attnsearch.spec.grid import (
    KnownMixers,
    Lists,
    check_knobs,
    mixer_specs,
    product,
    task_specs,
    training_specs,
)
from attnsearch.spec.run import MixerSpec, RunSpec, TaskSpec, Value
from attnsearch.spec.settings import SETTINGS
from attnsearch.spec.task_file import TaskFile, check_keys, find_task, read_toml, table_at

SUITE_FOLDER = Path("benchmarks")
"""Where a repository keeps its suites; they are no part of the package."""

_REQUIRED = {"name", "title", "source", "seeds", "tasks", "mixers"}
_OPTIONAL = {"rule_seed", "selection_seeds", "training"}


@dataclass(frozen=True)
class Suite:
    """A suite as read, with every value checked.

    tasks, mixers:    what its tables stand for, table by table
    training:         values of network, optimizer and budget settings; those that are absent have defaults
    rule_seed:        one hidden rule for all runs; None where each seed draws its own
    selection_seeds:  those of the runs by which each mixer's learning rate is chosen, and which are not
                      scored; empty where nothing is chosen
    defaults:         by task, training settings that its file has in place of the house's; those of mixers do
                      not apply here: a suite says itself which mixers it compares
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

    @property
    def learning_rates(self) -> list[float]:
        """The grid from which each mixer's is chosen, rising."""
        return sorted({optimizer.learning_rate for _, optimizer, *_ in training_specs(self.training)})

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
        training_specs(training)
        return replace(
            self,
            training={**self.training, **training},
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
            return cls._of(document, path.parent, known_mixers)

    @classmethod
    def _of(cls, document: Mapping[str, Any], folder: Path, known_mixers: KnownMixers | None) -> Self:
        check_keys("", document, _REQUIRED | _OPTIONAL, required=_REQUIRED)
        texts = {key: _text(key, document[key]) for key in ("name", "title", "source")}
        files: list[TaskFile] = []
        tasks: list[TaskSpec] = []
        for where, table in _tables("tasks", document["tasks"]):
            with placed(where):
                name, rest = _named("task", table)
                files.append(_task_file(name, folder))
                tasks += task_specs(files[-1], _lists(rest, files[-1].setting_names))
        names: list[str] = []
        mixers: list[MixerSpec] = []
        for where, table in _tables("mixers", document["mixers"]):
            with placed(where):
                name, rest = _named("mixer", table)
                if known_mixers is None:
                    continue
                if name not in known_mixers:
                    raise AttnsearchError(f"unknown mixer {name!r}.{nearest(name, known_mixers)}")
                names.append(name)
                mixers += mixer_specs(name, known_mixers[name], _lists(rest, set(known_mixers[name])))
        check_knobs(files)
        with placed("[training]"):
            training = _lists(table_at("training", document.get("training", {})), set(SETTINGS))
            training_specs(training)
        seeds = _seeds("seeds", document["seeds"])
        suite = cls(
            **texts,
            tasks=tuple(tasks),
            mixers=tuple(mixers),
            training=training,
            seeds=seeds,
            rule_seed=_rule_seed(document.get("rule_seed")),
            selection_seeds=_selection_seeds(document.get("selection_seeds"), seeds),
            defaults={file.name: _training_defaults(file) for file in files},
        )
        suite.runs()  # seeds out of range speak here, where the file is named
        suite.selection()
        return suite


def find_suite(name: str) -> Path:
    """The file of a suite, which is named by its path. Errors: AttnsearchError, with the nearest."""
    path = Path(name)
    if path.is_file():
        return path
    folder = path.parent if path.parent != Path() else SUITE_FOLDER
    known = [str(other) for other in sorted(folder.glob("*.toml"))]
    if not known:
        raise AttnsearchError(f"no suite {name!r}: give the path of a suite file, which ends in .toml")
    meant = str(folder / f"{path.name.removesuffix('.toml')}.toml")
    raise AttnsearchError(f"no suite {name!r}: give the path of a suite file.{nearest(meant, known)}")


@contextmanager
def placed(where: str) -> Iterator[None]:
    """Says in front of an AttnsearchError where it was that something is wrong."""
    try:
        yield
    except AttnsearchError as error:
        # Of the same kind, which tells callers what to do about it.
        raise type(error)(f"{where}: {error}") from error


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise AttnsearchError(f"{key} = {value!r} is not text")
    return value


def _tables(key: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each table of an array of tables, with what to call it."""
    if not isinstance(value, list) or not value or not all(isinstance(table, dict) for table in value):
        raise AttnsearchError(f"{key} is not a list of tables: write [[{key}]] above each")
    for number, table in enumerate(value, start=1):
        yield f"[[{key}]] number {number}", table


def _named(key: str, table: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The task or mixer of a table, and the rest: its settings."""
    check_keys("", table, set(table), required=[key])
    return _text(key, table[key]), {name: value for name, value in table.items() if name != key}


def _task_file(name: str, folder: Path) -> TaskFile:
    """A shipped task by name, or a task file by path, which counts from the suite's own folder."""
    return find_task(str(folder / name) if name.endswith(".toml") else name)


def _lists(table: Mapping[str, Any], known: set[str]) -> dict[str, tuple[Value, ...]]:
    """The settings of a table, each as a list of its values."""
    check_keys("", table, known)
    lists = {}
    for name, value in table.items():
        items = tuple(value) if isinstance(value, list) else (value,)
        if not items:
            raise AttnsearchError(f"{name} has no values")
        if not all(isinstance(item, bool | int | float | str) for item in items):
            raise AttnsearchError(f"{name} = {value!r} is neither a value nor a list of values")
        lists[name] = items
    return lists


def _training_defaults(file: TaskFile) -> Lists:
    return {name: (value,) for name, value in file.defaults if name in SETTINGS}


def _seeds(key: str, value: Any) -> Sequence[int]:
    """A count, or a list."""
    if _is_whole(value):
        return range(value)
    if isinstance(value, list) and all(map(_is_whole, value)):
        return tuple(value)
    raise AttnsearchError(f"{key} = {value!r} is neither a count nor a list of whole numbers")


def _selection_seeds(value: Any, scored: Sequence[int]) -> Sequence[int]:
    """A list, or a count of seeds after those that are `scored`."""
    if value is None:
        return ()
    seeds = _seeds("selection_seeds", value)
    if not seeds:
        raise AttnsearchError(f"selection_seeds = {value!r} chooses nothing: give 1 or more, or leave it out")
    first = max(scored, default=-1) + 1
    return range(first, first + len(seeds)) if isinstance(seeds, range) else seeds


def _rule_seed(value: Any) -> int | None:
    if value is not None and not _is_whole(value):
        raise AttnsearchError(f"rule_seed = {value!r} is not a whole number")
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
