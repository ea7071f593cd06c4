"""What they say and what they get: feedback, satisfaction and rewards."""
