"""Sequences as a Parquet file, one row a sequence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from attnsearch import files
from attnsearch.base import Bools, Integers
from attnsearch.files import library
from attnsearch.sequences.source import Source


def write_parquet(source: Source, path: Path, told: Callable[[int], None]) -> None:
    """Write the sequences of `source` to `path`, part by part; the file is there as a whole or not at all.

    `tokens` and `answers` are lists of fixed length; `supports`, where sequences differ in them, lists the
    positions of each target. The schema's metadata holds `Source.about` under the key `attnsearch`.

    told:  how many sequences a part had that is written

    Errors: AttnsearchError where pyarrow is not installed, or the file cannot be written.
    """
    arrow, parquet = library("pyarrow"), library("pyarrow.parquet")
    made = source.made
    fields = [
        ("tokens", arrow.list_(arrow.int32(), made.context_length)),
        ("answers", arrow.list_(arrow.int32(), len(made.query_positions))),
    ]
    if source.maps_differ:
        fields.append(("supports", arrow.list_(arrow.list_(arrow.int32()), made.num_targets)))
    schema = arrow.schema(fields).with_metadata({"attnsearch": source.about_as_text()})
    with (
        files.replacing(path) as unfinished,
        parquet.ParquetWriter(unfinished, schema, compression="zstd") as writer,
    ):
        for part in source.parts():
            columns = [_fixed(arrow, part.tokens), _fixed(arrow, part.answers)]
            if part.supports is not None:
                columns.append(_positions(arrow, part.supports))
            writer.write_batch(arrow.record_batch(columns, schema=schema))
            told(len(part.tokens))


def _fixed(arrow: Any, rows: Integers) -> Any:
    values = arrow.array(np.ascontiguousarray(rows, np.int32).ravel())
    return arrow.FixedSizeListArray.from_arrays(values, rows.shape[1])


def _positions(arrow: Any, supports: Bools) -> Any:
    """Of each sequence and target the positions of its support."""
    sizes = supports.sum(axis=-1).ravel()
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    positions = supports.nonzero()[-1].astype(np.int32)
    each = arrow.ListArray.from_arrays(arrow.array(ends), arrow.array(positions))
    return arrow.FixedSizeListArray.from_arrays(each, supports.shape[1])
