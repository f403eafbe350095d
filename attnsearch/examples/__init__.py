"""One drawn example of a task."""
