"""Many runs: cells, series, scaling laws, warnings, and the columns and tables that show them."""
