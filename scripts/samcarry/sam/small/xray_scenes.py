"""Drawn scenes with the physics of X-rays: what bodies absorb adds up along the beam.

Each body has a thickness at each pixel, and an attenuation. The beam that is left is exp(-sum of
attenuation times thickness) (Beer-Lambert), plus scatter; the radiograph is its logarithm, with noise. Masks
are the bodies' whole outlines, so that they overlap where bodies do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from samcarry.sam.small.bodies import Body, Outline, outline, total_absorption
from samcarry.sam.small.xray_beam import expose, tissue
from samcarry.sam.tiny.contours import Points, Rng, blob, capsule_widths, polygon, rotated, spindle, tooth

LEAST_AREA = 40
"""Pixels of a mask that can fairly be asked for."""


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
