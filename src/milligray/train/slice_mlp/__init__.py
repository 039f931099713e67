"""Slice-wise network: arrays and sets of slices, comparators, recipe and studies."""
