"""The mixers in PyTorch that ship, by name: text alone, so that torch is not needed to list them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PREFIX = "torch:"
"""Of the name of every mixer that is written in PyTorch."""

TORCH_MIXERS: Mapping[str, str] = MappingProxyType(
    {
        "attention": "attnsearch.training.torch.mixers.attention:Attention",
        "mlp_mixer": "attnsearch.training.torch.mixers.mlp_mixer:MLPMixer",
        "gru": "attnsearch.training.torch.adapters.gru:GRU",
        "mamba": "attnsearch.training.torch.adapters.mamba:Mamba",
        "mamba2": "attnsearch.training.torch.adapters.mamba2:Mamba2",
        "gated_deltanet": "attnsearch.training.torch.adapters.gated_deltanet:GatedDeltaNet",
        "rwkv": "attnsearch.training.torch.adapters.rwkv:RWKV",
        "xlstm": "attnsearch.training.torch.adapters.xlstm:XLSTM",
    }
)
"""Name after `torch:`, and where its class is: `module:Class`."""
