"""The pictures of a report in docs/images, as a browser shows the page.

    .venv/bin/attnsearch run --task linear_map --support-size 1,2,3,4 --mixer attention,mlp_mixer
    .venv/bin/python benchmarks/report_pictures.py results/

Needs Chromium. Makes `report.png`, the top of the page, and `report-browser.png`, a run from the
inside.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from attnsearch import load
from attnsearch.report.report import report

IMAGES = Path(__file__).parents[1] / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH = 1_100
"""Of the pictures, in pixels."""


class Picture(NamedTuple):
    """A file in docs/images. `section`: the one that it shows; None for the page from its top."""

    name: str
    section: str | None
    height: int
    dark: bool


PICTURES = (
    Picture("report", None, 1_530, dark=False),
    Picture("report-browser", "browser", 1_335, dark=True),
)


def main() -> None:
    """Write the page of some runs, and take its pictures."""
    parser = argparse.ArgumentParser(description="The pictures of a report, as a browser shows it.")
    parser.add_argument("store", type=Path)
    parser.add_argument("--into", type=Path, default=IMAGES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole = report(load(arguments.store))
        for name, section, height, dark in PICTURES:
            page = Path(folder) / f"{name}.html"
            page.write_text(whole if section is None else only(section, whole), encoding="utf-8")
            picture = arguments.into / f"{name}.png"
            settings = ["--virtual-time-budget=10000"]
            settings += ["--blink-settings=preferredColorScheme=0"] if dark else []
            print(photograph(page.as_uri(), picture, height, Path(folder), settings))


def photograph(address: str, picture: Path, height: int, folder: Path, settings: Sequence[str] = ()) -> Path:
    """Write what a browser shows at `address` to `picture`, and return it.

    folder:    where the browser may keep its files
    settings:  more flags of the browser
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"none of {', '.join(BROWSERS)} is on the path: install Chromium")
    command = [
        *(browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *(f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{height}"),
        *(f"--screenshot={picture.absolute()}", *settings, address),
    ]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return picture


def only(section: str, page: str) -> str:
    """`page` with all but one section hidden."""
    shown = re.sub(rf'<section (?!id="{section}")', "<section hidden ", page)
    return re.sub("<(header|footer)>", r"<\1 hidden>", shown)


if __name__ == "__main__":
    main()
