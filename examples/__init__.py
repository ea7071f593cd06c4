"""Example data: a sample company with known truth. Imports nothing from the rest of the product."""
