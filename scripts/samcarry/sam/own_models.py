"""The names of our own models; apart from the others, because the Snakefile may not import torch."""

OWN_MODELS = ("tiny", "small")
"""Small enough to be tuned as a whole, and to need little memory."""
