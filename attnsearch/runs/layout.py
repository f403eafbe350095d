"""What arrays the stored files hold: of each field the kind of its dtype, and its axes.

Numpy side; never imports jax. The legend in `attnsearch.base` explains the letters: "iQ" is `integer[Q]`, and
"f" is one number.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Layout = Mapping[str, str]

TRUTH: Layout = {
    "attention_map": "bKL",
    "cheapest_route": "bKL",
    "query_positions": "iQ",
    "is_target": "bQ",
    "replaceable": "bL",
    "log2_search_space": "fR",
    "nominal_log2_search_space": "f",
    "chance_loss": "f",
    "bayes_loss": "fR",
    "state": "iR",
    "mapped": "iK",
    "probed": "bL",
}
CURVES: Layout = {"step": "iE", "loss": "fEQ", "accuracy": "fEQ"}
MAPS: Layout = {"step": "iM", "influence": "fMKL", "mass": "fMK", "later": "fM"}
UPDATES: Layout = {"step": "iE", "norm": "fE"}
CONTESTS: Layout = {"step": "iE", "margin": "fEP", "agreement": "fE"}
ROUTES: Layout = {"names": "UW", "step": "iM", "mass": "fMWK"}
HEADS: Layout = {"weights": "uMAKL", "mass": "fMAK", "entropy": "fMAK"}
RECORDED_MAPS: Layout = {
    "influence": MAPS["influence"],
    "map_mass": MAPS["mass"],
    "later": MAPS["later"],
    "route_mass": ROUTES["mass"],
    **HEADS,
}
"""Of each field of `base.MapRecord`, all maps of a run together."""


def check(
    arrays: Mapping[str, np.ndarray], layout: Layout, known: Mapping[str, tuple[int, str]]
) -> dict[str, tuple[int, str]]:
    """The size of each axis with the name of its source: the `known` ones, and the axes of `arrays`.

    Errors: ValueError where an array is not as in `layout`, or disagrees with an earlier one in an axis.
    """
    sizes = dict(known)
    for name, (kind, *axes) in layout.items():
        array = arrays[name]
        found = f"{name} is {array.dtype}{[*array.shape]}"
        if array.dtype.kind != kind or array.ndim != len(axes):
            raise ValueError(f"{found}, expected kind {kind}[{', '.join(axes)}]")
        for axis, size in zip(axes, array.shape, strict=True):
            agreed, source = sizes.setdefault(axis, (size, name))
            if size != agreed:
                raise ValueError(f"{found}, but {axis} = {agreed} by {source}")
    return sizes
