"""Words that tables share and that are no tables themselves: time, amounts, statuses, joins, rates, rules."""
