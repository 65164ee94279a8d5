"""From P to prompts: cleaning, boxes and points (paper §2.1)."""
