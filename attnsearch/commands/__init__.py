"""The commands, a module each. What a command needs is imported inside it, so that help needs no jax."""
