# pyright: reportMissingImports=false
"""The ways of `speed.py` that need torch: the lanes of the torch backend, and a plain loop in torch.

The plain loop is what one would write in torch without attnsearch: torch's layers on a batch, logits at every
position, one process with as many threads as torch takes. Its batches are drawn before it is timed. What
drawing costs the lanes is timed by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu

from attnsearch.base import RECORDING_INTERVAL, Floats
from attnsearch.sequences.sequences import Sequences
from attnsearch.spec.grid import grid
from attnsearch.spec.run import Value
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.torch.backend import TorchBackend
from attnsearch.training.torch.cohorts import TorchCohort
from attnsearch.training.torch.lanes import TorchLanes
from attnsearch.training.torch.network import LAYER_NORM_EPSILON, TorchNetwork
from attnsearch.training.torch.trainer import Batches, TorchTrainer
from attnsearch.training.torch.worker import Worker


def cohort(mixer: str, values: Mapping[str, Sequence[Value]], num_runs: int) -> TorchCohort:
    """The runs that are timed, one a seed. `mixer` is a name with `torch:`."""
    backend = TorchBackend(JaxBackend().generator)
    known = backend.known_mixers
    specs = grid(["linear_map"], [mixer], dict(values), known_mixers=known, seeds=range(num_runs))
    return backend.cohorts(specs)[0]


class PlainAttention(nn.Module):
    """torch's own attention, told to be causal."""

    later: Tensor

    def __init__(self, width: int, length: int, num_heads: int):
        super().__init__()
        self.layer = nn.MultiheadAttention(width, num_heads, bias=False, batch_first=True)
        self.register_buffer("later", torch.ones(length, length, dtype=torch.bool).triu(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x, x, attn_mask=self.later, is_causal=True, need_weights=False)[0]


class PlainMixer(nn.Module):
    """The causal MLP over positions, as two masked matrices."""

    seen: Tensor

    def __init__(self, length: int, expansion: int):
        super().__init__()
        self.inward = nn.Parameter(torch.empty(length, expansion, length))
        self.inward_bias = nn.Parameter(torch.empty(length, expansion))
        self.outward = nn.Parameter(torch.empty(length, length, expansion))
        self.register_buffer("seen", torch.ones(length, length).tril(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        inward = self.inward * self.seen[:, None, :]
        outward = self.outward * self.seen[:, :, None]
        hidden = torch.einsum("iek,bkd->bied", inward, x) + self.inward_bias[:, :, None]
        # Products of a matrix with a batch, the other way to write it, took 1.5 times as long.
        return torch.einsum("tie,bied->btd", outward, gelu(hidden, approximate="tanh"))


class PlainModel(nn.Module):
    """Tokens `i64[B, L]` to logits at every position, `f32[B, L, V]`."""

    def __init__(self, network: TorchNetwork, mixer: nn.Module):
        super().__init__()
        width, inner, length = network.spec.width, network.spec.mlp_width, network.context_length
        self.tokens = nn.Embedding(network.vocab_size, width)
        self.positions = nn.Embedding(length, width)
        self.mixer_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPSILON)
        self.mixer = mixer
        self.mlp_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPSILON)
        self.mlp_in = nn.Linear(width, inner)
        self.mlp_out = nn.Linear(inner, width)
        self.norm = nn.LayerNorm(width, eps=LAYER_NORM_EPSILON)
        self.unembedding = nn.Linear(width, network.vocab_size, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        x = x + self.mixer(self.mixer_norm(x))
        x = x + self.mlp_out(gelu(self.mlp_in(self.mlp_norm(x)), approximate="tanh"))
        return self.unembedding(self.norm(x))


class Plain:
    """The plain loop, from `parameters` as the first run of `runs` has them, trained on `batches` in turn."""

    def __init__(self, runs: TorchCohort, parameters: Mapping[str, Floats], batches: Batches):
        network, given = runs.network, runs.specs[0].cell.optimizer
        settings = dict(runs.specs[0].cell.mixer.settings)
        length, own = network.context_length, dict(_in_torch(parameters))
        if "mixer.layer.in_proj_weight" in own:
            mixer = PlainAttention(network.spec.width, length, int(settings["num_heads"] or 0))
        else:
            mixer = PlainMixer(length, int(settings["expansion"] or 0))
        self._model = PlainModel(network, mixer)
        self._model.load_state_dict(own)
        self._queries = torch.tensor(network.query_positions)
        self._batches = [
            (torch.from_numpy(tokens).long(), torch.from_numpy(answers).long())
            for tokens, answers in zip(batches.tokens, batches.answers, strict=True)
        ]
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(), lr=given.learning_rate, weight_decay=given.weight_decay
        )
        self._warmup = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: min(1.0, (step + 1) / max(given.warmup_steps, 1))
        )
        self.work = float(len(self._batches) * batches.tokens[0].size)

    def advance(self) -> list[Tensor]:
        """Train a step on each batch, then read the last loss on the host."""
        losses = []
        for tokens, answers in self._batches:
            logits = self._model(tokens)[:, self._queries]
            loss = cross_entropy(logits.flatten(0, 1), answers.flatten())
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            self._warmup.step()
            losses.append(loss.detach())
        losses[-1].item()
        return losses


def proven(runs: TorchCohort, worker: Worker) -> Plain:
    """The plain loop, once it has been seen to train as the lanes do: step by step, ten steps.

    It has then done these ten steps. Errors: AssertionError where a loss differs by 1e-4 or more.
    """
    tokens, answers = Sequences.of(runs.generator, runs.specs[0]).steps(0, RECORDING_INTERVAL)
    worker.tell("begin", TorchTrainer, runs.run(runs.specs[0]))
    worker.answer()
    worker.tell("parameters")
    plain = Plain(runs, worker.answer(), Batches(tokens, answers, None))
    theirs = []
    for step in range(len(tokens)):
        worker.tell("advance", Batches(tokens[step : step + 1], answers[step : step + 1], None))
        theirs.append(worker.answer().loss.mean())
    np.testing.assert_allclose([loss.item() for loss in plain.advance()], theirs, rtol=0, atol=1e-4)
    return plain


class Lanes:
    """The torch backend's way: each worker trains a run, on sequences that are drawn here meanwhile."""

    def __init__(self, runs: TorchCohort, workers: Sequence[Worker]):
        self._lanes = TorchLanes(runs, workers)
        self._every = range(len(workers))
        self._lanes.begin({lane: runs.specs[lane] for lane in self._every})
        self.work = float(len(workers) * RECORDING_INTERVAL * runs.batch_size * runs.context_length)

    def advance(self) -> Floats:
        """Train every lane for ten steps, and read the record as the engine does."""
        self._lanes.advance(self._every)
        return self._lanes.points().loss


class Drawing:
    """What the main process does for one lane: the sequences of ten steps."""

    def __init__(self, runs: TorchCohort):
        self._sequences = Sequences.of(runs.generator, runs.specs[0])
        self._step = 0
        self.work = float(RECORDING_INTERVAL * runs.batch_size * runs.context_length)

    def advance(self) -> None:
        """Draw them as arrays of numpy."""
        self._sequences.steps(self._step, RECORDING_INTERVAL)
        self._step += RECORDING_INTERVAL


def _in_torch(parameters: Mapping[str, Floats]) -> dict[str, Tensor]:
    """The parameters of a network of one block by their names in `PlainModel`."""
    named = {name.removeprefix("blocks.0."): torch.from_numpy(one.copy()) for name, one in parameters.items()}
    for table in ("tokens", "positions"):
        named[f"{table}.weight"] = named.pop(table)
    if "mixer.query.weight" in named:
        projections = [named.pop(f"mixer.{name}.weight") for name in ("query", "key", "value")]
        named["mixer.layer.in_proj_weight"] = torch.cat(projections)
        named["mixer.layer.out_proj.weight"] = named.pop("mixer.out.weight")
    return named
