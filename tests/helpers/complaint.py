"""What a call complains of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from attnsearch.base import AttnsearchError


def message(call: Callable[[], object]) -> str:
    """The one line in which `call` complains."""
    with pytest.raises(AttnsearchError) as caught:
        call()
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text
