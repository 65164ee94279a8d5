"""Segment Anything: checkpoints, image embeddings, and masks from prompts (paper §2.1)."""
