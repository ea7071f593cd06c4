"""What they are worth: value by segment and by cohort, and how concentrated it is."""
