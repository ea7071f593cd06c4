"""What leaves the house: tables shaped for their readers."""
