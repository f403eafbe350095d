"""What arXiv:2606.25010 published, read off its figures."""

from __future__ import annotations

import numpy as np

CLAIMS = {
    1: "Each target falls abruptly, at a step of its own",
    2: "A fall comes with a head that moves onto the support",
    3: "Larger search spaces take longer; medium sparsity is hardest",
    4: "The map, added to the logits, removes the plateau",
    5: "More heads shorten the search, even at fixed total width",
    6: "MLP-Mixer wins on the linear map and loses on automata",
    7: "Steps scatter widely between seeds; larger models are earlier",
}
"""The seven claims of the paper, in our words."""

LOSSES = "336 336 366 508 604 611 638 670 638 626 648 611 492 380 358 358"
PUBLISHED_LOSS = {s: int(loss) / 1_000 for s, loss in enumerate(LOSSES.split(), start=1)}
"""Linear map, S = 16: plotted loss after 10,000 steps by s, mean of three seeds, read to `LOSS_READ`."""

LOSS_READ, STEPS_READ = 0.002, 0.01
"""How exactly figures were read: losses to so many nats, steps to this share."""

PUBLISHED_PLATEAU = {4: 61, 8: 377, 16: 399, 32: 654}
"""Automaton: steps until the loss is below 1.3, by S, read to `STEPS_READ`."""

PUBLISHED_CROSSINGS = {0.65: (563, 604), 0.50: (643, 1_397), 0.40: (870, 2_330), 0.36: (1_370, 3_490)}
"""Linear map, S = 16, s = 3: first step with a plotted loss below so many nats; MLP-Mixer, transformer."""

STATES = 16
"""Cells of the linear map as published."""

FLOOR = (STATES - 1) / (2 * STATES - 1) * float(np.log(2))
"""Its plotted loss when every row is known."""


def unlearned(loss: float) -> float:
    """Rows of the linear map, S = 16, that a plotted loss leaves unlearned."""
    return loss * (2 * STATES - 1) / float(np.log(2)) - (STATES - 1)
