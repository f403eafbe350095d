"""Some of the stored runs, by what they are: a mixer's name, or settings with their values."""

from __future__ import annotations

from collections.abc import Sequence

from attnsearch.base import AttnsearchError, nearest
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import Names, written
from attnsearch.spec.run import Value


def select(condition: str, runs: Sequence[StoredRun]) -> list[StoredRun]:
    """The `runs` for which `condition` holds, in their order.

    condition:  a mixer's name, `name=value`, or several of these with commas between; all must hold

    Errors: AttnsearchError for a setting or a value that no run has.
    """
    names = Names(run.spec.cell for run in runs)
    facts = {cell: names.facts(cell) for cell in names.cells}
    left = list(runs)
    for part in condition.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            name, value = "mixer", name
        name = name.strip().replace("-", "_")
        known = dict.fromkeys(key for one in facts.values() for key in one)
        if name not in known:
            raise AttnsearchError(f"no run has a setting {name!r}.{nearest(name, known)}")
        there = dict.fromkeys(one[name] for one in facts.values() if name in one)
        if not any(_is(value.strip(), one) for one in there):
            raise AttnsearchError(
                f"no run has {name} {value.strip()}.{nearest(value.strip(), map(written, there))}"
            )
        left = [
            run
            for run in left
            if name in facts[run.spec.cell] and _is(value.strip(), facts[run.spec.cell][name])
        ]
    if not left:
        raise AttnsearchError(f"no run has all of {condition}")
    return left


def _is(text: str, value: Value) -> bool:
    """Whether `text` means `value`: the same number, or the same word."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(text) == value
        except ValueError:
            return False
    return text.lower() in (written(value).lower(), str(value).lower())
