"""docs/export.md does what it says; `datasets` is tried where torch is."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.pages import Page, status_of

PAGE = Page("export.md")
IN_DATASETS, IN_ARROW, IN_NUMPY = PAGE.code("python")
SMALLER = ["--state-size", "8", "--num-states", "3"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of whoever follows the page, with its files, smaller, and one as .npz."""
    monkeypatch.chdir(tmp_path)
    for command in PAGE.commands:
        words = [*command, *SMALLER, "--sequences", "40"]
        assert status_of(words) == 0
        if "train.parquet" in command:
            assert status_of([*words, "-o", "train.npz"]) == 0
    return tmp_path


def followed(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile(code, PAGE.name, "exec"), namespace)
    return namespace


def test_files_are_read_as_the_page_says(here: Path) -> None:
    arrow, numpy = followed(IN_ARROW), followed(IN_NUMPY)
    np.testing.assert_array_equal(arrow["tokens"], numpy["tokens"])
    assert arrow["about"] == numpy["about"]
    assert numpy["answers"].shape == (40, len(numpy["about"]["query_positions"]))
    shown = [np.flatnonzero(row).tolist() for row in numpy["supports"]]
    assert shown == numpy["about"]["supports"]
    rows = re.findall(r"^\| (`[^|]*`) \|", PAGE.text.split("| of `about` |")[1], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(numpy["about"])
    assert json.dumps(numpy["about"])
