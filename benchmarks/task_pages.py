"""A page for each task that ships: what it asks, its knobs, an example, its sizes, what else may be learned.

.venv/bin/python benchmarks/task_pages.py            # writes docs/tasks/
"""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp

from attnsearch.examples.example import draw
from attnsearch.generators import GENERATORS, Generator
from attnsearch.generators.shortcut_loss import loss_of
from attnsearch.runs.escape import CHANCE, MARGIN, escape_threshold
from attnsearch.sequences.sequences import draw_rule
from attnsearch.spec.plugins import generator
from attnsearch.spec.run import TaskSpec, Value
from attnsearch.spec.suite import Suite, shipped_suites
from attnsearch.spec.task_file import Knob, TaskFile, shipped_tasks
from attnsearch.training.jax.backend import JaxBackend

FOLDER = Path(__file__).parents[1] / "docs" / "tasks"


def page(file: TaskFile) -> str:
    """The page of a task."""
    spec = file.resolve({})
    parts = [
        stated(file),
        "## An example",
        f"`attnsearch show --task {file.name}` draws it.",
        example(spec),
        "## Sizes at the defaults",
        *sizes(file, spec),
    ]
    return "\n\n".join(parts) + "\n"


def stated(file: TaskFile) -> str:
    """The first part of the page, for which nothing is drawn."""
    parts = [
        f"# `{file.name}`",
        "Written by `benchmarks/task_pages.py`."
        f" [Its family](../families/{file.family}.md) derives the numbers.",
        f"{file.title}.",
        f"- Family: {file.family}\n- Source: {file.source}",
        "## What it asks",
        explained(GENERATORS[file.generator]),
        "## Knobs",
        knob_table(file),
    ]
    return "\n\n".join(parts)


def explained(kind: type[Generator]) -> str:
    """The docstring of a generator's module, with its drawings as code."""
    text = inspect.getdoc(inspect.getmodule(kind)) or ""
    text = re.sub(
        r"::\n\n((?:(?: {4}.*)?\n)+)",
        lambda code: f":\n\n```text\n{textwrap.dedent(code[1]).strip()}\n```\n\n",
        text,
    )
    return text.strip()


def knob_table(file: TaskFile) -> str:
    """A row a knob."""
    rows = [
        f"| `{knob.name}` | {default(file, knob)} | {knob.describe_range()} | {knob.meaning} |"
        for knob in file.knobs
    ]
    return "\n".join(["| knob | default | range | what it sets |", "|---|--:|---|---|", *rows])


def default(file: TaskFile, knob: Knob) -> str:
    """The value that a knob has unless it is given."""
    value = dict(file.resolve({}).knobs)[knob.name]
    return f"{value}" + (f", {knob.ratio} {knob.default_ratio:g}" if knob.default_ratio else "")


def example(spec: TaskSpec) -> str:
    """What `attnsearch show` prints, without the lines about its picture."""
    drawn = draw(spec, 0, JaxBackend())
    lines = drawn.terminal(drawn.telling).plain.splitlines()
    return "\n".join(["```text", *(line.rstrip() for line in lines), "```"])


def sizes(file: TaskFile, spec: TaskSpec) -> list[str]:
    """Tokens, bits, losses; and what a network may do in the place of finding the support."""
    made, knobs = generated(spec)
    bayes = made.truth(draw_rule(made, 0, knobs), knobs).bayes_loss.mean()
    rows = [
        ("tokens of a sequence", made.context_length),
        ("targets", made.num_targets),
        ("vocabulary", made.vocab_size),
        ("search space, bits", f"{made.log2_search_space(dict(spec.knobs)):.2f}"),
        ("chance loss, nats", f"{made.chance_loss:.3f}"),
        ("Bayes loss, nats", f"{bayes:.3f}"),
        ("escape, share of chance", escape(spec)),
    ]
    table = "\n".join(["| size | value |", "|---|--:|", *(f"| {name} | {value} |" for name, value in rows)])
    known = [row for other in forms(file) for row in shortcut_rows(file, other)]
    if not known:
        return [table]
    head = ["| shortcut | with | what it does | loss, share of chance |", "|---|---|---|--:|"]
    said = (
        "A network may do one of these without having found the supports."
        " Losses are of drawn sequences of one rule."
    )
    return [table, "## Known shortcuts", said, "\n".join([*head, *known]), *lowered(file)]


def escape(spec: TaskSpec) -> str:
    """Below which share of chance a run has escaped, and what holds that where it is not chance."""
    found = escape_threshold(spec)
    return f"{found.share:.3g}" + ("" if found.held_by == CHANCE else f", by the {found.held_by}")


def lowered(file: TaskFile) -> list[str]:
    """The cells of suites in which a shortcut without a search lowers the threshold of escape."""
    asked: dict[TaskSpec, list[str]] = {}
    for name, path in shipped_suites().items():
        for spec in dict.fromkeys(Suite.read(path, None).tasks):
            if spec.name == file.name and escape_threshold(spec).held_by != CHANCE:
                asked.setdefault(spec, []).append(name)
    if not asked:
        return []
    knobs = [knob.name for knob in file.knobs if len({dict(spec.knobs)[knob.name] for spec in asked}) > 1]
    rows = []
    for spec in sorted(asked, key=lambda spec: [dict(spec.knobs)[name] for name in knobs]):
        share, name = escape_threshold(spec)
        sizes = [f"{dict(spec.knobs)[knob]}" for knob in knobs]
        rows.append([*sizes, name, f"{share / MARGIN:.3f}", f"{share:.3f}", ", ".join(asked[spec])])
    names = [f"`{name}`" for name in knobs]
    head = [*names, "shortcut", "its loss, share of chance", "escape below", "suites"]
    said = (
        "These cells of suites have a shortcut that takes no search, and escape is judged below it"
        " ([protocol](../protocol.md#the-threshold-of-escape)). The loss is a mean over rules."
    )
    ruled = ["--:"] * len(knobs) + ["---", "--:", "--:", "---"]
    lines = [f"| {' | '.join(row)} |" for row in (head, ruled, *rows)]
    return ["## Where escape lies", said, "\n".join(lines)]


def forms(file: TaskFile) -> list[dict[str, Value]]:
    """Nothing, for the defaults; then each other word for a knob, or its least number where it is a word."""
    found: list[dict[str, Value]] = [{}]
    for knob in file.knobs:
        found.extend({knob.name: word} for word in knob.choices if word != knob.default)
        if knob.default in knob.choices and isinstance(knob.minimum, int):
            found.append({knob.name: knob.minimum})
    return found


def shortcut_rows(file: TaskFile, given: dict[str, Value]) -> list[str]:
    """A row for each shortcut of the task with the `given` knobs."""
    made, knobs = generated(file.resolve(given))
    words = ", ".join(f"`{name}` {value}" for name, value in given.items()) or "the defaults"
    return [
        f"| {shortcut.name} | {words} | {shortcut.meaning} |"
        f" {loss_of(shortcut, made, knobs) / made.chance_loss:.2f} |"
        for shortcut in made.shortcuts
    ]


def generated(spec: TaskSpec) -> tuple[Generator, dict[str, jax.Array]]:
    """The generator of a task, and its traced knobs."""
    made = generator(spec, GENERATORS)
    return made, {name: jnp.asarray(dict(spec.knobs)[name]) for name in made.traced_knobs}


def index() -> str:
    """The page that leads to the others."""
    rows = [
        f"| {file.family} | [`{name}`]({name}.md) | {file.title} |"
        for name, file in sorted(shipped_tasks().items(), key=lambda item: (item[1].family, item[0]))
    ]
    head = [
        "# The tasks, a page each",
        "",
        "Written by `benchmarks/task_pages.py`. [Tasks](../tasks.md) leads to pages that derive their sizes.",
        "",
        "| family | task | what it asks |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "README.md").write_text(index())
    for name, file in shipped_tasks().items():
        (FOLDER / f"{name}.md").write_text(page(file))
