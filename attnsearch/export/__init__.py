"""The sequences of a task as a file for whoever trains elsewhere: Parquet or .npz, of any size."""
