"""The semantic layer: how tables are asked."""
