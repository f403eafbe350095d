"""The families of models in the transformers package: loaded when asked for, and quiet where no kernel is."""

from __future__ import annotations

import logging
from importlib import import_module
from types import ModuleType

from attnsearch.base import AttnsearchError

KERNELS = "transformers.integrations.hub_kernels"
"""The module, and the logger, that tells which function has no kernel installed."""

FALLING_BACK = "is falling back to its reference PyTorch implementation"


ONE_BLOCK = {"num_hidden_layers": 1, "vocab_size": 3}
"""A model of which only the first block's mixer is kept; the special tokens of every family are below 3."""

LONGEST_CHUNK = 64
"""Positions that the forms in chunks compute together; shorter contexts are one chunk."""


def family(name: str) -> ModuleType:
    """The configurations and models of one architecture, `transformers.models.<name>`.

    Errors: AttnsearchError where the transformers package is not installed.
    """
    try:
        found = import_module(f"transformers.models.{name}")
    except ModuleNotFoundError as error:
        raise AttnsearchError(
            f"the layer {name} comes from the transformers package: pip install 'attnsearch[adapters]'"
        ) from error
    # The layers are meant to run without kernels. A filter that is added twice is added once.
    logging.getLogger(KERNELS).addFilter(_tells_more)
    return found


def _tells_more(record: logging.LogRecord) -> bool:
    return FALLING_BACK not in record.getMessage()
