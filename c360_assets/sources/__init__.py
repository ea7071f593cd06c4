"""As it arrived: one table per dataset of the retailer, typed to its contract and otherwise untouched."""
