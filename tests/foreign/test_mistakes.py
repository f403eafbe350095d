"""What a loop of one's own may get wrong: each has a clear line, and what was recorded before is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.own_loop import losses, recorder

import attnsearch
from attnsearch.base import AttnsearchError
from attnsearch.runs.checkpoints import Checkpoints


class Tensor:
    """As a tensor that is still attached to its graph."""

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


MISTAKES: dict[str, tuple[Callable[[attnsearch.Recorder], Any], str]] = {
    "the mean of all": (lambda made: made.record(0.7), r"loss is f32\[\]: expected f32\[4\], one for each"),
    "another batch": (lambda made: made.record(np.ones((31, 4))), r"loss is f32\[31, 4\].* f32\[32, 4\]"),
    "some are not finite": (
        lambda made: made.record([0.7, 0.7, np.inf, 0.7]),
        "step 13: the loss of query 2 is inf, and other queries have finite losses",
    ),
    "the wrong sign": (lambda made: made.record(-losses(0)), "a loss is -0.693, and a cross entropy is not"),
    "accuracy in percent": (lambda made: made.record(losses(0), [50, 50, 50, 50]), "from 0 to 1"),
    "a tensor with its graph": (lambda made: made.record(Tensor()), r"hand over loss\.detach\(\)\.cpu\(\)"),
    "logits of other symbols": (
        lambda made: made.record_logits(np.ones((32, 4, 2))),
        r"logits are f32\[32, 4, 2\]: expected f32\[32, 4, 3\].* or f32\[32, 8, 3\]",
    ),
    "finished too early": (lambda made: made.finish(), "is not finished: 13 of 200 steps are recorded"),
    "resumed too late": (lambda made: made.resume(10), "resume comes before the first batch"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_and_nothing_is_lost(mistake: str, tmp_path: Path) -> None:
    made_it, message = MISTAKES[mistake]
    with pytest.raises(AttnsearchError, match=message), recorder(tmp_path) as made:  # noqa: PT012
        for _ in made.batches():
            if made.step == 13:
                made_it(made)
            made.record(losses(made.step))
    kept = Checkpoints(tmp_path).load(made.spec, pytest.fail)
    assert kept is not None
    assert kept.recording.step == 10


def test_a_step_that_was_taken_in_wrongly_can_be_recorded_again(tmp_path: Path) -> None:
    with recorder(tmp_path, steps=10) as made:
        for _ in made.batches():
            with pytest.raises(AttnsearchError, match=rf"step {made.step}: loss is"):
                made.record(1.0)
            made.record(losses(0))
    assert made.finish().status == "exhausted"


def test_each_batch_is_recorded_once(tmp_path: Path) -> None:
    with recorder(tmp_path, steps=10) as made:
        with pytest.raises(AttnsearchError, match="no batch waits to be recorded: 0 steps"):
            made.record(losses(0))
        batches = made.batches()
        next(batches)
        with pytest.raises(AttnsearchError, match="step 0 was not recorded: call record or record_logits"):
            next(batches)
        for _ in made.batches():
            made.record(losses(0))
            with pytest.raises(AttnsearchError, match="no batch waits to be recorded"):
                made.record_logits(np.ones((32, 4, 3)))
    made.finish()
    with pytest.raises(AttnsearchError, match="finish comes once"):
        made.finish()
    with pytest.raises(AttnsearchError, match="is closed"):
        made.record(losses(0))


@pytest.mark.parametrize(
    ("settings", "about", "message"),
    [
        (
            {"suport_size": 2},
            {},
            r"no setting 'suport_size' in a run on linear_map\. Did you mean support_size",
        ),
        ({"map_bias": 1.0}, {}, "no setting 'map_bias'"),
        ({"steps": 15}, {}, "steps 15 is not a multiple of 10"),
        ({"mlp_width": "4x"}, {}, "mlp_width 4x is a multiple of the width, which is not told: give width"),
        ({"tokens_per_step": 4}, {}, "tokens_per_step 4 is less than one sequence of linear_map: at least 8"),
        ({}, {"gain": np.float32(1)}, "about: gain is .*: give a number, a text, True, False or None"),
        ({}, {"two words": 1}, "about: 'two words' is not a name"),
    ],
)
def test_what_a_loop_tells_is_checked(
    settings: dict[str, Any], about: dict[str, Any], message: str, tmp_path: Path
) -> None:
    given = {"state_size": 4, "support_size": 2, **settings}
    with pytest.raises(AttnsearchError, match=message):
        attnsearch.Recorder("linear_map", "mine", out=tmp_path, settings=given, about=about)
    with pytest.raises(AttnsearchError, match="is not a name for what is trained"):
        attnsearch.Recorder("linear_map", " ", out=tmp_path)


def test_a_function_that_measures_maps_is_checked(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        with pytest.raises(AttnsearchError, match=r"logits are f32\[32, 8, 7\]: expected f32\[32, 4, 3\]"):
            next(made.batches(lambda tokens: np.ones((*tokens.shape, 7))))
        with pytest.raises(AttnsearchError, match="gives logits that are not finite"):
            next(made.batches(lambda tokens: np.full((*tokens.shape, 3), np.nan)))
