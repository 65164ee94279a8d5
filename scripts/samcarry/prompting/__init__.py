"""Cleaning of P, and prompts (boxes and points) from the cleaned masks (paper §2.1)."""
