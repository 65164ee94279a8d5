"""Class colours, the same in figures, overlays and palettes."""

from colorsys import hsv_to_rgb

_GOLDEN_RATIO = 0.618  # step along the hue circle; neighbouring classes get clearly different hues


def class_colours(count: int) -> list[tuple[float, float, float, float]]:
    """Red, green, blue and alpha (0..1) of each class; neighbours differ clearly, also on grey images."""
    pure = (hsv_to_rgb((index * _GOLDEN_RATIO) % 1, 1, 1) for index in range(count))
    return [(0.2 + 0.8 * red, 0.2 + 0.8 * green, 0.2 + 0.8 * blue, 1.0) for red, green, blue in pure]


def class_colours_8bit(count: int) -> list[tuple[int, int, int]]:
    """Red, green and blue (0..255) of each class; the same colours as `class_colours`."""
    return [
        (round(255 * red), round(255 * green), round(255 * blue))
        for red, green, blue, _ in class_colours(count)
    ]
