"""Every field of a stored array has a layout."""

from __future__ import annotations

from attnsearch.base import Contests, Curves, Heads, MapRecord, Maps, RouteMass, Truth
from attnsearch.runs import layout


def test_layouts_and_fields_are_the_same() -> None:
    described = {
        Truth: layout.TRUTH,
        Curves: layout.CURVES,
        Maps: layout.MAPS,
        Heads: layout.HEADS,
        Contests: layout.CONTESTS,
        RouteMass: layout.ROUTES,
        MapRecord: layout.RECORDED_MAPS,
    }
    for kind, known in described.items():
        assert list(known) == list(kind._fields)
