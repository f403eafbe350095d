"""Task files: TOML data that names a generator, its knobs and its plateau rule.

The schema, by example, is `tasks/README.md`. A key beyond it is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import msgspec

from attnsearch.base import AttnsearchError, nearest
from attnsearch.spec.decoding import decoded
from attnsearch.spec.reading import check_names, placed, read_toml
from attnsearch.spec.run import PlateauRule, Settings, TaskSpec, Value, settings

_PACKAGE = Path(__file__).parents[1]
TASK_FOLDER = next(
    folder for folder in (_PACKAGE / "task_files", _PACKAGE.parent / "tasks") if folder.is_dir()
)
"""The shipped task files: inside an installed package, or the repository's own."""


class _KnobTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file that describes a knob; the knob's name stands in the heading."""

    meaning: str
    default: int | str | None = None
    minimum: int | str | None = None
    maximum: int | str | None = None
    choices: tuple[str, ...] = ()
    ratio: str | None = None
    default_ratio: float | None = None


class Knob(_KnobTable, frozen=True, kw_only=True):
    """One knob of a task.

    name, meaning:     the knob and what it sets, with the unit
    default:           its value unless given; None where `default_ratio` or nothing stands for it
    minimum, maximum:  inclusive bounds; each may name another knob
    choices:           the permitted words; beside a `minimum`, words that may stand for a number
    ratio:             name under which the knob may be given as a share of its `maximum` instead
    default_ratio:     that share, unless given
    """

    name: str

    def describe_range(self) -> str:
        """Its range in a few words."""
        words = list(self.choices)
        if self.minimum is not None:
            bounded = f"{self.minimum} to {self.maximum}"
            words.insert(0, f"at least {self.minimum}" if self.maximum is None else bounded)
        return " or ".join(words)

    def bounds(self, others: Mapping[str, Value]) -> tuple[int | None, int | None]:
        """The least and the largest number that it may be, given the `others`; None for no bound."""
        return _number(self.minimum, others), _number(self.maximum, others)

    def check(self, value: Value, others: Mapping[str, Value]) -> None:
        """Errors: AttnsearchError where `value` is outside the range, given the `others`."""
        if value in self.choices:
            return
        if self.minimum is None:
            raise AttnsearchError(f"{self.name} {value!r} is unknown: {self.describe_range()}")
        if self.choices and isinstance(value, str):
            raise AttnsearchError(f"{self.name} {value!r} must be a number, {self.describe_range()}")
        if not isinstance(value, int) or isinstance(value, bool):
            raise AttnsearchError(f"{self.name} {value!r} is not a whole number")
        least, most = self.bounds(others)
        if (least is not None and value < least) or (most is not None and value > most):
            names = dict.fromkeys(bound for bound in (self.minimum, self.maximum) if isinstance(bound, str))
            named = ", ".join(f"{name} is {others[name]}" for name in names)
            verb = "must be" if self.maximum is None else "is outside"
            raise AttnsearchError(
                f"{self.name} {value} {verb} {self.describe_range()}" + (f" ({named})" if named else "")
            )

    def from_ratio(self, share: Value, others: Mapping[str, Value]) -> int:
        """The value that is `share` of the maximum. Errors: AttnsearchError, saying what would be right."""
        flag = f"--{self.name.replace('_', '-')}"
        least, whole = self.bounds(others)
        assert whole is not None
        if isinstance(share, bool) or not isinstance(share, int | float):
            raise AttnsearchError(f"{self.ratio} {share!r} is not a ratio in (0, 1]")
        if not 0 < share <= 1:
            meant = share in range(least or 1, whole + 1)
            hint = f"; for {share:g} positions use {flag} {share:g}" if meant else ""
            raise AttnsearchError(f"{self.ratio} {share} is outside (0, 1]: it is a ratio{hint}")
        exact = Fraction(str(share)) * whole
        # A ratio like 0.333333 of 3 means a whole number that decimals cannot write.
        if abs(exact - round(exact)) > Fraction(whole, 10**4):
            # All of them, or where that would fill the screen those on either side.
            below = int(exact)
            right = range(1, whole + 1) if whole <= 16 else range(max(1, below), below + 2)
            raise AttnsearchError(
                f"{self.ratio} {share} of {self.maximum} {whole} is {float(exact):g} positions,"
                f" not a whole number; these are: {', '.join(f'{k / whole:g}' for k in right)}"
            )
        return round(exact)


def _number(bound: int | str | None, others: Mapping[str, Value]) -> int | None:
    """A bound as a number, given the `others`, one of which it may name."""
    number = others[bound] if isinstance(bound, str) else bound
    assert number is None or isinstance(number, int)
    return number


class _Document(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A task file. See `TaskFile`."""

    name: str
    title: str
    family: str
    generator: str
    source: str
    knobs: dict[str, _KnobTable]
    plateau: PlateauRule = PlateauRule()
    defaults: dict[str, bool | int | float | str] = {}


@dataclass(frozen=True)
class TaskFile:
    """A task file as read: everything but the values of its knobs.

    defaults:  settings of its runs that differ from the usual ones: of network and training, and of mixers
               that have them
    """

    name: str
    title: str
    family: str
    generator: str
    source: str
    plateau: PlateauRule
    knobs: tuple[Knob, ...]
    defaults: Settings = ()

    @property
    def setting_names(self) -> set[str]:
        """What may be given: its knobs, and the ratios that stand for some."""
        return {knob.name for knob in self.knobs} | {knob.ratio for knob in self.knobs if knob.ratio}

    def resolve(self, given: Mapping[str, Value]) -> TaskSpec:
        """The task with the `given` values and defaults for the rest.

        Errors: AttnsearchError for an unknown name, a value out of range, or a knob given in two ways.
        """
        for name in given:
            if name not in self.setting_names:
                raise AttnsearchError(
                    f"task {self.name} has no knob {name!r}.{nearest(name, self.setting_names)}"
                )
        values: dict[str, Value] = {}
        for knob in self.knobs:
            if knob.ratio in given and knob.name in given:
                raise AttnsearchError(f"give {knob.ratio} or {knob.name}, not both")
            if knob.ratio is not None and knob.ratio in given:
                values[knob.name] = knob.from_ratio(given[knob.ratio], values)
            elif knob.name in given:
                values[knob.name] = given[knob.name]
            elif knob.default_ratio is not None:
                values[knob.name] = knob.from_ratio(knob.default_ratio, values)
            else:
                values[knob.name] = knob.default
            knob.check(values[knob.name], values)
        return TaskSpec(self.name, self.generator, settings(values), self.plateau)

    def sized(self, given: Mapping[str, Value], more: int = 0) -> dict[str, Value]:
        """The `given` values and, of each other knob that is a number, the least that it may be then.

        more:  by so much each of these is larger, where its bounds allow that

        Errors: AttnsearchError for a ratio among the `given` that does not fit.
        """
        values: dict[str, Value] = {}
        for knob in self.knobs:
            least, most = knob.bounds(values)
            if knob.name in given:
                values[knob.name] = given[knob.name]
            elif knob.ratio is not None and knob.ratio in given:
                values[knob.name] = knob.from_ratio(given[knob.ratio], values)
            elif least is not None:
                # A support of all that there is has nothing beside it, and leaves nothing to be found.
                if most is not None and more and knob.ratio is not None:
                    most = max(least, most - 1)
                values[knob.name] = least + more if most is None else min(least + more, most)
        return values

    @classmethod
    def read(cls, path: Path) -> Self:
        """Errors: AttnsearchError naming the file, and the line or key."""
        document = read_toml(path)
        with placed(str(path)):
            return cls._of(decoded(document, _Document))

    @classmethod
    def _of(cls, document: _Document) -> Self:
        for key in ("name", "family", "generator"):
            with placed(key):
                check_names(getattr(document, key))
        knobs: dict[str, Knob] = {}
        for name, table in document.knobs.items():
            knobs[name] = Knob(name=name, **msgspec.structs.asdict(table))
            with placed(f"knobs.{name}"):
                _check_knob(knobs[name], [knobs[other] for other in knobs if other != name])
        task = cls(
            document.name,
            document.title,
            document.family,
            document.generator,
            document.source,
            document.plateau,
            tuple(knobs.values()),
            settings(document.defaults),
        )
        task.resolve({})  # defaults out of range speak here, where the file is named
        return task


def _check_knob(knob: Knob, earlier: Sequence[Knob]) -> None:
    """Errors: AttnsearchError where the settings of a knob contradict each other, or an `earlier` knob."""
    numbers = [other.name for other in earlier if other.minimum is not None and not other.choices]
    for word, bound in (("minimum", knob.minimum), ("maximum", knob.maximum)):
        if isinstance(bound, str) and bound not in numbers:
            raise AttnsearchError(
                f"{word} {bound!r} must name an earlier knob that is a number."
                + (nearest(bound, numbers) if numbers else "")
            )
    if knob.ratio is not None and not isinstance(knob.maximum, str):
        raise AttnsearchError("ratio needs a maximum that names another knob")
    if knob.default_ratio is not None and knob.ratio is None:
        raise AttnsearchError("default_ratio needs a ratio, the name that it is given by")
    if not knob.choices and knob.minimum is None:
        raise AttnsearchError("give choices or a minimum")
    if (knob.default is None) == (knob.default_ratio is None):
        raise AttnsearchError("give either default or default_ratio")
    taken = {name for other in earlier for name in (other.name, other.ratio)}
    if knob.ratio == knob.name or taken & {knob.name, knob.ratio} - {None}:
        raise AttnsearchError("give each knob and each ratio a name of its own")


def shipped_tasks() -> dict[str, TaskFile]:
    """The tasks that ship with attnsearch, by name."""
    files = (TaskFile.read(path) for path in sorted(TASK_FOLDER.glob("*.toml")))
    return {task.name: task for task in files}


def find_task(name: str) -> TaskFile:
    """A shipped task by name, or any task file by path.

    Errors: AttnsearchError for an unknown name, with the nearest, or a file that is not a task file.
    """
    if name.endswith(".toml"):
        return TaskFile.read(Path(name))
    # A shipped file is called after its task, so that the others need not be read.
    shipped = {path.stem: path for path in sorted(TASK_FOLDER.glob("*.toml"))}
    if name not in shipped:
        raise AttnsearchError(f"unknown task {name!r}.{nearest(name, shipped)} Or a path ending in .toml.")
    return TaskFile.read(shipped[name])
