"""The threshold on 8-bit probabilities."""

THRESHOLD = 127
"""A probability of 0.5 in 8 bits: what lies above it counts as foreground."""
