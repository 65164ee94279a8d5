"""Bodies in an X-ray beam: outlines, thickness, and what they absorb together (Beer-Lambert)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from samcarry.sam.tiny.contours import Points, Rng


@dataclass(frozen=True)
class Body:
    """Something in the beam.

    Attributes:
        contour: its outline in pixels, (points, 2) as x, y.
        attenuation: at its thickest place; negative for air where there would be tissue.
        roundness: 0 = a plate of one thickness, 1 = round like a cylinder.
        wall: 1 = solid; below, a shell that thick as a share of the radius, with softer marrow inside.
        texture: relative strength of the irregularities inside.
        role: 'object' = has a mask, 'scenery' = seen and never asked for, 'missing' = asked for, not there.
    """

    contour: Points
    attenuation: float
    roundness: float = 0.8
    wall: float = 1.0
    texture: float = 0.1
    role: str = "object"


@dataclass(frozen=True)
class Outline:
    """A filled contour on a patch of its own, which may reach beyond the canvas.

    Attributes:
        inside: bool (rows, columns) of the patch.
        corner: the patch's upper left pixel (x, y) on the canvas.
        canvas: (height, width).
    """

    inside: NDArray[np.bool_]
    corner: tuple[int, int]
    canvas: tuple[int, int]

    def parts(self) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Where the patch meets the canvas: the slices of the canvas, and those of the patch."""
        (x, y), (height, width) = self.corner, self.canvas
        rows, columns = self.inside.shape
        top, bottom = max(y, 0), max(min(y + rows, height), max(y, 0))
        left, right = max(x, 0), max(min(x + columns, width), max(x, 0))
        return np.s_[top:bottom, left:right], np.s_[top - y : bottom - y, left - x : right - x]

    @property
    def visible(self) -> int:
        """Pixels on the canvas."""
        return int(self.inside[self.parts()[1]].sum())

    def on_canvas(self) -> NDArray[np.bool_]:
        """The mask (height, width)."""
        mask = np.zeros(self.canvas, dtype=bool)
        canvas, patch = self.parts()
        mask[canvas] = self.inside[patch]
        return mask


def outline(contour: Points, height: int, width: int) -> Outline:
    """Fill a contour; one far larger than the canvas is cut to three times its size."""
    reach = 1.0 * max(height, width)
    contour = contour.clip([-reach, -reach], [width + reach, height + reach])
    low = np.floor(contour.min(0)).astype(int) - 1
    size = np.ceil(contour.max(0)).astype(int) + 2 - low
    patch = Image.new("L", (int(size[0]), int(size[1])))
    ImageDraw.Draw(patch).polygon([(x, y) for x, y in contour - low], fill=1)
    return Outline(np.asarray(patch, dtype=bool), (int(low[0]), int(low[1])), (height, width))


def thickness(inside: NDArray[np.bool_], roundness: float = 1.0, wall: float = 1.0) -> NDArray[np.float32]:
    """Relative thickness along the beam of a body (rows, columns): 1 at its thickest place, 0 outside.

    A round body is as thick as a cylinder whose radius is the deepest distance to the outline. A body with a
    wall has a quarter of the attenuation within it.
    """
    depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1].astype(np.float32)
    radius = max(float(depth.max()), 1.0)
    solid = _chord(depth, radius)
    if wall < 1:
        marrow = radius * (1 - wall)
        solid = solid - 0.75 * (1 - wall) * _chord((depth - wall * radius).clip(0), marrow)
    flat = inside.astype(np.float32)
    return (1 - roundness) * flat + roundness * solid


def _chord(depth: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """Chord of a circle at a depth below its surface, relative to the diameter."""
    away = 1 - (depth / max(radius, 1e-6)).clip(0, 1)
    return np.sqrt(1 - away**2)


def total_absorption(
    rng: Rng, drawn: Sequence[tuple[Body, Outline]], height: int, width: int
) -> NDArray[np.float32]:
    """The sum of all bodies' attenuation times thickness, (height, width)."""
    total = np.zeros((height, width), np.float32)
    for body, mask in drawn:
        canvas, patch = mask.parts()
        if not mask.inside[patch].any():
            continue
        absorbed = body.attenuation * thickness(mask.inside, body.roundness, body.wall)
        if body.texture:
            absorbed = absorbed * (1 + body.texture * clouds(rng, mask.inside.shape, rng.uniform(3, 9)))
        total[canvas] += absorbed[patch]
    return total


def clouds(rng: Rng, size: tuple[int, int], cell: float) -> NDArray[np.float32]:
    """Smooth unit noise (rows, columns) with irregularities of about `cell` pixels."""
    coarse = [max(2, int(side / cell)) for side in size]
    grid = Image.fromarray(rng.normal(size=coarse).astype(np.float32))
    return np.asarray(grid.resize(size[::-1], Image.Resampling.BICUBIC))
