"""A task file of one's own."""

from __future__ import annotations

from pathlib import Path

GOOD = """\
name = "mine"
title = "Mine"
family = "position-keyed"
generator = "linear_map"
source = "nowhere"

[plateau]
escape = 0.9

[knobs.state_size]
default = 8
minimum = 2
meaning = "cells"

[knobs.loss]
default = "targets"
choices = ["targets", "all"]
meaning = "what is trained"

[knobs.support_size]
default_ratio = 0.5
ratio = "sparsity"
minimum = 1
maximum = "state_size"
meaning = "inputs"
"""


def write(folder: Path, text: str = GOOD) -> Path:
    """A file in `folder` that holds `text`."""
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path
