"""The torch backend: mixers, network, trainer and lanes in PyTorch."""
