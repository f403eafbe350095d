"""How wide the heads of a mixer are: one rule for every framework."""

from __future__ import annotations

from attnsearch.base import AttnsearchError


def chosen_head_width(width: int, num_heads: int, head_width: int | None) -> int:
    """`head_width` where it is given, otherwise `equal_head_width`; its errors, and one for `head_width`."""
    if head_width is None:
        return equal_head_width(width, num_heads, ", or give head_width")
    _check("num_heads", num_heads)
    _check("head_width", head_width)
    return head_width


def equal_head_width(width: int, num_heads: int, otherwise: str = "") -> int:
    """Features of each of `num_heads` heads that share `width`.

    Errors: AttnsearchError for a number of heads that is not at least 1, or that does not divide the width;
    `otherwise` ends its advice.
    """
    _check("num_heads", num_heads)
    if width % num_heads:
        divisors = ", ".join(str(heads) for heads in range(1, width + 1) if width % heads == 0)
        raise AttnsearchError(
            f"width {width} does not divide by num_heads {num_heads}: use num_heads in {divisors}{otherwise}"
        )
    return width // num_heads


def _check(name: str, value: object) -> None:
    if not isinstance(value, int) or value < 1:
        raise AttnsearchError(f"{name} {value!r} must be a whole number, at least 1")
