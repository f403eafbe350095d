"""attnsearch: how long a sequence mixer searches for the attention pattern that a task needs.

The names below are the package's front door; each is loaded when it is first used, so that what needs
no jax starts without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnsearch.base import AttnsearchError as AttnsearchError
    from attnsearch.report import cells as cells
    from attnsearch.store import Store as Store

_HOMES = {
    "AttnsearchError": "attnsearch.base",
    "Store": "attnsearch.store",
    "cells": "attnsearch.report",
}

__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'attnsearch' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
