"""Contours of drawn objects (blobs, polygons, shafts, teeth) as points (x, y) in pixels."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Rng = np.random.Generator
Points = NDArray[np.float64]


def rotated(points: Points, angle: float) -> Points:
    """Points rotated around the origin by an angle in radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def blob(rng: Rng, centre: Points, radius: float, roughness: float = 0.12) -> Points:
    """A closed curve of low Fourier order around `centre`, stretched and rotated."""
    theta = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    distance = np.ones_like(theta)
    for order in range(2, 7):
        amplitude = roughness * rng.normal() / (order - 1) ** 0.8
        distance += amplitude * np.cos(order * theta + rng.uniform(0, 2 * np.pi))
    stretch = np.exp(rng.uniform(-0.45, 0.45))
    curve = np.stack([np.cos(theta) * stretch, np.sin(theta) / stretch], axis=1)
    curve *= np.maximum(distance, 0.3)[:, None] * radius
    return centre + rotated(curve, rng.uniform(0, np.pi))


def polygon(rng: Rng, centre: Points, radius: float) -> Points:
    """A rounded convex polygon with four to seven corners, or a plain rectangle."""
    if rng.random() < 0.3:
        half = radius * np.array([np.exp(rng.uniform(-0.6, 0.6)), 1.0])
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        return centre + rotated(corners, rng.uniform(0, np.pi))
    count = int(rng.integers(4, 8))
    angles = (np.arange(count) + rng.uniform(-0.25, 0.25, count)) * 2 * np.pi / count
    corners = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius
    corners *= rng.uniform(0.8, 1.2, (count, 1))
    dense = np.concatenate(
        [np.linspace(corners[i - 1], corners[i], 12, endpoint=False) for i in range(count)]
    )
    rounded = ndimage.gaussian_filter1d(dense, rng.uniform(1, 5), axis=0, mode="wrap")
    return centre + rotated(rounded, rng.uniform(0, np.pi))


def spindle(start: Points, angle: float, length: float, half_widths: Points, bend: float = 0.0) -> Points:
    """A contour around an axis from `start` along `angle`, with the given half widths along the axis."""
    t = np.linspace(0, 1, len(half_widths))
    turn = bend * (t - 0.5)
    axis = np.stack([np.cumsum(np.cos(turn)), np.cumsum(np.sin(turn))], axis=1)
    axis = (axis - axis[0]) * length / len(half_widths)
    normal = np.stack([-np.sin(turn), np.cos(turn)], axis=1)
    left, right = axis + normal * half_widths[:, None], axis - normal * half_widths[:, None]
    return start + rotated(np.concatenate([left, right[::-1]]), angle)


def capsule_widths(rng: Rng, half_width: float, length: float, flare: float) -> Points:
    """Half widths of a shaft with round ends that may flare like the ends of a bone."""
    t = np.linspace(0, 1, 40)
    cap = min(0.5, half_width / max(length, 1e-6))
    ends = np.clip(np.minimum(t, 1 - t) / cap, 0, 1)
    round_ends = np.sqrt(1 - (1 - ends) ** 2)
    waist = 1 + flare * (np.abs(2 * t - 1) ** rng.uniform(2, 5)) + 0.05 * rng.normal()
    return half_width * waist * round_ends


def tooth(rng: Rng, neck: Points, angle: float, width: float, length: float) -> Points:
    """A tooth: a crown that narrows into one or two roots; the axis runs from crown to root tip."""
    t = np.linspace(0, 1, 28)
    crown_share = rng.uniform(0.28, 0.42)
    crown = np.clip(t / (crown_share * rng.uniform(0.25, 0.5)), 0, 1) ** 0.5
    root = 1 - np.clip((t - crown_share) / (1 - crown_share), 0, 1) ** rng.uniform(1.0, 2.2)
    taper = rng.uniform(0.45, 0.85)
    half = width / 2 * crown * (taper * root + (1 - taper) * (1 - t**3)) / max(taper, 0.6)
    half = np.minimum(half, width / 2)
    if rng.random() < 0.35:  # a molar: a broad root end with a notch between two tips
        half = width / 2 * crown * (1 - 0.3 * t)
        half[-4:] *= [0.95, 0.85, 0.7, 0.5]
        outline = spindle(np.zeros(2), 0.0, length, half, rng.normal(0, 0.1))
        notch = np.array([[length * rng.uniform(0.6, 0.85), rng.normal(0, 0.05) * width]])
        outline = np.concatenate([outline[:28], notch, outline[28:]])
    else:
        outline = spindle(np.zeros(2), 0.0, length, half, rng.normal(0, 0.25))
    return neck + rotated(outline, angle)
