"""Monte Carlo: one physics, loops for each device."""
