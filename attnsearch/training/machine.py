"""The machine that a process trains on, whatever it trains with."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any


def cores() -> int:
    """The cores that this process may use, or all of them where the system does not tell."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe(packages: Sequence[str], device: str, num_devices: int, num_lanes: int) -> dict[str, Any]:
    """The environment of a run, as JSON values: versions of `packages`, device, lanes."""
    return {
        "versions": {name: metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "device": device,
        "devices": num_devices,
        "lanes": num_lanes,
    }


def in_words(environment: Mapping[str, Any]) -> str:
    """The devices of an environment as `describe` has it, in words."""
    processor = f", {environment['processor']}" if environment["processor"] else ""
    return f"{environment['devices']} x {environment['device']}{processor}"


def _processor() -> str:
    """The processor's name, where the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
