"""`attnsearch run` and `attnsearch show`: what is trained and drawn, and what the store answers."""

import json
from pathlib import Path

import pytest
from helpers.terminal import Outcome, attnsearch
from helpers.tiny import RUN

NO_PLOTS = [*RUN, "--no-plots"]

pytestmark = pytest.mark.usefixtures("one_backend")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    out = tmp_path_factory.mktemp("first") / "results"
    return out, attnsearch(*NO_PLOTS, "--out", str(out))


def test_the_same_command_answers_from_the_store(first: tuple[Path, Outcome]):
    out, done = first
    assert "compiling" in done.err
    again = attnsearch(*NO_PLOTS, "--out", str(out))
    assert again.status == 0
    assert "2 of 2 runs answered from the store" in again.err
    assert "compiling" not in again.err
    assert "linear_map" in again.out
    assert str(out / "runs") in again.out
    quiet = attnsearch(*NO_PLOTS, "--out", str(out), "--quiet")
    assert quiet.err == ""


def test_quiet_tells_that_a_damaged_run_is_trained_again(first: tuple[Path, Outcome]):
    out, _ = first
    damaged = min((out / "runs").iterdir())
    (damaged / "curves.npz").write_bytes(b"damaged")
    quiet = attnsearch(*NO_PLOTS, "--out", str(out), "--quiet")
    assert quiet.status == 0
    (line,) = quiet.err.splitlines()
    assert line.startswith("warning: ")
    assert damaged.name[:12] in line
    assert (out / "runs" / damaged.name / "run.json").is_file()


def test_lists_make_a_grid_with_its_picture(tmp_path: Path):
    arguments = list(RUN)
    arguments[arguments.index("--support-size") + 1] = "1,2"
    done = attnsearch(*arguments, "--mixer", "attention,mlp_mixer", "--out", str(tmp_path), "--json")
    document = json.loads(done.out)
    assert [(cell["mixer"], cell["support_size"]) for cell in document["cells"]] == [
        ("attention", 1),
        ("mlp_mixer", 1),
        ("attention", 2),
        ("mlp_mixer", 2),
    ]
    assert sum("plateau-against-search-space" in picture for picture in document["pictures"]) == 1
    rules = {(run["spec"]["seed"], run["spec"]["rule_seed"]) for run in document["runs"]}
    assert rules == {(0, 0), (1, 1)}


def test_a_fixed_rule_for_all(tmp_path: Path):
    done = attnsearch(*NO_PLOTS, "--rule-seed", "5", "--out", str(tmp_path), "--json", "--quiet")
    assert {run["spec"]["rule_seed"] for run in json.loads(done.out)["runs"]} == {5}
    assert done.err == ""


def test_show_draws_the_highlighted_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    done = attnsearch("show", "--task", "linear_map", "--sparsity", "0.5")
    assert done.status == 0, done.err
    assert "one of 70 supports" in done.out
    sentence = next(line for line in done.out.splitlines() if line.startswith("target 1 = "))
    terms, _, rest = sentence.removeprefix("target 1 = ").partition(" = ")
    assert sum(map(int, terms.split(" + "))) % 2 == int(rest[0])
    assert len(list(tmp_path.glob("results/pictures/example-*.png"))) == 1
