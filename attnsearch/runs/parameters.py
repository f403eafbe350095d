"""A network's trained arrays as a file: safetensors, which most libraries of networks read.

Numpy side; never imports jax. Needs the extra `parameters`, which is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from attnsearch import files
from attnsearch.base import AttnsearchError, Floats

FILE = "parameters.safetensors"
"""Its name in the folder of a run."""


def require_safetensors() -> None:
    """Errors: AttnsearchError, naming the extra, where safetensors is not installed."""
    try:
        import safetensors  # noqa: F401
    except ImportError as error:
        raise AttnsearchError(
            "parameters are kept with safetensors: pip install 'attnsearch[parameters]'"
        ) from error


def packed(arrays: Mapping[str, Floats], digest: str, step: int) -> bytes:
    """The file of `arrays`, f32, by their paths in the network of the run `digest` after `step` steps."""
    require_safetensors()
    from safetensors.numpy import save

    # A view would be written as its memory lies, not as it reads.
    whole = {name: np.array(array, np.float32, order="C") for name, array in arrays.items()}
    return save(whole, {"digest": digest, "step": str(step)})


def unpacked(folder: Path, digest: str) -> tuple[dict[str, Floats], int]:
    """The arrays in `folder`, by their paths in the network, and the steps that they were trained for.

    Errors: AttnsearchError for a file that is damaged or of another run than `digest`.
    """
    require_safetensors()
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    try:
        files.check_regular(path.stat())
        with safe_open(path, "numpy") as file:
            described = file.metadata()
            if described["digest"] != digest:
                raise ValueError(f"it is of the run {described['digest']}")
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, int(described["step"])
    except (SafetensorError, *files.DAMAGE) as error:
        remedy = "remove it, and give the run's command with --save-params again"
        raise AttnsearchError(f"cannot read {path}: {files.reason(error)}; {remedy}") from error
