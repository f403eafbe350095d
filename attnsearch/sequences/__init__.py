"""What a run sees, whatever trains on it: rule, sequences, probes, measured map; and these as a file."""
