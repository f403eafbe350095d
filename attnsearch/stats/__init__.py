"""Groups of waiting times: survival, comparison, permutation, interval regression, scaling law.

Knows nothing of runs.
"""
