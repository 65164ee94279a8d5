"""How the panels of a figure are arranged in lines."""


def filled_columns(panels: int, most: int) -> int:
    """Columns, at most `most`, that leave the fewest empty places; of those, the largest number."""
    few = min(panels, most)
    return min(range(-(-few // 2), few + 1), key=lambda columns: (-panels % columns, -columns))
