"""Scatter-net: cubes of scans, their fit, recipe and study."""
