"""`attnsearch` as a process of its own: what it prints where, what the next one finds, and what it loads."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.terminal import attnsearch as called_here
from helpers.tiny import RUN

Attnsearch = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def attnsearch(folder: Path) -> Attnsearch:
    """Compilations are kept apart: other tests fill the shared ones at the same time."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "attnsearch", *arguments, "--out", str(folder / "results")]
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(folder / "compilations")}
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    return run


def programs(folder: Path) -> set[str]:
    return {path.name for path in (folder / "compilations").iterdir() if path.name.endswith("-cache")}


@pytest.fixture(scope="module")
def first(attnsearch: Attnsearch) -> subprocess.CompletedProcess[str]:
    """A tiny run with pictures, as JSON."""
    return attnsearch(*RUN, "--json")


def test_json_is_one_document_on_stdout_and_progress_is_lines_on_stderr(
    folder: Path, first: subprocess.CompletedProcess[str]
):
    assert first.returncode == 0, first.stderr
    document = json.loads(first.stdout)
    assert [cell["runs"] for cell in document["cells"]] == [2]
    assert document["cells"][0]["log2_search_space"] == pytest.approx(2.585, abs=1e-3)
    assert {run["spec"]["seed"] for run in document["runs"]} == {0, 1}
    for run in document["runs"]:
        assert (folder / "results" / "runs" / run["digest"] / "run.json").is_file()
    assert all(Path(picture).is_file() for picture in document["pictures"])
    assert len(document["pictures"]) == 2
    assert any("too few" in warning for warning in document["warnings"])
    lines = first.stderr.splitlines()
    assert any("[2/2]" in line for line in lines)
    assert "\x1b" not in first.stderr


def test_a_second_process_with_other_seeds_needs_no_compilation(
    folder: Path, attnsearch: Attnsearch, first: subprocess.CompletedProcess[str]
):
    """That its programs come from the cache; how long that takes is for a benchmark to say."""
    before = programs(folder)
    assert before
    # As many runs as before: with fewer, fewer devices would be used, by another program.
    again = attnsearch(*RUN, "--seeds", "7:9", "--no-plots", "--quiet")
    assert (again.returncode, again.stderr) == (0, "")
    assert programs(folder) == before
    assert len(list((folder / "results" / "runs").iterdir())) == 4


def test_an_interrupted_process_says_how_to_go_on(tmp_path: Path):
    words = [*RUN, "--seeds", "6", "--no-early-stopping", "--no-plots", "--quiet"]
    words[words.index("--steps") + 1] = "300"
    # Started where interrupts are ignored, as by a shell in the background, a process ignores them too.
    start = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    start += "from attnsearch.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", start, *words, "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + 120
    while not curves(tmp_path):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, ""), err
    kept = curves(tmp_path)
    assert len(kept) < 6
    assert f"Interrupted: {len(kept)} of 6 runs are stored in" in err
    assert "the same command goes on" in err
    assert "Traceback" not in err
    assert called_here(*words, "--out", str(tmp_path)).status == 0
    finished = curves(tmp_path)
    assert len(finished) == 6
    assert all(finished[digest] == content for digest, content in kept.items())


def curves(results: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in results.glob("runs/[!.]*/curves.npz")}


def test_help_needs_no_jax():
    code = """
import sys
from attnsearch.cli.main import main

for words in (["--help"], ["sweep", "--help"], ["plan", "--help"]):
    try:
        main(words)
    except SystemExit as ended:
        assert not ended.code
    assert "jax" not in sys.modules, words
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
