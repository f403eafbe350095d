"""Has a plateau got longer? Baselines, the decision, and its verdicts."""
