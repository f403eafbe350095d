"""Truths of tasks of one state, all of whose rows are kept."""

from __future__ import annotations

import numpy as np

from attnsearch.base import Bools, Floats, Integers, Truth


def whole(
    *,
    attention_map: Bools,
    query_positions: Integers,
    is_target: Bools,
    replaceable: Bools,
    log2_search_space: Floats,
    nominal_log2_search_space: float,
    chance_loss: float,
) -> Truth:
    """R targets that have no shorter route than their rows, and are determined by what their queries see."""
    targets = len(attention_map)
    return Truth(
        attention_map=attention_map,
        cheapest_route=attention_map,
        query_positions=query_positions,
        is_target=is_target,
        replaceable=replaceable,
        log2_search_space=log2_search_space,
        nominal_log2_search_space=np.array(nominal_log2_search_space),
        chance_loss=np.array(chance_loss),
        bayes_loss=np.zeros(targets),
        state=np.ones(targets, np.int64),
        mapped=np.arange(targets),
        probed=replaceable,
    )
