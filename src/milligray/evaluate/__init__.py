"""Compare predicted with reference doses: metrics, tests, plots."""
