"""Trains what is not stored yet: the runner, the backends it is given, and who is told of it."""
