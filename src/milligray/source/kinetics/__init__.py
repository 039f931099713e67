"""From activity at some times to decays over all time: organ by organ and voxel by voxel."""
