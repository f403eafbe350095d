"""When do targets emerge in networks of several sizes? Tables and pictures of stored runs.

    attnsearch sweep mixture --out results
    python benchmarks/emergence.py results --pictures docs/images

There is a picture for each size in which the networks differ. A point is a run. A triangle is a run whose
targets were not found.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from attnsearch.plots.gallery import draw_emergence
from attnsearch.results.emergence_table import emergence_tables
from attnsearch.results.loading import load
from attnsearch.results.study import Study
from attnsearch.results.table import markdown


def page(study: Study) -> str:
    """The tables: steps to emergence, and by what a doubling multiplies them."""
    return "\n\n".join(map(markdown, emergence_tables(study.emergences)))


def main() -> None:
    """Print the tables, and draw the pictures where a folder is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", help="folders that were given as --out")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures")
    given = parser.parse_args()
    study = load(*given.runs)
    print(page(study))
    if given.pictures is not None:
        for path in draw_emergence(study, given.pictures):
            # The digits that tell studies apart would change with every further run of another cell.
            path.replace(path.with_name(f"{path.stem.rpartition('-')[0]}.png"))


if __name__ == "__main__":
    main()
