"""What a run sees, whatever trains on it: its rule, its sequences, its probes, its measured map."""
