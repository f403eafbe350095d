"""Files of parameters: read as they were written, and named in one line where they are damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from attnsearch.base import AttnsearchError
from attnsearch.runs.parameters import FILE, packed, unpacked


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def fill_with_garbage(path: Path) -> None:
    path.write_bytes(bytes(n * 37 % 256 for n in range(5000)))


def turn_into_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def drop_what_describes_it(path: Path) -> None:
    save_file({"a": np.ones(1, np.float32)}, path)


def put_another_runs(path: Path) -> None:
    path.write_bytes(packed({"a": np.ones(1, np.float32)}, "f" * 64, 10))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut, "SafetensorError"),
        (empty, "SafetensorError"),
        (fill_with_garbage, "SafetensorError"),
        (turn_into_folder, ""),
        (Path.unlink, "No such file"),
        (drop_what_describes_it, "TypeError"),
        (put_another_runs, "it is of the run ffff"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(
    tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / FILE
    path.write_bytes(packed({"a": np.ones((2, 3), np.float32)}, "0" * 64, 10))
    assert unpacked(tmp_path, "0" * 64)[1] == 10
    damage(path)
    with pytest.raises(AttnsearchError) as caught:
        unpacked(tmp_path, "0" * 64)
    message = str(caught.value)
    assert f"cannot read {path}: " in message
    assert reason in message
    assert "--save-params" in message
    assert "\n" not in message


def test_any_layout_in_memory_is_written_as_it_reads(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    (tmp_path / FILE).write_bytes(packed({"a": array, "b": array[::2, 1:]}, "0", 0))
    arrays, _ = unpacked(tmp_path, "0")
    np.testing.assert_array_equal(arrays["a"], array)
    np.testing.assert_array_equal(arrays["b"], array[::2, 1:])
