"""Many runs: a `Study` of them, computed once, and the columns, tables and documents that show it."""
