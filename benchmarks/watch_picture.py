"""The picture of `attnsearch watch` in docs/images, of a sweep that trains now.

    .venv/bin/attnsearch sweep mixers --out results &
    .venv/bin/python -m benchmarks.watch_picture results/

Needs Chromium. Makes `watch.png`, the top of the page, after some time in which runs are checkpointed twice.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

from attnsearch.watch.pages import Pages
from attnsearch.watch.server import WatchServer
from benchmarks.report_pictures import IMAGES, photograph

HEIGHT = 1_900
"""Of the picture, in pixels."""

SETTINGS = ("--timeout=8000",)
"""Milliseconds until the picture is taken: the page goes on asking, so that it is never done."""


def main() -> None:
    """Follow a folder for a while, and take the picture of its page."""
    parser = argparse.ArgumentParser(description="The picture of a page that follows a sweep.")
    parser.add_argument("store", type=Path)
    parser.add_argument("--into", type=Path, default=IMAGES)
    parser.add_argument("--seconds", type=float, default=70.0, help="for two checkpoints, 30 s apart")
    arguments = parser.parse_args()
    pages = Pages(arguments.store)
    with WatchServer(pages, 0, print) as server, tempfile.TemporaryDirectory() as profile:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ends = time.monotonic() + arguments.seconds
        while time.monotonic() < ends:
            # Speeds are of checkpoints that were seen one after the other.
            pages.state()
            time.sleep(1)
        print(photograph(server.address, arguments.into / "watch.png", HEIGHT, Path(profile), SETTINGS))
        server.shutdown()


if __name__ == "__main__":
    main()
