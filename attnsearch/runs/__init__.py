"""One run on disk: its recorder, measures, store, claims, checkpoints and the record of a verification."""
