"""Synthetic whole-body anatomies: smooth shapes on a skeleton, grown to reference masses."""
