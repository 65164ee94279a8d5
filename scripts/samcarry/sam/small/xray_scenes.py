"""Drawn scenes with the physics of X-rays: what bodies absorb adds up along the beam.

Each body has a thickness at each pixel, and an attenuation. The beam that is left is exp(-sum of
attenuation times thickness) (Beer-Lambert), plus scatter; the radiograph is its logarithm, with noise. Masks
are the bodies' whole outlines, so that they overlap where bodies do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from samcarry.sam.tiny.contours import Points, Rng, blob, capsule_widths, polygon, rotated, spindle, tooth

LEAST_AREA = 40
"""Pixels of a mask that can fairly be asked for."""


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
class XrayScene:
    """One scene: image uint8 (height, width), masks and places of missing objects bool (K, height, width)."""

    image: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    missing: NDArray[np.bool_]


def draw_xray_scene(rng: Rng, height: int, width: int) -> XrayScene:
    """Draw a scene of a random kind with at least one object."""
    while True:
        layout = LAYOUTS[rng.choice(len(LAYOUTS), p=LAYOUT_SHARES)]
        bodies = [*layout(rng, height, width), *scenery(rng, height, width)]
        outlines = [outline(body.contour, height, width) for body in bodies]
        masks = _of_role("object", bodies, outlines)
        if masks:
            break
    drawn = [(body, mask) for body, mask in zip(bodies, outlines, strict=True) if body.role != "missing"]
    absorbed = tissue(rng, height, width) + total_absorption(rng, drawn, height, width)
    image = expose(rng, absorbed)
    return XrayScene(
        image,
        np.stack(masks),
        np.reshape(_of_role("missing", bodies, outlines), (-1, height, width)).astype(bool),
    )


def _of_role(role: str, bodies: Sequence[Body], outlines: Sequence["Outline"]) -> list[NDArray[np.bool_]]:
    """Whole-image masks of the bodies of one role that are large enough and at least a third inside."""
    return [
        mask.on_canvas()
        for body, mask in zip(bodies, outlines, strict=True)
        if body.role == role and mask.visible >= LEAST_AREA and mask.visible > 0.33 * mask.inside.sum()
    ]


# ---- outlines and thickness -----------------------------------------------------------------


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
            absorbed = absorbed * (1 + body.texture * _clouds(rng, mask.inside.shape, rng.uniform(3, 9)))
        total[canvas] += absorbed[patch]
    return total


def _clouds(rng: Rng, size: tuple[int, int], cell: float) -> NDArray[np.float32]:
    """Smooth unit noise (rows, columns) with irregularities of about `cell` pixels."""
    coarse = [max(2, int(side / cell)) for side in size]
    grid = Image.fromarray(rng.normal(size=coarse).astype(np.float32))
    return np.asarray(grid.resize(size[::-1], Image.Resampling.BICUBIC))


# ---- the beam -------------------------------------------------------------------------------


def tissue(rng: Rng, height: int, width: int) -> NDArray[np.float32]:
    """Absorption of soft tissue: a slope and clouds of three sizes, (height, width)."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    ground = rng.uniform(0.2, 1.0) + rng.normal(0, 0.15) * x + rng.normal(0, 0.15) * y
    for cell, strength in ((max(height, width) / 3, 0.2), (max(height, width) / 12, 0.07), (5, 0.03)):
        ground += rng.uniform(0, strength) * _clouds(rng, (height, width), cell)
    return ground


def transmitted(absorbed: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of the beam that is left behind bodies, 0..1 (Beer-Lambert)."""
    return np.exp(-np.clip(absorbed, 0, None))


def expose(rng: Rng, absorbed: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A radiograph (height, width) of what the bodies absorb."""
    beam = transmitted(absorbed)
    scatter = ndimage.gaussian_filter(beam, 0.08 * max(beam.shape))
    beam = beam + rng.choice([0.0, 0.1, 0.4]) * rng.random() * scatter
    beam = _detect(rng, beam)
    field = _field(rng, *beam.shape)
    grey = _film(rng, -np.log(beam.clip(1e-3)), field)
    if field is not None:
        grey = np.where(field, grey, rng.choice([0.02, 0.02, 0.95]))
    if rng.random() < 0.5:
        grey = _mark(rng, grey)
    if rng.random() < 0.06:
        grey = 1 - grey
    return np.clip(grey * 255, 0, 255).astype(np.uint8)


def _detect(rng: Rng, beam: NDArray[np.float32]) -> NDArray[np.float32]:
    """The beam as a detector counts it: blurred, with the noise of few quanta, perhaps of fewer pixels."""
    height, width = beam.shape
    if rng.random() < 0.7:
        beam = ndimage.gaussian_filter(beam, rng.uniform(0.3, 1.4))
    factor = rng.uniform(1.2, 3.0) if rng.random() < 0.4 else 1.0
    if factor > 1:
        small = (max(8, int(width / factor)), max(8, int(height / factor)))
        beam = np.asarray(Image.fromarray(beam).resize(small, Image.Resampling.BOX))
    quanta = np.exp(rng.uniform(np.log(300), np.log(30_000)))
    beam = beam + np.sqrt(beam / quanta) * rng.normal(size=beam.shape)
    beam = beam.astype(np.float32)
    if factor > 1:
        beam = np.asarray(Image.fromarray(beam).resize((width, height), Image.Resampling.BILINEAR))
    return beam


def _film(rng: Rng, absorbed: NDArray[np.float32], field: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Absorption to grey values 0..1: the window of a display, and its gamma."""
    seen = absorbed if field is None else absorbed[field]
    low, high = np.percentile(seen, [rng.uniform(0, 4), rng.uniform(96, 100)])
    grey = np.clip((absorbed - low) / max(float(high - low), 0.08), 0, 1) ** np.exp(rng.normal(0, 0.3))
    if rng.random() < 0.2:  # local contrast, as consoles enhance it
        grey = np.clip(grey + rng.uniform(0.3, 1.0) * (grey - ndimage.gaussian_filter(grey, 12)), 0, 1)
    return grey * rng.uniform(0.6, 1) + rng.uniform(0, 0.15)


def _field(rng: Rng, height: int, width: int) -> NDArray[np.bool_] | None:
    """What the collimator leaves open, (height, width); None = all of it."""
    if rng.random() > 0.15:
        return None
    half = np.array([width, height]) / 2 * rng.uniform(0.8, 1.05, 2)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    corners = np.array([width, height]) / 2 + rotated(corners, rng.normal(0, 0.05))
    return outline(corners, height, width).on_canvas()


def _mark(rng: Rng, grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey values with a side marker or a line of writing."""
    canvas = Image.fromarray(grey.astype(np.float32))
    height, width = grey.shape
    place = (rng.uniform(0, width * 0.9), rng.choice([rng.uniform(0, 0.15), rng.uniform(0.8, 0.95)]) * height)
    text = str(rng.choice(["L", "R", "LEFT", "AP", "12.4 cm", "RX 07"]))
    font = ImageFont.load_default(size=float(rng.uniform(9, 28)))
    ImageDraw.Draw(canvas).text(place, text, fill=float(rng.uniform(0.85, 1)), font=font)
    return np.asarray(canvas)


# ---- what is in the beam --------------------------------------------------------------------


def _attenuation(rng: Rng) -> float:
    return float(np.exp(rng.uniform(np.log(0.15), np.log(1.3))))


def _scatter(rng: Rng, value: float, share: float = 0.15) -> float:
    return float(value * np.exp(rng.normal(0, share)))


def jaws(rng: Rng, height: int, width: int) -> list[Body]:
    """One or two curved rows of touching teeth in bone, some missing, some with metal."""
    size = float(np.exp(rng.uniform(np.log(13), np.log(46))))
    elongation, dense = rng.uniform(1.7, 3.4), _attenuation(rng)
    bend, middle = rng.normal(0, 0.12) / width, height * rng.uniform(0.35, 0.65)
    gap, pitch = rng.uniform(-0.15, 0.3) * size, rng.uniform(0.82, 1.02)
    enamel, pulp, wall = rng.uniform(0, 0.9), rng.uniform(0, 0.5), rng.uniform(0.5, 1)
    bodies: list[Body] = []
    for side in (-1, 1) if rng.random() < 0.85 else (int(rng.choice([-1, 1])),):
        bodies.append(_alveolar_bone(rng, side, middle, elongation * size, dense, width))
        x = -rng.uniform(0, size)
        while x < width + size:
            breadth = _scatter(rng, size, 0.2)
            x += pitch * breadth / 2
            away = x - width / 2
            y = middle + bend * away**2 + side * (gap / 2 + rng.normal(0, 0.07) * size)
            lean = side * np.pi / 2 - 2 * side * bend * away + rng.normal(0, 0.13)
            length = _scatter(rng, breadth * elongation, 0.1)
            contour = tooth(rng, np.array([x, y]), lean, breadth, length)
            if rng.random() < 0.1:
                bodies.append(Body(contour, 0.0, role="missing"))
            else:
                whole = Body(contour, _scatter(rng, dense), rng.uniform(0.5, 1), wall, 0.05)
                bodies += [whole, *_inside_tooth(rng, whole, enamel, pulp, lean, length, breadth)]
            x += pitch * breadth / 2
    return bodies


def _alveolar_bone(rng: Rng, side: int, middle: float, length: float, dense: float, width: int) -> Body:
    """A band of textured bone behind the roots of one row."""
    low, high = middle + side * 0.3 * length, middle + side * rng.uniform(1.1, 2.0) * length
    x = np.linspace(-20, width + 20, 24)
    upper = np.stack([x, low + rng.normal(0, 2, 24)], axis=1)
    lower = np.stack([x[::-1], high + rng.normal(0, 3, 24)], axis=1)
    return Body(
        np.concatenate([upper, lower]),
        dense * rng.uniform(0.2, 0.8),
        rng.uniform(0, 0.5),
        texture=rng.uniform(0.1, 0.35),
        role="scenery",
    )


def _inside_tooth(
    rng: Rng, whole: Body, enamel: float, pulp: float, lean: float, length: float, breadth: float
) -> list[Body]:
    """Enamel, pulp, fillings and root fillings of a tooth: parts of it, not objects of their own."""
    contour, dense = whole.contour, whole.attenuation
    cap = int(rng.integers(6, 11))
    crown = np.concatenate([contour[:cap], contour[-cap:]])
    parts = [Body(crown, dense * enamel, 0.6, texture=0, role="scenery")]
    axis = np.array([np.cos(lean), np.sin(lean)])
    neck = contour[0] / 2 + contour[-1] / 2
    if pulp > 0.05:
        half = np.full(8, 0.5 * breadth * rng.uniform(0.1, 0.25)) * np.linspace(1, 0.4, 8)
        canal = spindle(neck + axis * 0.25 * length, lean, length * 0.6, half)
        parts.append(Body(canal, -pulp * dense, 1.0, texture=0, role="scenery"))
        if rng.random() < 0.08:
            parts.append(Body(canal, 2.0 * dense, 1.0, texture=0, role="scenery"))
    if rng.random() < 0.1:
        place = neck + axis * length * rng.uniform(0.05, 0.2)
        filling = blob(rng, place, breadth * rng.uniform(0.12, 0.3))
        parts.append(Body(filling, rng.uniform(1.5, 4), 0.2, texture=0, role="scenery"))
    if rng.random() < 0.05:
        parts.append(Body(crown, rng.uniform(1.5, 4), 0.2, texture=0, role="scenery"))
    return parts


def limb(rng: Rng, height: int, width: int) -> list[Body]:
    """Two long bones, a cluster of round ones that overlap, and rays of short shafts, in soft tissue."""
    radius = float(np.exp(rng.uniform(np.log(9), np.log(42))))
    dense, wall = _attenuation(rng), rng.uniform(0.15, 0.6)
    middle = rng.uniform([0.3 * width, 0.3 * height], [0.7 * width, 0.7 * height])
    columns, lines = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    spacing = radius * rng.uniform(1.45, 2.1)
    bodies: list[Body] = []
    for column in range(columns):
        for line in range(lines):
            grid = [column - (columns - 1) / 2 + 0.5 * (line % 2), line - (lines - 1) / 2]
            centre = middle + spacing * (np.array(grid) + rng.normal(0, 0.14, 2))
            draw = polygon if rng.random() < 0.4 else blob
            # Of a child's carpal bones some are still small, and some are not there.
            role = "missing" if rng.random() < 0.12 else "object"
            contour = draw(rng, centre, _scatter(rng, radius, 0.25))
            bodies.append(Body(contour, _scatter(rng, dense), rng.uniform(0.4, 1), wall, 0.15, role))
    edge = lines * spacing / 2 + 0.4 * radius
    span = columns * spacing
    for side, count in ((-1, int(rng.integers(2, 6))), (1, int(rng.integers(1, 3)))):
        for place in range(count):
            across = (place + 0.5) / count - 0.5
            start = middle + np.array([across * span, side * edge])
            angle = side * np.pi / 2 - side * across * rng.uniform(0.1, 0.8)
            half_width = min(span / count * rng.uniform(0.3, 0.5), 1.5 * radius)
            bodies += _ray(rng, start, angle, half_width, dense, wall, parts=3 if side < 0 else 1)
    turn = rng.normal(0, 0.6)
    return [replace(body, contour=middle + rotated(body.contour - middle, turn)) for body in bodies]


def _ray(
    rng: Rng, start: Points, angle: float, half_width: float, dense: float, wall: float, parts: int
) -> list[Body]:
    """Shafts end to end, each perhaps with a growth plate and an epiphysis, in a sleeve of soft tissue."""
    bodies: list[Body] = []
    direction = np.array([np.cos(angle), np.sin(angle)])
    place, total = start, 0.0
    for _ in range(parts):
        length = half_width * (rng.uniform(4, 9) if parts > 1 else rng.uniform(6, 16))
        if rng.random() < 0.4:
            depth = half_width * rng.uniform(0.4, 0.8)
            half = capsule_widths(rng, depth, 2 * half_width * rng.uniform(0.8, 1.1), 0.0)
            across = angle + np.pi / 2
            reach = np.array([np.cos(across), np.sin(across)]) * half_width
            cap = spindle(place + direction * depth - reach, across, 2 * half_width, half)
            role = "missing" if rng.random() < 0.15 else "object"
            bodies.append(Body(cap, _scatter(rng, dense), 0.7, wall, 0.1, role))
            place = place + direction * 2 * depth * rng.uniform(0.9, 1.25)
        half = capsule_widths(rng, half_width, length, rng.uniform(0.1, 0.8))
        shaft = spindle(place, angle, length, half, rng.normal(0, 0.1))
        bodies.append(Body(shaft, _scatter(rng, dense), rng.uniform(0.6, 1), wall, 0.1))
        place, total = place + direction * length * rng.uniform(0.96, 1.08), total + length
        half_width *= rng.uniform(0.75, 0.95)
    sleeve = np.full(12, half_width * rng.uniform(2, 3.2))
    contour = spindle(start - direction * half_width, angle, 1.1 * total, sleeve)
    bodies.append(Body(contour, rng.uniform(0.1, 0.6), 1.0, texture=0.03, role="scenery"))
    return bodies


def trunk(rng: Rng, height: int, width: int) -> list[Body]:
    """Ribs across airy and soft organs, with a column of vertebrae."""
    short = min(height, width)
    bodies = []
    for _ in range(rng.integers(1, 4)):
        contour = blob(rng, _anywhere(rng, height, width), short * rng.uniform(0.15, 0.35))
        sign = -1 if rng.random() < 0.6 else 1
        bodies.append(Body(contour, sign * rng.uniform(0.1, 0.6), rng.uniform(0.3, 1), texture=0.1))
    dense, wall = _attenuation(rng) * 0.5, rng.uniform(0.15, 0.6)
    pitch, half_width = rng.uniform(18, 50), rng.uniform(4, 14)
    lean, bend, length = rng.normal(0, 0.4), rng.normal(0, 0.9), width * rng.uniform(0.4, 1.0)
    x = rng.uniform(-0.2, 0.6) * width
    for y in np.arange(rng.uniform(-pitch, pitch), height + pitch, pitch):
        half = capsule_widths(rng, _scatter(rng, half_width), length, 0.1)
        rib = spindle(np.array([x, y + rng.normal(0, 3)]), lean + rng.normal(0, 0.08), length, half, bend)
        bodies.append(Body(rib, _scatter(rng, dense), 1.0, wall, 0.1))
    if rng.random() < 0.6:
        bodies += _column(rng, rng.uniform(0.2, 0.8) * width, height, dense * 1.5)
    return bodies


def _column(rng: Rng, x: float, height: int, dense: float) -> list[Body]:
    """Vertebrae one above the other."""
    side = rng.uniform(18, 50)
    bodies = []
    for y in np.arange(-side, height + side, side * rng.uniform(1.02, 1.25)):
        corners = np.array([[-0.6, -0.5], [0, -0.44], [0.6, -0.5], [0.55, 0], [0.6, 0.5], [0, 0.44]])
        corners = np.concatenate([corners, [[-0.6, 0.5], [-0.55, 0]]]) * side
        centre = np.array([x + rng.normal(0, 0.04) * side, y])
        contour = centre + rotated(corners, rng.normal(0, 0.06))
        bodies.append(Body(contour, _scatter(rng, dense), 0.3, 0.4, 0.15))
    return bodies


def heap(rng: Rng, height: int, width: int) -> list[Body]:
    """Bodies of any form and size that lie over each other."""
    dense = _attenuation(rng) * 0.7
    size = float(np.exp(rng.uniform(np.log(10), np.log(60))))
    bodies = []
    for _ in range(rng.integers(3, 15)):
        centre, radius = _anywhere(rng, height, width), _scatter(rng, size, 0.4)
        form = rng.integers(3)
        if form == 0:
            contour = blob(rng, centre, radius, rng.uniform(0.03, 0.25))
        elif form == 1:
            contour = polygon(rng, centre, radius)
        else:
            half = capsule_widths(rng, radius * rng.uniform(0.3, 0.6), radius * 3, rng.uniform(0, 1))
            contour = spindle(centre, rng.uniform(0, 6.3), radius * 3, half, rng.normal(0, 0.6))
        sign = -0.5 if rng.random() < 0.15 else 1
        wall = rng.uniform(0.15, 0.6) if rng.random() < 0.4 else 1.0
        role = "missing" if rng.random() < 0.1 else "object"
        bodies.append(
            Body(contour, sign * _scatter(rng, dense, 0.4), rng.random(), wall, rng.uniform(0, 0.3), role)
        )
    return bodies


def _anywhere(rng: Rng, height: int, width: int) -> Points:
    return rng.uniform([0, 0], [width, height])


LAYOUTS: tuple[Callable[[Rng, int, int], list[Body]], ...] = (jaws, limb, trunk, heap)
LAYOUT_SHARES = (0.36, 0.36, 0.1, 0.18)


def scenery(rng: Rng, height: int, width: int) -> list[Body]:
    """What is in the beam and never asked for: folds of skin, casts, screws, wires."""
    bodies = []
    if rng.random() < 0.4:
        for _ in range(rng.integers(1, 4)):
            contour = blob(rng, _anywhere(rng, height, width), min(height, width) * rng.uniform(0.2, 0.6))
            bodies.append(Body(contour, rng.normal(0, 0.2), rng.random(), texture=0.05, role="scenery"))
    if rng.random() < 0.15:
        for _ in range(rng.integers(1, 4)):
            half = np.full(8, rng.uniform(1, 5))
            rod = spindle(_anywhere(rng, height, width), rng.uniform(0, 6.3), rng.uniform(20, 150), half)
            bodies.append(Body(rod, rng.uniform(2, 5), 1.0, texture=0, role="scenery"))
    return bodies
