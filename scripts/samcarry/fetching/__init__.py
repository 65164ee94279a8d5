"""Fetching of checkpoints and public data sets that a config names: resumed, verified, and placed at once."""
