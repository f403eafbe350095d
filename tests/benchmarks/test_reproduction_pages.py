"""The pages of the reproduction: as the script writes them from a full archive, and as they are committed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import made_automata
from helpers.hand_made import run_of

from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec
from benchmarks.reproduction import commands, rates, writing
from benchmarks.reproduction.archive import Archive
from benchmarks.reproduction.commands import asked
from benchmarks.reproduction.front import VERDICTS
from benchmarks.reproduction.pages import EXPERIMENTS, pages
from benchmarks.reproduction.paper import CLAIMS

DOCS = Path(__file__).parents[2] / "docs"
FRONT = "reproduction.md"
Pages = dict[str, str]


# Runs of every command, so that no part of a page is left out for lack of them.


def made(spec: RunSpec) -> StoredRun:
    """A run of which every part of a page can be written: dense rows take long, but have a route of one token
    as published; large learning rates are fast; automata of the published size never escape."""
    knobs = {name: value for name, value in spec.cell.task.knobs if isinstance(value, int)}
    size, rate = knobs["state_size"], spec.cell.optimizer.learning_rate
    if spec.cell.task.generator == "cellular_automaton":
        published = knobs["num_states"] > 4 and size > 4
        return made_automata.run(spec, None if published else round(0.12 / rate) * (1 + spec.seed % 3))
    support, dense = knobs["support_size"], 2 * knobs["support_size"] > size
    bits = 1 if spec.cell.intervention.map_bias else math.log2(math.comb(size, support)) + 8 * dense
    first = 1e-3 / rate * (1 + spec.seed % 8 / 10) * 1.6**bits
    steps = [10 * round(first * (4 + target) / 4) + 10 for target in range(size)]
    last = spec.cell.budget.steps - 30
    run = run_of(spec, [step if step <= last else None for step in steps], heads=2)
    if spec.cell.task.name == "linear_map" or not dense:
        return run
    route = np.arange(run.truth.attention_map.shape[1]) == 0
    shorter = np.broadcast_to(route, run.truth.attention_map.shape)
    return replace(run, truth=run.truth._replace(cheapest_route=shorter))


@pytest.fixture(scope="module")
def archive() -> Archive:
    groups = [value for value in vars(commands).values() if isinstance(value, tuple)]
    lines = [line for group in [*groups, *commands.KINDS.values()] for line in group]
    runs = [made(spec) for line in lines for spec in asked(line)]
    runs += [made(spec) for spec in rates.ladder_specs(Archive([]))[0]]
    return Archive([*runs, *(made(spec) for spec in rates.ladder_specs(Archive(runs))[1])])


@pytest.fixture(scope="module")
def made_pages(archive: Archive) -> Pages:
    return pages(archive)


@pytest.fixture(scope="module")
def committed() -> Pages:
    paths = [DOCS / FRONT, *sorted((DOCS / "reproduction").glob("*.md"))]
    return {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(params=["made_pages", "committed"])
def both(request: pytest.FixtureRequest) -> Pages:
    return request.getfixturevalue(request.param)


def rows(text: str) -> list[list[str]]:
    """The rows of all tables that end with a verdict, cell by cell, without links and bold."""
    cells = [line[2:-2].split(" | ") for line in text.splitlines() if line.endswith("** |")]
    return [[re.sub(r"\[(.*)\]\(.*\)", r"\1", cell).strip("*") for cell in row] for row in cells]


def prose(text: str) -> Iterator[str]:
    """Paragraphs and list items: no tables, headings, pictures or commands."""
    for part in re.sub(r"```.*?```", "", text, flags=re.DOTALL).split("\n\n"):
        if part.strip() and not part.startswith(("|", "#", "![")):
            yield from (" ".join(item.split()) for item in re.split(r"^- ", part, flags=re.MULTILINE) if item)


# The front page.


def test_there_is_a_page_for_each_experiment_and_one_of_rules(both: Pages) -> None:
    names = [module.__name__.split(".")[-1] for module in EXPERIMENTS]
    assert both.keys() == {FRONT, *(f"reproduction/{name}.md" for name in [*names, "verdicts"])}


def test_the_front_page_can_be_read_in_minutes(both: Pages) -> None:
    words = [word for word in both[FRONT].split() if any(map(str.isalnum, word))]
    assert len(words) <= 1_100
    assert both[FRONT].count("![") == 3


def test_headlines_are_claims_of_the_experiments(both: Pages) -> None:
    shown = rows(both[FRONT])
    assert 10 <= len(shown) <= 12
    told = {tuple(row) for path, text in both.items() if path != FRONT for row in rows(text)}
    assert {tuple(row[-4:]) for row in shown} - told == set()
    assert [row[0] for row in shown if row[0]] == [f"{number}. {words}" for number, words in CLAIMS.items()]


def test_every_claim_is_counted_once(both: Pages) -> None:
    said = [row[-1] for path, text in both.items() if path != FRONT for row in rows(text)]
    assert len(said) == 51
    assert set(said) <= set(VERDICTS)
    counts = ", ".join(f"{said.count(word)} {word}" for word in VERDICTS)
    assert f"{len(said)} claims of the paper and its replications: {counts}." in " ".join(both[FRONT].split())


def test_all_that_did_not_reproduce_is_listed(both: Pages) -> None:
    section = both[FRONT].split("## What did not reproduce")[1].split("\n## ")[0]
    listed = re.findall(r"\*\*(.*?)\.\*\*", " ".join(section.split()))
    claims = [row for path, text in both.items() if path != FRONT for row in rows(text)]
    assert sorted(listed) == sorted(claim for claim, *_, said in claims if said == "not reproduced")


def test_every_claim_that_did_not_reproduce_has_a_reason(committed: Pages) -> None:
    assert "We do not know why" not in committed[FRONT]


# Every page.


def test_links_and_pictures_are_there(both: Pages) -> None:
    for path, text in both.items():
        for link in re.findall(r"\]\(([^)]*)\)", text):
            target = (DOCS / path).parent / link
            assert target.is_file(), f"{path}: {link}"


def test_words_are_plain(both: Pages) -> None:
    for path, text in both.items():
        for paragraph in prose(text):
            for sentence in re.split(r"[.:;?]\**\s", paragraph):
                words = [word for word in sentence.split() if any(map(str.isalnum, word))]
                assert len(words) <= 25, f"{path}: {sentence}"
        assert not re.search(r"\b([Ii]s|[Aa]re) no\b|\b(those|that) of\b|\bwhat is\b", text), path


def test_lines_are_short(both: Pages) -> None:
    lines = [line for text in both.values() for line in text.splitlines() if not line.startswith(("|", "!"))]
    assert max(map(len, lines)) <= writing.WIDTH


def test_the_committed_pages_are_what_the_script_writes(made_pages: Pages, committed: Pages) -> None:
    for path, text in committed.items():
        assert outline(text) == outline(made_pages[path]), path


def outline(text: str) -> list[str]:
    """What does not depend on the runs: headings, pictures, columns, claims, and prose with its numbers
    struck out. Reasons depend on the verdicts, and some words on what runs did."""
    text = re.sub(r"(?s)## What did not reproduce.*?(?=\n## )", "", text)
    parts = [line for line in text.splitlines() if line.startswith(("#", "!", "attnsearch"))]
    parts += re.findall(r"^(\|.*)\n\| ---", text, flags=re.MULTILINE) + [row[-4] for row in rows(text)]
    told = [re.sub(r"[-−]?\d[\d,.]*(e-\d+)?", "0", paragraph) for paragraph in prose(text)]
    return parts + [re.sub(r"(each added bit).*", r"\1", one) for one in told]
