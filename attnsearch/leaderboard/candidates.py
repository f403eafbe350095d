"""What the arguments of `attnsearch leaderboard` stand for: entries, and what stored runs make of themselves.

Numpy side; never imports jax.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from attnsearch.base import AttnsearchError, lookalike, spelled
from attnsearch.leaderboard import audit_file
from attnsearch.leaderboard.audit import Audit, digest_of
from attnsearch.leaderboard.entry import Entry, assemble
from attnsearch.leaderboard.entry_file import LARGEST_FILE, OtherVersion, parsed
from attnsearch.leaderboard.shortcomings import difference
from attnsearch.results.table import counted
from attnsearch.runs.coverage import uncovered
from attnsearch.runs.lookup import collect, standings
from attnsearch.runs.opened import Opener
from attnsearch.runs.standing import FOREIGN_REASON, Standing
from attnsearch.runs.store import StoredRun
from attnsearch.runs.verification import Verification
from attnsearch.spec.reading import content_of, placed
from attnsearch.spec.run import CellSpec, MixerSpec
from attnsearch.spec.suite import Suite

_NOBODY = MixerSpec("", ())

_BESIDE = (".schema.json", audit_file.ENDING)
"""How names of files end that may lie among entries: the schema, and audits."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """An entry, and where it comes from, in words.

    audit:  of this very content; None without one
    """

    entry: Entry
    source: str
    audit: Audit | None = None


@dataclass(frozen=True)
class LeftOut:
    """What was given and is not in a table, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Given:
    """What names on a command line stand for.

    candidates, left_out:  entries as read, and files that are not read
    stores:                names that stand for stored runs, as `runs.lookup.collect` takes them
    """

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    stores: tuple[str, ...]

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites that the entries answer, by name."""
        return tuple(dict.fromkeys(one.entry.suite for one in self.candidates))


def given(names: Sequence[str]) -> Given:
    """What `names` stand for: each is the file of an entry, a folder of such files, or stored runs.

    Errors: AttnsearchError for a name that stands for nothing, and for a file that is not a sound entry.
    """
    candidates: list[Candidate] = []
    left_out: list[LeftOut] = []
    stores: list[str] = []
    for name in names:
        files = _entries_in(name)
        if files is None:
            stores.append(name)
        for file in files or ():
            try:
                candidate, doubt = _candidate(file)
            except OtherVersion as error:
                left_out.append(LeftOut(spelled(file.name), str(error)))
                continue
            candidates.append(candidate)
            left_out += [LeftOut(spelled(audit_file.path_of(file).name), doubt)] if doubt else []
    return Given(tuple(candidates), tuple(left_out), tuple(stores))


def _candidate(file: Path) -> tuple[Candidate, str | None]:
    """The entry in `file` with its audit, and why an audit that lies beside it does not count, if so.

    Errors: AttnsearchError, OtherVersion, as of `entry_file.read`.
    """
    content = content_of(file, LARGEST_FILE)
    with placed(str(file)):
        entry = parsed(content)
    candidate, beside = Candidate(entry, spelled(file.name)), audit_file.path_of(file)
    if not beside.exists():
        return candidate, None
    try:
        audit = audit_file.read(beside)
    except AttnsearchError as error:
        return candidate, str(error)
    if audit.entry != digest_of(content):
        return candidate, "it is of other content than the entry has"
    return replace(candidate, audit=audit), None


def gather(
    asked: Given, suites: Sequence[Suite], *, foreign: bool = False
) -> tuple[list[Candidate], list[LeftOut]]:
    """The candidates on `suites`, and the rest with the reasons.

    All stored runs together make one candidate for each mixer and suite. Foreign runs and their entries are
    left out unless `foreign`: nobody here knows what trained them.
    Errors: AttnsearchError for a name that stands for nothing.
    """
    candidates, left_out = list(asked.candidates), list(asked.left_out)
    if asked.stores:
        runs = collect(asked.stores, lambda line: left_out.append(LeftOut("a stored run", line)), Opener())
        if not foreign:
            apart = Counter(run.spec.cell.mixer.name for run in runs if run.spec.cell.mixer.foreign)
            left_out += [_foreign(f"{counted(n, 'stored run')} of {name}") for name, n in apart.items()]
            runs = [run for run in runs if not run.spec.cell.mixer.foreign]
        mixers = dict.fromkeys(run.spec.cell.mixer.name for run in runs)
        wrong = {name: why for name in mixers if (why := lookalike(name)) is not None}
        left_out += [LeftOut(f"stored runs of {spelled(name)}", why) for name, why in wrong.items()]
        runs = [run for run in runs if run.spec.cell.mixer.name not in wrong]
        made, strays = of_runs(suites, runs, standings(asked.stores))
        candidates += made
        left_out += strays
    if not foreign:
        left_out += [_foreign(one.source) for one in candidates if one.entry.mixer.foreign]
        candidates = [one for one in candidates if not one.entry.mixer.foreign]
    return candidates, left_out


def _foreign(what: str) -> LeftOut:
    return LeftOut(what, f"{FOREIGN_REASON}: --foreign lists it apart")


def _entries_in(name: str) -> list[Path] | None:
    """The files of entries that `name` stands for; None where it stands for stored runs.

    Errors: AttnsearchError for a folder that holds neither.
    """
    path = Path(name)
    if path.is_file():
        return [path]
    stored = path.name == "runs" or (path / "runs").is_dir() or (path / "run.json").is_file()
    if stored or not path.is_dir():
        return None
    files = [file for file in sorted(path.glob("*.json")) if not file.name.endswith(_BESIDE)]
    if not files:
        raise AttnsearchError(f"{name} holds neither stored runs nor entries, files that end in .json")
    return files


def of_runs(
    suites: Sequence[Suite], runs: Sequence[StoredRun], standing: Callable[[CellSpec], Standing]
) -> tuple[list[Candidate], list[LeftOut]]:
    """A candidate for each mixer of measured runs and suite, incomplete where runs are missing. `standing`
    says whether the mixer of a cell is verified.

    Beside them the runs that do not answer a question of `suites`, with the reason.
    """
    asked = [
        {(one, rate) for one, rate in product(questions(suite), suite.learning_rates)} for suite in suites
    ]
    found: dict[tuple[int, MixerSpec], list[StoredRun]] = {}
    strays: Counter[CellSpec] = Counter()
    for run in runs:
        cell = run.spec.cell
        answers = (question(cell), cell.optimizer.learning_rate)
        if not any(answers in of_suite for of_suite in asked):
            strays[cell] += 1
        for number, of_suite in enumerate(asked):
            if answers in of_suite:
                found.setdefault((number, cell.mixer), []).append(run)
    reasons: Counter[tuple[str, str]] = Counter()
    for cell, count in strays.items():
        expected = [_answered(one, cell.mixer, rate) for of_suite in asked for one, rate in of_suite]
        reasons[cell.mixer.name, difference(cell, expected)] += count
    candidates = [
        Candidate(assemble(suites[number], mixer, members, _record(members, standing)), "stored runs")
        for (number, mixer), members in found.items()
    ]
    left_out = [
        LeftOut(f"{counted(count, 'stored run')} of {name}", why) for (name, why), count in reasons.items()
    ]
    return candidates, left_out


def _record(runs: Sequence[StoredRun], standing: Callable[[CellSpec], Standing]) -> Verification | None:
    """The verification of one mixer's runs, one that speaks of all if there is one; None where the mixer is
    not checked for every cell of them."""
    cells = dict.fromkeys(run.spec.cell for run in runs)
    found = [record for cell in cells if (record := standing(cell).record) is not None]
    if len(found) < len(cells):
        return None

    def order(record: Verification) -> tuple[bool, bool, bool]:
        partial = any(uncovered(record, cell) for cell in cells)
        return record.sound, partial, record.inability is None

    return min(found, key=order)


def questions(suite: Suite) -> list[CellSpec]:
    """What `suite` asks of every mixer: its cells without mixer and learning rate."""
    runs = suite.reduced(None, {}, [_NOBODY]).scored({_NOBODY: 1.0})
    return list(dict.fromkeys(question(run.cell) for run in runs))


def question(cell: CellSpec) -> CellSpec:
    """`cell` without its mixer and learning rate."""
    return _answered(cell, _NOBODY, 0.0)


def _answered(question: CellSpec, mixer: MixerSpec, learning_rate: float) -> CellSpec:
    return replace(question, mixer=mixer, optimizer=replace(question.optimizer, learning_rate=learning_rate))
