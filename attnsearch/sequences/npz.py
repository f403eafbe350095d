"""Sequences as an .npz file, which numpy alone reads."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from attnsearch import files
from attnsearch.sequences.source import Part, Source


def write_npz(source: Source, path: Path, told: Callable[[int], None]) -> None:
    """Write the sequences of `source` to `path`, part by part; the file is there as a whole or not at all.

    Its members are `about`, a text with `Source.about` as JSON, `tokens`, `i32[N, L]`, `answers`,
    `i32[N, Q]`, and `supports`, `bool[N, R, L]`, or `bool[R, L]` where sequences share them. One member
    follows another in such a file, so that all sequences are drawn once for each.

    told:  how many sequences of the last member were written

    Errors: AttnsearchError where the file cannot be written.
    """
    made, count = source.made, source.count
    shapes: dict[str, tuple[int, ...]] = {
        "tokens": (made.context_length,),
        "answers": (len(made.query_positions),),
    }
    if source.maps_differ:
        shapes["supports"] = (made.num_targets, made.context_length)
    last = list(shapes)[-1]
    with (
        files.replacing(path) as unfinished,
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        about = np.array(source.about_as_text())
        _write(archive, "about", about.dtype, about.shape, [about])
        if not source.maps_differ:
            supports = source.shared_supports
            _write(archive, "supports", supports.dtype, supports.shape, [supports])
        for name, shape in shapes.items():
            dtype = np.dtype(np.bool_ if name == "supports" else np.int32)
            rows = _rows(source.parts(), name, told if name == last else _silent)
            _write(archive, name, dtype, (count, *shape), rows)


def _rows(parts: Iterable[Part], name: str, told: Callable[[int], None]) -> Iterator[np.ndarray]:
    for part in parts:
        yield np.asarray(getattr(part, name))
        told(len(part.tokens))


def _write(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype, shape: tuple[int, ...], rows: Iterable[np.ndarray]
) -> None:
    """One array, whose rows come part by part."""
    member = zipfile.ZipInfo(f"{name}.npy")
    member.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(member, "w", force_zip64=True) as stream:
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(stream, header)  # pyright: ignore[reportArgumentType]
        for part in rows:
            stream.write(np.ascontiguousarray(part, dtype).tobytes())


def _silent(_: int) -> None:
    pass
