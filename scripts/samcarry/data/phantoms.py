"""Phantom radiographs: an invented skeleton, X-rayed by summing densities along the ray.

The anatomy is invented: two long bones (`stem`, `strut`) cross, and a `cap` sits on one of them. Above
them are three touching `pebble`s with a `sickle` beside them, and three `ray`s fan out. All pebbles look
alike and so do all rays, so only their position distinguishes them. Each patient has an individual shape
and may lack some bones; each image has its own pose, exposure and noise.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy import ndimage

from samcarry.data.contract import COLUMNS, SPLITS
from samcarry.errors import InputError
from samcarry.storage.files import atomic, write_text

_MIN_AREA = 0.0016  # share of the squared short side: 59 pixels at 192 x 192


@dataclass(frozen=True)
class Phantom:
    """One drawn case.

    Attributes:
        case: name of the case.
        patient: name of the patient.
        split: one of `contract.SPLITS`.
        image: uint8 (height, width).
        masks: {class: bool (height, width)} of the present classes; each mask has one connected component,
            and masks may overlap.
    """

    case: str
    patient: str
    split: str
    image: np.ndarray
    masks: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Bone:
    """A bent tube with a round cross-section; lengths in half short sides of the image, v points down."""

    u: float
    v: float
    angle: float  # of the long axis from "up", clockwise, in radians
    half_length: float
    half_width: float
    waist: float = 1.0  # width in the middle as a fraction of the width at the ends
    flare: float = 0.15  # how far the wide ends reach inwards
    rounding: float = 0.1  # length over which the ends close
    squareness: float = 2.0  # 2: elliptic ends; more: boxier
    bend: float = 0.0  # sideways distance of the ends from the axis
    cortex: float = 0.02  # thickness of the bright rim
    density: float = 1.0
    ripple: float = 0.0
    phase: float = 0.0

    def at(self, s: float) -> tuple[float, float]:
        """The point (u, v) at distance `s` from the middle along the axis."""
        return self.u + s * math.sin(self.angle), self.v - s * math.cos(self.angle)

    def along(self, s: np.ndarray, inset: float = 0.0) -> np.ndarray:
        """Half width of the bone at positions `s` along the axis; 0 beyond the ends."""
        to_end = np.maximum(self.half_length - inset - np.abs(s), 0)
        body = self.waist + (1 - self.waist) * np.exp(-np.square(to_end / self.flare))
        body *= 1 + self.ripple * np.sin(3.3 * s / self.half_length + self.phase)
        closing = np.clip(1 - to_end / self.rounding, 0, 1) ** self.squareness
        ends = (1 - closing) ** (1 / self.squareness)
        return np.maximum(self.half_width * body - inset, 0) * ends


def _long_bone(base: tuple[float, float], tip: tuple[float, float], half_width: float) -> _Bone:
    """A bone from `base` to `tip`, both (u, v), that is narrower in the middle."""
    u, v = (tip[0] - base[0]) / 2, (tip[1] - base[1]) / 2
    bone = _Bone(base[0] + u, base[1] + v, math.atan2(u, -v), math.hypot(u, v), half_width)
    return replace(bone, waist=0.62, rounding=0.9 * half_width, squareness=2.4)


def _pebble(u: float, v: float, half_length: float, half_width: float, degrees: float = 0) -> _Bone:
    """A small, round bone."""
    bone = _Bone(u, v, math.radians(degrees), half_length, half_width)
    return replace(bone, rounding=half_length, squareness=2.5, ripple=0.05)


_SKELETON = {
    "stem": replace(_long_bone((0.3, 3.2), (-0.12, 0.28), 0.15), flare=0.2, cortex=0.03),
    "strut": replace(_long_bone((-1.03, 3.2), (0.19, 0.18), 0.12), flare=0.14, cortex=0.026),
    "cap": replace(_pebble(-0.13, 0.2, 0.17, 0.06, 83), bend=0.035),
    "sickle": replace(_pebble(0.37, 0.06, 0.2, 0.072, 8), bend=-0.09),
    "pebble_a": _pebble(-0.24, 0.015, 0.14, 0.12, 25),
    "pebble_b": _pebble(-0.01, -0.045, 0.135, 0.12, -60),
    "pebble_c": _pebble(0.21, 0.0, 0.145, 0.115, -15),
    "ray_left": replace(_long_bone((-0.26, -0.08), (-0.46, -0.52), 0.1), bend=-0.02),
    "ray_middle": _long_bone((-0.03, -0.14), (-0.04, -0.62), 0.105),
    "ray_right": replace(_long_bone((0.22, -0.1), (0.41, -0.52), 0.098), bend=0.02),
}

_ABSENCE_RATE = {"cap": 0.4, "sickle": 0.35, "pebble_c": 0.3, "ray_right": 0.3}
CLASSES = tuple(_SKELETON)


@dataclass(frozen=True)
class _Patient:
    """What all images of a patient share; `extras` (metal, small bones) do not belong to any class."""

    bones: dict[str, _Bone]
    extras: list[_Bone]
    cast: tuple[float, float, float] | None  # first v, last v, density
    soft_tissue: float


def draw_phantoms(*, counts: dict[str, int], seed: int, height: int, width: int) -> Iterator[Phantom]:
    """Draw phantom cases, split by split and patient by patient; a case does not depend on the counts.

    The first training case shows every class. About a third of the patients have two or three images; no
    patient is in two splits.

    Args:
        counts: number of images in each of the splits train, val, test and unlabelled.
        seed: 0 or more; the same seed draws the same cases.
        height: height of the images in pixels, 64 or more.
        width: width of the images in pixels, 64 or more.

    Raises:
        InputError: a split is unknown, a count or the seed is negative, or the images are too small.
    """
    if unknown := sorted(set(counts) - set(SPLITS)):
        raise InputError(f"phantom: unknown split {unknown[0]!r}; use {', '.join(SPLITS)}")
    if seed < 0 or min(counts.values(), default=0) < 0:
        raise InputError("phantom: seed and counts must not be negative; write 0 or more")
    if min(height, width) < 64:
        raise InputError(f"phantom: images of {height} x {width} pixels are too small; use 64 x 64 or more")
    return _draw_all(counts, seed, height, width)


def write_dataset(phantoms: Iterable[Phantom], folder: Path) -> None:
    """Write `images/`, `labels/` and `cases.csv` of a data set to `folder`, replacing existing ones.

    `cases.csv` is written last and atomically, so if it exists, the data set is complete. Its column
    `order` numbers the training cases from 0: first the one with most classes, then the others as drawn.
    """
    (folder / "cases.csv").unlink(missing_ok=True)
    rows: list[tuple[str, str, str]] = []
    class_counts: dict[str, int] = {}  # of the training cases
    with atomic(folder / "images") as images, atomic(folder / "labels") as labels:
        images.mkdir()
        for phantom in phantoms:
            rows.append((phantom.case, phantom.patient, phantom.split))
            if phantom.split == "train":
                class_counts[phantom.case] = len(phantom.masks)
            Image.fromarray(phantom.image).save(images / f"{phantom.case}.png")
            (labels / phantom.case).mkdir(parents=True)
            for name, mask in phantom.masks.items():
                label = Image.fromarray(mask.astype(np.uint8) * 255)
                label.save(labels / phantom.case / f"{name}.png")
        labels.mkdir(exist_ok=True)
    first = max(class_counts, key=class_counts.__getitem__, default="")
    order = sorted(class_counts, key=lambda case: case != first)
    lines = [",".join(COLUMNS)]
    for row in rows:
        lines.append(",".join([*row, str(order.index(row[0])) if row[0] in class_counts else ""]))
    write_text(folder / "cases.csv", "\n".join(lines) + "\n")


def _draw_all(counts: dict[str, int], seed: int, height: int, width: int) -> Iterator[Phantom]:
    """The phantoms of all splits."""
    for offset, split in enumerate(SPLITS):
        remaining, index = counts.get(split, 0), 0
        while remaining:
            # Patient numbers of the splits interleave, so that they do not depend on the counts.
            number = len(SPLITS) * index + offset
            rng = np.random.default_rng([seed, number])
            patient = _draw_patient(rng, is_complete=number == 0)
            images = min(remaining, 1 + int(rng.choice(3, p=(0.66, 0.23, 0.11))))
            for k in range(1, images + 1):
                rng = np.random.default_rng([seed, number, k])
                image, masks = _draw_image(patient, rng, height, width)
                yield Phantom(f"p{number:04d}_{k}", f"p{number:04d}", split, image, masks)
            remaining, index = remaining - images, index + 1


def _draw_patient(rng: Generator, *, is_complete: bool) -> _Patient:
    """A random patient; `is_complete`: no bone is absent."""

    def around(value: float, spread: float) -> float:
        return value * (1 + spread * rng.uniform(-1.7, 1.7))

    broad, long, rim = around(1, 0.07), around(1, 0.05), around(1, 0.2)
    bones = {}
    for name, plan in _SKELETON.items():
        is_long = plan.half_length > 1
        bone = replace(
            plan,
            u=plan.u * broad + rng.normal(0, 0.014),
            v=plan.v * long + rng.normal(0, 0.014),
            angle=plan.angle + rng.normal(0, 0.015 if is_long else 0.08),
            half_length=around(plan.half_length, 0.01 if is_long else 0.08),
            half_width=around(plan.half_width * broad, 0.09),
            waist=min(around(plan.waist, 0.1), 1),
            squareness=around(plan.squareness, 0.12),
            bend=plan.bend + rng.normal(0, 0.014),
            cortex=around(plan.cortex * rim, 0.1),
            density=around(1, 0.12),
            ripple=plan.ripple + rng.uniform(0, 0.07),
            phase=rng.uniform(0, 2 * math.pi),
        )
        if rng.random() >= _ABSENCE_RATE.get(name, 0) or is_complete:
            bones[name] = bone

    extras = []
    for _ in range(rng.binomial(3, 0.25)):
        u, v = rng.uniform((-0.55, -0.5), (0.55, 0.5))
        extras.append(_pebble(u, v, rng.uniform(0.025, 0.05), rng.uniform(0.025, 0.05)))
    for _ in range(rng.choice([0, 0, 0, 0, 1, 2])):  # pins
        u, v = rng.uniform((-0.35, -0.45), (0.35, 0.35))
        pin = _Bone(u, v, rng.normal(0, 0.6), rng.uniform(0.12, 0.3), 0.013)
        extras.append(replace(pin, cortex=1, density=rng.uniform(4, 7)))
    if rng.random() < 0.15:
        host = bones[str(rng.choice(["stem", "strut", "ray_middle"]))]
        plate = _Bone(*host.at(max(host.half_length - 0.32, 0)), host.angle, 0.22, 0.034)
        extras.append(replace(plate, cortex=1, density=rng.uniform(2, 4)))
    top, density = rng.uniform((-0.3, 0.25), (0.5, 0.6))
    cast = (top, top + rng.choice([0.35, 3]), density) if rng.random() < 0.22 else None
    return _Patient(bones, extras, cast, rng.uniform(0.7, 1.4))


def _draw_image(
    patient: _Patient, rng: Generator, height: int, width: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A random image of a patient, uint8 (height, width), and the masks of its bones."""
    bones = {}
    for name, bone in patient.bones.items():
        u, v, turn = rng.normal(0, (0.01, 0.01, 0.05 if bone.half_length < 1 else 0.005))
        bones[name] = replace(bone, u=bone.u + u, v=bone.v + v, angle=bone.angle + turn)
    place, field = _pose(bones, rng, height, width)
    shape, unit = (height, width), min(height, width) / 2

    skeleton, masks = np.zeros(shape, np.float32), {}
    for name, bone in [*bones.items(), *(("", extra) for extra in patient.extras)]:
        box, mask, shadow = _project(bone, place)
        skeleton[box] += shadow
        parts, _ = ndimage.label(mask & field[box])
        sizes = np.bincount(parts.ravel(), minlength=2)[1:]
        if name and sizes.max() >= _MIN_AREA * (2 * unit) ** 2:
            masks[name] = np.zeros(shape, bool)
            masks[name][box] = parts == 1 + sizes.argmax()
    grain = ndimage.gaussian_filter(rng.normal(size=shape).astype(np.float32), unit * 0.012)
    skeleton *= 1 + rng.uniform(0.1, 0.25) * grain / grain.std()

    rays = [bone for name, bone in bones.items() if name.startswith("ray")]
    tissue = patient.soft_tissue * _soft_tissue(rays, place)
    coarse = Image.fromarray(rng.normal(size=(9, 9)).astype(np.float32))
    clouds = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    body = tissue * (1 + 0.14 * clouds) + rng.uniform(0.6, 1.0) * skeleton
    if patient.cast is not None:
        top, bottom, density = patient.cast
        inside = np.clip(np.minimum(place[1] - top, bottom - place[1]) / 0.03, 0, 1)
        weave = 1 + 0.08 * np.sin(70 * place[1] + 4 * place[0]) + 0.2 * clouds
        body += density * weave * inside * np.clip(4 * tissue, 0, 1)
    return _to_grey(body, field, rng, unit), masks


def _pose(bones: dict[str, _Bone], rng: Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A random pose: patient coordinates of each pixel (2: u and v, height, width), and the exposed field.

    The field is a bool array (height, width); collimators cover the rest of the image.
    """
    turn, shear = rng.uniform(-0.2, 0.2), rng.normal(0, 0.04)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    to_image = rng.uniform(1.15, 1.4) * rotation @ np.array([[1, shear], [0, 1]])

    # Both ends of every short bone and the upper ends of the long ones have to stay in the image.
    tips = [bone.at(bone.half_length) for bone in bones.values()]
    tips += [bone.at(-bone.half_length) for bone in bones.values() if bone.half_length < 1]
    ends = np.array(tips) @ to_image.T
    half = np.array([width, height]) / min(height, width)
    shift = rng.normal((0, 0.08), 0.06)
    shift = np.maximum(shift, np.minimum(-0.96 * half - ends.min(axis=0), 0))
    shift = np.minimum(shift, np.maximum(0.96 * half - ends.max(axis=0), 0))

    grid = (2 * np.indices((height, width), np.float32)[::-1] + 1) / min(height, width)
    x, y = grid = (grid - (half + shift)[:, None, None]).astype(np.float32)
    u, v = np.tensordot(np.linalg.inv(to_image).astype(np.float32), grid, 1)
    a, b, c, d = rng.uniform(-math.pi, math.pi, 4).astype(np.float32)
    du = 0.02 * np.sin(3 * v + a) + 0.012 * np.sin(4 * u + 3 * v + b)
    dv = 0.02 * np.sin(3 * u + c) + 0.012 * np.sin(4 * v - 3 * u + d)

    field = np.ones((height, width), bool)
    if rng.random() < 0.4:
        for axis, sign in ((0, -1), (0, 1), (1, -1), (1, 1)):
            # The edge is between the outermost bone and the image edge; below, some shaft stays visible.
            bone = (sign * ends[:, axis]).max() + (0.28 if axis + sign == 2 else 0.08)
            room = max(half[axis] - sign * shift[axis] - bone, 0)
            slanted = (x, y)[axis] + np.float32(rng.normal(0, 0.03)) * (y, x)[axis]
            field &= sign * slanted < bone + rng.uniform(0.1, 1.3) * room
    return np.stack([u + du, v + dv]), field


def _project(bone: _Bone, place: np.ndarray) -> tuple[tuple[slice, ...], np.ndarray, np.ndarray]:
    """A bone's bounding box, its mask in the box, and the density that rays meet in the box."""
    cos, sin = np.float32(math.cos(bone.angle)), np.float32(math.sin(bone.angle))
    du, dv = place[0] - np.float32(bone.u), place[1] - np.float32(bone.v)
    s, t = sin * du - cos * dv, cos * du + sin * dv
    reach = 1.3 * bone.half_width + 1.1 * abs(bone.bend)
    near = (np.abs(s) < bone.half_length) & (np.abs(t) < reach)
    spans = [np.flatnonzero(near.any(axis=axis)) for axis in (1, 0)]
    box = tuple(slice(span[0], span[-1] + 1) if span.size else slice(0, 1) for span in spans)
    s, t = s[box], t[box]
    across = np.abs(t - np.float32(bone.bend) * (np.square(s / bone.half_length) - np.float32(0.4)))
    outer, inner = bone.along(s), bone.along(s, bone.cortex)
    whole = np.sqrt(np.maximum(np.square(outer) - np.square(across), 0))
    marrow = np.sqrt(np.maximum(np.square(inner) - np.square(across), 0))
    # Wide bones are flat, or the stem would be much brighter than all others.
    scale = bone.density / math.sqrt(bone.half_width * 0.1)
    return box, across < outer, scale * (whole - 0.7 * marrow)


def _soft_tissue(rays: list[_Bone], place: np.ndarray) -> np.ndarray:
    """Thickness of the soft tissue (height, width): a wide palm, and a sleeve around each ray."""
    palm = _Bone(0, 1.15, 0, 1.9, 0.62, waist=0.7, flare=1.1, rounding=0.7, cortex=1, density=0.2)
    sleeve = replace(palm, half_length=0.62, half_width=0.17, rounding=0.15, waist=1, density=0.55)
    thickness = np.zeros(place.shape[1:], np.float32)
    for part in [palm, *(replace(sleeve, u=ray.u, v=ray.v, angle=ray.angle) for ray in rays)]:
        box, _, shadow = _project(part, place)
        thickness[box] = np.hypot(thickness[box], shadow)
    return thickness


def _to_grey(body: np.ndarray, field: np.ndarray, rng: Generator, unit: float) -> np.ndarray:
    """An 8-bit image from attenuation: blur, scatter, quantum noise, window, gamma and lead marker."""
    body = ndimage.gaussian_filter(body, rng.uniform(0.005, 0.011) * unit)
    heel = np.linspace(-1, 1, body.shape[1], dtype=np.float32) * np.float32(rng.normal(0, 0.12))
    light = np.exp(-body) * (1 + heel)
    haze = ndimage.uniform_filter(ndimage.uniform_filter(light, int(unit / 2)), int(unit / 2))
    light += rng.uniform(0.1, 0.5) * haze
    noise = ndimage.gaussian_filter(rng.normal(size=body.shape).astype(np.float32), 0.5)
    light += rng.uniform(0.015, 0.04) * np.sqrt(light) * noise
    film = -np.log(np.maximum(light, 0.004))
    black, white = np.percentile(film[field], (1, 99.5))
    black -= rng.uniform(0, 0.25) * (white - black)
    white += rng.uniform(-0.05, 0.4) * (white - black)
    film = np.clip((film - black) / (white - black), 0, 1) ** rng.uniform(0.75, 1.4)
    film = np.where(ndimage.uniform_filter(field.astype(np.float32), 3) > 0.5, film, 0.03)
    if rng.random() < 0.3:  # a lead letter L, or its mirror image
        letter = np.kron([[1, 0, 0]] * 4 + [[1, 1, 1]], np.ones((int(0.033 * unit),) * 2)) > 0
        top, side = (rng.uniform(0.04, 0.3, 2) * unit).astype(int)
        corner = film if rng.random() < 0.5 else film[:, ::-1]
        corner[top : top + letter.shape[0], side : side + letter.shape[1]][letter] = 0.97
    return np.rint(255 * np.clip(film, 0, 1)).astype(np.uint8)
