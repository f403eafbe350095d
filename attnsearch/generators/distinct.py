"""Whole numbers of which no two are the same, drawn in a time that does not grow with how many there are."""

from __future__ import annotations

from attnsearch.generators.lazy import jax, jnp


def distinct(key: jax.Array, count: int, number: int) -> jax.Array:
    """`i32[count]`: `count` different numbers out of 0 ... number - 1, each such row equally likely.

    By the shuffle of Fisher and Yates, which ends after `count` turns: in turn t the number at a random place
    from t on is taken, and the number at t moves there. Only what has moved is kept. To sort random numbers
    would take long where a few are drawn from thousands.
    """
    places = jax.random.randint(key, (count,), jnp.arange(count), number)

    def turn(moved: jax.Array, at: jax.Array) -> tuple[jax.Array, jax.Array]:
        def number_at(place: jax.Array) -> jax.Array:
            here = (places == place) & (jnp.arange(count) < at)
            latest = count - 1 - here[::-1].argmax()
            return jnp.where(here.any(), moved[latest], place)

        taken = number_at(places[at])
        return moved.at[at].set(number_at(at)), taken

    return jax.lax.scan(turn, jnp.zeros_like(places), jnp.arange(count))[1]
