"""The mixers of `attnsearch.mixers` in PyTorch: the same mathematics, settings and initialisation."""
