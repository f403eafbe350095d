"""All pages and their pictures."""

from __future__ import annotations

from pathlib import Path

from attnsearch.plots import style as pictures
from benchmarks.reproduction import automaton, heads, hump, jumps, mixers, search
from benchmarks.reproduction.archive import Archive
from benchmarks.reproduction.front import Trained, front
from benchmarks.reproduction.rates import ladder_specs
from benchmarks.reproduction.rules import rules
from benchmarks.reproduction.writing import Experiment, block, claims_table, paragraph

EXPERIMENTS = (search, hump, automaton, heads, mixers, jumps)


def draw(archive: Archive, folder: Path) -> None:
    """Every picture."""
    for module in (search, hump, automaton, heads, jumps):
        name = module.__name__.split(".")[-1]
        pictures.written(module.picture)(folder / f"reproduction-{name}.png", archive)


def pages(archive: Archive) -> dict[str, str]:
    """Each page in Markdown, by its path from the folder of documents."""
    experiments = [module.experiment(archive) for module in EXPERIMENTS]
    return {
        "reproduction.md": front(experiments, trained(archive, experiments)),
        **{f"reproduction/{one.name}.md": page(one, archive) for one in experiments},
        "reproduction/verdicts.md": rules(),
    }


def trained(archive: Archive, experiments: list[Experiment]) -> Trained:
    """The runs behind all pages, each counted once."""
    used = {run.spec.digest: run for one in experiments for run in archive.runs(one.trained)}
    used |= {run.spec.digest: run for specs in ladder_specs(archive) for run in archive.among(specs)}
    return Trained(len(used), sum(int(run.curves.step[-1]) for run in used.values()))


def page(experiment: Experiment, archive: Archive) -> str:
    """The page of an experiment, in Markdown."""
    picture = f"![{experiment.picture}](../images/reproduction-{experiment.name}.png)"
    parts = [
        f"# {experiment.title}",
        experiment.question,
        "See also [all experiments](../reproduction.md) and [the rules of verdicts](verdicts.md).",
        picture if experiment.picture else "",
        "## Claims",
        claims_table(experiment.claims),
        "## What was reduced",
        paragraph(experiment.reduced),
        "## Measurements",
        *experiment.body,
        "## Commands",
        "Trained by:",
        block(experiment.trained, archive),
        "At the published size, this would decide it:",
        block(experiment.decides),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
