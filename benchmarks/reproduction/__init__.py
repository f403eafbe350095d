"""What of arXiv:2606.25010 came out here and what did not: docs/reproduction.md, made from stored runs.

    .venv/bin/python -m benchmarks.reproduction STORE... -o docs/reproduction.md

Every group of runs is named by the command that trains it: runs are looked up by the digests that the
command asks for, so that the page cannot show others. What is not stored is said to be missing. Verdicts
follow from the numbers by the rules of the page's introduction, and from nothing else.
"""
