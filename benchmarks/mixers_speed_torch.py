# pyright: reportMissingImports=false
"""Each mixer beside the same layer in torch: outputs and all gradients, on one core each, as a page.

    python benchmarks/mixers_speed_torch.py [--mixers mamba,mlstm] [--rounds 5] [--seconds 2]

Needs torch and transformers. Layers have their default settings here, and as many parameters there; the tests
in `tests/with_torch/` compare their numbers. Both compute 8,192 tokens in sequences of one context. Here the
batch goes through in the parts that training takes. A third way computes the matrix products of the layer
alone: no layer made of these products is faster. A round times all three in turn, and its rates are compared.
Sentences below the table say which layers are three times as fast.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from attnsearch.training.jax import devices

devices.use_every_core()  # before jax starts: it then has one thread for each device

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from flax import nnx  # noqa: E402
from mixers_speed import TOKENS_PER_STEP, WIDTH  # noqa: E402
from products import Products, matrix_products  # noqa: E402
from speed import in_turn  # noqa: E402
from transformers.models.lfm2.configuration_lfm2 import Lfm2Config  # noqa: E402
from transformers.models.lfm2.modeling_lfm2 import Lfm2ShortConv  # noqa: E402
from transformers.models.olmo_hybrid.configuration_olmo_hybrid import OlmoHybridConfig  # noqa: E402
from transformers.models.olmo_hybrid.modeling_olmo_hybrid import OlmoHybridGatedDeltaNet  # noqa: E402

from attnsearch.mixers import MIXERS, Mixer  # noqa: E402
from attnsearch.mixers.base import default_settings  # noqa: E402
from attnsearch.training.torch.adapters.mamba import Mamba  # noqa: E402
from attnsearch.training.torch.adapters.mamba2 import Mamba2  # noqa: E402
from attnsearch.training.torch.adapters.xlstm import XLSTM  # noqa: E402
from attnsearch.training.torch.mixers.attention import Attention  # noqa: E402

CONTEXTS = (32, 256)

TIMES = 3.0
"""As many times as fast as in torch a layer should be."""

HEAD = """\
| mixer | context | 1,000 tokens a second | in torch | times as many | products alone, times as many |
|---|--:|--:|--:|--:|--:|"""


def gated_delta_net(width: int, context_length: int) -> torch.nn.Module:
    """Gated DeltaNet as OLMo's hybrid has it."""
    del context_length
    heads = int(cast("int", default_settings(MIXERS["gated_delta_net"])["num_heads"]))
    sizes = {"linear_num_key_heads": heads, "linear_num_value_heads": heads}
    features = {"linear_key_head_dim": width // heads // 2, "linear_value_head_dim": width // heads}
    # One layer must be attention in that model; only the first layer is made here.
    layers = {"num_hidden_layers": 2, "layer_types": ["linear_attention", "full_attention"]}
    config = OlmoHybridConfig(hidden_size=width, linear_allow_neg_eigval=False, **sizes, **features, **layers)
    return OlmoHybridGatedDeltaNet(config, layer_idx=0)


def short_conv(width: int, context_length: int) -> torch.nn.Module:
    """The gated convolution of LFM2."""
    del context_length
    size = int(cast("int", default_settings(MIXERS["short_conv"])["kernel_size"]))
    config = Lfm2Config(
        hidden_size=width, num_hidden_layers=1, conv_L_cache=size, conv_bias=False, layer_types=["conv"]
    )
    return Lfm2ShortConv(config, 0)


TORCH: Mapping[str, Callable[[int, int], torch.nn.Module]] = {
    "attention": Attention,
    "gated_delta_net": gated_delta_net,
    "mamba": Mamba,
    "mamba2": Mamba2,
    "mlstm": XLSTM,
    "short_conv": short_conv,
}
"""By the name of the mixer here, what builds the layer of a width and a context. Attention is torch's own."""


class Here:
    """The layer in jax: outputs and all gradients of a batch, part by part."""

    work = float(TOKENS_PER_STEP)

    def __init__(self, mixer: str, batch: np.ndarray):
        count, length, width = batch.shape
        build = cast("Callable[..., Mixer]", MIXERS[mixer])
        definition, self.parameters, constants = nnx.split(
            build(width, length, rngs=nnx.Rngs(0)), nnx.Param, ...
        )
        parts = devices.gradient_parts("cpu", count, length)
        self.batch = jnp.asarray(batch).reshape(parts, -1, length, width)

        def loss(parameters: Any, part: jax.Array) -> jax.Array:
            made = nnx.merge(definition, parameters, constants)
            return (jax.vmap(lambda x: made(x))(part) ** 2).sum()

        def gradients(parameters: Any, batch: jax.Array) -> Any:
            def add(total: Any, part: jax.Array) -> tuple[Any, jax.Array]:
                of_parameters, of_x = jax.grad(loss, argnums=(0, 1))(parameters, part)
                return jax.tree.map(jnp.add, total, of_parameters), of_x

            return jax.lax.scan(add, jax.tree.map(jnp.zeros_like, parameters), batch)

        self.gradients = jax.jit(gradients)
        shapes = matrix_products(jax.grad(loss, argnums=(0, 1)), self.parameters, self.batch[0])
        self.products = Products(shapes, parts, self.work)

    def advance(self) -> None:
        """Once, to its end."""
        jax.block_until_ready(self.gradients(self.parameters, self.batch))


class There:
    """The layer in torch: the same of the same batch."""

    work = float(TOKENS_PER_STEP)

    def __init__(self, mixer: str, batch: np.ndarray):
        self.layer = TORCH[mixer](batch.shape[2], batch.shape[1])
        self.batch = torch.tensor(batch, requires_grad=True)

    def advance(self) -> None:
        """Once, to its end."""
        self.layer.zero_grad()
        self.batch.grad = None
        (self.layer(self.batch) ** 2).sum().backward()


@dataclass(frozen=True)
class Measured:
    """A layer at a context. Rates are tokens a second, one a round: `f64[rounds]`."""

    mixer: str
    length: int
    here: np.ndarray
    torch: np.ndarray
    products: np.ndarray

    @property
    def times(self) -> np.ndarray:
        """As many times as fast as in torch, by rounds."""
        return self.here / self.torch

    @property
    def row(self) -> str:
        """The table's row."""
        rates = " | ".join(f"{np.median(one) / 1e3:.1f}" for one in (self.here, self.torch))
        spread = f"{np.median(self.times):.1f} ({self.times.min():.1f} to {self.times.max():.1f})"
        alone = np.median(self.products / self.torch)
        return f"| `{self.mixer}` | {self.length} | {rates} | {spread} | {alone:.1f} |"


def measure(mixer: str, length: int, rounds: int, seconds: float) -> Measured:
    """Both layers and the products, in turn."""
    batch = np.random.default_rng(0).normal(size=(TOKENS_PER_STEP // length, length, WIDTH))
    here, there = Here(mixer, batch.astype(np.float32)), There(mixer, batch.astype(np.float32))
    ours = sum(leaf.size for leaf in jax.tree.leaves(here.parameters))
    assert ours == sum(one.numel() for one in there.layer.parameters()), f"{mixer}: not the same layer"
    rates = in_turn({"here": here, "torch": there, "products": here.products}, rounds, seconds)
    return Measured(mixer, length, **rates)


def in_words(measured: Sequence[Measured]) -> str:
    """Which layers are `TIMES` times as fast at a context, and which share of the others products take."""
    said = []
    for length in dict.fromkeys(one.length for one in measured):
        at_length = [one for one in measured if one.length == length]
        slow = [one for one in at_length if np.median(one.times) < TIMES]
        fast = f"{len(at_length) - len(slow)} of {len(at_length)} layers"
        said.append(f"- At {length} tokens, {fast} are at least {TIMES:g} times as fast as in torch.")
        for one in slow:
            times, share = np.median(one.times), np.median(one.here / one.products)
            said.append(
                f"  - `{one.mixer}`: {times:.1f} times. Matrix products take {share:.0%} of its time."
            )
    return "\n".join(said)


def main() -> None:
    """Measure, and print one row for each mixer and context, and what they say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mixers", type=lambda text: text.split(","), default=list(TORCH), help="list")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each layer  [default: 5]")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn  [default: 2]")
    given = parser.parse_args()
    torch.set_num_threads(1)
    versions = f"jax {jax.__version__}, torch {torch.__version__}"
    print(f"{devices.describe(1)['processor']}, one core, {versions}, {time.strftime('%Y-%m-%d')}\n")
    print(HEAD)
    measured = []
    for mixer in given.mixers:
        for length in CONTEXTS:
            measured.append(measure(mixer, length, given.rounds, given.seconds))
            print(measured[-1].row, flush=True)
    print(f"\n{in_words(measured)}")


if __name__ == "__main__":
    main()
