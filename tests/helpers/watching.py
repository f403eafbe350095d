"""A server of a page that follows a folder, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from attnsearch.watch.pages import Pages
from attnsearch.watch.server import WatchServer

PAUSE = 0.05
"""Seconds between two looks at a folder of a test."""


@contextmanager
def served(pages: Pages, said: list[str] | None = None) -> Iterator[str]:
    """The address of a server that has `pages`. It complains to `said`, or has nothing to complain of."""
    complaints: list[str] = []
    told = complaints if said is None else said
    with WatchServer(pages, 0, told.append) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()
    assert complaints == []
