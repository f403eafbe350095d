"""Reads stores, writes the page and its pictures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from attnsearch.runs.lookup import collect
from benchmarks.reproduction.archive import Archive
from benchmarks.reproduction.page import draw, page


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.reproduction", description="What of arXiv:2606.25010 came out here, as a page."
    )
    parser.add_argument("stores", nargs="+", metavar="STORE")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/reproduction.md"))
    arguments = parser.parse_args()
    archive = Archive(collect(arguments.stores, lambda message: print(message, file=sys.stderr)))
    draw(archive, arguments.output.parent / "images")
    arguments.output.write_text(page(archive), encoding="utf-8")


if __name__ == "__main__":
    main()
