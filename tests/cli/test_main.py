"""The command line as its user meets it: what it prints, where, and with which exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from attnsearch.cli import main as cli

TINY = ["run", "--task", "linear_map", "--state-size", "4", "--support-size", "2", "--width", "32"]
TINY += ["--num-heads", "4", "--tokens-per-step", "256", "--steps", "40", "--seeds", "2", "--no-plots"]

SUITE = """\
name = "tiny"
title = "Tiny"
source = "nowhere"
seeds = 2

[[tasks]]
task = "linear_map"
state_size = 4
support_size = [1, 2]

[[mixers]]
mixer = "attention"
num_heads = 4

[training]
steps = 20
tokens_per_step = 256
width = 32
"""


def attnsearch(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "attnsearch", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a mistake gets."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert stopped.value.code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("attnsearch: ")
    return err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run"], ["which task", "linear_map"]),
        (["rum"], ["unknown command 'rum'", "Did you mean run?"]),
        (["run", "--task", "linear_mop"], ["unknown task 'linear_mop'", "Did you mean linear_map", ".toml"]),
        (
            ["run", "--task", "linear_map", "--mixer", "atention"],
            ["unknown mixer", "Did you mean attention?"],
        ),
        (["run", "--task", "linear_map", "--sparsty", "0.5"], ["--sparsty", "--sparsity"]),
        (["run", "--task", "linear_map", "--sparsity", "3"], ["sparsity 3", "(0, 1]", "--support-size 3"]),
        (["run", "--task", "linear_map", "--sparsity", "0"], ["sparsity 0", "(0, 1]"]),
        (["run", "--task", "linear_map", "--sparsity", "-0.5"], ["sparsity -0.5", "(0, 1]"]),
        (["run", "--task", "linear_map", "--sparsity", "half"], ["half", "(0, 1]"]),
        (["run", "--task", "linear_map", "--sparsity", "0.3"], ["2.4 positions", "0.125, 0.25, 0.375"]),
        (["run", "--task", "linear_map", "--state-size", "1"], ["state_size 1", "at least 2"]),
        (["run", "--task", "linear_map", "--support-size", "9"], ["support_size 9", "1 to state_size", "8"]),
        (["run", "--task", "linear_map", "--num-heads", "5"], ["width 128", "num_heads 5", "1, 2, 4, 8"]),
        (["run", "--task", "linear_map", "--seeds", "0"], ["seeds", "at least 1"]),
        (["run", "--task", "linear_map", "--seeds", "many"], ["--seeds", "8:16"]),
        (["run", "--task", "linear_map", "--steps", "0"], ["steps 0", "at least 10"]),
        (["run", "--task", "linear_map", "--steps", "25"], ["steps 25", "20 or 30"]),
        (["run", "--task", "linear_map", "--learning-rate", "fast"], ["learning_rate 'fast'", "number"]),
        (["run", "--task", "linear_map", "--learning-rate", "1e-3,"], ["empty entry"]),
        (["run", "--task", "linear_map", "--tokens-per-step", "8"], ["tokens_per_step 8", "at least 16"]),
        (["run", "--task", "linear_map", "--loss", "all"], ["--loss"]),
        (
            ["run", "--task", "linear_map", "--mixer", "mlp_mixer", "--num-heads", "4"],
            ["num_heads", "mixer attention"],
        ),
        (["show", "--task", "linear_map", "--target", "8"], ["target 8", "0 to 7"]),
        (["show", "--task", "linear_map", "--state-size", "4,8"], ["one example", "state_size"]),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else None,
)
def test_each_mistake_gets_one_line(
    arguments: list[str],
    expected: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    message = complaint(capsys, *arguments)
    for words in expected:
        assert words in message, message
    assert "Traceback" not in message
    assert not list(tmp_path.glob("results/runs/*"))


def test_a_broken_task_file_names_file_and_line(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ntitle = oops\n')
    message = complaint(capsys, "run", "--task", str(path))
    assert "mine.toml" in message
    assert "line 2" in message


def test_an_unknown_key_names_the_nearest(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    from attnsearch.spec.task_file import TASK_FOLDER

    path = tmp_path / "mine.toml"
    path.write_text((TASK_FOLDER / "linear_map.toml").read_text().replace("family =", "familly ="))
    message = complaint(capsys, "run", "--task", str(path))
    assert "mine.toml" in message
    assert "'familly'" in message
    assert "Did you mean family?" in message


@pytest.fixture
def suite(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(SUITE)
    return str(path)


@pytest.mark.parametrize("command", ["sweep", "plan"])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["smoke"], ["no suite 'smoke'", "path of a suite file"]),
        ([], ["SUITE.toml"]),
        (["{suite}", "--seeds", "0"], ["seeds", "at least 1"]),
        (["{suite}", "--steps", "25"], ["steps 25", "20 or 30"]),
        (["{suite}", "--learning-rate", "fast"], ["learning_rate 'fast'", "number"]),
        (["{suite}", "--stepz", "20"], ["--stepz", "--steps"]),
        (["{suite}", "--support-size", "1"], ["--support-size"]),
        # What only a generator or a mixer can know is wrong with the file's settings.
        (["{suite}", "--width", "30"], ["tiny.toml: ", "width 30", "num_heads 4"]),
        (["{suite}", "--tokens-per-step", "4"], ["tiny.toml: ", "tokens_per_step 4", "at least 8"]),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else None,
)
def test_each_mistake_about_a_suite_gets_one_line(
    command: str,
    arguments: list[str],
    expected: list[str],
    suite: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    message = complaint(capsys, command, *(argument.format(suite=suite) for argument in arguments))
    for words in expected:
        assert words in message, message
    assert not (tmp_path / "results").exists()


def test_a_malformed_suite_names_file_and_key(capsys: pytest.CaptureFixture[str], suite: str):
    Path(suite).write_text(SUITE.replace("width", "widht"))
    message = complaint(capsys, "sweep", suite)
    assert "tiny.toml: [training]: unknown key 'widht'. Did you mean width" in message


def test_an_output_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    message = complaint(capsys, *TINY, "--out", str(blocked / "results"))
    assert str(blocked) in message


def test_a_missing_extra_is_named_before_anything_is_trained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.style", None)
    arguments = [argument for argument in TINY if argument != "--no-plots"]
    message = complaint(capsys, *arguments, "--out", str(tmp_path))
    assert "attnsearch[plot]" in message
    assert not list(tmp_path.glob("runs/*"))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A tiny run with pictures, as JSON."""
    out = tmp_path_factory.mktemp("first") / "results"
    arguments = [argument for argument in TINY if argument != "--no-plots"]
    return out, attnsearch(*arguments, "--out", str(out), "--json")


def test_json_is_one_document_on_stdout_and_progress_is_lines_on_stderr(
    first: tuple[Path, subprocess.CompletedProcess[str]],
):
    out, done = first
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [cell["runs"] for cell in document["cells"]] == [2]
    assert document["cells"][0]["log2_search_space"] == pytest.approx(2.585, abs=1e-3)
    assert {run["spec"]["seed"] for run in document["runs"]} == {0, 1}
    for run in document["runs"]:
        assert (out / "runs" / run["digest"] / "run.json").is_file()
    assert all(Path(picture).is_file() for picture in document["pictures"])
    assert len(document["pictures"]) == 2
    assert any("too few" in warning for warning in document["warnings"])
    lines = done.stderr.splitlines()
    assert any("[2/2]" in line for line in lines)
    assert "\x1b" not in done.stderr


def test_the_same_command_answers_from_the_store(first: tuple[Path, subprocess.CompletedProcess[str]]):
    out, _ = first
    again = attnsearch(*TINY, "--out", str(out))
    assert again.returncode == 0
    assert "2 of 2 runs answered from the store" in again.stderr
    assert "compiling" not in again.stderr
    assert "linear_map" in again.stdout
    assert str(out / "runs") in again.stdout
    quiet = attnsearch(*TINY, "--out", str(out), "--quiet")
    assert quiet.stderr == ""


def test_lists_make_a_grid_with_its_picture(tmp_path: Path):
    arguments = [argument for argument in TINY if argument != "--no-plots"]
    arguments[arguments.index("--support-size") + 1] = "1,2"
    done = attnsearch(*arguments, "--mixer", "attention,mlp_mixer", "--out", str(tmp_path), "--json")
    document = json.loads(done.stdout)
    assert [(cell["mixer"], cell["support_size"]) for cell in document["cells"]] == [
        ("attention", 1),
        ("mlp_mixer", 1),
        ("attention", 2),
        ("mlp_mixer", 2),
    ]
    assert sum("plateau-against-search-space" in picture for picture in document["pictures"]) == 1
    rules = {(run["spec"]["seed"], run["spec"]["rule_seed"]) for run in document["runs"]}
    assert rules == {(0, 0), (1, 1)}


def test_a_suite_is_swept_and_answered_from_the_store(suite: str, tmp_path: Path):
    out = tmp_path / "results"
    done = attnsearch("sweep", suite, "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [(cell["support_size"], cell["steps"], cell["runs"]) for cell in document["cells"]] == [
        (1, 20, 2),
        (2, 20, 2),
    ]
    for run in document["runs"]:
        assert (out / "runs" / run["digest"] / "run.json").is_file()
    assert len(document["pictures"]) == 2 * 2 + 1
    assert all(Path(picture).is_file() for picture in document["pictures"])
    assert any("[4/4]" in line for line in done.stderr.splitlines())

    again = attnsearch("sweep", suite, "--out", str(out), "--no-plots")
    assert again.returncode == 0
    assert "4 of 4 runs answered from the store" in again.stderr
    assert "compiling" not in again.stderr
    assert f"Runs:     {out / 'runs'} (4 of this command)" in again.stdout
    assert "Pictures" not in again.stdout


def test_flags_replace_what_a_suite_says(
    suite: str, first: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
):
    flags = ["--seeds", "1:2", "--steps", "10,20", "--no-early-stopping", "--no-plots", "--json", "--quiet"]
    done = attnsearch("sweep", suite, *flags, "--out", str(tmp_path / "results"))
    assert done.stderr == ""
    runs = [run["spec"] for run in json.loads(done.stdout)["runs"]]
    found = [(run["task"]["knobs"]["support_size"], run["budget"]["steps"], run["seed"]) for run in runs]
    assert found == [(1, 10, 1), (1, 20, 1), (2, 10, 1), (2, 20, 1)]
    assert {run["budget"]["early_stopping"] for run in runs} == {False}
    assert {run["network"]["width"] for run in runs} == {32}
    # A suite and flags that ask the same question name the same runs.
    out, _ = first
    planned = attnsearch("plan", suite, "--steps", "40", "--out", str(out), "--no-measurement", "--json")
    assert json.loads(planned.stdout)["total"]["stored"] == 2


def test_plan_says_what_would_be_done_and_does_nothing(suite: str, tmp_path: Path):
    out = tmp_path / "results"
    done = attnsearch("plan", suite, "--out", str(out), "--steps", "60")
    assert done.returncode == 0, done.stderr
    (row,) = (line for line in done.stdout.splitlines() if "linear_map" in line)
    task, mixer, static, cells, runs, stored, compilations, steps, rate, seconds = (
        text.strip() for text in row.strip("│").split("│")
    )
    assert (task, mixer, static) == ("linear_map", "attention", "state_size=4")
    assert (cells, runs, stored, compilations, steps) == ("2", "4", "0", "1", "240")
    assert int(rate.replace(",", "")) > 0
    assert seconds.endswith(" s")
    total = done.stdout.splitlines()[-1]
    expected = "Total: 2 cells, 4 runs, 0 of them stored; 1 compilations, at most 240 steps, at most "
    assert total.startswith(expected)
    assert done.stderr == "measuring cohort 1 of 1: linear_map attention\n"
    assert not out.exists()


def test_plan_counts_what_is_stored_and_touches_nothing(
    suite: str, first: tuple[Path, subprocess.CompletedProcess[str]]
):
    out, _ = first
    before = {path: path.stat().st_mtime_ns for path in [out, *out.rglob("*")]}
    flags = ["--steps", "40", "--out", str(out), "--json"]
    document = json.loads(attnsearch("plan", suite, *flags, "--seeds", "3").stdout)
    (cohort,) = document["cohorts"]
    assert cohort["static"]["state_size"] == 4
    assert cohort["static"]["batch_size"] == 32
    names = ("cells", "runs", "stored", "compilations", "steps_at_most")
    assert [cohort[name] for name in names] == [2, 6, 2, 1, 4 * 40]
    assert cohort["steps_per_second"] > 0
    assert document["total"] == {name: cohort[name] for name in document["total"]}
    assert document["total"]["seconds_at_most"] > 0
    # Where all is stored nothing is compiled.
    flags[1:2] = ["40", "--seeds", "2", "--no-measurement"]
    one = Path(suite)
    one.write_text(SUITE.replace("[1, 2]", "2"))
    total = json.loads(attnsearch("plan", suite, *flags).stdout)["total"]
    assert total == {
        "cells": 1,
        "runs": 2,
        "stored": 2,
        "compilations": 0,
        "steps_at_most": 0,
        "seconds_at_most": 0,
    }
    assert {path: path.stat().st_mtime_ns for path in [out, *out.rglob("*")]} == before


def test_a_fixed_rule_for_all(tmp_path: Path):
    done = attnsearch(*TINY, "--rule-seed", "5", "--out", str(tmp_path), "--json", "--quiet")
    assert {run["spec"]["rule_seed"] for run in json.loads(done.stdout)["runs"]} == {5}
    assert done.stderr == ""


def test_help_lists_the_task_s_own_flags_with_range_and_default():
    text = " ".join(attnsearch("run", "--task", "linear_map", "--help").stdout.split())
    assert (
        "--state-size LIST cells of the state, S; the context is 2S tokens [at least 2; default: 8]" in text
    )
    assert "[1 to state_size; default: sparsity 0.5]" in text
    for flag in (
        *("--task", "--mixer", "--seeds", "--steps", "--learning-rate", "--weight-decay", "--warmup-steps"),
        *("--tokens-per-step", "--width", "--num-heads", "--num-layers", "--mlp-width", "--out", "--json"),
        *("--quiet", "--no-plots", "--sparsity", "--support-size", "--rule-seed", "--no-early-stopping"),
    ):
        assert f"{flag} " in text, flag
    assert "blocks of the network [at least 1; default: 1]" in text


def test_help_shows_a_task_s_own_defaults_of_training_and_mixers():
    text = " ".join(attnsearch("run", "--task", "cellular_automaton,linear_map", "--help").stdout.split())
    assert "blocks of the network [at least 1; default: 4 or 1]" in text
    assert "--num-heads LIST of attention [default: 8 or 16]" in text
    assert "--head-width LIST of attention [default: its own]" in text


@pytest.mark.parametrize("arguments", [["--help"], ["sweep", "--help"], ["plan", "--help"]], ids=" ".join)
def test_help_needs_no_jax(arguments: list[str]):
    code = "import sys; from attnsearch.cli.main import main\n"
    code += f"try: main({arguments})\nfinally: print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_help_of_a_suite_s_commands_lists_every_training_setting():
    for command in ("sweep", "plan"):
        text = " ".join(attnsearch(command, "--help").stdout.split())
        assert "--steps LIST budget of a run, in steps [at least 10; default: the suite's]" in text
        for flag in (
            *(
                "--seeds",
                "--learning-rate",
                "--weight-decay",
                "--warmup-steps",
                "--tokens-per-step",
                "--width",
            ),
            *("--num-layers", "--mlp-width", "--no-early-stopping", "--out", "--json", "--quiet"),
        ):
            assert f"{flag} " in text, flag


def test_tasks_and_mixers_are_listed_one_line_each(capsys: pytest.CaptureFixture[str]):
    for command, names in (
        ("tasks", ("cellular_automaton", "linear_map", "linear_map_autoregressive")),
        ("mixers", ("attention", "mlp_mixer")),
    ):
        with pytest.raises(SystemExit) as stopped:
            cli.main([command])
        assert stopped.value.code in (0, None)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(names)
        for name in names:
            assert sum(line.split()[0] == name for line in lines) == 1


def test_show_draws_the_highlighted_sum(tmp_path: Path):
    done = attnsearch("show", "--task", "linear_map", "--sparsity", "0.5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "one of 70 supports" in done.stdout
    sentence = next(line for line in done.stdout.splitlines() if line.startswith("target 1 = "))
    terms, _, rest = sentence.removeprefix("target 1 = ").partition(" = ")
    assert sum(map(int, terms.split(" + "))) % 2 == int(rest[0])
    assert len(list(tmp_path.glob("results/pictures/example-*.png"))) == 1


def test_a_second_command_with_other_seeds_needs_no_compilation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """That its programs come from the cache; how long that takes is for a benchmark to say."""
    # One of its own, for other tests fill the shared one at the same time.
    cache = tmp_path / "compilations"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(cache))

    def programs_after(seeds: str) -> set[str]:
        done = attnsearch(*TINY, "--seeds", seeds, "--out", str(tmp_path / "out"), "--quiet")
        assert done.returncode == 0, done.stderr
        return {path.name for path in cache.iterdir() if path.name.endswith("-cache")}

    before = programs_after("2")
    assert before
    assert programs_after("7:9") == before
