"""TensorBoard: a folder of event files for each run, `tensorboard/<cell>/<seed>/`.

Events are written one batch at a time, and no file stays open: thousands of runs may be under way at once.
"""

# Protobuf makes its classes when they are loaded: their types are not known.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnsearch.spec.names import written
from attnsearch.training.tracking.images import png
from attnsearch.training.tracking.tracker import Ending, Entry, Subject

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary


class TensorBoard:
    """`Tracker` that writes for `tensorboard --logdir <folder>/tensorboard`."""

    name = "tensorboard"

    def __init__(self, folder: Path):
        import tensorboard.summary.writer.record_writer  # noqa: F401

        self._folder = folder / "tensorboard"

    def begin(self, subject: Subject) -> _EventFile:
        return _EventFile(self._folder / subject.cell / subject.seed, subject)


class _EventFile:
    """`Journal` of one run."""

    def __init__(self, folder: Path, subject: Subject):
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        folder.mkdir(parents=True, exist_ok=True)
        # As TensorBoard's own writers name it: files of a folder are read in the order of their names.
        number = len(list(folder.iterdir()))
        self._path = folder / f"events.out.tfevents.{int(time.time()):010}.{socket.gethostname()}.{number}"
        # Readers drop what an earlier file of the folder says of this step and later ones.
        restart = SessionLog(status=SessionLog.START)
        settings = {name: _plain(value) for name, value in subject.settings.items()}
        self._append(
            Event(file_version="brain.Event:2"),
            Event(step=0, session_log=restart),
            Event(step=0, summary=hparams_pb(settings, trial_id=f"{subject.cell}/{subject.seed}")),
            Event(step=0, summary=_text("run", f"{subject.name}\n\n    {subject.command}")),
        )

    def write(self, entries: Sequence[Entry]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._append(*(Event(step=entry.step, summary=_summary(entry)) for entry in entries))

    def end(self, ending: Ending) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self.write([Entry(ending.step, ending.measures, {})])
        self._append(Event(step=ending.step, summary=_text("status", ending.status)))

    def _append(self, *events: Event) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        with self._path.open("ab") as file:
            writer = RecordWriter(file)
            for event in events:
                event.wall_time = time.time()
                writer.write(event.SerializeToString())


def _plain(value: object) -> bool | float | str:
    """A setting as the table of hyperparameters takes it."""
    return value if isinstance(value, bool | int | float | str) else written(None)


def _summary(entry: Entry) -> Summary:
    from tensorboard.compat.proto.summary_pb2 import Summary

    summary = Summary()
    for name, value in entry.values.items():
        summary.value.add(tag=name, simple_value=value)
    for name, image in entry.images.items():
        height, width = image.shape
        picture = Summary.Image(height=height, width=width, colorspace=1, encoded_image_string=png(image))
        summary.value.add(tag=name, image=picture)
    return summary


def _text(tag: str, text: str) -> Summary:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING
    from tensorboard.plugins.text.metadata import create_summary_metadata

    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()])
    metadata = create_summary_metadata(tag, "")
    return Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=metadata)])
