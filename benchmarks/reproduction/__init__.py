"""What of arXiv:2606.25010 came out here: docs/reproduction.md and its pages, written from stored runs.

    .venv/bin/python -m benchmarks.reproduction STORE... -o docs

The front page shows the headline claims; each experiment and the rules of verdicts have a page of their own.
Every group of runs is named by the command that trains it. Runs are looked up by the digests that the command
asks for, so the pages cannot show other runs. The pages say which runs are missing. Verdicts follow from the
numbers by the rules alone.
"""
