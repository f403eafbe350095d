"""Memory and time of a training step of the published automaton against the context, with attention in parts
and, where that fits, with all logits held at once.

    python benchmarks/memory.py --state-sizes 32,64,128 > memory.md

Every row is a process of its own, so that its peak is its own: one sequence a step, four layers, D = 128.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import jax

from attnsearch.backends import specify
from attnsearch.mixers import attention
from attnsearch.spec.run import Value
from attnsearch.training.jax.backend import JaxBackend

WHOLE = 2**40
"""Logits that are never reached: nothing is taken in parts."""


def main() -> None:
    """Print one row a state size and form."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--state-sizes", default="16,32,64,128", help="list  [default: %(default)s]")
    parser.add_argument(
        "--whole-up-to", type=int, default=128, help="largest S that holds all logits at once"
    )
    parser.add_argument("--one", nargs=2, metavar=("S", "FORM"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(int(given.one[0]), given.one[1])))
        return
    print(
        "| S | context | attention | compilation, s | step, s | arrays of the program, GiB"
        " | peak of the process, GiB |"
    )
    print("|--:|--:|---|--:|--:|--:|--:|", flush=True)
    for size in map(int, given.state_sizes.split(",")):
        for form in ("in parts", "whole"):
            if form == "whole" and size > given.whole_up_to:
                continue
            done = subprocess.run(
                [sys.executable, __file__, "--one", str(size), form],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                print(f"| {size} | {16 * size:,} | {form} | | | | did not fit, or failed |", flush=True)
                continue
            found = json.loads(done.stdout)
            print(
                f"| {size} | {found['context_length']:,} | {form} | {found['compilation']:.0f}"
                f" | {found['step']:.2f} | {found['temporary']:.2f} | {found['peak']:.2f} |",
                flush=True,
            )


def measured(size: int, form: str) -> dict[str, float]:
    """Seconds and GiB of steps with one sequence, in this process."""
    if form == "whole":
        attention.LARGEST_LOGITS = WHOLE
    values: dict[str, list[Value]] = {"state_size": [size], "tokens_per_step": [16 * size]}
    specs = specify(["cellular_automaton"], ["attention"], values, seeds=[0])
    (cohort,) = JaxBackend().cohorts(specs)
    trainer = cohort.trainer
    state = jax.jit(trainer.begin)(cohort.inputs(specs[0]))
    # A segment is ten steps, one after another, which take the memory of one.
    start = time.perf_counter()
    advance = jax.jit(trainer.advance).lower(state).compile()
    compiled = time.perf_counter()
    jax.block_until_ready(advance(state))
    stepped = time.perf_counter()
    arrays = advance.memory_analysis()
    assert arrays is not None
    return {
        "context_length": trainer.generator.context_length,
        "compilation": compiled - start,
        "step": (stepped - compiled) / 10,
        "temporary": arrays.temp_size_in_bytes / 2**30,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


if __name__ == "__main__":
    main()
