"""Compiled scalar physics: random numbers, geometry, interactions. No patient, no tallies."""
