"""What we know about customers: one module per table, layers in the order data flows."""
