"""The runs of every experiment, each group named by the command that trains it."""

from __future__ import annotations

import shlex
from functools import lru_cache
from pathlib import Path

from attnsearch.backends import specify
from attnsearch.cli.flags import given, tasks_of
from attnsearch.cli.options import DEFAULT_MIXER, mixer_lists, names_in
from attnsearch.cli.run import run as run_command
from attnsearch.spec.run import RunSpec
from attnsearch.training.jax.backend import JaxBackend

_RUN = "attnsearch run --task "
_LINEAR = _RUN + "linear_map --num-heads 8 "
_SPLIT = _RUN + "linear_map --state-size 16 --support-size 3 "
AS_PUBLISHED = _RUN + "linear_map_autoregressive --loss all --num-heads 8 --state-size 16 "
_VISIBLE = _RUN + "linear_map_autoregressive --state-size 16 --mixer attention,mlp_mixer --steps 2000 "
AUTOMATON = _RUN + "cellular_automaton --state-size "
_SMALL = _RUN + "cellular_automaton --num-states 4 --rule-pool 4 --width 64 --mlp-width 256 --steps 1000 "

SEARCH = (
    _LINEAR + "--state-size 8 --support-size 1,2,3,4,5,6,7,8 --seeds 8 --steps 3000",
    _LINEAR + "--state-size 12 --support-size 2,3,4 --seeds 5 --steps 3000",
    _LINEAR + "--state-size 16 --support-size 1,2,3,4,5 --seeds 5 --steps 3000",
)
DENSE = (_LINEAR + "--state-size 16 --support-size 13,14,16 --seeds 5 --steps 3000",)
HUMP = (AS_PUBLISHED + "--support-size 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 --seeds 3 --steps 10000",)
EARLY = (AS_PUBLISHED + "--support-size 1,2,3,4,8,12,13,14,16 --seeds 5 --steps 2000",)
PLAIN = (_SMALL + "--state-size 4,8,16,32 --seeds 5 --learning-rate 3e-3",)
KINDS = {
    "plain": PLAIN,
    "map": (PLAIN[0] + " --map-bias 4",),
    "wrong map": (PLAIN[0] + " --map-bias 4 --map-bias-placebo",),
}
STRONGER = (_SMALL + "--state-size 8,32 --seeds 5 --learning-rate 3e-3 --map-bias 8",)
FULL_SIZE = (AUTOMATON + "4 --seeds 5 --steps 200 --learning-rate 1e-3",)
PROBES = (
    AUTOMATON + "8 --seeds 1 --steps 1000 --learning-rate 1e-3,3e-3",
    AUTOMATON + "8 --seeds 1 --steps 400 --learning-rate 1e-3,3e-3 --tokens-per-step 8192",
    AUTOMATON + "8 --seeds 1 --steps 600 --learning-rate 1e-3 --map-bias 2,4",
)
GIVEN = (_LINEAR + "--state-size 8,16 --support-size 2,3 --seeds 5 --steps 600 --map-bias 8",)
GIVEN_WRONG = (GIVEN[0] + " --map-bias-placebo",)
EIGHT_HEADS = (_LINEAR + "--state-size 16 --support-size 3 --seeds 5 --steps 3000",)
SPLIT = (_SPLIT + "--num-heads 1,2,4,16,32,64,128 --seeds 5 --steps 2000",)
ADDED = (_SPLIT + "--head-width 4,8,16 --num-heads 1,4,16 --seeds 5 --steps 2000",)
VISIBLE_RATES = (_VISIBLE + "--support-size 2,3,4 --seeds 16:18 --learning-rate 3e-4,1e-3,3e-3,1e-2",)
VISIBLE = (_VISIBLE + "--support-size 2,3,4 --seeds 5 --learning-rate 1e-3,3e-3,1e-2",)
SMALL_RATES = (
    _SMALL + "--state-size 8,16 --seeds 16:18 --learning-rate 3e-4,1e-3,3e-3 --mixer attention,mlp_mixer",
)
SMALL_MIXER = (_SMALL + "--state-size 8,16 --seeds 5 --learning-rate 1e-3,3e-3 --mixer mlp_mixer",)
LADDER = Path(__file__).parent / "mixers.toml"


@lru_cache
def asked(line: str) -> tuple[RunSpec, ...]:
    """The runs that a command line trains."""
    context = run_command.make_context("run", shlex.split(line)[2:])
    mixers, known = names_in(context.params["mixers"] or DEFAULT_MIXER), JaxBackend().known_mixers
    values = {**given(context), **mixer_lists(mixers, context.params["mixer_settings"], known)}
    seeds, rule_seed = context.params["seeds"], context.params["rule_seed"]
    return tuple(specify(tasks_of(context), mixers, values, seeds=seeds, rule_seed=rule_seed))
