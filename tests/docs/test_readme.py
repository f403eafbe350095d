"""The README's Python does what it says."""

import re
from pathlib import Path

import click
import pytest
from helpers.tiny import VALUES

pytestmark = pytest.mark.usefixtures("one_backend")

README = Path(__file__).parents[2] / "README.md"


def example() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    return code


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """As printed, but for a network small enough for a test, and this process's devices left alone."""
    code = example()
    values = {name: value for name, value in VALUES.items() if name != "support_size"}
    small = str({"sparsity": [0.5], **values, "steps": [40]})
    changed = code.replace('{"sparsity": [0.5]}', small).replace("range(8)", "range(2)")
    changed = changed.replace("attnsearch.use_every_core()\n", "")
    assert changed.count(small) == 1
    assert "range(2)" in changed
    monkeypatch.chdir(tmp_path)
    exec(compile(changed, str(README), "exec"), {})
    assert capsys.readouterr().out.startswith("attention 2.6 bits: median plateau ")
    assert len(list(tmp_path.glob("results/runs/*/run.json"))) == 2


def test_the_example_is_about_ten_lines():
    assert len(example().splitlines()) <= 12


def test_the_flags_it_shows_are_flags():
    from attnsearch.cli.main import COMMANDS, cli
    from attnsearch.spec.settings import SETTINGS
    from attnsearch.spec.task_file import shipped_tasks

    commands = re.findall(r"^attnsearch (\w+)([^#\n]*)", README.read_text(), flags=re.MULTILINE)
    assert {command for command, _ in commands} <= {name for homes in COMMANDS.values() for name in homes}
    knobs = {name for task in shipped_tasks().values() for name in task.setting_names}
    settings = {f"--{name.replace('_', '-')}" for name in {*SETTINGS, *knobs}}
    for command, rest in commands:
        known = cli.get_command(click.Context(cli), command)
        assert known is not None
        own = {flag for option in known.params for flag in option.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= {*own, "--help"} | settings
