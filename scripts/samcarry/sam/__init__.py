"""Segment Anything: load, embed, ask with prompts, redraw masks (paper §2.1)."""
