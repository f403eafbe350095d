"""`attnsearch watch`: a sweep while it trains, as a local page."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from attnsearch.cli.completing import files
from attnsearch.cli.output import complain, say

PORT = 8417
"""The port unless another is given: any that is seldom used."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("results"), shell_complete=files)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=PORT,
    help=f"the port of the page; 0 for any free one  [default: {PORT}]",
)
def watch(folder: Path, port: int) -> None:
    """Show a sweep while it trains, as a local page that follows it.

    It is the page of `attnsearch report`, of all runs that are stored in FOLDER. Beside them it shows runs in
    training, as of their last checkpoints. Only this machine can ask for it. Ctrl-C ends it, and the sweep
    does not notice.

    FOLDER was given as --out to the commands that train, or will be.
    """
    from attnsearch.runs.lookup import store_at
    from attnsearch.watch.pages import Pages
    from attnsearch.watch.server import WatchServer

    root = store_at(folder) or folder
    with WatchServer(Pages(root), port, complain) as server:
        say(f"{server.address} shows {root}/ as it changes; Ctrl-C ends it")
        # That is how it ends.
        with suppress(KeyboardInterrupt):
            server.serve_forever()
