"""One example of a task, drawn in a terminal or as a picture: any task, and some in a way of their own."""
