"""A synthetic retailer whose truth is known: one module per subject, `generator.py` puts them together."""
