"""PNG pictures. They need the extra `plot`."""
