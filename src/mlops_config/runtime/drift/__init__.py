"""Distances and tests between a reference and a window."""
