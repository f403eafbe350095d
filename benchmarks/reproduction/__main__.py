"""Reads stores, writes the pages and their pictures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from attnsearch.runs.lookup import collect
from benchmarks.reproduction.archive import Archive
from benchmarks.reproduction.pages import draw, pages


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.reproduction", description="What of arXiv:2606.25010 came out here, as pages."
    )
    parser.add_argument("stores", nargs="+", metavar="STORE", help="a folder of stored runs")
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", type=Path, default=Path("docs"), help="default: docs"
    )
    arguments = parser.parse_args()
    archive = Archive(collect(arguments.stores, lambda message: print(message, file=sys.stderr)))
    draw(archive, arguments.output / "images")
    for path, text in pages(archive).items():
        place = arguments.output / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
