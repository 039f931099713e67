"""Dose by kernels: what a decay in one voxel gives to all others in a uniform medium."""
