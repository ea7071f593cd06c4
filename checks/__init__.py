"""What must hold: contracts to checks and scores."""
