"""Settings in words: what cells are called, in what they differ, and the file names that are made of it.

`Names` is the only place that turns the settings of a cell into words. It is given the cells at hand, and
says of each what tells it from the others.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache, cached_property

from attnsearch.base import plain
from attnsearch.spec.run import CellSpec, InterventionSpec, MixerSpec, PlateauRule, RunSpec, Value

DERIVED = "derived"
"""A setting that is None: its user works the value out from the others."""

ABSENT = "absent"
"""A setting that a cell's task or mixer does not have."""

LONGEST_STEM = 80
"""Characters of a file's name before its extension."""

_SHORT, _EXACT = 6, 17
"""Digits of a number in words, and those that tell any two numbers apart."""


def facts(cell: CellSpec, others: Collection[str] = ()) -> dict[str, Value]:
    """Everything that a cell is, flat: its settings by their names, then the generator and the thresholds.

    others:  names of the knobs of other cells at hand, as for `CellSpec.flat`
    """
    thresholds = {f"{name}_threshold": value for name, value in asdict(cell.task.plateau).items()}
    return {**cell.flat(others), "generator": cell.task.generator, **thresholds}


def written(value: Value, digits: int = _SHORT) -> str:
    """A value in words, a number with so many digits at most."""
    if value is None or isinstance(value, bool):
        return {None: DERIVED, True: "yes", False: "no"}[value]
    return f"{value:.{digits}g}" if isinstance(value, float) else plain(str(value))


def told_apart(values: Iterable[Value]) -> dict[Value, str]:
    """Each of `values` in words, with as many digits as tell them apart."""
    distinct = dict.fromkeys(values)
    for digits in range(_SHORT, _EXACT + 1):
        texts = {value: written(value, digits) for value in distinct}
        if len(set(texts.values())) == len(texts):
            return texts
    # The word "derived" beside a setting that is derived.
    return {value: plain(repr(value)) for value in distinct}


def heading(name: str) -> str:
    """The name of a setting as a table shows it."""
    return plain(re.sub("[_.]", " ", name))


def in_words(name: str, value: Value) -> str:
    """One setting: `state size 8`."""
    return f"{heading(name)} {written(value)}"


def interventions(cell: CellSpec) -> dict[str, Value]:
    """What is done to the networks of a cell, by the names of the settings; empty where nothing is."""
    nothing = asdict(InterventionSpec())
    return {name: value for name, value in asdict(cell.intervention).items() if value != nothing[name]}


class Names:
    """What each of some cells is called. Different cells have different labels.

    cells:  the different ones among those at hand, in order of first appearance
    """

    def __init__(self, cells: Iterable[CellSpec]):
        self.cells = tuple(dict.fromkeys(cells))
        self._knobs = _knobs(*self.cells)
        self._facts = {cell: facts(cell, self._knobs) for cell in self.cells}

    @cached_property
    def differing(self) -> tuple[str, ...]:
        """The settings beside task and mixer in which cells differ, as `facts` calls them.

        A setting that only some tasks or mixers have differs where it does among these. It also differs
        where one of two cells of the same task and mixer lacks it.
        """
        every = [((cell.task.name, cell.mixer.name), one) for cell, one in self._facts.items()]
        found = []
        for name in dict.fromkeys(name for _, one in every for name in one):
            kinds = {kind for kind, one in every if name in one}
            lacking = any(kind in kinds and name not in one for kind, one in every)
            if lacking or len({one[name] for _, one in every if name in one}) > 1:
                found.append(name)
        return tuple(name for name in found if name not in ("task", "mixer"))

    def facts(self, cell: CellSpec) -> Mapping[str, Value]:
        """The facts of `cell`, by names that mean the same in all cells."""
        return self._facts.get(cell) or facts(cell, self._knobs)

    @cached_property
    def several_tasks(self) -> bool:
        """Whether the cells are of more than one task, by name."""
        return len({cell.task.name for cell in self.cells}) > 1

    @cached_property
    def several_mixers(self) -> bool:
        """Whether the cells are of more than one mixer, by name."""
        return len({cell.mixer.name for cell in self.cells}) > 1

    @cached_property
    def telling(self) -> tuple[str, ...]:
        """What a table has a column for: task and mixer where there are several, and what differs."""
        return (*(["task"] * self.several_tasks), *(["mixer"] * self.several_mixers), *self.differing)

    def is_number(self, name: str) -> bool:
        """Whether a fact is a number in every cell that has it."""
        values = [one[name] for one in self._facts.values() if name in one]
        return not any(isinstance(value, str | bool) for value in values)

    def value(self, cell: CellSpec, name: str) -> str:
        """A fact of `cell` in words, with the digits that tell it from the others; "" where it lacks it."""
        found = self.facts(cell)
        return self._texts.get(name, {}).get(found[name], written(found[name])) if name in found else ""

    def differences(self, cell: CellSpec) -> str:
        """The settings in which cells differ: `state size 8, learning rate 0.001`; "" where none do."""
        return self._said(cell, self.differing)

    def label(self, cell: CellSpec) -> str:
        """What tells `cell` from the others: its task where there are several, its mixer, and differences."""
        task = cell.task.name if self.several_tasks else ""
        return joined(plain(task), plain(cell.mixer.name), self.differences(cell))

    def full(self, cell: CellSpec) -> str:
        """A cell by itself: task and knobs, mixer, intervention, and what else differs."""
        every, knobs = dict(cell.task.knobs), self._said_knobs(cell)
        more = [name for name in (*interventions(cell), *self.differing) if name not in every]
        mixer = joined(plain(cell.mixer.name), self._said(cell, dict.fromkeys(more)))
        return joined(plain(cell.task.name), self._said(cell, knobs), mixer)

    def place(self, cell: CellSpec) -> str:
        """The task by the knobs in which cells differ, `state size 8`; by its name where there are several
        tasks, or where no knob differs."""
        knobs = [name for name, _ in cell.task.knobs if name in self.differing]
        task = cell.task.name if self.several_tasks or not knobs else ""
        return joined(plain(task), self._said(cell, knobs))

    def run(self, spec: RunSpec) -> str:
        """A run: the cell in full, the seed, and the rule's where that is another."""
        return joined(self.full(spec.cell), _seeds(spec))

    def short(self, spec: RunSpec) -> str:
        """A run beside others of these cells: only what tells it from them, `state size 8, seed 3`."""
        mixer = spec.cell.mixer.name if self.several_mixers else ""
        task = spec.cell.task.name if self.several_tasks else ""
        return joined(plain(task), plain(mixer), self.differences(spec.cell), _seeds(spec))

    @cached_property
    def common(self) -> str:
        """The knobs and the interventions in which cells do not differ, `loss all, state size 8`; by task
        where tasks differ in them. With `differences`, each is said once."""
        said = {
            cell.task.name: joined(
                *(
                    in_words(name, value)
                    for name, value in {**self._said_knobs(cell), **interventions(cell)}.items()
                    if name not in self.differing
                )
            )
            for cell in self.cells
        }
        if len(set(said.values())) == 1:
            return next(iter(said.values()))
        return "; ".join(f"{plain(task)}: {words}" for task, words in said.items() if words)

    @cached_property
    def shared(self) -> str:
        """What `telling` leaves out: the one task, the one mixer, and `common`."""
        task = [] if self.several_tasks else [cell.task.name for cell in self.cells[:1]]
        mixer = [] if self.several_mixers else [cell.mixer.name for cell in self.cells[:1]]
        return joined(*map(plain, [*task, *mixer]), self.common)

    def stem(self, spec: RunSpec, part: str = "") -> str:
        """A file's name for a run, without extension: task, mixer, what differs, seed, digits of the digest,
        and which `part` of the run it shows. Every run has another."""
        cell = spec.cell
        words = joined(plain(cell.task.name), plain(cell.mixer.name), self.differences(cell))
        alike = self._alike.get(_unmeasured(cell), [])
        number = f"-{alike.index(cell) + 1}" if len(alike) > 1 and cell in alike else ""
        return file_stem(words, f"-seed-{spec.seed}-{spec.digest[:8]}{number}{part and f'-{part}'}")

    @cached_property
    def digits(self) -> str:
        """Eight hexadecimal digits that stand for these cells, in whichever order."""
        return _digits("\n".join(sorted(repr(sorted(one.items())) for one in self._facts.values())))

    @cached_property
    def _texts(self) -> Mapping[str, Mapping[Value, str]]:
        every = self._facts.values()
        return {name: told_apart(one[name] for one in every if name in one) for name in self.differing}

    @cached_property
    def _alike(self) -> Mapping[CellSpec, list[CellSpec]]:
        """Cells that differ in nothing but thresholds, which no digest covers: they are not trained by."""
        grouped: dict[CellSpec, list[CellSpec]] = {}
        for cell in self.cells:
            grouped.setdefault(_unmeasured(cell), []).append(cell)
        return grouped

    def _said_knobs(self, cell: CellSpec) -> dict[str, Value]:
        """The knobs of `cell` without those in which no cell departs from the plain form of its task."""
        plain_form = _plain_form(cell.task.generator)
        return {
            name: value
            for name, value in cell.task.knobs
            if name in self.differing or name not in plain_form or value != plain_form[name]
        }

    def _said(self, cell: CellSpec, names: Iterable[str]) -> str:
        found = self.facts(cell)
        return joined(*(f"{heading(name)} {self.value(cell, name)}" for name in names if name in found))


def mixer_names(mixers: Sequence[MixerSpec]) -> dict[MixerSpec, str]:
    """What each of some mixers is called: its name, and the settings in which others of the name differ."""
    named = {}
    for mixer in mixers:
        alike = [dict(other.settings) for other in mixers if other.name == mixer.name]
        words = []
        for name, value in mixer.settings:
            values = [other[name] for other in alike if name in other]
            if len(values) < len(alike) or len(set(values)) > 1:
                words.append(f"{heading(name)} {told_apart(values)[value]}")
        named[mixer] = joined(plain(mixer.name), *words)
    return named


def contrast(one: CellSpec, other: CellSpec) -> dict[str, tuple[str, str]]:
    """The facts in which two cells differ, each in the words of the one and of the other; "absent" where a
    cell lacks it."""
    knobs = _knobs(one, other)
    first, second = facts(one, knobs), facts(other, knobs)
    found = {}
    for name in {**first, **second}:
        values = [facts[name] for facts in (first, second) if name in facts]
        if len(values) < 2 or values[0] != values[1]:
            words = told_apart(values)
            texts = [words[facts[name]] if name in facts else ABSENT for facts in (first, second)]
            found[name] = (texts[0], texts[1])
    return found


def file_stem(words: str, ending: str = "") -> str:
    """`words` and `ending` as a file's name without extension, which any system takes: letters and digits of
    ASCII, `-`, `_`, and points within numbers, `LONGEST_STEM` at most. Digits stand for what is lost."""
    kept = re.sub(r"(?<![0-9])\.|\.(?![0-9])|[^A-Za-z0-9_.]", "-", words)
    kept = re.sub(r"-{2,}", "-", kept).strip("-")
    room = LONGEST_STEM - len(ending)
    if len(kept) > room or not kept or re.search(r"[^A-Za-z0-9_., -]", words):
        kept = f"{kept[: room - 9].rstrip('-')}-{_digits(words)}".strip("-")
    return kept + ending


def joined(*parts: str) -> str:
    """`one, other`, without the parts that are empty."""
    return ", ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """`40 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@cache
def _plain_form(generator: str) -> Mapping[str, Value]:
    """The knobs that a generator that ships can do without, and what they are then."""
    # Generators load scipy, and whoever asks for help names no cell.
    from attnsearch.generators import GENERATORS

    if generator not in GENERATORS:
        return {}
    parameters = inspect.signature(GENERATORS[generator]).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def _knobs(*cells: CellSpec) -> set[str]:
    return {name for cell in cells for name, _ in cell.task.knobs}


def _seeds(spec: RunSpec) -> str:
    rule = "" if spec.rule_seed == spec.seed else f"rule seed {spec.rule_seed}"
    return joined(f"seed {spec.seed}", rule)


def _unmeasured(cell: CellSpec) -> CellSpec:
    return replace(cell, task=replace(cell.task, plateau=PlateauRule()))


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
