"""What a name may do to a screen: nothing."""

from __future__ import annotations

import pytest

from attnsearch.base import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]8;;http://x\x07", r"\x1b]8;;http://x\x07"),
        ("one\ntwo\r\tthree\x00", r"one\ntwo\r\tthree\x00"),
        ("\x7f\x85\x9b31m", r"\x7f\x85\x9b31m"),
        ("a\u202eb\u2066c\u200fd\u061c", r"a\u202eb\u2066c\u200fd\u061c"),
        ("a\u200bb\u200dc\u2060\ufeff\u00ad", r"a\u200bb\u200dc\u2060\ufeff\xad"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("\u3164\u115f", r"\u3164\u115f"),
        ("\U000e0041\U000e007f", r"\U000e0041\U000e007f"),
        ("half \ud800, byte \udcff", r"half \ud800, byte \udcff"),
    ],
)
def test_what_a_screen_would_obey_or_hide_is_written_out(text: str, shown: str) -> None:
    assert plain(text) == shown
    # What is written out stays as it is, and can be encoded.
    assert plain(shown) == shown
    assert plain(text).encode()


@pytest.mark.parametrize(
    "text", ["", "carré", "注意 機構", "日本\u3000語", "1\u00a0000", "⚠️ ∑ →", "a[/b]", r"C:\new"]
)
def test_all_else_stays(text: str) -> None:
    assert plain(text) == text
