"""The jax backend: network, trainer, lanes and engine."""
