"""One truth across systems: cleaned, joined and dated tables. Pure functions of tables, no path and no connection."""
