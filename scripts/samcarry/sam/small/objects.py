"""Genuine images with object maps: which there are, and drawing one by source, then image, then object.

A source is a folder with `<id>.jpg` and its maps `<id>.png`, or `<id>.0.png`, `<id>.1.png`, ... where objects
overlap; a map holds 0 for the background and one number for each object.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from samcarry.sam.crops import Window, window_around

Rng = np.random.Generator

OPEN_SOURCES = (
    "covid_cxr_radiologists",
    "covid_cxr_v7",
    "busi_part",
    "dsb2018_fixed",
    "chloroplasts_sem",
    "pebbles",
    "coco128",
)
"""Sources whose licences allow any use; weights that are passed on are trained on these only."""

HELD_OUT_SOURCES = ("busi_part", "chloroplasts_sem", "jsrt_scr")
"""Never trained on: ultrasound, electron microscopy, and radiographs of a data set of their own.

The two other chest sets share images, so that neither can be held out while the other is trained on.
"""

COMPLETE_SOURCES = ("dsb2018_fixed", "pebbles")
"""Sources in which every object has a mask, so that what is not masked is not an object."""

SHORTEST_SIDE = 8
"""Pixels of a box's longer side; smaller objects are not asked for."""

MOST_NEIGHBOURS = 20


@dataclass(frozen=True)
class Picture:
    """An image with objects, one of which is to be shown.

    Attributes:
        image: uint8 (height, width), or (height, width, 3) in colour.
        masks: bool (K, height, width); the first is the object to show.
        missing: places that look as if there were an object, (M, height, width).
        complete: whether all objects of the image are known.
        occupied: all objects of the image, (height, width).
        predicted: log-odds of a network's masks of the objects, (K, h, w) at any resolution; None = unknown.
    """

    image: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    complete: bool
    occupied: NDArray[np.bool_]
    predicted: NDArray[np.floating] | None = None


def image_files(folder: Path, sources: Sequence[str]) -> dict[str, list[Path]]:
    """The images of each source, sorted.

    Raises:
        FileNotFoundError: a source has no images.
    """
    found = {source: sorted((folder / source).glob("*.jpg")) for source in sources}
    for source, files in found.items():
        if not files:
            raise FileNotFoundError(f"{folder / source}: there are no .jpg images of this source")
    return found


def read_maps(image: Path) -> list[NDArray[np.int32]]:
    """The object maps (height, width) of an image, in the order of their names."""
    single = image.with_suffix(".png")
    files = [single] if single.exists() else sorted(image.parent.glob(f"{escape(image.stem)}.[0-9]*.png"))
    return [np.asarray(Image.open(file)).astype(np.int32) for file in files]


def draw_picture(rng: Rng, files: dict[str, list[Path]]) -> Picture:
    """A picture of a random source, then image, then object."""
    sources = sorted(files)
    while True:
        source = sources[rng.integers(len(sources))]
        file = files[source][rng.integers(len(files[source]))]
        picture = read_picture(rng, file, source in COMPLETE_SOURCES)
        if picture is not None:
            return picture


def read_picture(rng: Rng, file: Path, complete: bool) -> Picture | None:
    """One image with a random object first, and the objects around that; None if all are too small."""
    maps = read_maps(file)
    boxes = [
        (place, number, box)
        for place, values in enumerate(maps)
        for number, box in enumerate(ndimage.find_objects(values), start=1)
        if box is not None and max(s.stop - s.start for s in box) >= SHORTEST_SIDE
    ]
    if not boxes:
        return None
    place, number, (rows, columns) = boxes[rng.integers(len(boxes))]
    box = (float(columns.start), float(rows.start), float(columns.stop), float(rows.stop))
    around = window_around(box, 4.0, maps[0].shape)
    beside = [maps[p] == n for p, n, slices in boxes if (p, n) != (place, number) and _meets(slices, around)]
    chosen = rng.permutation(len(beside))[:MOST_NEIGHBOURS]
    masks = np.stack([maps[place] == number, *(beside[i] for i in chosen)])
    image = np.asarray(Image.open(file).convert("RGB"))
    occupied = np.any([values > 0 for values in maps], axis=0)
    return Picture(image, masks, masks[:0], complete, occupied)


def _meets(slices: tuple[slice, slice], window: Window) -> bool:
    rows, columns = slices
    return (
        rows.start < window.bottom
        and rows.stop > window.top
        and columns.start < window.right
        and columns.stop > window.left
    )


def to_grey(rng: Rng, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey values (height, width) of a colour image: its luminance, or a random mixture of its channels."""
    if image.ndim == 2:
        return image
    weights = np.array([0.299, 0.587, 0.114]) if rng.random() < 0.5 else rng.dirichlet([1.0, 1.0, 1.0])
    return np.clip(image @ weights, 0, 255).astype(np.uint8)


def vary_grey(rng: Rng, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Another exposure of an image (height, width): gamma, range, inversion, blur, noise."""
    grey = image.astype(np.float32) / 255
    if rng.random() < 0.25:
        grey = ndimage.gaussian_filter(grey, rng.uniform(0.3, 2.0))
    if rng.random() < 0.15:
        grey = 1 - grey
    grey = grey ** np.exp(rng.normal(0, 0.35))
    if rng.random() < 0.5:
        low, high = np.percentile(grey, [rng.uniform(0, 2), rng.uniform(98, 100)])
        grey = np.clip((grey - low) / max(float(high - low), 0.1), 0, 1)
    grey = grey * rng.uniform(0.55, 1) + rng.uniform(0, 0.2)
    grey = grey + rng.choice([0.0, 0.02, 0.06]) * rng.random() * rng.normal(size=grey.shape)
    return np.clip(grey * 255, 0, 255).astype(np.uint8)
