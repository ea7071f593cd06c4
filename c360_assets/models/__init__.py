"""What we expect: models fitted on the past and their predictions."""
