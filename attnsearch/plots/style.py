"""What all pictures share: colours, the empty figure, and how one becomes a file.

A builder returns a figure; `written` makes of it a function that takes a path before the same arguments,
writes the figure there as PNG and returns the path. Needs the extra `plot`.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from attnsearch import files
from attnsearch.base import AttnsearchError, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart; their yellow is too faint on white.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#595959"
# In the order of the report's palette.css and shapes: a series looks alike in a picture and on a page.
COLOURS = (BLUE, VERMILION, PURPLE, BLACK, ORANGE, SKY, GREEN)
HIDDEN = "#EBEBEB"
MARKERS = "osDP*H"  # triangles are kept for censored runs
STYLE = {"font.size": 8.5, "axes.titlesize": "medium", "axes.spines.top": False, "axes.spines.right": False}
P = ParamSpec("P")


def empty_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of that size in inches."""
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=150, facecolor="white", layout="constrained")
    figure.suptitle(literal(title), x=0.01, ha="left", fontsize=11, fontweight="bold", wrap=True)
    return figure


def literal(text: str) -> str:
    """`text` as matplotlib shows it sign by sign: a dollar begins no formula."""
    return plain(text).replace("$", r"\$")


def require_matplotlib() -> None:
    """Errors: AttnsearchError, naming the extra, where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        advice = "pip install 'attnsearch[plot]', or pass --no-plots"
        raise AttnsearchError(f"pictures need matplotlib: {advice}") from error


def written(build: Callable[P, Figure]) -> Callable[Concatenate[Path, P], Path]:
    """`build` with a path before its arguments: writes its figure there as PNG, returns the path."""

    def write(path: Path, /, *arguments: P.args, **named: P.kwargs) -> Path:
        require_matplotlib()
        import matplotlib.style

        # Alike whatever the user's own settings are, which stay as they were.
        with matplotlib.style.context(["default", STYLE]):
            figure = build(*arguments, **named)
            picture = io.BytesIO()
            figure.savefig(picture, format="png", dpi=150, metadata={"Software": None})
        return files.write_whole(path, picture.getvalue())

    write.__doc__ = build.__doc__
    return write
