"""The loop in torch of docs/your-own-loop.md is recorded."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.pages import Page

import attnsearch

PAGE = Page("your-own-loop.md")


def test_the_loop_in_torch_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = PAGE.code("python")[0].replace('"steps": 3_000', '"steps": 20, "tokens_per_step": 256')
    namespace: dict[str, Any] = {}
    exec(compile(code, PAGE.name, "exec"), namespace)
    run = namespace["run"]
    assert run.spec.cell.mixer.name == "foreign:gru"
    assert (run.status, run.curves.loss.shape) == ("exhausted", (2, 4))
    assert np.isfinite(run.curves.accuracy).all()
    assert run.maps.step.tolist()[0] == 0
    # A recurrent network reads every input, and nothing that comes later.
    assert (run.maps.influence[-1, :, :4] > 0).all()
    assert "torch" in run.environment["versions"]
    (kept,) = attnsearch.load("own").runs
    assert kept.spec == run.spec


def test_a_tensor_with_its_graph_is_refused_with_the_remedy(tmp_path: Path) -> None:
    import torch

    settings = {"state_size": 4, "support_size": 2, "steps": 10}
    with attnsearch.Recorder("linear_map", "net", out=tmp_path, settings=settings) as recorder:
        next(recorder.batches())
        loss = torch.ones(4, requires_grad=True)
        with pytest.raises(attnsearch.AttnsearchError, match=r"hand over loss\.detach\(\)\.cpu"):
            recorder.record(loss)
        recorder.record(loss.detach())
    assert recorder.step == 1
