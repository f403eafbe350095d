"""The question that a run answers: its settings, grids, suites and task files, and the names of cells."""
