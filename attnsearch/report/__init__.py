"""The report: one HTML page that opens from a disk and asks nothing of any network."""
