"""By which way a network embeds its tokens, in every backend."""

LARGEST_ONE_HOT = 64
"""Vocabularies up to this size are embedded by a product with one-hot rows, larger ones by a look-up.

The cost of the product grows with the vocabulary: 0.2 ms of a step of 2,048 tokens at 64 values, and 40 ms at
8,192, where a look-up takes 0.2 ms (docs/performance/growth.md). Up to 64 values it stays, so that runs on a
small vocabulary give the same numbers, bit for bit, as the runs that were stored before.
"""
