"""Files that rules pass to each other, written atomically and checked when read."""
