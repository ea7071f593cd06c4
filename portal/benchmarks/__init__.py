"""What tables, checks, loads and old age cost, beside the same work done by hand (`floor/`)."""
