"""Masks of one image as run lengths: small enough to keep those of many images on the way to one file."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask


@dataclass(frozen=True)
class RunLengths:
    """One class of one image as COCO has it.

    Attributes:
        class_index: place of the class in the list of classes.
        counts: COCO's compressed run lengths, down the columns.
        area: pixels.
        box: left, top, width, height in pixels.
    """

    class_index: int
    counts: str
    area: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class EncodedImage:
    """One image: its file's name, its size in pixels, and its classes that are present."""

    file_name: str
    height: int
    width: int
    masks: tuple[RunLengths, ...]


def encode_image(file_name: str, masks: NDArray[np.bool_]) -> EncodedImage:
    """Masks (class, height, width) as run lengths; a class without a pixel has none."""
    found = []
    for index, mask in enumerate(masks):
        if mask.any():
            encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
            left, top, width, height = (int(number) for number in coco_mask.toBbox(encoded))
            counts = encoded["counts"].decode("ascii")
            found.append(RunLengths(index, counts, int(mask.sum()), (left, top, width, height)))
    return EncodedImage(file_name, masks.shape[1], masks.shape[2], tuple(found))


def decode_box(image: EncodedImage, mask: RunLengths) -> NDArray[np.bool_]:
    """What a mask of the image has inside its own box, (height, width) of the box."""
    encoded = {"size": [image.height, image.width], "counts": mask.counts.encode("ascii")}
    left, top, width, height = mask.box
    return coco_mask.decode(encoded)[top : top + height, left : left + width].astype(bool)


class Spool:
    """Encoded images in a file, a line each: written one by one, then read as often as need be.

    So a file that holds all images can be written at the end, and memory does not grow with their number.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def add(self, image: EncodedImage) -> None:
        """Append an image."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(image)) + "\n")

    def __iter__(self) -> Iterator[EncodedImage]:
        with self.path.open(encoding="utf-8") as stream:
            for line in stream:
                entry = json.loads(line)
                masks = tuple(RunLengths(**{**mask, "box": tuple(mask["box"])}) for mask in entry["masks"])
                yield EncodedImage(**{**entry, "masks": masks})
