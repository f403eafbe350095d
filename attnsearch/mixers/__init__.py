"""The mixers that ship with attnsearch, by name. A plain dict: pass `MIXERS | {"mine": Mine}` to add."""

from attnsearch.mixers.attention import Attention
from attnsearch.mixers.base import LogitMixer, Mixer
from attnsearch.mixers.mlp_mixer import MLPMixer

__all__ = ["MIXERS", "Attention", "LogitMixer", "MLPMixer", "Mixer"]

MIXERS: dict[str, type[Mixer]] = {
    "attention": Attention,
    "mlp_mixer": MLPMixer,
}
