"""A gallery of cases for a browser: radiographs as WebP, contours and prompts as SVG paths."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import approximate_polygon, find_contours

from samcarry.evaluation.dice import dice
from samcarry.evaluation.formatting import format_dice
from samcarry.prompting.prompts import Prompt, read_prompts
from samcarry.storage.stacks import read_shards

LONG_SIDE = 640
"""Length in pixels of the longer side of a picture. Contours are vectors and stay sharp at any size."""

MOST_OF_WEBP = 16383
"""The most pixels that a side of a WebP image can have."""

TOLERANCE = 0.3
"""Largest deviation of a simplified contour in pixels at network size; below half a pixel."""


@dataclass(frozen=True)
class Stage:
    """One picture of each case: its title, and files with masks or probabilities and perhaps prompts."""

    title: str
    masks: Sequence[str]
    prompts: Sequence[str] = ()


@dataclass(frozen=True)
class Shape:
    """The contour of one class as SVG path data in pixels at network size, and its label."""

    class_index: int
    path: str
    label: str


@dataclass(frozen=True)
class Tile:
    """One picture of one case: contours, boxes and points of a stage, and its Dice as text."""

    title: str
    score: str
    shapes: tuple[Shape, ...]
    boxes: tuple[tuple[int, str], ...] = ()  # class and path
    points: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class GalleryCase:
    """One case: its image as WebP, its size (height, width) at network size, and its pictures."""

    case: str
    note: str
    picture: bytes
    size: tuple[int, int]
    tiles: tuple[Tile, ...]


def gallery_cases(
    images: Iterable[str],
    references: Iterable[str],
    stages: Sequence[Stage],
    chosen: Mapping[str, str],
    classes: Sequence[str],
) -> list[GalleryCase]:
    """The cases of a gallery; one stage is read at a time.

    Args:
        images: stacks of prepared images.
        references: stacks of reference masks; a case without one has no reference picture and no Dice.
        stages: the stages to show after the reference, in this order.
        chosen: {case: note} of the cases to show, in this order.
        classes: class names of all stacks, in the order of the colours.
    """
    cases = list(chosen)
    pictures = read_shards(images, cases)
    tiles = case_tiles(references, stages, cases, classes)
    return [
        GalleryCase(case, chosen[case], webp(pictures[case]), pictures[case].shape, tuple(tiles[case]))
        for case in cases
    ]


def case_tiles(
    references: Iterable[str], stages: Sequence[Stage], cases: Sequence[str], classes: Sequence[str]
) -> dict[str, list[Tile]]:
    """{case: its pictures without the image}; arguments as for `gallery_cases`."""
    reference = read_shards(references, cases, classes)
    tiles: dict[str, list[Tile]] = {case: [] for case in cases}
    for case, masks in reference.items():
        tiles[case].append(Tile("reference", "", _shapes(masks, None, classes)))
    for stage in stages:
        prompts, _ = read_prompts(*stage.prompts, classes=classes)
        for case, masks in read_shards(stage.masks, cases, classes).items():
            known = reference.get(case)
            score = "" if known is None else format_dice(known, masks)
            shapes = _shapes(masks, known, classes)
            tiles[case].append(Tile(stage.title, score, shapes, *_boxes_and_points(prompts.get(case, ()))))
    return tiles


def webp(image: NDArray[np.uint8], most: int = MOST_OF_WEBP) -> bytes:
    """A grey image (height, width) as WebP, its longer side enlarged to `LONG_SIDE` or shrunk to `most`."""
    longest = max(image.shape)
    scale = min(max(longest, LONG_SIDE), most) / longest
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    stream = io.BytesIO()
    Image.fromarray(image).resize(size, Image.Resampling.BICUBIC).save(stream, "WEBP", quality=80)
    return stream.getvalue()


def outline(mask: NDArray[np.bool_]) -> str:
    """The contours of a mask (height, width) as SVG path data; '' if the mask is empty.

    Coordinates are as for prompts: the upper left pixel covers 0 to 1.
    """
    if not mask.any():
        return ""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    window = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    origin = np.array([rows[0], columns[0]]) - 0.5  # of the padded window, in continuous coordinates
    parts = []
    for contour in find_contours(np.pad(window, 1).astype(float), 0.5):
        points = approximate_polygon(contour, TOLERANCE)[:-1] + origin
        parts.append("M" + "L".join(f"{x:g} {y:g}" for y, x in np.round(points, 1)) + "Z")
    return "".join(parts)


def _shapes(
    masks: NDArray[np.bool_], reference: NDArray[np.bool_] | None, classes: Sequence[str]
) -> tuple[Shape, ...]:
    shapes = []
    for index, (mask, name) in enumerate(zip(masks, classes, strict=True)):
        if mask.any():
            label = name
            if reference is not None:
                value = dice(reference[index], mask)
                score = "not in the reference" if value is None else f"Dice {100 * value:.1f} %"
                label = f"{name}: {score}"
            shapes.append(Shape(index, outline(mask), label))
    return tuple(shapes)


def _boxes_and_points(
    prompts: Sequence[Prompt | None],
) -> tuple[tuple[tuple[int, str], ...], tuple[tuple[int, str], ...]]:
    """Boxes and positive points as (class, path); negative points are those of the other classes."""
    boxes, points = [], []
    for index, prompt in enumerate(prompts):
        if prompt is not None:
            x0, y0, x1, y1 = prompt.box
            boxes.append((index, f"M{x0:g} {y0:g}H{x1:g}V{y1:g}H{x0:g}Z"))
            # A path of length 0 with round caps is a dot that keeps its width at any size.
            points.append((index, f"M{prompt.positive[0]:.1f} {prompt.positive[1]:.1f}h0"))
    return tuple(boxes), tuple(points)
