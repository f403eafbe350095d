"""A linear map of four inputs, trained in a second: what tests train that need some run, whichever it is."""

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
