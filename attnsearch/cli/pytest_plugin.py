"""A pytest fixture that fails where a mixer's plateau has got longer than it was.

    def test_my_mixer(plateau):
        plateau.check(MyMixer, task="linear_map", state_size=8, baseline="baselines/my_mixer.json")

`pytest --attnsearch-update` records the baselines of such tests. Nothing is imported before one of them runs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from attnsearch.backends import Backends
    from attnsearch.spec.run import RunSpec, Value

_UPDATE = "--attnsearch-update"

_PROPERTY = "attnsearch"
"""Of a test's report: the verdict. pytest-xdist hands properties from workers to the main process."""

_RECORDED = pytest.StashKey[set[Path]]()


class Plateau:
    """The fixture `plateau`. Relative paths start at pytest's root directory."""

    def __init__(self, request: pytest.FixtureRequest):
        self._config, self._properties = request.config, request.node.user_properties

    def check(
        self,
        mixer: type | str,
        *,
        task: str,
        baseline: str | Path,
        seeds: int = 16,
        recorded_seeds: int = 32,
        tolerance: float | None = None,
        **settings: Value,
    ) -> None:
        """Train `mixer` on `task`, and fail unless its plateau is shown to be as short as in `baseline`.

        mixer:           a class, a registered name, or `package.module:Class`
        task:            a name, or the path of a task file
        baseline:        the file with the recorded runs; `--attnsearch-update` writes it
        seeds:           runs at most; the other half is trained only where one half does not tell
        recorded_seeds:  runs to record; with more of them, each check tells more
        tolerance:       the factor by which the plateau may grow; 1.25 unless given
        settings:        knobs of the task, and settings of mixer, network, optimizer and budget, each by its
                         name in `attnsearch run`

        The test also fails where data are too few to tell, and for a setting that is unknown or out of range.
        """
        from attnsearch.backends import specify
        from attnsearch.base import AttnsearchError

        update = bool(self._config.getoption(_UPDATE))
        path = self._config.rootpath / baseline
        backend, name = _backend_for(mixer)
        file = str(self._config.rootpath / task) if task.endswith(".toml") else task
        values = {key: (value,) for key, value in settings.items()}
        runs = range(recorded_seeds if update else seeds)
        try:
            specs = specify([file], [name], values, seeds=runs, backend=backend)
            if update:
                self._record(specs, path, backend)
            else:
                self._compare(specs, path, tolerance, backend)
            return
        except AttnsearchError as error:
            complaint = str(error)
        # Outside of the handler, where pytest would show both errors.
        _fail(complaint)

    def _record(self, specs: list[RunSpec], path: Path, backend: Backends) -> None:
        from attnsearch.backends import run
        from attnsearch.gate import baseline_file
        from attnsearch.gate.baseline import Baseline
        from attnsearch.runs.store import Store

        recorded = self._config.stash.setdefault(_RECORDED, set())
        if path in recorded:
            _fail(f"two checks record {path}: give each its own baseline")
        recorded.add(path)
        with tempfile.TemporaryDirectory(prefix="attnsearch-") as folder:
            runs = run(specs, Store.open(Path(folder)), backend=backend)
        baseline_file.write(Baseline.of(path.stem, runs), path)
        self._properties.append((_PROPERTY, f"recorded {len(runs)} runs in {path}"))

    def _compare(self, specs: list[RunSpec], path: Path, tolerance: float | None, backend: Backends) -> None:
        from attnsearch.cli.check import check_anew
        from attnsearch.gate import baseline_file
        from attnsearch.gate.decision import TOLERANCE
        from attnsearch.gate.verdict import figures, rows, sentences
        from attnsearch.runs.store import Store

        if not path.exists():
            _fail(f"baseline {path} does not exist: record it with pytest {_UPDATE}")
        with tempfile.TemporaryDirectory(prefix="attnsearch-") as folder:
            store, baseline = Store.open(Path(folder)), baseline_file.read(path)
            tolerance = TOLERANCE if tolerance is None else tolerance
            report = check_anew(specs, baseline, store, backend, name=str(path), tolerance=tolerance)
        found = [*sentences(report), *(f"{row.label}: {figures(row)}" for row in rows(report))]
        self._properties.append((_PROPERTY, found[0]))
        if report.exit_status:
            _fail(*found, *(report.failure.trace.splitlines() if report.failure else []))


def _fail(*lines: str) -> NoReturn:
    """End the test with these lines."""
    from attnsearch.base import plain

    pytest.fail("\n".join(map(plain, ("attnsearch: " + lines[0], *lines[1:]))), pytrace=False)


def _backend_for(mixer: type | str) -> tuple[Backends, str]:
    """A backend that knows `mixer`, and by which name."""
    from attnsearch.backends import PREFIX, Backends
    from attnsearch.mixers import MIXERS, Mixer

    if isinstance(mixer, str):
        return Backends(), mixer
    place = f"{mixer.__module__}:{mixer.__qualname__}"
    if issubclass(mixer, Mixer):
        names = [name for name, known in MIXERS.items() if known is mixer]
        return Backends(mixers={**MIXERS, place: mixer}), next(iter(names), place)
    return Backends(torch_mixers={PREFIX + place: mixer}), PREFIX + place


@pytest.fixture
def plateau(request: pytest.FixtureRequest) -> Plateau:
    """Fail where a mixer's plateau has got longer: `plateau.check(MyMixer, task=..., baseline=...)`."""
    return Plateau(request)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--attnsearch-update`."""
    group = parser.getgroup("attnsearch", "attnsearch, plateaus of sequence mixers")
    group.addoption(
        _UPDATE, action="store_true", help="record the baselines that plateau.check compares with"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which baselines were recorded, in one line each."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == _PROPERTY and text.startswith("recorded "):
                from attnsearch.base import plain

                terminalreporter.write_line(plain(f"attnsearch: {text}"))
