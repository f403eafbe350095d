"""The shell command that trains the runs of a cell again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from attnsearch.spec.run import CellSpec, InterventionSpec, MixerSpec, RunSpec, Value


def command(cell: CellSpec, seeds: Sequence[int], rule_seed: int | None = None) -> str:
    """One line for a shell: `attnsearch run` with every setting of `cell`, whatever the defaults are.

    rule_seed:  the hidden rule of every run; None where each seed draws its own

    A setting that is None is left out: no flag stands for it. For a task that does not ship with attnsearch,
    put the path of its file in place of its name.
    """
    words = ["attnsearch", "run", "--task", cell.task.name, *_flags(cell.task.knobs)]
    words += mixer_flags(cell.mixer)
    budget = asdict(cell.budget)
    early_stopping = budget.pop("early_stopping")
    for settings in (asdict(cell.network), asdict(cell.optimizer), budget):
        words += _flags(settings.items())
    words += [] if early_stopping else ["--no-early-stopping"]
    if cell.intervention != InterventionSpec():
        intervention = asdict(cell.intervention)
        placebo = intervention.pop("map_bias_placebo")
        words += [*_flags(intervention.items()), *(["--map-bias-placebo"] if placebo else [])]
    words += ["--seeds", _listed(sorted(set(seeds)))]
    words += [] if rule_seed is None else ["--rule-seed", str(rule_seed)]
    return shlex.join(words)


def mixer_flags(mixer: MixerSpec) -> list[str]:
    """The words that ask for `mixer` with every setting, but for those that are derived."""
    return ["--mixer", mixer.name, *mixer_settings(mixer)]


def mixer_settings(mixer: MixerSpec) -> list[str]:
    """The words that set every setting of `mixer`, but for those that are derived."""
    # Settings are not flags of their own: only the mixers that ship with attnsearch have such.
    given = [f"{name}={flag_text(value)}" for name, value in mixer.settings if value is not None]
    return [word for one in given for word in ("--mixer-set", one)]


def commands(specs: Sequence[RunSpec]) -> list[str]:
    """What trains exactly `specs`: one command for each cell and way of choosing the hidden rule.

    None trains a foreign run again: its loop is not known here.
    """
    groups: dict[tuple[CellSpec, int | None], list[int]] = {}
    for spec in (spec for spec in specs if not spec.cell.mixer.foreign):
        groups.setdefault((spec.cell, _fixed_rule(spec, specs)), []).append(spec.seed)
    return [command(cell, seeds, rule_seed) for (cell, rule_seed), seeds in groups.items()]


def _fixed_rule(spec: RunSpec, specs: Sequence[RunSpec]) -> int | None:
    """The rule of `spec`; None where the seed drew it. A rule that several seeds share was fixed for all."""
    shared = any(
        other.rule_seed == spec.rule_seed and other.seed != spec.seed and other.cell == spec.cell
        for other in specs
    )
    return spec.rule_seed if shared or spec.rule_seed != spec.seed else None


def _flags(settings: Iterable[tuple[str, Value]]) -> list[str]:
    return [
        word
        for name, value in settings
        if value is not None
        for word in (f"--{name.replace('_', '-')}", flag_text(value))
    ]


def flag_text(value: Value) -> str:
    """As `flags.Values` reads it: a float in full, and booleans in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(seeds: Sequence[int]) -> str:
    """`seeds`, in rising order, as `--seeds` takes them: `8` a count, `8:16` a range, `3,5,9` a list."""
    first, last = seeds[0], seeds[-1]
    if list(seeds) != list(range(first, last + 1)):
        return ",".join(map(str, seeds))
    return f"{first}:{last + 1}" if first else str(last + 1)
