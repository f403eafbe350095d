"""An exported file is read by `datasets` of Hugging Face in the line of docs/export.md, and in parts."""

from pathlib import Path
from typing import Any

import pytest
from helpers.pages import Page, status_of

PAGE = Page("export.md")


def test_datasets_reads_an_exported_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    words = ["export", "--task", "linear_map", "--state-size", "4", "--support-size", "2"]
    assert status_of([*words, "--sequences", "70", "-o", "train.parquet"]) == 0
    namespace: dict[str, Any] = {}
    exec(compile(PAGE.code("python")[0], PAGE.name, "exec"), namespace)
    train = namespace["train"]
    assert train.num_rows == 70
    assert set(train.features) == {"tokens", "answers"}
    batch = train.with_format("torch")[:8]
    assert batch["tokens"].shape == (8, 8)
    assert batch["answers"].shape == (8, 4)
    stream = datasets.load_dataset("parquet", data_files="train.parquet", split="train", streaming=True)
    assert next(iter(stream)) == train[0]
