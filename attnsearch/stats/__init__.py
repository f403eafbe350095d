"""Groups of waiting times: survival, comparison, permutation, interval regression, scaling law. And hops.

Knows nothing of runs.
"""
