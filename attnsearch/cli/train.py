"""From runs to what a command says of them: train, draw, print. Every command that trains ends here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from attnsearch.cli.console import console
from attnsearch.cli.output import emit_json, note, program, say
from attnsearch.cli.progress import progress_for
from attnsearch.cli.study import print_study
from attnsearch.plots import gallery
from attnsearch.results.document import document
from attnsearch.results.learning_rates import Choice, choice_table, choices
from attnsearch.results.study import Study
from attnsearch.results.table import counted
from attnsearch.results.tables import trained_table
from attnsearch.runs.lookup import standings
from attnsearch.runs.plans import planning
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.names import mixer_names
from attnsearch.spec.run import MixerSpec, RunSpec
from attnsearch.spec.suite import Suite
from attnsearch.training.backend import TrainingSettings, Trains
from attnsearch.training.observer import Together
from attnsearch.training.runner import run

_LISTED_PICTURES = 8
"""A longer list would push the table off the screen."""


@dataclass(frozen=True)
class Output:
    """What a command says, and where it stores. The fields are the flags of the same names."""

    out: Path
    as_json: bool
    quiet: bool
    no_plots: bool
    track: tuple[str, ...]


def sweep(specs: Sequence[RunSpec], output: Output, backend: Trains[Any], settings: TrainingSettings) -> bool:
    """Train what is not stored yet, then print a table or JSON; False where it was interrupted.

    Errors: AttnsearchError for a specification or a store that cannot be used.
    """
    _require_pictures(output)
    runs = _trained(specs, output, backend, settings)
    if runs is None:
        return False
    _show(runs, output, None)
    return True


def sweep_suite(suite: Suite, output: Output, backend: Trains[Any], settings: TrainingSettings) -> bool:
    """The same of a suite's runs. Where it has a grid of learning rates and seeds to choose by, those are run
    first, and what is shown is each mixer at its best."""
    if not suite.chooses:
        return sweep(suite.runs(), output, backend, settings)
    _require_pictures(output)
    selection = suite.selection()
    # The scored runs wait meanwhile, at rates that are yet to be chosen.
    tried = _trained(selection, output, backend, settings, suite.planned()[len(selection) :])
    if tried is None:
        return False
    chosen = choices(tried)
    if not output.as_json:
        names = mixer_names(list(chosen))
        table = choice_table({names[mixer]: choice for mixer, choice in chosen.items()})
        console(stderr=False).print(table)
    rates = {mixer: choice.learning_rate for mixer, choice in chosen.items()}
    runs = _trained(suite.scored(rates), output, backend, settings)
    if runs is None:
        return False
    _show(runs, output, chosen)
    return True


def _require_pictures(output: Output) -> None:
    if not output.no_plots:
        from attnsearch.plots.style import require_matplotlib

        require_matplotlib()


def _trained(
    specs: Sequence[RunSpec],
    output: Output,
    backend: Trains[Any],
    settings: TrainingSettings,
    later: Sequence[RunSpec] = (),
) -> list[StoredRun] | None:
    """The runs, trained where they were not stored; None where this was interrupted, which is said.

    later:  runs that come afterwards, or others as many and like them
    """
    from attnsearch.training.jax.devices import use_every_core
    from attnsearch.training.tracking.names import opened
    from attnsearch.training.tracking.observer import Tracking

    trackers = [opened(name, output.out) for name in dict.fromkeys(output.track)]
    store = Store.open(output.out)
    use_every_core()
    try:
        with (
            progress_for(output.quiet, store) as progress,
            Tracking(trackers, progress.warned) as tracking,
            planning(store.root, later),
        ):
            return run(specs, store, backend, Together(progress, tracking), settings)
    except KeyboardInterrupt:
        stored = sum(store.holds(spec, parameters=settings.save_parameters) for spec in specs)
        note(
            f"Interrupted: {stored} of {len(specs)} runs are stored in {output.out}, and those in training"
            " are checkpointed; the same command goes on from there."
        )
        return None


def _show(runs: Sequence[StoredRun], output: Output, chosen: Mapping[MixerSpec, Choice] | None) -> None:
    study = Study(runs, standings([str(output.out)]))
    pictures = [] if output.no_plots else gallery.draw(study, output.out / "pictures")
    if output.as_json:
        found = document(study, str(output.out), list(map(str, pictures)))
        if chosen is not None:
            found["selection"] = [{**asdict(mixer), **asdict(choice)} for mixer, choice in chosen.items()]
        emit_json(found)
        return
    print_study(study, [trained_table(study)])
    say(f"{counted(len(runs), 'run')} in {output.out / 'runs'}")
    if pictures:
        say(f"{counted(len(pictures), 'picture')} in {pictures[0].parent}")
        for line in _listed(pictures):
            say(f"  {line}")
    say("Look at every run on one page:")
    say(f"  {program()} report {shlex.quote(f'{output.out}/')}")


def _listed(pictures: Sequence[Path]) -> list[str]:
    """Their names alone: with its folder, a name would be broken where the screen ends."""
    if len(pictures) <= _LISTED_PICTURES:
        return [picture.name for picture in pictures]
    # The last one shows the whole grid.
    return [pictures[-1].name, f"and {len(pictures) - 1} more, two of each cell"]
