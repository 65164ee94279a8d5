"""Shapes of known size as signed distances: negative inside, in the unit of the spacing."""

import math

import numpy as np


def coordinates(size, spacing, centre, degrees):
    """Positions along and across a shape, of the centres of all pixels (height, width)."""
    rows, columns = np.indices(size)
    x, y = (columns + 0.5) * spacing[1] - centre[0], (rows + 0.5) * spacing[0] - centre[1]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return x * cos + y * sin, y * cos - x * sin


def bar(size, spacing, centre, length, width, degrees):
    """A rectangle; the distance is exact inside and beside its sides."""
    along, across = coordinates(size, spacing, centre, degrees)
    return np.maximum(abs(along) - length / 2, abs(across) - width / 2)


def ellipse(size, spacing, centre, half, degrees):
    """An ellipse with half axes `half`; the distance is right in first order near its contour."""
    along, across = coordinates(size, spacing, centre, degrees)
    scaled = np.hypot(along / half[0], across / half[1])
    slope = np.hypot(along / half[0] ** 2, across / half[1] ** 2) / np.maximum(scaled, 1e-9)
    return (scaled - 1) / np.maximum(slope, 1e-9)
