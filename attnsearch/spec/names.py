"""Settings and amounts in words."""

from __future__ import annotations

from attnsearch.spec.run import Value


def written(value: Value) -> str:
    """A value as tables and titles show it."""
    if value is None or isinstance(value, bool):
        return {None: "default", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """`40 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
