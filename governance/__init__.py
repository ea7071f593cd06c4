"""What we promise: contracts, classification and rules. Imports nothing of ours, nor Dagster."""
