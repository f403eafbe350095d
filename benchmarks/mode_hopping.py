"""Do networks hop between a shallow and a general route? Trains competing_routes, and asks probe items.

    python benchmarks/mode_hopping.py [--share 90,100] [--seeds 2] [--steps 2000] [--json points.json]

At each recorded point, the margin on probe items says which route a network takes: the log-probability of
the general answer, less the log-probability of the shallow one. The share of right hints is constant, so that
all steps draw alike, or goes evenly to `--last-share`. A row of the table is one run. Map mass is the share
of the influence that lies on a route, at the end.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

from attnsearch.training.jax import devices

devices.use_every_core()  # before jax starts

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from attnsearch.backends import specify  # noqa: E402
from attnsearch.base import RECORDING_INTERVAL, Floats  # noqa: E402
from attnsearch.generators.base import ProbeItem  # noqa: E402
from attnsearch.generators.competing_routes import CompetingRoutes  # noqa: E402
from attnsearch.sequences.sequences import FRESH, stream  # noqa: E402
from attnsearch.spec.run import RunSpec, Value  # noqa: E402
from attnsearch.stats.hopping import GENERAL, SHALLOW, UNCERTAIN, Hopping, hopping  # noqa: E402
from attnsearch.training.jax.backend import JaxBackend  # noqa: E402
from attnsearch.training.jax.cohorts import JaxCohort  # noqa: E402
from attnsearch.training.jax.probes import influence  # noqa: E402
from attnsearch.training.jax.trainer import RunState, Trainer  # noqa: E402

ITEMS = 64
"""Probe items of each kind."""

HEAD = """\
| right hints | seed | general | shallow | uncertain | hops | hops in 1,000 steps | longest dwell, steps \
| agreeing items right | map mass, shallow | general |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""


class Looked(NamedTuple):
    """A recorded point. margin: `f32[ITEMS]` nats, the mean over targets; agreement: `f32[]`."""

    margin: jax.Array
    agreement: jax.Array


class Traced(NamedTuple):
    """A run: margin `f32[E, ITEMS]`, agreement `f32[E]`; mass: `f32[2]` on the two routes at the end."""

    margin: Floats
    agreement: Floats
    mass: Floats


def looked(trainer: Trainer, state: RunState) -> Looked:
    """What a network answers to items on which the routes differ, and to items on which they agree."""
    made = cast("CompetingRoutes", trainer.generator)
    keys = jax.random.split(stream(state.inputs.seed, FRESH), ITEMS)

    def answered(item: ProbeItem) -> tuple[jax.Array, jax.Array]:
        logits = trainer.network.apply(state.parameters, item.tokens, None)
        surprise = jax.nn.log_softmax(logits)
        asked = jnp.arange(made.num_rows)
        return jnp.stack([surprise[asked, item.general], surprise[asked, item.shallow]]), logits.argmax(-1)

    chances, _ = jax.vmap(lambda key: answered(made.probe(state.rule, key)))(keys)
    same = jax.vmap(partial(made.agreeing, state.rule))(keys)
    _, given = jax.vmap(answered)(same)
    return Looked((chances[:, 0] - chances[:, 1]).mean(axis=1), (given == same.general).mean())


def masses(trainer: Trainer, state: RunState) -> jax.Array:
    """`f32[2]`: the share of the influence on all targets that lies on each route."""
    moved = influence(trainer, state).mean
    tokens = trainer.fresh(state, 1).tokens[0]
    routes = trainer.generator.routes(state.rule, tokens, np.arange(len(moved)))
    return (routes * moved).sum(axis=(1, 2)) / moved.sum()


def traced(cohort: JaxCohort, spec: RunSpec, last_share: float | None) -> Traced:
    """Train one run to the end of its budget."""
    trainer = cohort.trainer
    advance, look = jax.jit(trainer.advance), jax.jit(partial(looked, trainer))
    state = jax.jit(trainer.begin)(cohort.inputs(spec))
    first = float(state.rule.share)
    last = first if last_share is None else last_share / 100
    found = []
    for share in np.linspace(first, last, spec.cell.budget.steps // RECORDING_INTERVAL, dtype=np.float32):
        state, _ = advance(state._replace(rule=state.rule._replace(share=jnp.asarray(share))))
        found.append(look(state))
    margin, agreement = (np.stack(field) for field in zip(*jax.device_get(found), strict=True))
    return Traced(margin, agreement, np.asarray(jax.jit(partial(masses, trainer))(state)))


def row(name: str, seed: int, run: Traced) -> str:
    """One line of the table."""
    found = hopping(run.margin, run.agreement)
    shares = " | ".join(f"{100 * found.occupancy(mode):.0f} %" for mode in (GENERAL, SHALLOW, UNCERTAIN))
    shallow, general = run.mass
    return (
        f"| {name} | {seed} | {shares} | {found.hops} | {_rate(found)} | {_longest(found)}"
        f" | {100 * run.agreement[-1]:.0f} % | {shallow:.2f} | {general:.2f} |"
    )


def _rate(found: Hopping) -> str:
    return f"{1000 * found.rate / RECORDING_INTERVAL:.2f}" if len(found.settled) else "never settled"


def _longest(found: Hopping) -> str:
    """The longest stretch; with a plus where the record ended before it."""
    if not len(found.settled):
        return "–"
    longest = found.dwell.argmax()
    return f"{RECORDING_INTERVAL * found.dwell[longest]:,}{'' if found.ended[longest] else '+'}"


def runs(given: argparse.Namespace) -> Iterator[tuple[str, int, Traced]]:
    """Each run as it ends, with the name of its shares."""
    values: dict[str, list[Value]] = {
        "share": [int(share) for share in given.share.split(",")],
        "support_size": [given.support_size],
        "num_rows": [given.num_rows],
        "num_heads": [given.num_heads],
        "width": [given.width],
        "mlp_width": [4 * given.width],
        "learning_rate": [given.learning_rate],
        "steps": [given.steps],
    }
    backend = JaxBackend()
    for cohort in backend.cohorts(
        specify(["competing_routes"], ["attention"], values, seeds=range(given.seeds), backend=backend)
    ):
        for spec in cohort.specs:
            share = f"{dict(spec.cell.task.knobs)['share']} %"
            name = share if given.last_share is None else f"{share} to {given.last_share:g} %"
            yield name, spec.seed, traced(cohort, spec, given.last_share)


def main() -> None:
    """Train, then print one row a run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", default="90", help="of right hints in percent, a list  [default: 90]")
    parser.add_argument("--last-share", type=float, help="share at the last step  [default: the same]")
    for name, kind, default in (
        ("--support-size", int, 3),
        ("--num-rows", int, 8),
        ("--num-heads", int, 8),
        ("--width", int, 64),
        ("--learning-rate", float, 3e-3),
        ("--steps", int, 2_000),
        ("--seeds", int, 2),
    ):
        parser.add_argument(name, type=kind, default=default, help=f"[default: {default:g}]")
    parser.add_argument("--json", type=Path, help="file for the margins of every point")
    given = parser.parse_args()
    print(HEAD)
    kept = []
    for name, seed, run in runs(given):
        print(row(name, seed, run), flush=True)
        kept.append(
            {
                "share": name,
                "seed": seed,
                "margin": run.margin.mean(axis=1).tolist(),
                "mode": hopping(run.margin, run.agreement).modes.tolist(),
                "agreement": run.agreement.tolist(),
            }
        )
    if given.json is not None:
        given.json.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
