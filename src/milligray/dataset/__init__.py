"""Training sets: inputs of the networks and Monte Carlo targets with their uncertainty."""
