"""A linear map of four inputs, trained in a second: what tests train that need some run, whichever it is.

All have one shape, so that one compilation serves them all.
"""

from typing import Any

VALUES: dict[str, list[Any]] = {
    "state_size": [4],
    "support_size": [1],
    "width": [32],
    "num_heads": [4],
    "mlp_width": [64],
    "tokens_per_step": [256],
    "learning_rate": [3e-3],
    "warmup_steps": [20],
    "steps": [300],
}

RUN = ["run", "--task", "linear_map", "--state-size", "4", "--support-size", "2", "--width", "32"]
RUN += ["--num-heads", "4", "--mlp-width", "64", "--tokens-per-step", "256", "--steps", "40", "--seeds", "2"]

SUITE = """\
name = "tiny"
title = "Tiny"
source = "nowhere"
seeds = 2

[[tasks]]
task = "linear_map"
state_size = 4
support_size = [1, 2]

[[mixers]]
mixer = "attention"
num_heads = 4

[training]
steps = 20
tokens_per_step = 256
width = 32
mlp_width = 64
"""
