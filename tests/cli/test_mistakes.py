"""Each mistake on the command line gets one line that says what is wrong, where, and what is known."""

import sys
from pathlib import Path

import pytest
from helpers.terminal import complaint
from helpers.tiny import RUN, SUITE


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run"], ["which task", "linear_map"]),
        (["rum"], ["unknown command 'rum'", "Did you mean rm or run?"]),
        (["run", "--task", "linear_mop"], ["unknown task 'linear_mop'", "Did you mean linear_map", ".toml"]),
        (
            ["run", "--task", "linear_map", "--mixer", "atention"],
            ["unknown mixer", "Did you mean attention or retention?"],
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
        (
            ["run", "--task", "linear_map", "--seeds", "99999999999"],
            ["99,999,999,999 seeds are too many", "100,000"],
        ),
        (["run", "--task", "linear_map", "--seeds", "0:99999999999"], ["too many"]),
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
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    message = complaint(*arguments)
    for words in expected:
        assert words in message, message
    assert not list(tmp_path.glob("results/runs/*"))


def test_a_broken_task_file_names_file_and_line(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ntitle = oops\n')
    message = complaint("run", "--task", str(path))
    assert "mine.toml" in message
    assert "line 2" in message


def test_an_unknown_key_names_the_nearest(tmp_path: Path):
    from attnsearch.spec.task_file import TASK_FOLDER

    path = tmp_path / "mine.toml"
    path.write_text((TASK_FOLDER / "linear_map.toml").read_text().replace("family =", "familly ="))
    message = complaint("run", "--task", str(path))
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
        (["smok"], ["unknown suite 'smok'", "Did you mean smoke?"]),
        ([], ["SUITE"]),
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
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    message = complaint(command, *(argument.format(suite=suite) for argument in arguments))
    for words in expected:
        assert words in message, message
    assert not (tmp_path / "results").exists()


def test_a_malformed_suite_names_file_and_key(suite: str):
    Path(suite).write_text(SUITE.replace("\nwidth", "\nwidht"))
    message = complaint("sweep", suite)
    assert "tiny.toml: [training]: unknown key 'widht'. Did you mean width" in message


def test_an_output_folder_that_cannot_be_written(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    message = complaint(*RUN, "--no-plots", "--out", str(blocked / "results"))
    assert str(blocked) in message


def test_a_missing_extra_is_named_before_anything_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.style", None)
    message = complaint(*RUN, "--out", str(tmp_path))
    assert "attnsearch[plot]" in message
    assert not list(tmp_path.glob("runs/*"))
