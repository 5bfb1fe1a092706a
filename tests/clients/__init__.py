"""Real clients against Fennec, and against the simulated services behind it."""
