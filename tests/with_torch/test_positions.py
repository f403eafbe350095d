"""Fixed tables of relative positions agree with the tables of the transformers package."""

from __future__ import annotations

import numpy as np
import torch
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb, create_sinusoidal_positions
from transformers.models.t5.modeling_t5 import T5Attention

from attnsearch.mixers.positions import rotated
from attnsearch.spec.positions import FARTHEST, NUM_BUCKETS, alibi_slopes, buckets


def test_buckets_are_those_of_t5() -> None:
    theirs = T5Attention._relative_position_bucket(
        -torch.arange(400), bidirectional=False, num_buckets=NUM_BUCKETS, max_distance=FARTHEST
    )
    np.testing.assert_array_equal(buckets(400), theirs)


def test_slopes_are_those_of_bloom() -> None:
    theirs = build_alibi_tensor(torch.ones(1, 5), 16, torch.float32).reshape(16, 5)
    np.testing.assert_allclose(alibi_slopes(16)[:, None] * np.arange(5), theirs, rtol=1e-6)


def test_rotations_are_those_of_gpt_j() -> None:
    given = torch.randn(1, 30, 2, 8, generator=torch.Generator().manual_seed(0))
    sine, cosine = create_sinusoidal_positions(30, 8)[None].chunk(2, dim=-1)
    theirs = apply_rotary_pos_emb(given, sine, cosine)[0]
    np.testing.assert_allclose(rotated(given[0].numpy(), np.arange(30)), theirs, atol=1e-6)  # pyright: ignore
