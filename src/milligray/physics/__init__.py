"""Compiled scalar physics: random numbers, geometry, photon interactions. No patient, no tallies."""
