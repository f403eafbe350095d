"""Token-mixing layers: what each must offer, and by name the layers that ship.

A registry is a plain dict: pass `MIXERS | {"mine": Mine}` to add to it.
"""

from attnsearch.mixers.attention import Attention
from attnsearch.mixers.base import LogitMixer as LogitMixer
from attnsearch.mixers.base import Mixer as Mixer
from attnsearch.mixers.hybrid import Hybrid
from attnsearch.mixers.hyena import Hyena
from attnsearch.mixers.lru import LRU
from attnsearch.mixers.mlp_mixer import MLPMixer
from attnsearch.mixers.short_conv import ShortConv

MIXERS: dict[str, type[Mixer]] = {
    "attention": Attention,
    "hybrid": Hybrid,
    "hyena": Hyena,
    "lru": LRU,
    "mlp_mixer": MLPMixer,
    "short_conv": ShortConv,
}
