"""What a worker of a cluster does with a shard: in this process, with a trainer that makes its losses."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

import pytest
from helpers.made_trainer import FAILS_AT, FAULTY, MadeTrainer, made_specs

from attnsearch.base import RECORDING_INTERVAL
from attnsearch.runs.checkpoints import Checkpoint
from attnsearch.runs.store import Store
from attnsearch.training.backend import Ended, TrainingSettings
from attnsearch.training.ray.messages import At, Message, Saved, unpacked
from attnsearch.training.ray.worker import trained
from attnsearch.training.runner import run

OFTEN, NEVER = TrainingSettings(checkpoint_every=0), TrainingSettings(checkpoint_every=1e9)


def messages_of(contents: Iterable[bytes]) -> list[Message]:
    return [unpacked(content) for content in contents]


def checkpoints_in(messages: Iterable[Message]) -> list[Checkpoint]:
    return [pickle.loads(message.checkpoint) for message in messages if isinstance(message, Saved)]


def test_a_shard_ends_as_it_would_without_a_cluster(store: Store):
    specs = made_specs(range(3))
    messages = messages_of(trained(specs, [], lambda cores: MadeTrainer(), 1, NEVER))
    ended = [message.run for message in messages if isinstance(message, Ended)]
    here = run(specs, store, MadeTrainer())
    assert [one.spec for one in ended] == specs
    for one, other in zip(ended, here, strict=True):
        assert pickle.dumps(one.curves) == pickle.dumps(other.curves)
        assert one.status == other.status
    assert not checkpoints_in(messages)
    assert [message for message in messages if isinstance(message, At)]


def test_a_run_goes_on_from_the_checkpoint_that_is_sent_with_it():
    specs, trainer = made_specs(range(2)), MadeTrainer()
    first = checkpoints_in(messages_of(trained(specs, [], lambda cores: MadeTrainer(), 1, OFTEN)))
    middle = next(one for one in first if (one.recording.spec, one.recording.step) == (specs[1], 60))
    again = messages_of(trained(specs, [pickle.dumps(middle)], lambda cores: trainer, 1, NEVER))
    assert trainer.taken_up == [(specs[0], 0), (specs[1], 60)]
    ended = [message.run for message in again if isinstance(message, Ended)]
    assert [int(one.curves.step[-1]) for one in ended] == [100, 100]


def test_what_training_raises_is_raised_after_what_came_before():
    specs, messages = made_specs([0, FAULTY]), []
    stream = map(unpacked, trained(specs, [], lambda cores: MadeTrainer(), 1, OFTEN))
    with pytest.raises(ValueError, match="cannot be trained"):
        messages.extend(stream)
    assert [message.run.spec.seed for message in messages if isinstance(message, Ended)] == [0]
    # The last point before the failure was saved when the next one was due.
    last = checkpoints_in(messages)[-1].recording
    assert (last.spec, last.step) == (specs[1], FAILS_AT - RECORDING_INTERVAL)


def test_a_worker_that_nobody_listens_to_stops():
    trainer = MadeTrainer()
    stream = trained(made_specs(range(50), state_size=4), [], lambda cores: trainer, 1, OFTEN)
    next(stream)
    stream.close()
    assert len(trainer.taken_up) < 50
