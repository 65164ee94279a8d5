"""Procedurally drawn, radiograph-like scenes for the training of the tiny SAM.

There are five kinds of scenes: a few objects of any size, rows of elongated neighbours, touching clusters
with long shafts, many small objects, and crossing bands. Densities are added as in a radiograph, and the mask
of an object is its entire shape, including parts under other objects.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from samcarry.sam.tiny.contours import Points, Rng, blob, capsule_widths, polygon, rotated, spindle, tooth


@dataclass(frozen=True)
class Scene:
    """A drawn scene: image uint8 (height, width), masks bool (object, height, width)."""

    image: NDArray[np.uint8]
    masks: NDArray[np.bool_]


@dataclass(frozen=True)
class SceneObject:
    """A contour (point, 2) as x, y in pixels, and how its inside is rendered."""

    contour: Points
    density: float
    rim: float = 0.0  # extra brightness of the border, relative to the density
    rim_share: float = 0.15  # width of the bright border, as a share of the half width
    core: float = 0.0  # brightness removed along the middle
    dome: float = 0.0  # 0 = flat, 1 = thick in the middle and thin at the border
    target: bool = True  # False: drawn, but without a mask


def draw_scene(rng: Rng, height: int, width: int, max_objects: int = 12) -> Scene:
    """Draw one scene of a random kind with at least one and at most `max_objects` masks.

    Object sizes in pixels do not depend on `height` and `width`, so that a small image looks like a part of a
    large one.
    """
    while True:
        layout = LAYOUTS[rng.choice(len(LAYOUTS), p=LAYOUT_SHARES)]
        shapes = [*layout(rng, height, width), *_distractors(rng, height, width)]
        density, masks = _render(rng, shapes, height, width)
        if masks:
            break
    chosen = rng.permutation(len(masks))[:max_objects]
    image = _expose(rng, density + _background(rng, height, width))
    return Scene(image, np.stack([masks[i] for i in chosen]))


def _appearance(rng: Rng, density: float) -> Callable[[Points], SceneObject]:
    """A function that gives contours the appearance of one scene, with some variation of density."""
    rim, core, dome = rng.choice([0, 0.5, 1.0]) * rng.random(), 0.0, rng.random()
    rim_share = rng.choice([0.02, 0.08, 0.2])
    if rng.random() < 0.3:
        core = rng.uniform(0.1, 0.5)

    def draw_object(contour: Points) -> SceneObject:
        scatter = np.exp(rng.normal(0, 0.2))
        return SceneObject(contour, density * scatter, rim, rim_share, core, dome)

    return draw_object


def _contrast(rng: Rng) -> float:
    sign = 1 if rng.random() < 0.85 else -0.6
    return float(sign * np.exp(rng.uniform(np.log(0.1), np.log(0.6))))


def _centre(rng: Rng, height: int, width: int) -> Points:
    return rng.uniform([0, 0], [width, height])


def few(rng: Rng, height: int, width: int) -> list[SceneObject]:
    """Two to seven objects of any size and form."""
    shapes = []
    for _ in range(rng.integers(2, 8)):
        draw_object = _appearance(rng, _contrast(rng))
        centre = _centre(rng, height, width)
        radius = float(np.exp(rng.uniform(np.log(8), np.log(min(height, width) * 0.3))))
        form = rng.integers(3)
        if form == 0:
            contour = blob(rng, centre, radius, rng.uniform(0.03, 0.2))
        elif form == 1:
            contour = polygon(rng, centre, radius)
        else:
            length = radius * rng.uniform(1.5, 4)
            half = capsule_widths(rng, radius * rng.uniform(0.25, 0.6), length, rng.uniform(0, 1))
            contour = spindle(centre, rng.uniform(0, 2 * np.pi), length, half, rng.normal(0, 0.6))
        shapes.append(draw_object(contour))
    return shapes


def rows(rng: Rng, height: int, width: int) -> list[SceneObject]:
    """One or two curved rows of elongated neighbours with crowns and roots, some missing."""
    scale = float(np.exp(rng.uniform(np.log(11), np.log(34))))
    elongation = rng.uniform(1.8, 3.6)
    density = abs(_contrast(rng))
    enamel, pulp, dome = rng.uniform(0, 0.8), rng.uniform(0, 0.5), rng.uniform(0, 0.5)
    curvature = rng.normal(0, 0.15) / width
    middle = height * rng.uniform(0.3, 0.7)
    gap = rng.uniform(-0.1, 0.35) * scale
    shapes = []
    for side in (-1, 1) if rng.random() < 0.8 else (rng.choice([-1, 1]),):
        x = -rng.uniform(0, scale)
        while x < width + scale:
            size = scale * np.exp(rng.normal(0, 0.2))
            length = size * elongation * np.exp(rng.normal(0, 0.12))
            x += size * rng.uniform(0.42, 0.56)
            offset = x - width / 2
            y = middle + curvature * offset**2 + side * (gap / 2 + rng.normal(0, 0.06) * scale)
            if rng.random() > 0.12:
                lean = 2 * curvature * offset + rng.normal(0, 0.12)
                contour = tooth(rng, np.array([x, y]), side * np.pi / 2 + lean, size, length)
                bright = 1.8 if rng.random() < 0.06 else 1.0  # a filling or a crown of metal
                scatter = bright * np.exp(rng.normal(0, 0.15))
                shapes.append(SceneObject(contour, density * scatter, enamel, 0.15, pulp, dome))
            x += size * rng.uniform(0.42, 0.56)
    return shapes


def cluster(rng: Rng, height: int, width: int) -> list[SceneObject]:
    """Touching or overlapping rounded objects, with shafts that enter from two sides."""
    draw_object = _appearance(rng, abs(_contrast(rng)))
    radius = float(np.exp(rng.uniform(np.log(8), np.log(48))))
    middle = rng.uniform([0.3 * width, 0.3 * height], [0.7 * width, 0.7 * height])
    spacing = radius * rng.uniform(1.55, 2.1)
    columns, lines = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    shapes = []
    for column in range(columns):
        for line in range(lines):
            grid = np.array([column - (columns - 1) / 2 + 0.5 * (line % 2), line - (lines - 1) / 2])
            centre = middle + spacing * (grid + rng.normal(0, 0.12, 2))
            size = radius * np.exp(rng.normal(0, 0.2))
            draw = polygon if rng.random() < 0.5 else blob
            if rng.random() > 0.1:
                shapes.append(draw_object(draw(rng, centre, size)))
    sleeves = rng.random() < 0.4
    for side, count in ((-1, int(rng.integers(0, 6))), (1, int(rng.integers(0, 3)))):
        span = columns * spacing * rng.uniform(0.9, 1.3)
        for k in range(count):
            across = (k + 0.5) / count - 0.5
            start = middle + np.array([across * span, side * (lines * spacing / 2 + radius * 0.3)])
            angle = side * np.pi / 2 - side * across * rng.uniform(0.2, 0.9)
            length = rng.uniform(3, 14) * radius
            half_width = span / max(count, 1) * rng.uniform(0.28, 0.55)
            half = capsule_widths(rng, min(half_width, 1.4 * radius), length, rng.uniform(0.2, 1))
            bend = rng.normal(0, 0.15)
            shapes.append(draw_object(spindle(start, angle, length, half, bend)))
            if sleeves:  # soft tissue, whose outline is not the bone's
                wide = np.clip(half * rng.uniform(1.5, 2.4), half_width, None)
                contour = spindle(start, angle, 1.1 * length, wide, bend)
                density = shapes[-1].density * rng.uniform(0.2, 0.7)
                shapes.append(SceneObject(contour, density, dome=1.0, target=False))
    turn = rng.normal(0, 0.5)
    return [_rotated(shape, middle, turn) for shape in shapes]


def _rotated(shape: SceneObject, centre: Points, angle: float) -> SceneObject:
    contour = centre + rotated(shape.contour - centre, angle)
    return replace(shape, contour=contour)


def many(rng: Rng, height: int, width: int) -> list[SceneObject]:
    """Ten to forty small objects."""
    draw_object = _appearance(rng, _contrast(rng))
    radius = float(np.exp(rng.uniform(np.log(5), np.log(16))))
    count = int(rng.integers(10, 40) * height * width / 384**2) + 4
    draw = blob if rng.random() < 0.6 else polygon
    return [
        draw_object(draw(rng, _centre(rng, height, width), radius * np.exp(rng.normal(0, 0.25))))
        for _ in range(count)
    ]


def bands(rng: Rng, height: int, width: int) -> list[SceneObject]:
    """Long curved bands that cross large soft objects."""
    shapes = [
        SceneObject(
            blob(rng, _centre(rng, height, width), min(height, width) * rng.uniform(0.15, 0.35)),
            _contrast(rng),
            dome=rng.random(),
        )
        for _ in range(rng.integers(1, 3))
    ]
    draw_object = _appearance(rng, abs(_contrast(rng)))
    direction, spread = rng.uniform(0, np.pi), rng.uniform(0.05, 0.5)
    for _ in range(rng.integers(3, 8)):
        length = rng.uniform(80, 320)
        half_width = rng.uniform(4, 16)
        half = capsule_widths(rng, half_width, length, rng.uniform(0, 0.5))
        angle = direction + rng.normal(0, spread)
        start = _centre(rng, height, width) - 0.5 * length * np.array([np.cos(angle), np.sin(angle)])
        shapes.append(draw_object(spindle(start, angle, length, half, rng.normal(0, 0.8))))
    return shapes


LAYOUTS: tuple[Callable[[Rng, int, int], list[SceneObject]], ...] = (few, rows, cluster, many, bands)
LAYOUT_SHARES = (0.2, 0.3, 0.27, 0.1, 0.13)


def _distractors(rng: Rng, height: int, width: int) -> Iterator[SceneObject]:
    """Objects without masks: the outline of a limb, casts, implants, soft folds."""
    if rng.random() < 0.35:
        axis, reach = rng.uniform(0, np.pi), max(height, width)
        half = np.linspace(rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.7), 12) * min(height, width)
        start = np.array([width, height]) / 2 - reach * np.array([np.cos(axis), np.sin(axis)])
        contour = spindle(start, axis, 2.0 * reach, half, rng.normal(0, 0.2))
        yield SceneObject(contour, rng.uniform(0.05, 0.3), dome=rng.random(), target=False)
    if rng.random() < 0.4:
        for _ in range(rng.integers(1, 4)):
            radius = min(height, width) * rng.uniform(0.2, 0.6)
            contour = blob(rng, _centre(rng, height, width), radius)
            yield SceneObject(contour, rng.normal(0, 0.1), dome=rng.random(), target=False)
    if rng.random() < 0.15:
        for _ in range(rng.integers(1, 3)):
            length, half_width = rng.uniform(20, 150), rng.uniform(1.5, 5)
            half = np.full(8, half_width)
            contour = spindle(_centre(rng, height, width), rng.uniform(0, 6.3), length, half)
            yield SceneObject(contour, 1.0, target=False)


def _render(
    rng: Rng, shapes: list[SceneObject], height: int, width: int
) -> tuple[NDArray[np.float32], list[NDArray[np.bool_]]]:
    """The sum of the objects' densities (height, width), and masks of those that are visible enough."""
    density = np.zeros((height, width), np.float32)
    masks = []
    texture_strength = rng.uniform(0, 0.35)
    for shape in shapes:
        low = np.floor(shape.contour.min(0)).astype(int) - 1
        high = np.ceil(shape.contour.max(0)).astype(int) + 2
        size = high - low
        if size.max() > 3 * max(height, width) or (high <= 0).any() or (low >= (width, height)).any():
            continue
        patch = Image.new("L", (int(size[0]), int(size[1])))
        ImageDraw.Draw(patch).polygon([(x, y) for x, y in shape.contour - low], fill=1)
        mask = np.asarray(patch, dtype=bool)
        left, top = np.maximum(-low, 0)
        right, bottom = np.minimum(size, np.array([width, height]) - low)
        inside = mask[top:bottom, left:right]
        if not inside.any():
            continue
        thickness = _profile(mask, shape)
        texture = 1 + texture_strength * _smooth_noise(
            rng, mask.shape[0], mask.shape[1], max(mask.shape) // 6
        )
        view = np.s_[low[1] + top : low[1] + bottom, low[0] + left : low[0] + right]
        density[view] += (shape.density * thickness * texture)[top:bottom, left:right]
        if shape.target and inside.sum() >= 30 and inside.sum() > 0.3 * mask.sum():
            full = np.zeros((height, width), dtype=bool)
            full[view] = inside
            masks.append(full)
    return density, masks


def _profile(mask: NDArray[np.bool_], shape: SceneObject) -> NDArray[np.float32]:
    """Relative density inside a mask: flat or domed, with an optional bright rim and dark core."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].astype(np.float32)
    deepest = max(float(depth.max()), 1.0)
    relative = depth / deepest
    profile = (1 - shape.dome) + shape.dome * np.sqrt(np.clip(relative * (2 - relative), 0, 1))
    if shape.rim:
        profile += shape.rim * np.exp(-depth / max(1.2, shape.rim_share * deepest))
    if shape.core:
        profile -= shape.core * np.clip(relative - 0.55, 0, None) * 2
    return np.where(mask, profile, 0).astype(np.float32)


def _smooth_noise(rng: Rng, height: int, width: int, cells: int) -> NDArray[np.float32]:
    """Unit noise interpolated from a coarse grid of about `cells` along the longer side."""
    cells = max(2, cells)
    shape = [max(2, round(cells * side / max(height, width))) for side in (height, width)]
    grid = Image.fromarray(rng.normal(size=shape).astype(np.float32))
    return np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))


def _background(rng: Rng, height: int, width: int) -> NDArray[np.float32]:
    """Soft tissue: a gradient, slow and middle-scale clouds."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    ground = rng.uniform(0.1, 0.5) + rng.normal(0, 0.12) * x + rng.normal(0, 0.12) * y
    ground += rng.uniform(0, 0.15) * _smooth_noise(rng, height, width, int(rng.integers(2, 6)))
    ground += rng.uniform(0, 0.06) * _smooth_noise(rng, height, width, int(rng.integers(10, 60)))
    return ground


def _expose(rng: Rng, density: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey values of densities after blur, coarse sampling, exposure, noise and collimation."""
    height, width = density.shape
    if rng.random() < 0.7:
        density = ndimage.gaussian_filter(density, rng.uniform(0.3, 1.6))
    if rng.random() < 0.5:  # an enlarged radiograph of low resolution
        factor = rng.uniform(1.2, 4)
        small = Image.fromarray(density).resize(
            (max(8, int(width / factor)), max(8, int(height / factor))), Image.Resampling.BOX
        )
        noisy = np.asarray(small) + rng.uniform(0, 0.04) * rng.normal(size=small.size[::-1])
        enlarged = Image.fromarray(noisy.astype(np.float32))
        density = np.asarray(enlarged.resize((width, height), Image.Resampling.BILINEAR))
    low, high = np.percentile(density, [rng.uniform(0, 3), rng.uniform(97, 100)])
    grey = np.clip((density - low) / max(high - low, 0.15), 0, 1) ** np.exp(rng.normal(0, 0.3))
    grey = grey * rng.uniform(0.55, 1) + rng.uniform(0, 0.15)
    grey += rng.uniform(0, 0.05) * rng.normal(size=grey.shape)
    if rng.random() < 0.1:  # collimation
        margin = rng.integers(0, [height // 8 + 1, width // 8 + 1])
        border = np.ones(grey.shape, dtype=bool)
        border[margin[0] : height - margin[0], margin[1] : width - margin[1]] = False
        grey[border] = 0.02
    return np.clip(grey * 255, 0, 255).astype(np.uint8)
