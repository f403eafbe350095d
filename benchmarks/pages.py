"""How long a browser takes until the page of many runs is drawn, how large the page is, and what it takes.

    PYTHONPATH=tests .venv/bin/python benchmarks/pages.py STORE [--most 500 1000]

The page of `attnsearch report` holds about so many runs one by one as --most says, and the page of
`attnsearch watch` as many as it does by itself. Each is made, and shown by a browser that has shown no other.
Seconds of a core and memory are the renderer's, the process of the browser that has the page. Linux alone
tells them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers import browser
from rich.console import Console
from rich.table import Table

import attnsearch
from attnsearch.report.report import report
from attnsearch.watch.pages import Pages

SEEN = """
await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
return { seconds: performance.now() / 1000, elements: document.querySelectorAll("*").length };
"""

PAUSE = 0.05
"""Seconds between two looks at the browser's processes."""


@dataclass
class Renderer:
    """What the renderer of the browser with this `profile` has taken: seconds of a core, and megabytes."""

    profile: str
    busy: float = 0.0
    memory: float = 0.0

    def follow(self, ended: threading.Event) -> None:
        """Look again and again until it has ended."""
        while not ended.wait(PAUSE):
            for process in Path("/proc").iterdir():
                if process.name.isdigit():
                    self._look(process)

    def _look(self, process: Path) -> None:
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if "--type=renderer" not in command or self.profile not in command:
                return
            told = (process / "stat").read_text().rpartition(")")[2].split()
            pages = int((process / "statm").read_text().split()[1])
        except OSError:
            return
        ticks = int(told[11]) + int(told[12])
        self.busy = max(self.busy, ticks / os.sysconf("SC_CLK_TCK"))
        self.memory = max(self.memory, pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


def shown(page: str) -> tuple[float, ...]:
    """Elements of a page, seconds until it is drawn, and what its renderer took, as in `Renderer`."""
    with tempfile.TemporaryDirectory() as folder:
        renderer, ended = Renderer(folder), threading.Event()
        following = threading.Thread(target=renderer.follow, args=(ended,))
        following.start()
        try:
            found = browser.findings(Path(folder), {"page": browser.Case(page, SEEN, complains=True)})["page"]
        finally:
            ended.set()
            following.join()
    return found["elements"], found["seconds"], renderer.busy, renderer.memory


def main() -> None:
    """Make each page, and show it."""
    parser = argparse.ArgumentParser(description="How long a browser takes to draw the page of many runs.")
    parser.add_argument("store", type=Path)
    parser.add_argument("--most", type=int, nargs="+", default=[500], help="runs that the page holds")
    arguments = parser.parse_args()
    made: dict[str, Callable[[], str]] = {"watch": lambda: Pages(arguments.store).page().decode()}
    for most in arguments.most:
        made[f"report of {most:,}"] = lambda most=most: report(attnsearch.load(arguments.store), most=most)
    table = Table("page", "made, s of a core", "MB", "elements", "drawn in, s", "s of a core", "memory, MB")
    for name, make in made.items():
        began = time.process_time()
        page = make()
        numbers = time.process_time() - began, len(page.encode()) / 1e6, *shown(page)
        table.add_row(name, *(f"{number:,.0f}" if number >= 100 else f"{number:.1f}" for number in numbers))
    Console().print(table)


if __name__ == "__main__":
    main()
