"""Looking after a deployment: its doctor, its way back and its Dagster UI."""
