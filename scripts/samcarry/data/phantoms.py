"""Phantom radiographs: an invented skeleton, X-rayed by summing densities along the ray.

The anatomy is nobody's: two long bones cross on their way up (`stem`, `strut`), one wears a `cap`;
above lie three touching `pebble`s with a `sickle` on their flank, and three `ray`s fan out. Pebbles
look like pebbles and rays like rays, so that place alone tells them apart. A patient has a shape of
their own and may lack some bones; each of their images has its own pose, exposure and noise.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy import ndimage

from samcarry.data.contract import SPLITS
from samcarry.errors import InputError
from samcarry.storage.files import atomic, write_text

_SMALLEST = 0.0016  # of the squared short side: 60 pixels at 192 x 192


@dataclass(frozen=True)
class Phantom:
    """One drawn case: `image` is uint8 (height, width); `masks` holds the present classes only.

    Each mask is a bool array (height, width) with one connected component; masks may overlap.
    """

    case: str
    patient: str
    split: str
    image: np.ndarray
    masks: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Bone:
    """A bent tube of round cross-section; lengths in half short sides of the image, v downwards."""

    u: float
    v: float
    angle: float  # of the long axis from "up", clockwise, in radians
    half_length: float
    half_width: float
    waist: float = 1.0  # width in the middle as a fraction of the width at the ends
    flare: float = 0.15  # how far the wide ends reach inwards
    rounding: float = 0.1  # over which length the ends close
    squareness: float = 2.0  # 2: elliptic ends; more: boxier
    bend: float = 0.0  # how far the ends lie off the axis, sideways
    cortex: float = 0.02  # thickness of the bright rim
    density: float = 1.0
    ripple: float = 0.0
    phase: float = 0.0

    def at(self, s: float) -> tuple[float, float]:
        """The point (u, v) at `s` along the axis, counted from the middle."""
        return self.u + s * math.sin(self.angle), self.v - s * math.cos(self.angle)

    def along(self, s: np.ndarray, inset: float = 0.0) -> np.ndarray:
        """Half width at the positions `s` along the axis; 0 beyond the ends."""
        to_end = np.maximum(self.half_length - inset - np.abs(s), 0)
        body = self.waist + (1 - self.waist) * np.exp(-np.square(to_end / self.flare))
        body *= 1 + self.ripple * np.sin(3.3 * s / self.half_length + self.phase)
        closing = np.clip(1 - to_end / self.rounding, 0, 1) ** self.squareness
        ends = (1 - closing) ** (1 / self.squareness)
        return np.maximum(self.half_width * body - inset, 0) * ends


def _between(base: tuple[float, float], tip: tuple[float, float], half_width: float) -> _Bone:
    """A bone with a waist from `base` to `tip`, both (u, v)."""
    u, v = (tip[0] - base[0]) / 2, (tip[1] - base[1]) / 2
    bone = _Bone(base[0] + u, base[1] + v, math.atan2(u, -v), math.hypot(u, v), half_width)
    return replace(bone, waist=0.62, rounding=0.9 * half_width, squareness=2.4)


def _pebble(u: float, v: float, half_length: float, half_width: float, degrees: float = 0) -> _Bone:
    bone = _Bone(u, v, math.radians(degrees), half_length, half_width)
    return replace(bone, rounding=half_length, squareness=2.5, ripple=0.05)


_SKELETON = {
    "stem": replace(_between((0.3, 3.2), (-0.12, 0.28), 0.15), flare=0.2, cortex=0.03),
    "strut": replace(_between((-1.03, 3.2), (0.19, 0.18), 0.12), flare=0.14, cortex=0.026),
    "cap": replace(_pebble(-0.13, 0.2, 0.17, 0.06, 83), bend=0.035),
    "sickle": replace(_pebble(0.37, 0.06, 0.2, 0.072, 8), bend=-0.09),
    "pebble_a": _pebble(-0.24, 0.015, 0.14, 0.12, 25),
    "pebble_b": _pebble(-0.01, -0.045, 0.135, 0.12, -60),
    "pebble_c": _pebble(0.21, 0.0, 0.145, 0.115, -15),
    "ray_left": replace(_between((-0.26, -0.08), (-0.46, -0.52), 0.1), bend=-0.02),
    "ray_middle": _between((-0.03, -0.14), (-0.04, -0.62), 0.105),
    "ray_right": replace(_between((0.22, -0.1), (0.41, -0.52), 0.098), bend=0.02),
}

_ABSENCE = {"cap": 0.4, "sickle": 0.35, "pebble_c": 0.3, "ray_right": 0.3}
CLASSES = tuple(_SKELETON)


@dataclass(frozen=True)
class _Patient:
    """What all images of a patient share; `extras` (metal, small bones) belong to no class."""

    bones: dict[str, _Bone]
    extras: list[_Bone]
    cast: tuple[float, float, float] | None  # from v, to v, density
    flesh: float


def draw_phantoms(*, counts: dict[str, int], seed: int, height: int, width: int) -> Iterator[Phantom]:
    """Draw phantom cases split by split, patient by patient, each the same whatever the counts.

    The first training case shows every class. About a third of the patients have two or three
    images; no patient is in two splits.

    Args:
        counts: Number of images wanted for each of the splits train, val, test and unlabelled.
        seed: Not negative; the same seed draws the same cases.
        height: Of the images, in pixels, 64 or more.
        width: As height.

    Raises:
        InputError: A split is unknown, a count or the seed negative, or an image too small.
    """
    if unknown := sorted(set(counts) - set(SPLITS)):
        raise InputError(f"phantom: unknown split {unknown[0]!r}; use {', '.join(SPLITS)}")
    if seed < 0 or min(counts.values(), default=0) < 0:
        raise InputError("phantom: seed and counts must be 0 or more")
    if min(height, width) < 64:
        raise InputError(f"phantom: {height} x {width} pixels are too few; use 64 x 64 or more")
    return _draw_all(counts, seed, height, width)


def write_dataset(phantoms: Iterable[Phantom], folder: Path) -> None:
    """Write `images/`, `labels/` and `cases.csv` of a data set into `folder`, replacing old ones.

    `cases.csv` comes last and whole, so that its existence means that everything is there. Its
    column `order` numbers the training cases from 0: the one with most classes, then as drawn.
    """
    (folder / "cases.csv").unlink(missing_ok=True)
    rows: list[tuple[str, str, str]] = []
    classes: dict[str, int] = {}  # of the training cases
    with atomic(folder / "images") as images, atomic(folder / "labels") as labels:
        images.mkdir()
        for phantom in phantoms:
            rows.append((phantom.case, phantom.patient, phantom.split))
            if phantom.split == "train":
                classes[phantom.case] = len(phantom.masks)
            Image.fromarray(phantom.image).save(images / f"{phantom.case}.png")
            (labels / phantom.case).mkdir(parents=True)
            for name, mask in phantom.masks.items():
                label = Image.fromarray(mask.astype(np.uint8) * 255)
                label.save(labels / phantom.case / f"{name}.png")
        labels.mkdir(exist_ok=True)
    first = max(classes, key=classes.__getitem__, default="")
    order = sorted(classes, key=lambda case: case != first)
    lines = ["case,patient,split,order"]
    for row in rows:
        lines.append(",".join([*row, str(order.index(row[0])) if row[0] in classes else ""]))
    write_text(folder / "cases.csv", "\n".join(lines) + "\n")


def _draw_all(counts: dict[str, int], seed: int, height: int, width: int) -> Iterator[Phantom]:
    for offset, split in enumerate(SPLITS):
        left, index = counts.get(split, 0), 0
        while left:
            # Patient numbers of the splits interleave, so that none depends on another's count.
            number = len(SPLITS) * index + offset
            chance = np.random.default_rng([seed, number])
            patient = _grow(chance, is_whole=number == 0)
            images = min(left, 1 + int(chance.choice(3, p=(0.66, 0.23, 0.11))))
            for k in range(1, images + 1):
                chance = np.random.default_rng([seed, number, k])
                image, masks = _expose(patient, chance, height, width)
                yield Phantom(f"p{number:04d}_{k}", f"p{number:04d}", split, image, masks)
            left, index = left - images, index + 1


def _grow(chance: Generator, *, is_whole: bool) -> _Patient:
    """A patient's shape; `is_whole`: with every bone."""

    def around(value: float, spread: float) -> float:
        return value * (1 + spread * chance.uniform(-1.7, 1.7))

    broad, long, rim = around(1, 0.07), around(1, 0.05), around(1, 0.2)
    bones = {}
    for name, plan in _SKELETON.items():
        is_long = plan.half_length > 1
        bone = replace(
            plan,
            u=plan.u * broad + chance.normal(0, 0.014),
            v=plan.v * long + chance.normal(0, 0.014),
            angle=plan.angle + chance.normal(0, 0.015 if is_long else 0.08),
            half_length=around(plan.half_length, 0.01 if is_long else 0.08),
            half_width=around(plan.half_width * broad, 0.09),
            waist=min(around(plan.waist, 0.1), 1),
            squareness=around(plan.squareness, 0.12),
            bend=plan.bend + chance.normal(0, 0.014),
            cortex=around(plan.cortex * rim, 0.1),
            density=around(1, 0.12),
            ripple=plan.ripple + chance.uniform(0, 0.07),
            phase=chance.uniform(0, 2 * math.pi),
        )
        if chance.random() >= _ABSENCE.get(name, 0) or is_whole:
            bones[name] = bone

    extras = []
    for _ in range(chance.binomial(3, 0.25)):
        u, v = chance.uniform((-0.55, -0.5), (0.55, 0.5))
        extras.append(_pebble(u, v, chance.uniform(0.025, 0.05), chance.uniform(0.025, 0.05)))
    for _ in range(chance.choice([0, 0, 0, 0, 1, 2])):  # pins
        u, v = chance.uniform((-0.35, -0.45), (0.35, 0.35))
        pin = _Bone(u, v, chance.normal(0, 0.6), chance.uniform(0.12, 0.3), 0.013)
        extras.append(replace(pin, cortex=1, density=chance.uniform(4, 7)))
    if chance.random() < 0.15:
        host = bones[str(chance.choice(["stem", "strut", "ray_middle"]))]
        plate = _Bone(*host.at(max(host.half_length - 0.32, 0)), host.angle, 0.22, 0.034)
        extras.append(replace(plate, cortex=1, density=chance.uniform(2, 4)))
    top, density = chance.uniform((-0.3, 0.25), (0.5, 0.6))
    cast = (top, top + chance.choice([0.35, 3]), density) if chance.random() < 0.22 else None
    return _Patient(bones, extras, cast, chance.uniform(0.7, 1.4))


def _expose(
    patient: _Patient, chance: Generator, height: int, width: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One image of a patient and the masks of its bones."""
    bones = {}
    for name, bone in patient.bones.items():
        u, v, turn = chance.normal(0, (0.01, 0.01, 0.05 if bone.half_length < 1 else 0.005))
        bones[name] = replace(bone, u=bone.u + u, v=bone.v + v, angle=bone.angle + turn)
    place, field = _pose(bones, chance, height, width)
    shape, unit = (height, width), min(height, width) / 2

    skeleton, masks = np.zeros(shape, np.float32), {}
    for name, bone in [*bones.items(), *(("", extra) for extra in patient.extras)]:
        box, mask, shadow = _project(bone, place)
        skeleton[box] += shadow
        parts, _ = ndimage.label(mask & field[box])
        sizes = np.bincount(parts.ravel(), minlength=2)[1:]
        if name and sizes.max() >= _SMALLEST * (2 * unit) ** 2:
            masks[name] = np.zeros(shape, bool)
            masks[name][box] = parts == 1 + sizes.argmax()
    grain = ndimage.gaussian_filter(chance.normal(size=shape).astype(np.float32), unit * 0.012)
    skeleton *= 1 + chance.uniform(0.1, 0.25) * grain / grain.std()

    rays = [bone for name, bone in bones.items() if name.startswith("ray")]
    flesh = patient.flesh * _flesh(rays, place)
    coarse = Image.fromarray(chance.normal(size=(9, 9)).astype(np.float32))
    clouds = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    body = flesh * (1 + 0.14 * clouds) + chance.uniform(0.6, 1.0) * skeleton
    if patient.cast is not None:
        top, bottom, density = patient.cast
        inside = np.clip(np.minimum(place[1] - top, bottom - place[1]) / 0.03, 0, 1)
        weave = 1 + 0.08 * np.sin(70 * place[1] + 4 * place[0]) + 0.2 * clouds
        body += density * weave * inside * np.clip(4 * flesh, 0, 1)
    return _develop(body, field, chance, unit), masks


def _pose(
    bones: dict[str, _Bone], chance: Generator, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel lies in the patient, (2: u and v, height, width); what collimators spare."""
    turn, shear = chance.uniform(-0.2, 0.2), chance.normal(0, 0.04)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    to_image = chance.uniform(1.15, 1.4) * rotation @ np.array([[1, shear], [0, 1]])

    # Both ends of every short bone and the heads of the long ones have to stay in the image.
    tips = [bone.at(bone.half_length) for bone in bones.values()]
    tips += [bone.at(-bone.half_length) for bone in bones.values() if bone.half_length < 1]
    ends = np.array(tips) @ to_image.T
    half = np.array([width, height]) / min(height, width)
    shift = chance.normal((0, 0.08), 0.06)
    shift = np.maximum(shift, np.minimum(-0.96 * half - ends.min(axis=0), 0))
    shift = np.minimum(shift, np.maximum(0.96 * half - ends.max(axis=0), 0))

    grid = (2 * np.indices((height, width), np.float32)[::-1] + 1) / min(height, width)
    x, y = grid = (grid - (half + shift)[:, None, None]).astype(np.float32)
    u, v = np.tensordot(np.linalg.inv(to_image).astype(np.float32), grid, 1)
    a, b, c, d = chance.uniform(-math.pi, math.pi, 4).astype(np.float32)
    du = 0.02 * np.sin(3 * v + a) + 0.012 * np.sin(4 * u + 3 * v + b)
    dv = 0.02 * np.sin(3 * u + c) + 0.012 * np.sin(4 * v - 3 * u + d)

    field = np.ones((height, width), bool)
    if chance.random() < 0.4:
        for axis, sign in ((0, -1), (0, 1), (1, -1), (1, 1)):
            # Somewhere between the outermost bone and the edge; below, some shaft stays in view.
            bone = (sign * ends[:, axis]).max() + (0.28 if axis + sign == 2 else 0.08)
            room = max(half[axis] - sign * shift[axis] - bone, 0)
            slanted = (x, y)[axis] + np.float32(chance.normal(0, 0.03)) * (y, x)[axis]
            field &= sign * slanted < bone + chance.uniform(0.1, 1.3) * room
    return np.stack([u + du, v + dv]), field


def _project(bone: _Bone, place: np.ndarray) -> tuple[tuple[slice, ...], np.ndarray, np.ndarray]:
    """The box that a bone lies in, its mask there, and the density that rays meet there."""
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
    # Broad bones are flat ones, or the stem would outshine all others.
    scale = bone.density / math.sqrt(bone.half_width * 0.1)
    return box, across < outer, scale * (whole - 0.7 * marrow)


def _flesh(rays: list[_Bone], place: np.ndarray) -> np.ndarray:
    """Thickness of the soft tissue: a broad palm, and a sleeve about each ray."""
    palm = _Bone(0, 1.15, 0, 1.9, 0.62, waist=0.7, flare=1.1, rounding=0.7, cortex=1, density=0.2)
    sleeve = replace(palm, half_length=0.62, half_width=0.17, rounding=0.15, waist=1, density=0.55)
    thickness = np.zeros(place.shape[1:], np.float32)
    for part in [palm, *(replace(sleeve, u=ray.u, v=ray.v, angle=ray.angle) for ray in rays)]:
        box, _, shadow = _project(part, place)
        thickness[box] = np.hypot(thickness[box], shadow)
    return thickness


def _develop(body: np.ndarray, field: np.ndarray, chance: Generator, unit: float) -> np.ndarray:
    """From attenuation to an 8-bit image: blur, scatter, quantum noise, window, gamma, marker."""
    body = ndimage.gaussian_filter(body, chance.uniform(0.005, 0.011) * unit)
    heel = np.linspace(-1, 1, body.shape[1], dtype=np.float32) * np.float32(chance.normal(0, 0.12))
    light = np.exp(-body) * (1 + heel)
    haze = ndimage.uniform_filter(ndimage.uniform_filter(light, int(unit / 2)), int(unit / 2))
    light += chance.uniform(0.1, 0.5) * haze
    noise = ndimage.gaussian_filter(chance.normal(size=body.shape).astype(np.float32), 0.5)
    light += chance.uniform(0.015, 0.04) * np.sqrt(light) * noise
    film = -np.log(np.maximum(light, 0.004))
    black, white = np.percentile(film[field], (1, 99.5))
    black -= chance.uniform(0, 0.25) * (white - black)
    white += chance.uniform(-0.05, 0.4) * (white - black)
    film = np.clip((film - black) / (white - black), 0, 1) ** chance.uniform(0.75, 1.4)
    film = np.where(ndimage.uniform_filter(field.astype(np.float32), 3) > 0.5, film, 0.03)
    if chance.random() < 0.3:  # a lead letter L, or its mirror image
        letter = np.kron([[1, 0, 0]] * 4 + [[1, 1, 1]], np.ones((int(0.033 * unit),) * 2)) > 0
        top, side = (chance.uniform(0.04, 0.3, 2) * unit).astype(int)
        corner = film if chance.random() < 0.5 else film[:, ::-1]
        corner[top : top + letter.shape[0], side : side + letter.shape[1]][letter] = 0.97
    return np.rint(255 * np.clip(film, 0, 1)).astype(np.uint8)
