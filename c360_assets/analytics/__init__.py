"""What it means: measures and groupings of customers. Pure functions of tables, no path and no connection."""
