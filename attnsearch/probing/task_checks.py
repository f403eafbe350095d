"""The checks of a task: each asks one thing of what it draws and says what it saw.

What a check proves is the first sentence of its docstring. Tests ask the same of every task that ships.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Floats, Integers
from attnsearch.generators.base import Generator, Rule
from attnsearch.probing import substitution
from attnsearch.probing.check import Answer, Check
from attnsearch.probing.task import Drawn

ROUNDING = 1e-6
"""By which stated bits and nats may be off."""

RULES = 1024
"""Hidden rules over which answers are counted, with `OF_EACH` sequences of each."""

OF_EACH = 4

CLOSE = 0.01
"""Nats by which the stated chance loss may be off, beside what counting leaves open."""

DEVIATIONS = 5
"""Standard deviations of the empirical chance loss that are allowed for."""

SEEDS = 64


def construction(drawn: Drawn) -> Answer:
    """It draws a rule and sequences whose arrays have the right shapes, with tokens of the vocabulary."""
    drawn.require_sound()
    made = drawn.made
    return Answer(
        True,
        f"{made.context_length} tokens below {made.vocab_size}, {made.num_targets} targets among"
        f" {len(made.query_positions)} queries",
    )


def replaceable(drawn: Drawn) -> Answer:
    """What may be replaced holds symbols, and the rest of a sequence is always the same."""
    made, tokens = drawn.made, drawn.sequences.tokens
    inside, outside = tokens[:, made.replaceable], tokens[:, ~made.replaceable]
    allowed = made.num_kinds * made.num_values
    if inside.size and inside.max() >= allowed:
        return Answer(
            False,
            f"a replaceable position holds {inside.max()}: num_values allows 0 to {allowed - 1}",
        )
    fixed = (outside == outside[:1]).all(axis=0)
    if not fixed.all():
        position = np.flatnonzero(~made.replaceable)[~fixed][0]
        return Answer(False, f"the token at {position} differs between sequences, but is not replaceable")
    return Answer(True, f"{inside.shape[1]} of {made.context_length} positions are replaceable")


def determinism(drawn: Drawn) -> Answer:
    """The same seed draws the same rule and the same sequence."""
    # Not compiled: whatever a program reads elsewhere while it is made, it would read once.
    rule, again = (drawn.made.init(jax.random.key(0), drawn.knobs) for _ in range(2))
    if not _equal(rule, again):
        return Answer(False, "two rules of one seed differ")
    first = drawn.made.sample(again, jax.random.key(0))
    if not _equal(first, jax.tree.map(lambda field: field[0], drawn.sequences)):
        return Answer(False, "two sequences of one seed differ")
    return Answer(True, "a rule and a sequence were drawn twice from one seed, and are the same")


def seeds(drawn: Drawn) -> Answer:
    """Other seeds draw other sequences, and other rules where a rule is hidden."""
    tokens = drawn.sequences.tokens
    if (tokens == tokens[0]).all():
        return Answer(False, f"{len(tokens)} seeds draw one and the same sequence")
    rules = [drawn.rule_of(seed) for seed in range(SEEDS)]
    hidden = drawn.hides_a_rule
    # Where a target has one support that it could have, as all inputs, there is one rule.
    several = float(drawn.truth.nominal_log2_search_space) > 0
    if hidden and several and all(_equal(rules[0], rule) for rule in rules):
        return Answer(False, f"{SEEDS} seeds draw one and the same rule")
    return Answer(
        True,
        "sequences differ, "
        + ("and nothing is hidden in a run" if not hidden else "and so do rules" if several else "one rule"),
    )


def causality(drawn: Drawn) -> Answer:
    """Every support and every named route holds something, and nothing that its query cannot see."""
    wrong = np.argwhere(drawn.supports & ~drawn.eligible)
    if len(wrong):
        _, target, position = wrong[0]
        query = drawn.queries[target]
        why = "is not replaceable" if position <= query else "comes after it"
        return Answer(
            False, f"the support of target {target}, asked at position {query}, holds {position}, which {why}"
        )
    empty = np.argwhere(~drawn.supports.any(axis=-1))
    if len(empty):
        return Answer(False, f"the support of target {empty[0][1]} is empty")
    made = drawn.made
    routes = jax.jit(made.routes)(drawn.rule, drawn.sequences.tokens[0], drawn.targets)
    for name, route in zip(made.route_names, np.asarray(routes), strict=True):
        wrong = np.flatnonzero((route & ~drawn.eligible).any(axis=1) | ~route.any(axis=1))
        if len(wrong):
            return Answer(False, f"{name} of target {wrong[0]} is empty, or holds what its query cannot see")
    sizes = drawn.supports.sum(axis=-1)
    return Answer(True, f"supports of {_span(sizes.min(), sizes.max())} positions, none after its query")


def substituted(drawn: Drawn) -> Answer:
    """An answer moves with each token of its support, and with no other token."""
    return substitution.proved(drawn)


def rows(drawn: Drawn) -> Answer:
    """A row of the map that is asked for alone is that row of the whole."""
    for name, found in drawn.rows.items():
        if not np.array_equal(found.alone, found.every[drawn.some]):
            return Answer(False, f"{name} of some targets differs from these rows of all targets")
    return Answer(
        True, f"supports and placebo of {len(drawn.some)} targets equal the rows of all {len(drawn.targets)}"
    )


def placebo(drawn: Drawn) -> Answer:
    """The wrong map has supports of the same size, and as few true positions as can be."""
    right = drawn.supports[0]
    wrong = drawn.rows["placebo"].every
    if not np.array_equal(wrong.sum(axis=1), right.sum(axis=1)):
        return Answer(False, "a row of the placebo has another size than its support")
    if (wrong & ~drawn.eligible).any():
        return Answer(
            False, "the placebo holds a position that the query cannot see or that is not replaceable"
        )
    shared = (wrong & right).sum(axis=1)
    # A generator may keep the shape of its supports instead; the wrong map then holds true positions.
    if type(drawn.made).placebo is Generator.placebo:
        fewest = np.maximum(0, 2 * right.sum(axis=1) - drawn.eligible.sum(axis=1))
        if not np.array_equal(shared, fewest):
            return Answer(False, "the placebo holds more true positions than it must")
    return Answer(True, f"{shared.sum()} of its {wrong.sum()} positions are true")


def truth(drawn: Drawn) -> Answer:
    """What `truth` says agrees with what is drawn."""
    made, told = drawn.made, drawn.truth
    if not np.array_equal(told.attention_map, drawn.supports[0, told.mapped]):
        return Answer(False, "attention_map differs from the supports of the sequence of seed 0")
    for name in ("log2_search_space", "bayes_loss", "state"):
        if (shape := getattr(told, name).shape) != (made.num_targets,):
            return Answer(
                False, f"{name} has shape {shape}: expected ({made.num_targets},), one for each target"
            )
    if float(told.chance_loss) != made.chance_loss:
        return Answer(False, f"chance_loss is {told.chance_loss}, but the generator says {made.chance_loss}")
    if float(told.nominal_log2_search_space) != made.log2_search_space(drawn.knobs):
        return Answer(False, "nominal_log2_search_space differs from log2_search_space(knobs)")
    if (told.cheapest_route.sum(axis=1) > told.attention_map.sum(axis=1)).any():
        return Answer(False, "a cheapest route is longer than the support")
    if (told.attention_map & ~told.probed).any() or (told.probed & ~made.replaceable).any():
        return Answer(False, "probed_positions lack a support, or hold a position that is not replaceable")
    return Answer(True, f"{len(told.mapped)} of {made.num_targets} rows of the map are kept")


def chance(drawn: Drawn) -> Answer:
    """The best guess without the support has the stated chance loss, on every target."""
    stated = drawn.made.chance_loss
    answers, losses = _guessed(drawn)
    constant = np.array([_constant_guess(column) for column in answers])
    if losses is None:
        kind, guessed = "the best constant guess", constant
    else:
        allowed = CLOSE + DEVIATIONS * losses.std(axis=1) / math.sqrt(losses.shape[1])
        kind, guessed = "the task's own guess", np.stack([losses.mean(axis=1), allowed], axis=1)
    off = np.abs(guessed[:, 0] - stated) - guessed[:, 1]
    target = int(off.argmax())
    found = f"{guessed[target, 0]:.3f} nats on target {target}, and {stated:.3f} are stated"
    if not off[target] <= 0:
        return Answer(False, f"{kind} has a loss of {found}")
    target = int(constant.sum(axis=1).argmin())
    if stated > constant[target].sum():
        return Answer(
            False,
            f"the best constant guess has a loss of {constant[target, 0]:.3f} nats on target {target}, which"
            f" is better than the task's own guess, with {stated:.3f}",
        )
    return Answer(True, f"{kind} has {'at most' if guessed[target, 0] >= stated else 'at least'} {found}")


def bayes(drawn: Drawn) -> Answer:
    """The Bayes loss is at most the chance loss, and 0 only where the support determines the answer."""
    losses, most = drawn.truth.bayes_loss, drawn.made.chance_loss
    if not (np.isfinite(losses).all() and (losses >= 0).all() and (losses <= most + ROUNDING).all()):
        target = int(np.flatnonzero(~((losses >= 0) & (losses <= most + ROUNDING)))[0])
        return Answer(
            False, f"the Bayes loss of target {target} is {losses[target]:.3f}: expected 0 to {most:.3f} nats"
        )
    if losses.any():
        return Answer(True, f"{losses.min():.3f} to {losses.max():.3f} nats, and chance is {most:.3f}")
    tokens, answers = map(np.asarray, drawn.sequences)
    answers = answers[:, drawn.made.is_target]
    for target in drawn.targets:
        parts, answer = substitution.parts_of(tokens, drawn.supports[:, target], answers[:, target])
        if substitution.differing(parts.sum(axis=1), answer):
            return Answer(
                False, f"it is 0, but target {target} has two answers for the same tokens on its support"
            )
    return Answer(True, "0 nats, and sequences that agree on a support agree on the answer")


def search_space(drawn: Drawn) -> Answer:
    """The search space has room for every support that was seen, and no more than their sizes allow."""
    told = drawn.truth
    nominal, bits = float(told.nominal_log2_search_space), told.log2_search_space
    if not (np.isfinite(bits).all() and math.isfinite(nominal) and min(nominal, bits.min()) >= 0):
        return Answer(False, f"log2_search_space is {min(nominal, bits.min())}: expected 0 bits or more")
    first = _maps(drawn)
    seen = np.log2([len(np.unique(first[:, target], axis=0)) for target in drawn.targets])
    if seen.mean() > nominal + ROUNDING:
        return Answer(
            False, f"{nominal:.2f} bits are stated, and the supports of {SEEDS} rules need {seen.mean():.2f}"
        )
    places = drawn.eligible.sum(axis=1)
    sizes = np.concatenate([drawn.supports, first]).sum(axis=-1)
    most = np.array([_bits(number, sizes[:, target]) for target, number in enumerate(places)])
    if nominal > most.mean() + ROUNDING:
        return Answer(
            False,
            f"{nominal:.2f} bits are stated, and supports of these sizes have {most.mean():.2f} at most",
        )
    routes = told.cheapest_route.sum(axis=1)
    for target, size in zip(told.mapped, routes, strict=True):
        allowed = _bits(places[target], np.append(sizes[:, target], size))
        if bits[target] > allowed + ROUNDING:
            return Answer(
                False,
                f"{bits[target]:.2f} bits are stated of target {target}, and {allowed:.2f} are possible",
            )
    if not nominal and drawn.by_default:
        return Answer(False, "it is 0 bits by default: each target has one support that it could have had")
    return Answer(
        True, f"{nominal:.2f} bits; at least {seen.mean():.2f} seen, at most {most.mean():.2f} possible"
    )


CHECKS: tuple[Check[Drawn], ...] = (
    Check("construction", construction),
    Check("replaceable positions", replaceable),
    Check("determinism", determinism),
    Check("seeds", seeds),
    Check("causality", causality),
    Check("map by substitution", substituted),
    Check("rows of the map", rows),
    Check("placebo", placebo),
    Check("truth", truth),
    Check("chance loss", chance),
    Check("Bayes loss", bayes),
    Check("search space", search_space),
)
"""In the order in which they are run; where the first does not hold, the others are not run."""


def _maps(drawn: Drawn) -> np.ndarray:
    """`bool[N, R, L]`: the supports of one sequence of each of some rules."""
    made = drawn.made
    if not drawn.hides_a_rule:
        return drawn.supports[:SEEDS]

    def one(key: jax.Array) -> jax.Array:
        rule = made.init(key, drawn.knobs)
        return made.supports(rule, made.sample(rule, key).tokens, drawn.targets)

    return np.asarray(jax.lax.map(jax.jit(one), jax.vmap(jax.random.key)(jnp.arange(SEEDS))))


def _bits(places: int, sizes: Integers) -> float:
    """log2 of the number of supports of these sizes among so many positions."""
    return math.log2(sum(math.comb(int(places), size) for size in set(sizes.tolist())))


def _guessed(drawn: Drawn) -> tuple[Integers, Floats | None]:
    """`i32[R, N]`: answers, over many rules, for one rule may prefer an answer; and `f32[R, N]`: the loss of
    the task's own guess at each, where it has one."""
    made = drawn.made
    has_guess = type(made).guess is not Generator.guess

    def one(rule: Rule, key: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        example = made.sample(rule, key)
        answers = example.answers[np.flatnonzero(made.is_target)]
        if not has_guess:
            return answers, None
        shares = made.guess(example.tokens)
        return answers, -jnp.log(jnp.take_along_axis(shares, answers[:, None], axis=1)[:, 0])

    def of_rule(key: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        rule = made.init(key, drawn.knobs)
        return jax.vmap(one, (None, 0))(rule, jax.random.split(key, OF_EACH))

    # Not all rules at once, for a guess may be among thousands of values.
    entries = OF_EACH * (made.context_length + made.num_targets * (made.vocab_size if has_guess else 1))
    at_once = substitution.at_once(RULES, entries)
    found = jax.jit(lambda keys: jax.lax.map(of_rule, keys, batch_size=at_once))(
        jax.random.split(jax.random.key(3), RULES)
    )
    answers, losses = jax.tree.map(lambda field: np.asarray(field).reshape(-1, made.num_targets).T, found)
    return answers, losses


def _constant_guess(answers: Integers) -> Floats:
    """The loss of the best constant guess, in nats, and how far it may be off."""
    count = len(answers)
    shares = np.bincount(answers) / count
    shares = shares[shares > 0]
    surprise = -np.log(shares)
    # Counting makes the loss too small by half of this, on average.
    bias = (len(shares) - 1) / count
    loss = float(shares @ surprise)
    spread = math.sqrt(max(0.0, float(shares @ surprise**2) - loss**2) / count)
    return np.array([loss + bias / 2, CLOSE + DEVIATIONS * spread + bias])


def _equal(one: object, other: object) -> bool:
    return all(np.array_equal(*pair) for pair in zip(*map(jax.tree.leaves, (one, other)), strict=True))


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"
