"""Layers that others wrote, from torch and the transformers package, each as a mixer."""
