"""Weights & Biases: a run of it for each run, grouped by cell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnsearch.base import AttnsearchError
from attnsearch.training.tracking.images import Image
from attnsearch.training.tracking.tracker import Ending, Entry, Subject

if TYPE_CHECKING:
    from wandb import Run

_SETTINGS: dict[str, Any] = {"silent": True, "console": "off", "x_disable_stats": True, "disable_git": True}
"""What attnsearch asks of wandb, unless the user's environment says otherwise: no lines on the terminal, and
no measurements of the machine for each of many runs at once."""

_LONGEST_GROUP, _LONGEST_TAG = 128, 64


class WeightsAndBiases:
    """`Tracker` that keeps its files in `<folder>/wandb`. What the user's environment says of wandb holds."""

    name = "wandb"

    def __init__(self, folder: Path):
        import PIL  # noqa: F401
        import wandb
        from wandb.errors import Error

        self._folder = folder
        # Before training, while a terminal is free to ask for a key.
        try:
            if wandb.setup().settings.mode == "online":
                wandb.login()
        except Error as error:
            reason = " ".join(str(error).split())
            raise AttnsearchError(
                f"wandb does not know who you are: {reason}; run `wandb login`, or set WANDB_MODE=offline"
            ) from error

    def begin(self, subject: Subject) -> _Run:
        import wandb

        self._folder.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=_unless_set("WANDB_PROJECT", "attnsearch"),
            dir=_unless_set("WANDB_DIR", str(self._folder)),
            group=_unless_set("WANDB_RUN_GROUP", subject.cell[:_LONGEST_GROUP]),
            name=subject.name,
            tags=[tag[:_LONGEST_TAG] for tag in subject.tags],
            notes=subject.command,
            config=dict(subject.settings),
            # Several runs are open at once.
            reinit="create_new",
            settings=wandb.Settings(
                **{
                    name: value
                    for name, value in _SETTINGS.items()
                    if f"WANDB_{name.upper()}" not in os.environ
                }
            ),
        )
        return _Run(run)


class _Run:
    """`Journal` of one run."""

    def __init__(self, run: Run):
        self._run = run

    def write(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            pictures = {name: _picture(image) for name, image in entry.images.items()}
            self._run.log({**entry.values, **pictures}, step=entry.step)

    def end(self, ending: Ending) -> None:
        self._run.summary.update({**ending.measures, "status": ending.status})
        self._run.finish(exit_code=int(not ending.succeeded))


def _unless_set(variable: str, value: str) -> str | None:
    """`value`, or None where the environment says another."""
    return None if variable in os.environ else value


def _picture(image: Image) -> Any:
    import wandb
    from PIL import Image as pillow

    return wandb.Image(pillow.fromarray(image))
