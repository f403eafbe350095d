"""What a worker tells the process that has sent it a shard, in the order in which it happens."""

from __future__ import annotations

import pickle
from typing import NamedTuple

from attnsearch.training.backend import Ended
from attnsearch.training.observer import Progress


class At(NamedTuple):
    """Where the runs in training are, on the worker called `name`; told about once a second."""

    name: str
    running: tuple[Progress, ...]
    num_lanes: int


class Saved(NamedTuple):
    """The last checkpoint of a run in training: a pickled `runs.Checkpoint`."""

    checkpoint: bytes


class Warned(NamedTuple):
    """Something the user should know, in one line."""

    text: str


Message = At | Saved | Warned | Ended


def packed(message: Message) -> bytes:
    """The bytes of a message. As bytes it is copied out of Ray's object store, which fills up otherwise."""
    return pickle.dumps(message)


def unpacked(content: bytes) -> Message:
    """The message of `packed`."""
    return pickle.loads(content)
