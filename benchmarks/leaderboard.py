"""The entries that ship: each mixer of a suite at its best learning rate, verified.

    .venv/bin/python benchmarks/leaderboard.py [--suite benchmarks/mixers.toml] [--out results/leaderboard]

One mixer after another: runs every learning rate on the selection seeds, the best one on those that are
scored, then `attnsearch submit`. What is stored is not run again, so it may be interrupted and given again.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from attnsearch.training.jax import devices

devices.use_every_core()  # before jax starts

from attnsearch.cli.console import console  # noqa: E402
from attnsearch.cli.submit import submit  # noqa: E402
from attnsearch.cli.train import Output, sweep_suite  # noqa: E402
from attnsearch.cli.verify import conclusion  # noqa: E402
from attnsearch.leaderboard.board import board  # noqa: E402
from attnsearch.leaderboard.candidates import gather, given  # noqa: E402
from attnsearch.leaderboard.entry_document import schema  # noqa: E402
from attnsearch.leaderboard.tables import tables  # noqa: E402
from attnsearch.probing.verify import verify  # noqa: E402
from attnsearch.spec.run import MixerSpec  # noqa: E402
from attnsearch.spec.suite import Suite  # noqa: E402
from attnsearch.training.backend import TrainingSettings  # noqa: E402
from attnsearch.training.jax.backend import JaxBackend  # noqa: E402


def file_name(suite: Suite, mixer: MixerSpec, alone: bool) -> str:
    """What the entry of a mixer is called; with its settings where it is not `alone` of its name."""
    words = [
        suite.name,
        mixer.name,
        *(f"{name}-{value}" for name, value in mixer.settings if not alone and value is not None),
    ]
    return re.sub(r"[^\w.-]+", "-", "-".join(words)) + ".json"


def main() -> None:
    """Train, verify, write the entries, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--suite", type=Path, default=Path("benchmarks/mixers.toml"))
    parser.add_argument("--out", type=Path, default=Path("results/leaderboard"))
    parser.add_argument("--entries", type=Path, default=Path("benchmarks/leaderboard"))
    arguments = parser.parse_args()

    backend = JaxBackend()
    suite = Suite.read(arguments.suite, backend.known_mixers)
    output = Output(arguments.out, as_json=False, quiet=False, no_plots=True, track=())
    arguments.entries.mkdir(parents=True, exist_ok=True)
    names = Counter(mixer.name for mixer in suite.mixers)
    for mixer in suite.mixers:
        # One after another, so that whatever ends this leaves whole entries.
        if not sweep_suite(replace(suite, mixers=(mixer,)), output, backend, TrainingSettings()):
            sys.exit(130)
        record = verify(mixer)
        record.save(arguments.out)
        print(conclusion(record))
        told = [f"{name}={str(value).lower()}" for name, value in mixer.settings if value is not None]
        target = arguments.entries / file_name(suite, mixer, alone=names[mixer.name] == 1)
        words = [
            str(arguments.out),
            "--suite",
            str(arguments.suite),
            "--mixer",
            mixer.name,
            "-o",
            str(target),
        ]
        submit.main([*words, *(word for one in told for word in ("--mixer-set", one))], standalone_mode=False)
    (arguments.entries / "entry.schema.json").write_text(json.dumps(schema(), indent=1) + "\n")
    shown = board([suite], *gather(given([str(arguments.entries)]), [suite]))
    console(stderr=False).print(*tables(shown), sep="\n")


if __name__ == "__main__":
    main()
