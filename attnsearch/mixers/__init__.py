"""Token-mixing layers: what each must offer, and by name the layers that ship.

A registry is a plain dict: pass `MIXERS | {"mine": Mine}` to add to it.
"""

from attnsearch.mixers.attention import Attention
from attnsearch.mixers.base import LogitMixer as LogitMixer
from attnsearch.mixers.base import Mixer as Mixer
from attnsearch.mixers.delta_net import DeltaNet
from attnsearch.mixers.gated_delta_net import GatedDeltaNet
from attnsearch.mixers.gated_linear_attention import GatedLinearAttention
from attnsearch.mixers.hybrid import Hybrid
from attnsearch.mixers.hyena import Hyena
from attnsearch.mixers.linear_attention import LinearAttention
from attnsearch.mixers.lru import LRU
from attnsearch.mixers.mamba import Mamba
from attnsearch.mixers.mamba2 import Mamba2
from attnsearch.mixers.mean_pool import MeanPool
from attnsearch.mixers.mlp_mixer import MLPMixer
from attnsearch.mixers.mlstm import MLSTM
from attnsearch.mixers.retention import Retention
from attnsearch.mixers.rwkv7 import RWKV7
from attnsearch.mixers.short_conv import ShortConv
from attnsearch.mixers.slstm import SLSTM

MIXERS: dict[str, type[Mixer]] = {
    "attention": Attention,
    "delta_net": DeltaNet,
    "gated_delta_net": GatedDeltaNet,
    "gated_linear_attention": GatedLinearAttention,
    "hybrid": Hybrid,
    "hyena": Hyena,
    "linear_attention": LinearAttention,
    "lru": LRU,
    "mamba": Mamba,
    "mamba2": Mamba2,
    "mean_pool": MeanPool,
    "mlp_mixer": MLPMixer,
    "mlstm": MLSTM,
    "retention": Retention,
    "rwkv7": RWKV7,
    "short_conv": ShortConv,
    "slstm": SLSTM,
}
