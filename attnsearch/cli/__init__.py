"""The front doors: the terminal and pytest."""
