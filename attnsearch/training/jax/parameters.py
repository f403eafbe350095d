"""A network's parameters by their names, and back: `blocks.0.mixer.query.kernel` and its array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import DictKey

from attnsearch.base import AttnsearchError, Floats
from attnsearch.training.jax.network import Network, Parameters


def named(parameters: Parameters) -> dict[str, Floats]:
    """Every array as f32 on the host, by its path in the network; lanes have a leading axis, `[N, ...]`."""
    leaves, _ = jax.tree.flatten_with_path(parameters)
    return {_name(path): np.asarray(leaf, np.float32) for path, leaf in leaves}


def rebuilt(network: Network, arrays: Mapping[str, Floats]) -> Parameters:
    """The parameters of `network` that are called so.

    Errors: AttnsearchError where names or shapes are not the network's, or a number is not finite.
    """
    leaves, structure = jax.tree.flatten_with_path(jax.eval_shape(network.init, jax.random.key(0)))
    expected = {_name(path): leaf for path, leaf in leaves}
    if differing := sorted(expected.keys() ^ arrays.keys()):
        missing = [name for name in differing if name in expected]
        what = f"{missing[0]} is missing" if missing else f"{differing[0]} is not known"
        raise AttnsearchError(f"these parameters do not fit the run's network: {what}")
    for name, leaf in expected.items():
        if arrays[name].shape != leaf.shape:
            shapes = f"{[*arrays[name].shape]}, expected {[*leaf.shape]}"
            raise AttnsearchError(f"these parameters do not fit the run's network: {name} is {shapes}")
        if not np.isfinite(arrays[name]).all():
            raise AttnsearchError(
                f"the parameter {name} is not finite: the run diverged, or the file is damaged"
            )
    return jax.tree.unflatten(
        structure, [jnp.asarray(arrays[name], leaf.dtype) for name, leaf in expected.items()]
    )


def _name(path: Sequence[Any]) -> str:
    # Beyond the keys, a path leads from a parameter into its own array.
    return ".".join(str(key.key) for key in path if isinstance(key, DictKey))
