"""The mixers in PyTorch that ship, by name: text alone, so that torch is not needed to list them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from attnsearch.spec.run import Value

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


class Described(NamedTuple):
    """A mixer that ships: the first sentence of its docstring, and its settings with their defaults."""

    summary: str
    settings: Mapping[str, Value]


def described(name: str) -> Described:
    """What a mixer that ships says of itself, read from its source: to import it would load torch."""
    module, _, kind = TORCH_MIXERS[name].partition(":")
    # Of attnsearch/training/torch/names.py.
    root = Path(__file__).parents[3]
    file = root.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind)
    (made,) = (node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    defaults = [ast.literal_eval(default) for default in made.args.defaults]
    settings = [argument.arg for argument in made.args.args][-len(defaults) :] if defaults else []
    summary = " ".join((ast.get_docstring(found) or "").partition("\n\n")[0].split())
    return Described(summary, dict(zip(settings, defaults, strict=True)))
