"""Files are read without trust: bounded, strict, and refused in one line that prints."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import pytest
from helpers.complaint import message

from attnsearch.base import AttnsearchError
from attnsearch.spec.reading import LARGEST_FILE, content_of, placed, read_json, read_toml, shown


class Special(AttnsearchError):
    """A kind of its own."""


def test_a_place_is_put_in_front_and_the_kind_of_error_stays() -> None:
    with pytest.raises(Special, match=r"^mine\.toml: seeds: 3 is odd$"), placed("mine.toml"), placed("seeds"):
        raise Special("3 is odd")


def test_a_file_is_read_only_as_far_as_it_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: a terabyte that takes no room
    assert message(lambda: content_of(path)) == f"{path}: is larger than {LARGEST_FILE:,} bytes"
    path.write_bytes(b"12345")
    assert content_of(path, largest=5) == b"12345"
    assert message(lambda: content_of(path, largest=4)) == f"{path}: is larger than 4 bytes"


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    pipe = tmp_path / "pipe"
    assert message(lambda: content_of(pipe)) == f"{pipe}: cannot be read: not a regular file"
    assert message(lambda: content_of(tmp_path)) == f"{tmp_path}: cannot be read: Is a directory"
    gone = tmp_path / "gone"
    assert message(lambda: content_of(gone)) == f"{gone}: cannot be read: No such file or directory"


def test_a_name_that_does_not_print_is_shown_so_that_it_does(tmp_path: Path) -> None:
    text = message(lambda: content_of(tmp_path / "a\x1b[31m\nb.json"))
    assert text.isprintable()
    assert r"a\x1b[31m\nb.json" in text


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a = = 1", "not TOML: Invalid value (at line 1, column 5)"),
        (b"a = '\xff'", "not TOML: 'utf-8' codec can't decode byte 0xff in position 5: invalid start byte"),
        (b"a = " + b"[" * 100_000, "not TOML: nested too deeply"),
        (b"a = " + b"9" * 10_000, "not TOML: Exceeds the limit (4300 digits) for integer string conversion"),
    ],
)
def test_toml_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    assert message(lambda: read_toml(path)).startswith(f"{path}: {complaint}")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not JSON: Expecting value"),
        (b"{", "not JSON: "),
        (b"\xff\xfe", "not JSON: 'utf-8' codec can't decode"),
        (pickle.dumps({"format_version": 1}), "not JSON: "),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'shape': (268435456,)}", "not JSON: "),
        (b'{"a": 1, "a": 2}', "key 'a' is there twice"),
        (b'{"a": NaN}', "a: nan is not a finite number"),
        (b'{"a": -Infinity}', "a: -inf is not a finite number"),
        (b'{"a": 1e999}', "a: inf is not a finite number"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "a number of 10000 digits is too large"),
        (b'{"a": [1, 1' + b"0" * 30 + b"]}", "a[1]: 1000000000000000000000000000000 is too large a number"),
        (b'{"a": -9223372036854775809}', "a: -9223372036854775809 is too large a number"),
        (b"[" * 1_000_000, "is nested too deeply"),
        (b'{"a":' * 500_000, "is nested too deeply"),
        (b"[" * 40 + b"]" * 40, "is nested too deeply"),
        (rb'{"a": ["x", "\u001b[31m"]}', r"a[1]: '\x1b[31m' holds a character that does not print"),
        (rb'{"a": {"\u202e": 1}}', r"a: key '\u202e' holds a character that does not print"),
        (rb'["\ud800"]', r"[0]: '\ud800' holds a character that does not print"),
    ],
)
def test_json_that_is_not_plain_is_refused(content: bytes, complaint: str) -> None:
    started = time.process_time()
    text = message(lambda: read_json(content))
    assert text.startswith(complaint)
    assert text.isascii()
    assert time.process_time() - started < 5


def test_json_as_it_should_be_is_read() -> None:
    assert read_json(b'{"a": [1, -2.5e3, "\\u00e9", null, true], "b": {}}') == {
        "a": [1, -2500.0, "é", None, True],
        "b": {},
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.5, "3.5"),
        ("é\n", r"'\xe9\n'"),
        ("x" * 500, "'" + "x" * 59 + "..."),
        ([1, 2], "a list of 2"),
        ({"a": 1}, "a table of 1 keys"),
    ],
)
def test_a_value_is_shown_short_and_on_one_line(value: object, text: str) -> None:
    assert shown(value) == text
