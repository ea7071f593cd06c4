"""A retailer whose only data is one row per customer, under ids that repeat: how to make such a file and map it."""
